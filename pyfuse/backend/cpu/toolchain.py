"""Find a C compiler that works, and build shared libraries with it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyfuse.backend.artifact_store import ArtifactStore
from pyfuse.config import Config
from pyfuse.diagnostics import Code, refuse
from pyfuse.records import dataclass

if TYPE_CHECKING:
    import subprocess

BUILD_TIMEOUT_SECONDS = 300
PROBE_TIMEOUT_SECONDS = 60

# Every kernel is built with these. -ffp-contract=off: a contracted a*b+c differs from NumPy's (and gains nothing).
# -fwrapv: NumPy's integers wrap. -fno-math-errno and -fno-trapping-math let sqrt, floor and selections vectorise; they
# cannot fold libm calls, which kernels make under names of their own (docs/c-library.md). Never -ffast-math or -Ofast:
# loading such a library flushes denormals in the whole process.
BASE_FLAGS = (
    "-O3", "-std=gnu11", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-fwrapv", "-fno-strict-aliasing",
)  # fmt: skip
# Used where a probe shows that they build and run. Not --param=vect-epilogues-nomask=0, by which gcc does not vectorise
# the tail of each loop once more in half-width vectors: kernels build in 10 to 20 % less time, but rows of 31 elements
# of haversine took 15.7 us for 10.2, and softmax of rows of 31 2.9 us for 2.2 (1,000 elements, one thread).
# no-tree-slp-vectorize: gcc 12.2 vectorises (double)(float)x of two neighbours in straight-line code, and drops both
# casts: complex128 rounded to complex64 kept its digits. Loops are vectorised all the same.
# no-unswitch-loops: gcc writes a loop once for each side of a condition that does not change in it; ours are written
# so where it pays. Sums of columns build in 101 ms for 117, the median kernel in 95 for 108; none of 76 cases of 1,000
# and 100,000 elements is slower, distances of 1,000 float32 take 1.3 us for 1.66.
# -pipe: the assembler runs while the compiler does. 2 to 4 ms.
# -nostdlib: linking takes 8 ms, not 22. What kernels need of the C library, memcpy and malloc, every process has; a
# text with headers (the runtime) names functions of which there are several versions, and is linked with it.
WITHOUT_C_LIBRARY = "-nostdlib"
OPTIONAL_FLAGS = (
    "-march=native",
    "-fno-unswitch-loops",
    "-Wl,-z,nodelete",
    "-fno-tree-slp-vectorize",
    "-pipe",
    WITHOUT_C_LIBRARY,
)
LIBRARIES = ("-lm",)
COMPILERS_LIBRARY = "-lgcc"  # which the C library brings along otherwise

_PROBE_TEXT = """\
extern double pf_probe_cos(double) __asm__("cos");
extern void *pf_probe_take(unsigned long) __asm__("malloc");
extern void pf_probe_give_back(void *) __asm__("free");
double pyfuse_probe(double x)
{
    double *memory = pf_probe_take(8), result;
    *memory = pf_probe_cos(x) + 41;
    result = *memory;
    pf_probe_give_back(memory);
    return result;
}
"""
_PROBE_CHECK = """\
import ctypes, sys
probe = ctypes.CDLL(sys.argv[1]).pyfuse_probe
probe.restype, probe.argtypes = ctypes.c_double, [ctypes.c_double]
assert probe(0.0) == 42
"""
_MOST_VERSION_CHARACTERS = 200
_INSTALL_HINTS = (
    "install a C compiler (Debian: apt install gcc; Fedora: dnf install gcc; macOS: xcode-select --install)",
    "or, with pip alone: python -m pip install 'pyfuse[compiler]'",
)


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler that has built and run a probe.

    Attributes:
        command: the words before the flags.
        version: first line of what ``--version`` prints.
        flags: base flags and the optional ones that work here.
        cpu: the processor that ``-march=native`` means.
    """

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    cpu: str

    @cached_property
    def identity(self) -> str:
        """Everything beside the text that decides the bytes of a built kernel."""
        return json.dumps(asdict(self), sort_keys=True)


def candidates(config: Config) -> Iterator[tuple[str, ...]]:
    """Compiler commands worth trying, best first: PYFUSE_CC, CC, cc, gcc, clang, then the package ``ziglang``.

    One after the other, so that nothing is looked for behind the first that works.
    """
    tried = set()
    asked = (_words(text) for text in (config.cc, os.environ.get("CC")) if text)
    for command in itertools.chain(asked, (("cc",), ("gcc",), ("clang",))):
        if command and command not in tried and shutil.which(command[0]):
            tried.add(command)
            yield command
    if _has_ziglang():
        yield (sys.executable, "-m", "ziglang", "cc")


