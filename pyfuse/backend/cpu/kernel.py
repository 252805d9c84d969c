"""Load built kernels through cffi, and launch them through the native runtime."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pyfuse.array_layout import NestGeometry
from pyfuse.backend.artifact_store import ArtifactStore
from pyfuse.backend.cpu._runtime_ffi import ffi
from pyfuse.backend.cpu.toolchain import Toolchain, compile_library
from pyfuse.diagnostics import Code, refuse
from pyfuse.records import dataclass

RUNTIME_FLAGS = ("-pthread",)


@dataclass(frozen=True, kw_only=True)
class NestLaunch:
    """Geometry and estimated cost of one nest of a launch."""

    geometry: NestGeometry
    element_cost: int


class PreparedLaunch:
    """A launch whose geometry is fixed: C structures, and the Python objects that keep them alive."""

    __slots__ = ("_kept", "pointer")

    def __init__(self, pointer: Any, kept: tuple[Any, ...]) -> None:
        self.pointer = pointer
        self._kept = kept


class CpuKernel:
    """A loaded kernel library."""

    def __init__(self, library: Any, nest_count: int, runtime: Any) -> None:
        self.nest_count = nest_count
        self._library = library  # never unloaded while a launch may run: see -z nodelete in the tool chain's flags
        self._nests = [library.pyfuse_nests[number] for number in range(nest_count)]
        self._launch = runtime.pyfuse_launch

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> PreparedLaunch:
        """Fix the geometry of a launch; it may be used by many threads at once."""
        calls = ffi.new("pf_nest_call[]", len(nests))
        kept: list[Any] = [calls]
        for number, nest in enumerate(nests):
            geometry = nest.geometry
            flat = [*geometry.extents[:-1], *(stride for strides in geometry.strides for stride in strides)]
            memory = ffi.new("long long[]", flat or [0])
            kept.append(memory)
            outer = 1
            for extent in geometry.extents[:-1]:
                outer *= extent
            calls[number] = (self._nests[number], memory, outer, geometry.extents[-1], nest.element_cost)
        launch = ffi.new("pf_launch *", (operand_count, len(nests), thread_limit, data_offset(), calls))
        return PreparedLaunch(launch, (*kept, launch))

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Run; ``packed`` holds an 8-byte address for each operand, then the scalars. Returns status bits."""
        return self._launch(prepared.pointer, packed)  # type: ignore[no-any-return]


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


def address_of(array: np.ndarray) -> int:
    """What ``launch`` wants for an array: its object's address, or its data's where ``data_offset`` is unknown."""
    return id(array) if data_offset() >= 0 else int(array.__array_interface__["data"][0])


_runtimes: dict[str, Any] = {}
_runtime_lock = threading.Lock()


def load_runtime(toolchain: Toolchain, store: ArtifactStore) -> Any:
    """The native runtime, built if the store has none for this compiler; one for each process.

    Raises:
        CannotFuse: it cannot be built or loaded.
    """
    with _runtime_lock:
        if toolchain.identity not in _runtimes:
            text = (Path(__file__).parent / "native" / "runtime.c").read_text(encoding="utf-8")
            path = built_library(toolchain, store, text, RUNTIME_FLAGS)[0]
            _runtimes[toolchain.identity] = open_library(path, store)
        return _runtimes[toolchain.identity]


def built_library(
    toolchain: Toolchain, store: ArtifactStore, text: str, extra_flags: tuple[str, ...] = ()
) -> tuple[Path, bool]:
    """The library of a C text: from the store if it is there and whole, else compiled and published.

    Returns:
        Its path, and whether it was found.

    Raises:
        CannotFuse: the compiler failed, or there is no place to write the library.
    """
    key = hashlib.sha256("\0".join([toolchain.identity, *extra_flags, text]).encode()).hexdigest() + ".so"
    if store.get(key) is not None:
        return store.path(key), True
    content = compile_library(toolchain, text, extra_flags)
    path = store.put(key, content)
    if path is None:
        raise refuse(
            Code.LOAD_FAILED,
            "the built kernel could not be written to the cache folder",
            notes=(f"folder: {store.folder}",),
            hints=("make room there, or set PYFUSE_CACHE_DIR to another folder",),
        )
    return path, False


def open_library(path: Path, store: ArtifactStore) -> Any:
    """Load a library into the process.

    Raises:
        CannotFuse: the system's loader refuses it; the file is then removed, so that it is built anew next time.
    """
    try:
        return ffi.dlopen(str(path))
    except OSError as error:
        store.discard(path.name)
        raise refuse(Code.LOAD_FAILED, "the built kernel could not be loaded", notes=(str(error),)) from error
