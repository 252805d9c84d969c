"""Build CUDA text to machine code for one architecture: by NVRTC where it is installed, else by nvcc."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from pyfuse.backend.artifact_store import ArtifactStore, temporary_store
from pyfuse.backend.cpu.toolchain import BUILD_TIMEOUT_SECONDS, PROBE_TIMEOUT_SECONDS, first_lines, run_program
from pyfuse.backend.cpu.toolchain import ToolchainError as ProgramError
from pyfuse.backend.cuda.nvrtc import NvrtcError, find_nvrtc
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.records import dataclass

# A contracted a*b+c differs from NumPy's in the last bit (28 % of results), and gains nothing where memory takes
# the time. Never --use_fast_math: it flushes denormals and makes functions inexact.
FLAGS = ("--fmad=false", "--std=c++17", "--disable-warnings")
_NVRTC_FLAGS = ("--minimal",)  # without textures and their like, which are declared before every text: 5 ms of 60
_INSTALL_HINTS = (
    "install the CUDA toolkit and put nvcc on PATH",
    "or, with pip alone: python -m pip install nvidia-cuda-nvrtc",
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What machine code is made for.

    Attributes:
        capability: compute capability of the code, such as 90.
        is_portable: whether it is PTX, which the driver turns into machine code when it loads it.
    """

    capability: int
    is_portable: bool


class Compiler(Protocol):
    """A compiler of CUDA text.

    Attributes:
        identity: everything beside text, flags and target that decides what it makes.
        architectures: compute capabilities that it knows, in rising order.
    """

    identity: str

    @property
    def architectures(self) -> tuple[int, ...]:
        """See above."""

    def compile(self, text: str, target: Target) -> bytes:
        """Machine code, or PTX.

        Raises:
            BuildError: it failed.
        """


class BuildError(Exception):
    """A compiler failed; the message is its own output."""


class NvccCompiler:
    """The program nvcc.

    Args:
        path: of the program.
        store: remembers what it knows.
    """

    def __init__(self, path: str, store: ArtifactStore) -> None:
        self.path = path
        self._store = store
        self.identity = f"nvcc {_stamp(path)}"

    @cached_property
    def architectures(self) -> tuple[int, ...]:
        """As ``Compiler.architectures``. Raises BuildError where it does not say; asking takes 40 ms once."""
        return _architectures(self.path, self._store)

    def compile(self, text: str, target: Target) -> bytes:
        """Machine code, or PTX. Raises BuildError with what the program prints."""
        import tempfile

        kind, name = ("--ptx", "compute") if target.is_portable else ("--cubin", "sm")
        try:
            with tempfile.TemporaryDirectory(prefix="pyfuse-build-") as folder:
                source, made = Path(folder) / "kernel.cu", Path(folder) / "kernel.bin"
                source.write_text(text, encoding="utf-8")
                words = [self.path, kind, f"--gpu-architecture={name}_{target.capability}", *FLAGS, str(source)]
                run_program([*words, "-o", str(made)], BUILD_TIMEOUT_SECONDS)
                return made.read_bytes()
        except (ProgramError, OSError) as error:
            raise BuildError(str(error)) from error


class NvrtcCompiler:
    """The library NVRTC."""

    def __init__(self) -> None:
        found = find_nvrtc()
        if found is None:
            raise BuildError("NVRTC is not installed")
        self._nvrtc = found
        self.architectures = found.architectures
        self._options = FLAGS + (_NVRTC_FLAGS if int(found.version.partition(".")[0]) >= 13 else ())
        self.identity = f"nvrtc {found.version} {' '.join(self._options)}"

    def compile(self, text: str, target: Target) -> bytes:
        """Machine code. Raises BuildError with the library's log."""
        assert not target.is_portable
        try:
            return self._nvrtc.compile(text, (f"--gpu-architecture=sm_{target.capability}", *self._options))
        except NvrtcError as error:
            raise BuildError(str(error)) from error