def _words(text: str) -> tuple[str, ...]:
    """A command as users write it: a path, which may hold spaces, or words as in a shell."""
    if shutil.which(text):
        return (text,)
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return ()


def find_toolchain(config: Config, store: ArtifactStore) -> Toolchain:
    """The first candidate that builds and runs a probe; remembered in the store until the compiler changes.

    Raises:
        CannotFuse: none does; the notes say what each printed.
    """
    notes = []
    if config.cc and not any(map(shutil.which, _words(config.cc)[:1])):
        notes.append(f"PYFUSE_CC={config.cc!r} is not an executable")
    for command in candidates(config):
        known = _remembered(command, store)
        if known is not None:
            return known
        try:
            toolchain = probe(command)
        except (ToolchainError, OSError) as error:
            notes.append(f"{' '.join(command)}: {first_lines(str(error), 3)}")
            continue
        store.put(_memory_key(command), json.dumps(asdict(toolchain)).encode())
        return toolchain
    raise refuse(Code.NO_COMPILER, "no working C compiler was found", notes=tuple(notes), hints=_INSTALL_HINTS)


def remembered_toolchain(config: Config, store: ArtifactStore) -> Toolchain | None:
    """What ``find_toolchain`` returns without running a compiler, or None where it would run one."""
    for command in candidates(config):
        return _remembered(command, store)
    return None


class ToolchainError(Exception):
    """A compiler could not build or run something; the message is its own output."""


class ToolchainTimeout(ToolchainError):
    """A compiler did not answer in time, and was ended."""


def probe(command: tuple[str, ...]) -> Toolchain:
    """Build and run a small library with the optional flags that work.

    Raises:
        ToolchainError: it does not work even with the base flags.
        OSError: there is no place for temporary files.
    """
    with temporary_folder("pyfuse-probe-") as folder:
        flags = _working_flags(command, folder)
    return Toolchain(command=command, version=_version(command), flags=flags, cpu=cpu_identity())


