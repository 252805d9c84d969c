"""Devices through pycuda: contexts, modules, launches. Nothing of pycuda is imported before it is needed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from pyfuse.backend.cuda.array_facts import CURRENT
from pyfuse.backend.cuda.driver_calls import DriverCalls, DriverError, driver_calls
from pyfuse.backend.cuda.launch_shape import CudaSource, NestStart, nest_starts
from pyfuse.backend.cuda.report_words import ReportWords
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

    @property
    def calls(self) -> DriverCalls:
        """The driver's own functions. Raises OSError where its library is not found."""
        return driver_calls()

    @cached_property
    def handle(self) -> int:
        """Of the context."""
        with self.active():
            return self.calls.current_context()

    @cached_property
    def event(self) -> int:
        """An event that streams of this context are ordered by."""
        with self.active():
            return self.calls.new_event()

    @cached_property
    def report_words(self) -> ReportWords:
        """Where kernels report to, while the context is active."""
        return ReportWords(self.calls.host_memory)

    def order(self, first: int, then: int) -> None:
        """What one stream starts from here on comes after what another has started; the context is active."""
        self.calls.order(self.event, first, then)

    def unload(self, module: int) -> None:
        """Give back a module that the driver loaded."""
        with self.active():
            self.calls.unload(module)

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
        if not isinstance(error, self._driver.Error | DriverError | OSError):
            return None
        return refuse(Code.DEVICE, "the kernel could not be started on the device", notes=(str(error),))


class CudaLaunch(PreparedLaunch):
    """A launch on a device.

    Attributes:
        starts: of its nests.
        reports: whether one of them may find that the original must run.
    """

    __slots__ = ("reports", "starts")

    def __init__(self, kernel: CudaKernel, starts: tuple[NestStart, ...]) -> None:
        super().__init__(partial(kernel.run, starts), (kernel,))
        self.starts = starts
        self.reports = any(start.reports for start in starts)


class CudaKernel:
    """A loaded kernel: nests that can be launched over device memory."""

    def __init__(self, device: CudaDevice, source: CudaSource, code: bytes) -> None:
        self.nest_count = source.nest_count
        self._source = source
        self._device = device
        self._code = code
        self._names = [f"pyfuse_nest_{number}" for number in range(source.nest_count)]
        self._module = device.load(code)
        self._functions = [self._module.get_function(name) for name in self._names]

    @cached_property
    def handles(self) -> list[int]:
        """Of the functions of the nests; the context is active.

        pycuda tells no handle of a function: the driver loads the code once more.

        Raises:
            DriverError, OSError: it does not.
        """
        calls = self._device.calls
        module, functions = calls.load(self._code, self._names)
        weakref.finalize(self, self._device.unload, module).atexit = False
        return functions

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> CudaLaunch:  # noqa: ARG002
        """Fix the geometry of a launch.

        Raises:
            CannotFuse: a nest has more elements than a device can be started for.
        """
        try:
            starts = nest_starts(self._source, nests)
        except OverflowError as error:
            raise refuse(Code.UNSUPPORTED_ARRAY, f"an array is too large for one launch: {error}") from error
        return CudaLaunch(self, tuple(starts))

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Start the nests on the default stream; the context is active. No status comes back from here: 0."""
        return prepared.start(packed)

    def run(self, starts: Sequence[NestStart], packed: bytes, stream: int = 0, report: int = 0) -> int:
        """Start nests on a stream; the context is active. ``report``: the address of the word that they report in."""
        for start in starts:
            given = start.given(packed, report)
            if stream:  # pycuda takes no stream that is not its own
                self._device.calls.launch(self.handles[start.number], start.blocks, start.block, given, stream)
            else:
                self._functions[start.number]._launch_kernel(start.blocks, start.block, given, 0, None)
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
