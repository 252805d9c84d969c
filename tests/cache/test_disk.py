"""Do kernels on disk save compilations, and does nothing that happens to the disk give a wrong answer?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pyfuse
from tests.fresh_process import FUSED_PROGRAM, NotedCompiler, environment, run_program, script

pytestmark = [
    pytest.mark.usefixtures("c_compiler"),
    pytest.mark.skipif(sys.platform == "win32", reason="compiler scripts for a POSIX shell"),
]

PROGRAM = FUSED_PROGRAM + "check()\n"
PROCESSES = 8


@pytest.fixture(scope="module")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> NotedCompiler:
    """A folder that the program has been run in once."""
    compiler = NotedCompiler(tmp_path_factory.mktemp("warmed"))
    run(compiler)
    assert len(compiler.kernel_builds()) == 1
    return compiler


@pytest.fixture
def compiler(tmp_path: Path, warmed: NotedCompiler) -> NotedCompiler:
    """A compiler whose folder holds the program's kernel and the runtime already; none of its runs are noted yet."""
    noted = NotedCompiler(tmp_path, warmed.path)
    shutil.copytree(warmed.kernels, noted.kernels)
    return noted


@pytest.fixture
def cold(tmp_path: Path, warmed: NotedCompiler) -> NotedCompiler:
    """The same compiler, with no folder of kernels yet."""
    return NotedCompiler(tmp_path, warmed.path)


def run(compiler: NotedCompiler, program: str = PROGRAM, **variables: str | None) -> str:
    path = compiler.kernels.parent / "program.py"
    return run_program(path, program, **{**compiler.variables, **variables}).stdout


def test_a_second_process_runs_no_compiler(compiler: NotedCompiler) -> None:
    run(compiler)
    assert compiler.runs() == [], "not even --version"
    assert len(compiler.libraries()) == 2, "the kernel and the runtime"


def test_another_compiler_gets_kernels_of_its_own(compiler: NotedCompiler) -> None:
    other = script(compiler.kernels.parent / "other-cc", 'exec cc "$@"')
    run(compiler, PYFUSE_CC=str(other))
    assert len(compiler.libraries()) == 4


def test_a_compiler_that_changed_is_probed_again(tmp_path: Path) -> None:
    compiler = NotedCompiler(tmp_path)
    run(compiler)
    before = len(compiler.runs())
    os.utime(compiler.path, (1, 1))
    run(compiler)
    assert len(compiler.runs()) > before
    assert len(compiler.kernel_builds()) == 1, "it says that it is the same compiler"


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    path.write_bytes(content)


def replace_by_a_garbage_library(path: Path) -> None:
    """Whole by its digest, and no library: as if the compiler or another machine had written it."""
    from pyfuse.backend.artifact_store import ArtifactStore

    ArtifactStore(path.parent).put(path.name, b"\x7fELF" + b"garbage" * 1000)


def replace_by_another_machines_library(path: Path) -> None:
    from pyfuse.backend.artifact_store import ArtifactStore

    store = ArtifactStore(path.parent)
    content = bytearray(store.get(path.name) or b"")
    content[18] ^= 0xFF  # e_machine
    store.put(path.name, bytes(content))


@pytest.mark.parametrize(
    "damage", [truncate, empty, flip, replace_by_a_garbage_library, replace_by_another_machines_library, Path.unlink]
)
def test_a_damaged_library_is_built_again(damage: Callable[[Path], None], compiler: NotedCompiler) -> None:
    for path in compiler.libraries():
        damage(path)
    run(compiler)
    assert len(compiler.runs()) == 2, "the kernel and the runtime"
    run(compiler)
    assert len(compiler.runs()) == 2