def target_for(capability: int, architectures: Sequence[int]) -> Target | None:
    """What a compiler that knows ``architectures`` makes for a device: the nearest machine code that runs there.

    Machine code runs on devices of the same major capability and no lower a minor one; PTX on all later devices. None
    where the compiler knows neither.

    Source: CUDA C++ programming guide, "binary compatibility" and "PTX compatibility".
    """
    below = [known for known in architectures if known <= capability]
    same_major = [known for known in below if known // 10 == capability // 10]
    if same_major:
        return Target(capability=max(same_major), is_portable=False)
    return Target(capability=max(below), is_portable=True) if below else None


def find_compilers(store: ArtifactStore) -> list[Compiler]:
    """The compilers that are here, quickest first.

    Raises:
        CannotFuse: there is none.
    """
    found: list[Compiler] = []
    with contextlib.suppress(BuildError):
        found.append(NvrtcCompiler())
    path = nvcc_path()
    problem = "nvcc is not on PATH"
    if path is not None:
        nvcc = NvccCompiler(path, store)
        try:
            if found or nvcc.architectures:  # where NVRTC is, nvcc is asked for devices that it does not know only
                found.append(nvcc)
        except BuildError as error:
            problem = f"{path}: {first_lines(str(error), 3)}"
    if not found:
        raise refuse(
            Code.NO_COMPILER,
            "no CUDA compiler was found",
            notes=(problem, "no NVRTC library was found"),
            hints=_INSTALL_HINTS,
        )
    return found


def nvcc_path() -> str | None:
    """The program nvcc: on PATH, or where CUDA_HOME, CUDA_PATH and the installer have it."""
    folders = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    candidates = ["nvcc", *(os.path.join(folder, "bin", "nvcc") for folder in folders if folder)]
    return next((path for path in map(shutil.which, candidates) if path is not None), None)


def _architectures(path: str, store: ArtifactStore) -> tuple[int, ...]:
    """What nvcc makes code for; asked once for each nvcc, and remembered in the store."""
    key = "nvcc-" + hashlib.sha256(_stamp(path).encode()).hexdigest()
    known = store.get(key)
    if known is not None:
        return tuple(json.loads(known))
    try:
        printed = run_program([path, "--list-gpu-arch"], PROBE_TIMEOUT_SECONDS)
    except ProgramError as error:
        raise BuildError(str(error)) from error
    found = tuple(sorted({int(number) for number in re.findall(r"compute_(\d+)\b", printed)}))
    if not found:
        raise BuildError(f"it lists no architecture: {printed}")
    store.put(key, json.dumps(found).encode())
    return found


def _stamp(path: str) -> str:
    """Changes when the program's file does."""
    real = os.path.realpath(path)
    state = os.stat(real)
    return f"{real} {state.st_size} {state.st_mtime_ns}"


# --- built kernels in the store ---------------------------------------------------------------------------------------

_locks: dict[str, threading.Lock] = {}
_locks_lock = threading.Lock()


def built_module(
    compilers: Sequence[Compiler], store: ArtifactStore, text: str, capability: int
) -> tuple[bytes, Path, bool]:
    """The machine code of CUDA text for a device: from the store if it is there and whole, else compiled and published.

    Threads that want the same code wait for the one that builds it.

    Args:
        compilers: tried one after the other where one does not know the device; the first that does decides.
        store: of built kernels.
        text: complete.
        capability: of the device, such as 90.

    Returns:
        The code, its path, and whether it was found. Where the store takes no file, the path is in a folder of this
        process.

    Raises:
        CannotFuse: no compiler knows such a device, the compiler failed (its output is in the notes), or there is no
            place for the code.
    """
    compiler, target = _choice(compilers, capability)
    key = _key(compiler, target, text)
    with _locks_lock:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        return _built(store, key, partial(compiler.compile, text, target), compiler.identity)


def is_in_store(compilers: Sequence[Compiler], store: ArtifactStore, text: str, capability: int) -> bool:
    """Whether ``built_module`` would find the code. Raises CannotFuse: no compiler knows such a device."""
    compiler, target = _choice(compilers, capability)
    return store.get(_key(compiler, target, text)) is not None


def _choice(compilers: Sequence[Compiler], capability: int) -> tuple[Compiler, Target]:
    """The first compiler that knows a device, and what it is to make. Raises CannotFuse."""
    for compiler in compilers:
        target = target_for(capability, _known_to(compiler))
        if target is not None and not (target.is_portable and not isinstance(compiler, NvccCompiler)):
            return compiler, target
    raise refuse(
        Code.NO_COMPILER,
        f"no CUDA compiler here makes code for compute capability {capability // 10}.{capability % 10}",
        notes=tuple(f"{compiler.identity.split()[0]} knows {_known_to(compiler)}" for compiler in compilers),
        hints=_INSTALL_HINTS[:1],
    )


def _known_to(compiler: Compiler) -> tuple[int, ...]:
    try:
        return compiler.architectures
    except BuildError:
        return ()


def _key(compiler: Compiler, target: Target, text: str) -> str:
    facts = [compiler.identity, *FLAGS, str(target.capability), text]
    suffix = ".ptx" if target.is_portable else ".cubin"
    return hashlib.sha256("\0".join(facts).encode()).hexdigest() + suffix


def _built(store: ArtifactStore, key: str, compile_text: partial[bytes], identity: str) -> tuple[bytes, Path, bool]:
    known = store.get(key)
    if known is not None:
        return known, store.path(key), True
    try:
        content = compile_text()
    except BuildError as error:
        raise refuse(
            Code.COMPILER_FAILED,
            "the CUDA compiler could not build the kernel",
            notes=(f"compiler: {identity.split()[0]}", *first_lines(str(error), 12).splitlines()),
        ) from error
    path = store.put(key, content) or temporary_store().put(key, content)
    if path is None:
        raise _no_place(store)
    return content, path, False


def _no_place(store: ArtifactStore) -> CannotFuse:
    return refuse(
        Code.LOAD_FAILED,
        "the built kernel could not be written to the cache folder",
        notes=(f"folder: {store.folder}",),
        hints=("make room there, or set PYFUSE_CACHE_DIR to another folder",),
    )