def _working_flags(command: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """All flags if they work together, which is the usual case, else those that do one by one."""
    try:
        _probe_flags(command, (*BASE_FLAGS, *OPTIONAL_FLAGS), folder / "all.so")
        return (*BASE_FLAGS, *OPTIONAL_FLAGS)
    except ToolchainTimeout:
        raise
    except ToolchainError:
        pass
    _probe_flags(command, BASE_FLAGS, folder / "base.so")
    flags: tuple[str, ...] = BASE_FLAGS
    for number, flag in enumerate(OPTIONAL_FLAGS):
        try:
            _probe_flags(command, (*flags, flag), folder / f"optional{number}.so")
        except ToolchainError:
            continue
        flags = (*flags, flag)
    return flags


def _version(command: tuple[str, ...]) -> str:
    """First line of what the compiler says of itself; empty where it does not say."""
    try:
        lines = run_program([*command, "--version"], PROBE_TIMEOUT_SECONDS).splitlines()
    except ToolchainError:
        return ""
    return lines[0][:_MOST_VERSION_CHARACTERS] if lines else ""


def compile_library(toolchain: Toolchain, text: str, extra_flags: tuple[str, ...] = ()) -> bytes:
    """Compile C text to the bytes of a shared library.

    Raises:
        CannotFuse: the compiler failed, was killed, or ran too long; its output is in the notes.
    """
    try:
        with temporary_folder("pyfuse-build-") as folder:
            target = folder / "kernel.so"
            _compile(toolchain.command, (*toolchain.flags, *extra_flags), text, target)
            return target.read_bytes()
    except (ToolchainError, OSError) as error:
        raise refuse(
            Code.COMPILER_FAILED,
            "the C compiler could not build the kernel",
            notes=(f"command: {' '.join(toolchain.command)}", *first_lines(str(error), 12).splitlines()),
            hints=("python -m pyfuse doctor checks the compiler",),
        ) from error


def assembly(toolchain: Toolchain, text: str) -> str:
    """The assembly of C text, for ``PYFUSE_DEBUG=asm``.

    Raises:
        ToolchainError: the compiler failed.
    """
    with temporary_folder("pyfuse-build-") as folder:
        target = folder / "kernel.s"
        flags = tuple(flag for flag in toolchain.flags if flag != "-shared" and not flag.startswith("-Wl"))
        _compile(toolchain.command, (*flags, "-S"), text, target)
        return target.read_text(errors="replace")


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that is removed afterwards.

    Not ``tempfile.TemporaryDirectory``: when the program ends, it removes the folder of a build that still goes on.
    """
    import tempfile

    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compile(command: tuple[str, ...], flags: tuple[str, ...], text: str, target: Path) -> None:
    source = target.with_suffix(".c")
    source.write_text(text, encoding="utf-8")
    if "#include" in text:
        flags = tuple(flag for flag in flags if flag != WITHOUT_C_LIBRARY)
    libraries: tuple[str, ...] = () if "-S" in flags else LIBRARIES
    if libraries and WITHOUT_C_LIBRARY in flags:
        libraries = (*libraries, COMPILERS_LIBRARY)
    run_program([*command, *flags, str(source), "-o", str(target), *libraries], BUILD_TIMEOUT_SECONDS)
    if not target.exists():
        raise ToolchainError("the compiler reported success and wrote nothing")


def _probe_flags(command: tuple[str, ...], flags: tuple[str, ...], target: Path) -> None:
    _compile(command, flags, _PROBE_TEXT, target)
    # Run it in a process of its own: a library that crashes when loaded must not take this one along.
    run_program([sys.executable, "-S", "-E", "-c", _PROBE_CHECK, str(target)], PROBE_TIMEOUT_SECONDS)


def run_program(words: list[str], timeout: int) -> str:
    """What a program prints.

    Raises:
        ToolchainTimeout: it ran too long; it and all that it started were ended.
        ToolchainError: it cannot be started or failed.
    """
    import subprocess  # 6 ms, and not needed when kernels come from disk

    try:
        process, interrupt = _start(words)
    except (OSError, ValueError) as error:
        raise ToolchainError(str(error)) from error
    with process:
        try:
            interrupt()
            output = process.communicate(timeout=timeout)[0].decode(errors="replace").strip()
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise ToolchainTimeout(f"no answer within {timeout} seconds") from error
        except BaseException:
            _end(process)
            raise
    if process.returncode != 0:
        raise ToolchainError(output or f"exit status {process.returncode}")
    return output


def _start(words: Sequence[str]) -> tuple[subprocess.Popen[bytes], Callable[[], None]]:
    """A program, and a function that makes up for a Control-C while it was started.

    ``Popen`` that is interrupted leaves behind a program that nobody can end.
    """
    import subprocess

    caught: list[Any] = []
    handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    try:
        if callable(handler):
            signal.signal(signal.SIGINT, lambda *given: caught.append(given))
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"}, start_new_session=True,
        )  # fmt: skip
    finally:
        if callable(handler):
            signal.signal(signal.SIGINT, handler)

    def interrupt() -> None:
        if caught and callable(handler):
            handler(*caught[0])

    return process, interrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started: a compiler's passes hold its output open when only the driver is ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):  # no process groups here, or it has ended
        process.kill()


def first_lines(text: str, count: int) -> str:
    """The beginning of what a program printed, its lines cut, for a reason's notes."""
    return "\n".join(line[:_MOST_VERSION_CHARACTERS] for line in text.splitlines()[:count])


def _remembered(command: tuple[str, ...], store: ArtifactStore) -> Toolchain | None:
    content = store.get(_memory_key(command))
    if content is None:
        return None
    facts = json.loads(content)
    return Toolchain(
        command=tuple(facts["command"]), version=facts["version"], flags=tuple(facts["flags"]), cpu=facts["cpu"]
    )


def _memory_key(command: tuple[str, ...]) -> str:
    """Changes when the compiler's file, the flags tried or the processor change, so that a probe runs once for each."""
    executable = os.path.realpath(shutil.which(command[0]) or command[0])
    try:
        state = os.stat(executable)
        stamp = f"{state.st_size} {state.st_mtime_ns}"
    except OSError:
        stamp = "missing"
    facts = (command, executable, stamp, BASE_FLAGS, OPTIONAL_FLAGS, _PROBE_TEXT, cpu_identity())
    return "toolchain-" + hashlib.sha256(repr(facts).encode()).hexdigest()


@lru_cache(maxsize=1)
def cpu_identity() -> str:
    """The processor's name and features: a library built with ``-march=native`` must not run on another."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = file.read(16384).split("\n\n")[0].splitlines()
    except OSError:
        lines = []
    wanted = ("model name", "flags", "cpu family", "model", "Features", "CPU part")
    facts = [line for line in lines if line.split(":")[0].strip() in wanted]
    return hashlib.sha256("\n".join([platform.machine(), platform.system(), *facts]).encode()).hexdigest()[:16]


def _has_ziglang() -> bool:
    from importlib.util import find_spec

    return find_spec("ziglang") is not None