def test_many_processes_on_an_empty_folder(cold: NotedCompiler, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command, variables = [sys.executable, str(tmp_path / "program.py")], environment(**cold.variables)
    running = [
        subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(PROCESSES)
    ]
    for process in running:
        printed = process.communicate(timeout=120)[0]
        assert process.returncode == 0, printed
    assert len(cold.libraries()) == 2
    assert not list(cold.kernels.glob(".*")), "no unfinished file"
    builds = len(cold.kernel_builds())
    assert 1 <= builds <= PROCESSES
    run(cold)
    assert len(cold.kernel_builds()) == builds


KILLED_WRITER = """\
import os, signal, sys
from pyfuse.backend.artifact_store import ArtifactStore
from pathlib import Path

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

os.{call} = die
ArtifactStore(Path(sys.argv[1])).put("key.so", b"x" * 100_000)
"""


@pytest.mark.parametrize("call", ["fdopen", "chmod", "replace"])
def test_a_killed_writer_publishes_nothing(call: str, tmp_path: Path) -> None:
    from pyfuse.backend.artifact_store import ArtifactStore

    folder = tmp_path / "kernels"
    folder.mkdir(mode=0o700)
    text = KILLED_WRITER.format(call=call)
    done = run_program(tmp_path / "writer.py", text, str(folder), check=False)
    assert done.returncode == -signal.SIGKILL
    store = ArtifactStore(folder)
    assert not store.path("key.so").exists()
    store.put("key.so", b"whole")
    assert store.get("key.so") == b"whole"


def test_a_process_killed_while_it_compiles_leaves_the_folder_usable(cold: NotedCompiler, tmp_path: Path) -> None:
    started = tmp_path / "started"
    slow = script(
        tmp_path / "slow-cc", f'case "$*" in *pyfuse-build-*) touch "{started}"; sleep 2;; esac; exec cc "$@"'
    )
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    variables = environment(**{**cold.variables, "PYFUSE_CC": str(slow)})
    process = subprocess.Popen([sys.executable, str(tmp_path / "program.py")], env=variables)
    deadline = time.monotonic() + 60
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    assert cold.libraries() == []
    run(cold)
    assert len(cold.libraries()) == 2


def test_a_folder_that_cannot_be_written_to_is_still_read(compiler: NotedCompiler) -> None:
    compiler.kernels.chmod(0o500)
    try:
        run(compiler)
    finally:
        compiler.kernels.chmod(0o700)
    assert compiler.runs() == []


NO_WRITING = """\
import pyfuse.backend.artifact_store as artifacts, tempfile
real = tempfile.mkstemp
def refuse(*args, dir=None, **kwargs):
    if dir is not None and str(dir).endswith("kernels"):
        raise OSError(28, "No space left on device")
    return real(*args, dir=dir, **kwargs)
tempfile.mkstemp = refuse
"""


def test_a_full_cache_folder_costs_a_compilation_in_each_process_and_nothing_else(
    cold: NotedCompiler, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for count in (1, 2):
        run(cold, FUSED_PROGRAM + NO_WRITING + "check()\n", TMPDIR=str(temporary))
        assert len(cold.kernel_builds()) == count
    assert cold.libraries() == []
    assert os.listdir(temporary) == [], "the temporary folder is removed when the process ends"


FULL_DISK = """\
import importlib.util as u, resource
find = u.find_spec
u.find_spec = lambda name, *rest: None if name == "ziglang" else find(name, *rest)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
@pyfuse.fuse
def total(a):
    return (a * 2.5).sum()
a = np.arange(6.0)
assert total(a) == (a * 2.5).sum()
print(total.fallback_reasons())
"""


@pytest.mark.parametrize("knows_its_compiler", [True, False])
def test_no_place_to_write_anywhere_runs_the_original(knows_its_compiler: bool, compiler: NotedCompiler) -> None:
    for path in compiler.kernels.iterdir():
        if path.suffix == ".so" or not knows_its_compiler:
            path.unlink()
    printed = run(compiler, FUSED_PROGRAM + FULL_DISK)
    assert printed.strip() == ("{'compiler-failed': 1}" if knows_its_compiler else "{'no-compiler': 1}")
    assert compiler.libraries() == []


def test_a_folder_deleted_while_running_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYFUSE_CACHE_DIR", str(tmp_path / "kernels"))
    a = np.arange(5.0)
    fused = pyfuse.fuse(lambda x, y: x - y * 0.75)
    assert (fused(a, a) == a - a * 0.75).all()
    shutil.rmtree(tmp_path / "kernels")
    assert (fused(a, a) == a - a * 0.75).all()
    assert (fused(a, 2.0) == a - 2.0 * 0.75).all()
    assert (fused.cache_info().fused_calls, fused.cache_info().kernels) == (3, 2)
    assert len(list((tmp_path / "kernels").glob("*.so"))) == 1


@pytest.mark.parametrize("name", ["Ümläut カーネル", "quote'\"dollar$HOME;semicolon"])
def test_any_folder_name_works(name: str, tmp_path: Path, warmed: NotedCompiler) -> None:
    (tmp_path / name).mkdir()
    compiler = NotedCompiler(tmp_path / name, warmed.path)
    for _ in range(2):
        run(compiler, TMPDIR=str(tmp_path / name))
        assert len(compiler.kernel_builds()) == 1
    assert len(compiler.libraries()) == 2


def test_without_a_home(compiler: NotedCompiler, tmp_path: Path) -> None:
    caches = str(tmp_path / "caches")
    run(compiler, HOME=None, XDG_CACHE_HOME=caches, PYFUSE_CACHE_DIR=None, PYFUSE_CC=None)
    assert len(list((tmp_path / "caches" / "pyfuse").glob("*.so"))) == 2
