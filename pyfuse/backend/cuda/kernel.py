"""Devices through pycuda: contexts, modules, launches. The only file that touches pycuda, and on first need only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from pyfuse.backend.cuda.array_kinds import CURRENT
from pyfuse.backend.cuda.launch_shape import CudaSource, NestStart, nest_starts
from pyfuse.backend.interface import NestLaunch, PreparedLaunch
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse

_HINTS = ("python -m pip install 'pyfuse[cuda]' installs pycuda; it needs NVIDIA's driver",)


class CudaDevice:
    """A device under one context.

    Attributes:
        ordinal: the device's number.
        capability: its compute capability, such as 90.
    """

    def __init__(self, driver: Any, context: Any, ordinal: int) -> None:
        self.ordinal = ordinal
        self._driver = driver
        self._context = context
        major, minor = driver.Device(ordinal).compute_capability()
        self.capability = 10 * major + minor

    @contextmanager
    def active(self) -> Iterator[None]:
        """The context is this thread's inside the block."""
        self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    def run(self, start: Callable[[bytes], int], packed: bytes) -> None:
        """Start a kernel on the default stream, under the context. Raises CannotFuse where that fails."""
        self._context.push()
        try:
            start(packed)
        except self._driver.Error as error:
            raise _not_started(error) from error
        finally:
            self._driver.Context.pop()

    @cached_property
    def own_stream(self) -> Any:
        """A stream for work that is ordered against another library's by events; the default stream waits for it."""
        return self._driver.Stream()

    def load(self, code: bytes) -> Any:
        """A module of machine code or PTX; the context is active. Raises CannotFuse where the driver refuses it."""
        try:
            return self._driver.module_from_buffer(code)
        except self._driver.Error as error:
            raise refuse(
                Code.LOAD_FAILED, "the device's driver does not take the built kernel", notes=(str(error),)
            ) from error

    def launch_error(self, error: Exception) -> CannotFuse | None:
        """The refusal for an error of the driver, or None for another error."""
        if not isinstance(error, self._driver.Error):
            return None
        return _not_started(error)


def _not_started(error: Exception) -> CannotFuse:
    return refuse(Code.DEVICE, "the kernel could not be started on the device", notes=(str(error),))


class CudaKernel:
    """A loaded kernel: nests that can be launched over device memory."""

    def __init__(self, device: CudaDevice, source: CudaSource, code: bytes) -> None:
        self.nest_count = source.nest_count
        self._source = source
        self._device = device
        self._module = device.load(code)
        self._functions = [self._module.get_function(f"pyfuse_nest_{number}") for number in range(source.nest_count)]

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> PreparedLaunch:  # noqa: ARG002
        """Fix the geometry of a launch.

        Raises:
            CannotFuse: a nest has more elements than a device can be started for.
        """
        try:
            starts = nest_starts(self._source, nests)
        except OverflowError as error:
            raise refuse(Code.UNSUPPORTED_ARRAY, f"an array is too large for one launch: {error}") from error
        return PreparedLaunch(partial(self._start, tuple(starts)), (self,))

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Start the nests on the default stream; the context is active. No status comes back from a device: 0."""
        return prepared.start(packed)

    def _start(self, starts: Sequence[NestStart], packed: bytes, stream: Any = None) -> int:
        for start in starts:
            function = self._functions[start.number]
            function._launch_kernel(start.blocks, start.block, packed + start.geometry, 0, stream)
        return 0


_devices: dict[Any, CudaDevice] = {}
_lock = threading.Lock()


def find_device(ordinal: int, context: str) -> CudaDevice:
    """A device under the context that arrays of a kind lie in.

    Args:
        ordinal: of the device; -1: that of the current context, or the first.
        context: ``PRIMARY`` or ``CURRENT``, as ``ArrayKind.context``.

    Raises:
        CannotFuse: pycuda or the driver is missing, or there is no such device.
    """
    driver = _driver()
    try:
        own = driver.Context.get_current() if context == CURRENT else None
        number = _ordinal_of(driver) if own is not None else max(ordinal, 0)
        with _lock:
            key = number if own is None else own
            if key not in _devices:
                found = own if own is not None else driver.Device(number).retain_primary_context()
                _devices[key] = CudaDevice(driver, found, number)
            return _devices[key]
    except driver.Error as error:
        raise refuse(Code.DEVICE, "the CUDA device cannot be used", notes=(str(error),)) from error


def _ordinal_of(driver: Any) -> int:
    """The number of the current context's device."""
    current = driver.Context.get_device()
    return next(number for number in range(driver.Device.count()) if driver.Device(number) == current)


def _driver() -> Any:
    try:
        import pycuda.driver as driver

        driver.init()
    except ImportError as error:  # pycuda, or the driver's library, is not there
        raise refuse(Code.DEVICE, "pycuda cannot be used here", notes=(str(error),), hints=_HINTS) from error
    except driver.Error as error:
        raise refuse(Code.DEVICE, "there is no CUDA device to use", notes=(str(error),), hints=_HINTS) from error
    return driver
