"""The driver's own functions, for what pycuda has no way to say: streams and contexts by their bare handles."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

_LIBRARIES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
_WITHOUT_TIMING = 2  # CU_EVENT_DISABLE_TIMING
_BUFFER, _BUFFER_SIZE, _END = 1, 2, 0  # CU_LAUNCH_PARAM_BUFFER_POINTER, _BUFFER_SIZE, _END
_PORTABLE, _ON_DEVICES = 1, 2  # CU_MEMHOSTALLOC_PORTABLE, _DEVICEMAP
Dimensions = tuple[int, int, int]


class DriverError(Exception):
    """A function of the driver failed; the message says which, and its status."""


class DriverCalls:
    """The functions of a driver's library.

    Attributes:
        addresses: of what the launcher calls: launch, current context, push, pop, record, wait.
    """

    def __init__(self, library: Any) -> None:
        names = ("cuLaunchKernel", "cuCtxGetCurrent", "cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2", "cuEventRecord",
                 "cuStreamWaitEvent")  # fmt: skip
        functions = [getattr(library, name) for name in names]
        self.addresses = tuple(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
        self._library = library
        self._lock = threading.Lock()

    def _checked(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise DriverError(f"{name} returned {status}")

    def current_context(self) -> int:
        """The handle of this thread's current context; 0 where there is none."""
        context = ctypes.c_void_p()
        self._checked("cuCtxGetCurrent", ctypes.byref(context))
        return context.value or 0

    def new_event(self) -> int:
        """An event of the current context, without timing."""
        event = ctypes.c_void_p()
        self._checked("cuEventCreate", ctypes.byref(event), _WITHOUT_TIMING)
        return event.value or 0

    def load(self, code: bytes, names: Sequence[str]) -> tuple[int, list[int]]:
        """The handles of a module of machine code in the current context, and of its functions. Raises DriverError."""
        module = ctypes.c_void_p()
        self._checked("cuModuleLoadData", ctypes.byref(module), code)
        found = []
        for name in names:
            function = ctypes.c_void_p()
            self._checked("cuModuleGetFunction", ctypes.byref(function), module, name.encode())
            found.append(function.value or 0)
        return module.value or 0, found

    def host_memory(self, size: int) -> int:
        """The address of memory of the host that kernels reach too; it is kept. Raises DriverError."""
        address = ctypes.c_void_p()
        self._checked("cuMemHostAlloc", ctypes.byref(address), ctypes.c_size_t(size), _PORTABLE | _ON_DEVICES)
        return address.value or 0

    def unload(self, module: int) -> None:
        """Give a module back, while its context is current."""
        self._library.cuModuleUnload(ctypes.c_void_p(module))

    def launch(self, function: int, blocks: Dimensions, block: Dimensions, packed: bytes, stream: int) -> None:
        """Start a kernel on a stream of the current context. Raises DriverError."""
        size = ctypes.c_size_t(len(packed))
        buffer = ctypes.create_string_buffer(packed, len(packed))
        extra = (ctypes.c_void_p * 5)(_BUFFER, ctypes.addressof(buffer), _BUFFER_SIZE, ctypes.addressof(size), _END)
        self._checked(
            "cuLaunchKernel", ctypes.c_void_p(function), *blocks, *block, 0, ctypes.c_void_p(stream), None, extra
        )

    def order(self, event: int, first: int, then: int) -> None:
        """What stream ``then`` starts from here on comes after what ``first`` has started. Raises DriverError."""
        with self._lock:  # the wait is for what was recorded last
            self._checked("cuEventRecord", ctypes.c_void_p(event), ctypes.c_void_p(first))
            self._checked("cuStreamWaitEvent", ctypes.c_void_p(then), ctypes.c_void_p(event), 0)

    def finish(self, stream: int) -> None:
        """Wait until a stream has nothing left to do. Raises DriverError."""
        self._checked("cuStreamSynchronize", ctypes.c_void_p(stream))


@cache
def driver_calls() -> DriverCalls:
    """Those of the driver of this machine.

    Raises:
        OSError: there is none.
        AttributeError: it is older than CUDA 4.
    """
    problem: OSError | None = None
    for name in _LIBRARIES:
        try:
            return DriverCalls(ctypes.CDLL(name))
        except OSError as error:
            problem = error
    raise problem or OSError("no library of the driver")
