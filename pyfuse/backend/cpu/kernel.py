"""Load built kernels through cffi, and launch them through the native runtime."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from pyfuse.backend.artifact_store import ArtifactStore, temporary_store
from pyfuse.backend.cpu._runtime_ffi import ffi
from pyfuse.backend.cpu.toolchain import Toolchain, compile_library
from pyfuse.backend.interface import NestLaunch, PreparedLaunch
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse

RUNTIME_TEXT = Path(__file__).parent / "native" / "runtime.c"
# -O1: the runtime hands out chunks of 15 us and more, its own speed does not show. Built in 0.13 s; at -O3 in 0.23 s.
RUNTIME_FLAGS = ("-pthread", "-O1")


class CpuKernel:
    """A loaded kernel library."""

    def __init__(self, library: Any, nest_count: int, runtime: Any) -> None:
        self.nest_count = nest_count
        self._library = library  # never unloaded while a launch may run: see -z nodelete in the tool chain's flags
        self._nests = [library.pyfuse_nests[number] for number in range(nest_count)]
        self._launch = runtime.pyfuse_launch
        self._launch_address = int(ffi.cast("size_t", ffi.addressof(runtime, "pyfuse_launch")))

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> PreparedLaunch:
        """Fix the geometry of a launch; it may be used by many threads at once."""
        calls = ffi.new("pf_nest_call[]", len(nests))
        kept: list[Any] = [calls]
        for number, nest in enumerate(nests):
            memory = ffi.new("long long[]", [*nest.geometry, nest.writes])
            kept.append(memory)
            calls[number] = (self._nests[number], memory, nest.outer, nest.inner, nest.depth, nest.element_cost)
        launch = ffi.new("pf_launch *", (operand_count, len(nests), thread_limit, data_offset(), calls))
        addresses = (self._launch_address, int(ffi.cast("size_t", launch)))
        return PreparedLaunch(
            partial(self._launch, launch), (self, launch, *kept), addresses, address=address_function()
        )

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Run; ``packed`` holds an 8-byte address for each operand, then the scalars. Returns status bits."""
        return prepared.start(packed)


@cache
def data_offset() -> int:
    """Bytes from a NumPy array object's start to its data pointer, or -1 where that cannot be relied on.

    ``id(array)`` then serves as the array's address, and the native runtime reads the pointer: 0.05 us instead of
    1 to 5 us through ``array.ctypes`` or ``__array_interface__``. The layout is public (``PyArrayObject_fields``), and
    checked here on three arrays before it is used.
    """
    offset = object.__basicsize__
    whole = np.arange(6.0)
    for array in (whole, whole[2:], whole[::-1]):
        address = array.__array_interface__["data"][0]
        if ffi.cast("size_t *", id(array) + offset)[0] != address:
            return -1
    return offset


def address_function() -> Callable[[Any], int]:
    """What turns an array into what ``launch`` wants: its object's address, or its data's if that is all we know."""
    return id if data_offset() >= 0 else _data_address


def address_of(array: np.ndarray) -> int:
    """What ``launch`` wants for an array."""
    return address_function()(array)


def _data_address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


_runtimes: dict[str, Any] = {}
_runtime_locks: dict[str, threading.Lock] = {}  # one for each compiler: a slow one must not hold up another
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_runtime_locks.clear)  # a thread of the parent may have held one


def load_runtime(toolchain: Toolchain, store: ArtifactStore) -> Any:
    """The native runtime, built if the store has none for this compiler; one for each process.

    Raises:
        CannotFuse: it cannot be built or loaded.
    """
    with _runtime_locks.setdefault(toolchain.identity, threading.Lock()):
        if toolchain.identity not in _runtimes:
            text = RUNTIME_TEXT.read_text(encoding="utf-8")
            _runtimes[toolchain.identity] = loaded_library(toolchain, store, text, RUNTIME_FLAGS)
        return _runtimes[toolchain.identity]


def build_runtime_meanwhile(toolchain: Toolchain, store: ArtifactStore) -> None:
    """Start to load the runtime in a thread, if it is not loaded yet: it may have to be built, as the first kernel has.

    A failure is left to ``load_runtime``, which meets it again.
    """
    if toolchain.identity not in _runtimes:
        with contextlib.suppress(RuntimeError):  # no further thread, or the program is ending
            threading.Thread(target=_load_quietly, args=(toolchain, store), name="pyfuse-build", daemon=True).start()


def _load_quietly(toolchain: Toolchain, store: ArtifactStore) -> None:
    with contextlib.suppress(CannotFuse):
        load_runtime(toolchain, store)


def built_library(
    toolchain: Toolchain, store: ArtifactStore, text: str, extra_flags: tuple[str, ...] = ()
) -> tuple[Path, bool]:
    """The library of a C text: from the store if it is there and whole, else compiled and published.

    Returns:
        Its path, and whether it was found. Where the store takes no file (its disk is full, or may not be written to),
        the library is in a folder of this process.

    Raises:
        CannotFuse: the compiler failed, or there is no place to write the library.
    """
    key = _key(toolchain, text, extra_flags)
    if store.get(key) is not None:
        return store.path(key), True
    content = compile_library(toolchain, text, extra_flags)
    path = store.put(key, content) or temporary_store().put(key, content)
    if path is None:
        raise refuse(
            Code.LOAD_FAILED,
            "the built kernel could not be written to the cache folder",
            notes=(f"folder: {store.folder}",),
            hints=("make room there, or set PYFUSE_CACHE_DIR to another folder",),
        )
    return path, False


def is_runtime_built(toolchain: Toolchain, store: ArtifactStore) -> bool:
    """Whether ``load_runtime`` needs no compiler."""
    if toolchain.identity in _runtimes:
        return True
    return store.path(_key(toolchain, RUNTIME_TEXT.read_text(encoding="utf-8"), RUNTIME_FLAGS)).exists()


def _key(toolchain: Toolchain, text: str, extra_flags: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join([toolchain.identity, *extra_flags, text]).encode()).hexdigest() + ".so"


def loaded_library(toolchain: Toolchain, store: ArtifactStore, text: str, extra_flags: tuple[str, ...] = ()) -> Any:
    """The library of a C text, loaded into the process.

    A library that was found on disk and does not load (another system library since, or removed meanwhile) is built
    anew once.

    Raises:
        CannotFuse: as ``built_library``, or the system's loader refuses what the compiler made.
    """
    path, was_found = built_library(toolchain, store, text, extra_flags)
    try:
        return open_library(path)
    except CannotFuse:
        if not was_found:
            raise
    return open_library(built_library(toolchain, store, text, extra_flags)[0])


def open_library(path: Path) -> Any:
    """Load a library into the process.

    Raises:
        CannotFuse: the system's loader refuses it; the file is then removed, so that it is built anew next time.
    """
    try:
        return ffi.dlopen(str(path))
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise refuse(
            Code.LOAD_FAILED,
            "the built kernel could not be loaded",
            notes=(str(error),),
            hints=("python -m pyfuse doctor checks the compiler and the cache folder",),
        ) from error
