"""Does ``import pyfuse`` stay light: no native package, no compiler, no thread?"""

from __future__ import annotations

import subprocess
import sys

NOT_AT_IMPORT = ("cffi", "_cffi_backend", "pycuda", "scipy", "pyfuse.backend.cpu.kernel")
THREADS = (
    "import numpy, os, sys, threading\n"
    "count = lambda: len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 0\n"
    "before = threading.active_count(), count()\n"
    "import pyfuse\n"
    "sys.exit((threading.active_count(), count()) != before)"
)


def test_importing_pyfuse_imports_nothing_that_it_may_not_need() -> None:
    program = f"import pyfuse, sys; print(*[name for name in {NOT_AT_IMPORT!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_the_first_function_that_is_fused_loads_what_every_call_needs() -> None:
    program = (
        "import pyfuse, sys\n"
        "from pyfuse.backend.cpu.notes import generator_files\n"
        "pyfuse.fuse(abs)\n"
        "print('pyfuse.backend.cpu.kernel' in sys.modules, generator_files.cache_info().currsize)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "1"]


def test_importing_pyfuse_starts_no_thread() -> None:
    assert subprocess.run([sys.executable, "-c", THREADS], check=False).returncode == 0
