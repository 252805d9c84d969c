"""NVRTC, CUDA's compiler as a library: CUDA text to machine code in a fifth of nvcc's time, where it is installed."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_LIBRARY_NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so")
_NOTHING = 'extern "C" __global__ void nothing() {}\n'
_PACKAGE_FOLDERS = ("cu13/lib", "cuda_nvrtc/lib")  # of the package nvidia, as pip installs it


class NvrtcError(Exception):
    """NVRTC could not compile something; the message is its own log."""


class Nvrtc:
    """An NVRTC library in this process.

    Attributes:
        version: such as ``13.0``.
        architectures: compute capabilities that it makes machine code for, such as 90, in rising order.

    Raises:
        OSError: the library does not load.
        NvrtcError: it is too old (before CUDA 11.2), or does not answer.
    """

    def __init__(self, path: str) -> None:
        if "/" in path:  # its parts are found beside it only when they are loaded first
            for part in sorted(Path(path).parent.glob("libnvrtc-builtins.so*")):
                ctypes.CDLL(str(part), ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(path)
        if not hasattr(self._library, "nvrtcGetSupportedArchs"):
            raise NvrtcError("this NVRTC is older than CUDA 11.2")
        major, minor, count = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self._checked("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self._checked("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        found = (ctypes.c_int * count.value)()
        self._checked("nvrtcGetSupportedArchs", found)
        self.version = f"{major.value}.{minor.value}"
        self.architectures = tuple(sorted(found))

    def compile(self, text: str, options: Sequence[str]) -> bytes:
        """Machine code of CUDA text.

        Raises:
            NvrtcError: it does not compile; the message is the log.
        """
        with self._program(text) as program:
            given = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
            if self._call("nvrtcCompileProgram", program, len(options), given) != 0:
                raise NvrtcError(self._text_of(program, "nvrtcGetProgramLog").decode(errors="replace").strip("\0\n "))
            return self._text_of(program, "nvrtcGetCUBIN")

    @contextlib.contextmanager
    def _program(self, text: str) -> Iterator[ctypes.c_void_p]:
        program = ctypes.c_void_p()
        self._checked("nvrtcCreateProgram", ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
        try:
            yield program
        finally:
            self._call("nvrtcDestroyProgram", ctypes.byref(program))

    def _text_of(self, program: ctypes.c_void_p, getter: str) -> bytes:
        """What a getter of the library writes, whose size another one tells."""
        size = ctypes.c_size_t()
        self._checked(f"{getter}Size", program, ctypes.byref(size))
        content = ctypes.create_string_buffer(size.value)
        self._checked(getter, program, content)
        return content.raw

    def _checked(self, name: str, *arguments: Any) -> None:
        status = self._call(name, *arguments)
        if status != 0:
            raise NvrtcError(f"{name} returned {status}")

    def _call(self, name: str, *arguments: Any) -> int:
        return int(getattr(self._library, name)(*arguments))


@cache
def find_nvrtc() -> Nvrtc | None:
    """The library where the system or a package has one; None where there is none that works."""
    for path in _candidates():
        try:
            return Nvrtc(path)
        except (OSError, NvrtcError):
            continue
    return None


@cache
def warm_up() -> None:
    """Begin to load, in a thread, what the library loads for its first text: 35 ms of the 95 that one takes."""
    with contextlib.suppress(RuntimeError):  # no more threads
        threading.Thread(target=_compile_nothing, name="pyfuse-nvrtc", daemon=True).start()


def _compile_nothing() -> None:
    found = find_nvrtc()
    if found is not None and found.architectures:
        with contextlib.suppress(NvrtcError):
            found.compile(_NOTHING, (f"--gpu-architecture=sm_{found.architectures[-1]}",))


def _candidates() -> Iterator[str]:
    yield from _LIBRARY_NAMES
    package = importlib.util.find_spec("nvidia")
    for root in package.submodule_search_locations or () if package is not None else ():
        for folder in _PACKAGE_FOLDERS:
            yield from map(str, sorted(Path(root, folder).glob("libnvrtc.so*"), reverse=True))
