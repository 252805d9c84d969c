"""Does fusing work wherever Python text comes from: script, module, notebook, command line, ``exec``?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.fresh_process import FUSED_PROGRAM, run_program, run_python

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.arange(5.0)


def test_a_script(tmp_path: Path) -> None:
    run_program(tmp_path / "script.py", FUSED_PROGRAM + "check()\n")


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "fused_module.py").write_text(FUSED_PROGRAM, encoding="utf-8")
    run_python("-c", "import fused_module; fused_module.check()", cwd=tmp_path)


def test_a_module_in_a_zip_file(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("zipped_module.py", FUSED_PROGRAM)
    run_python(
        "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'packed.zip')!r}); import zipped_module as z; z.check()"
    )


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="since 3.13 Python keeps the text of 'python -c'")
def test_text_on_the_command_line_has_no_source_and_says_so() -> None:
    program = FUSED_PROGRAM + (
        "a = np.arange(4.0)\n"
        "assert (scaled_sum(a, a) == a * 2.5 + a).all()\n"
        "assert scaled_sum.fallback_reasons() == {'no-source': 1}, scaled_sum.fallback_reasons()\n"
        "print(scaled_sum.explain())\n"
    )
    printed = run_python("-c", program).stdout
    assert "its source text is not available" in printed
    assert "hint: define the function in a file or a notebook cell" in printed


def test_executed_text_has_no_source_and_says_so() -> None:
    namespace: dict[str, Any] = {"pyfuse": pyfuse}
    exec("@pyfuse.fuse\ndef doubled(a):\n    return a * 2.0\n", namespace)
    doubled = namespace["doubled"]
    assert (doubled(A) == A * 2.0).all()
    assert doubled.fallback_reasons() == {"no-source": 1}
    assert "made by exec()" in doubled.explain(A)


def test_executed_text_that_names_a_real_file_is_not_taken_for_that_files_text(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("def doubled(a):\n    return a * 3.0\n", encoding="utf-8")
    namespace: dict[str, Any] = {}
    exec(compile("def doubled(a):\n    return a * 2.0\n", str(path), "exec"), namespace)
    fused = pyfuse.fuse(namespace["doubled"])
    assert (fused(A) == A * 2.0).all()
    assert fused.fallback_reasons() == {"no-source": 1}
    assert "has changed since it was defined" in fused.explain(A)


def test_a_notebook_cell() -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.instance()
    shell.run_cell("import numpy as np, pyfuse").raise_error()
    shell.run_cell("@pyfuse.fuse\ndef cell_function(a, b):\n    return a * b + 1.0\n").raise_error()
    shell.run_cell("result = cell_function(np.arange(4.0), 3.0)\nfirst = cell_function.cache_info()").raise_error()
    assert (shell.user_ns["result"] == np.arange(4.0) * 3.0 + 1.0).all()
    assert shell.user_ns["first"].fused_calls == 1
    shell.run_cell("@pyfuse.fuse\ndef cell_function(a, b):\n    return a * b - 1.0\n").raise_error()
    shell.run_cell("result = cell_function(np.arange(4.0), 3.0)\nsecond = cell_function.cache_info()").raise_error()
    assert (shell.user_ns["result"] == np.arange(4.0) * 3.0 - 1.0).all()
    assert shell.user_ns["second"].fused_calls == 1


def test_statements_after_the_last_line_that_makes_code_do_not_matter() -> None:
    @pyfuse.fuse
    def with_a_dead_end(a: np.ndarray) -> np.ndarray:
        return a + 1.0
        dead = a + 2.0  # unreachable, and so in no code
        return dead

    assert (with_a_dead_end(A) == A + 1.0).all()
    assert with_a_dead_end.cache_info().fused_calls == 1


def test_importing_pyfuse_loads_nothing_that_only_some_calls_need() -> None:
    program = "import numpy, sys; before = set(sys.modules); import pyfuse; print(*sorted(set(sys.modules) - before))"
    loaded = run_python("-c", program).stdout.split()
    assert not {"cffi", "_cffi_backend", "pycuda", "astor", "subprocess"} & set(loaded)
    assert "pyfuse.executor" in loaded
