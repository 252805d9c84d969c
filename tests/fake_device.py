"""A device that is none: arrays in the process's own memory that say they are on one, and kernels run on the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.cuda import array_kinds, backend, launcher
from pyfuse.backend.cuda import kernel as devices
from pyfuse.backend.cuda.array_facts import PRIMARY, Facts, Maker, PlainKind, Reading, StreamSource
from pyfuse.backend.cuda.driver_calls import DriverError
from pyfuse.backend.cuda.kernel import CudaLaunch
from pyfuse.backend.cuda.launch_shape import CudaSource, nest_starts
from pyfuse.backend.cuda.report_words import ReportWords
from pyfuse.backend.interface import BuiltKernel, NestLaunch
from pyfuse.config import Config
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from tests.cuda_texts import ShimKernel


class FakeArray:
    """An array on the fake device, to which NumPy's functions are its own, as CuPy's are."""

    def __init__(self, memory: np.ndarray, device: int = 0) -> None:
        self.memory = memory
        self.device = device

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self.memory.__array_interface__, "version": 3}

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        return FakeArray(np.asarray(getattr(ufunc, method)(*map(_memory, inputs), **keywords)))

    def __array_function__(self, function: Any, types: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return FakeArray(np.asarray(function(*map(_memory, args), **kwargs)))

    def __add__(self, other: Any) -> FakeArray:
        return FakeArray(self.memory + _memory(other))

    __radd__ = __add__

    def __iadd__(self, other: Any) -> FakeArray:
        self.memory += _memory(other)
        return self

    def __getitem__(self, index: Any) -> FakeArray:
        return FakeArray(self.memory[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.memory[index] = _memory(value)

    def __mul__(self, other: Any) -> FakeArray:
        return FakeArray(self.memory * _memory(other))

    __rmul__ = __mul__


class ForeignArray(FakeArray):
    """An array that NumPy's functions do not take, as PyTorch's tensors on a device."""

    __array_ufunc__ = None  # type: ignore[assignment]

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("the array is on a device")


class UnknownArray(FakeArray):
    """An array of a library that is not known."""

    __module__ = "elsewhere.arrays"


def _memory(value: Any) -> Any:
    return value.memory if isinstance(value, FakeArray) else value


class FakeKind(PlainKind):
    """What ``FakeArray`` can do."""

    name = "fake"
    context = PRIMARY
    memory_errors = (MemoryError,)

    def __init__(self) -> None:
        self.is_full = False
        self.keeps_arrays = False
        self.current_stream = 0

    def facts(self, array: FakeArray) -> Facts:
        memory = array.memory
        address = memory.__array_interface__["data"][0]
        return Facts(array.device, address, memory.shape, memory.strides, memory.dtype)

    def empty(self, form: Facts, like: FakeArray) -> tuple[FakeArray, int]:
        if self.is_full:
            raise MemoryError("the device is full")
        order = sorted(range(len(form.shape)), key=lambda axis: (-form.strides[axis], axis))
        made = np.empty([form.shape[axis] for axis in order], form.dtype).transpose(np.argsort(order).tolist())
        made = made.view("u1").view(form.dtype) if made.ndim == 1 else made
        return type(like)(made, like.device), made.__array_interface__["data"][0]

    def view(self, owner: FakeArray, offset: int, form: Facts) -> FakeArray:
        size = owner.memory.nbytes
        whole = np.ndarray(size, "u1", np.asarray(_Whole(owner.memory)))
        return type(owner)(np.ndarray(form.shape, form.dtype, whole, offset, form.strides), owner.device)

    def assign(self, target: FakeArray, value: FakeArray) -> None:
        target.memory[...] = value.memory

    def stream(self, device: int) -> int:  # noqa: ARG002
        return self.current_stream

    def reading(self, array: FakeArray, facts: Facts) -> Reading | None:
        looks = ((("memory", name), getattr(facts, name)) for name in ("dtype", "shape", "strides"))
        device = (("device",), facts.device)
        return Reading(type(array), facts.dtype.itemsize, (*looks, device), ("memory", "ctypes", "data"))

    def maker(self, form: Facts, like: FakeArray) -> Maker:
        kind = type(like)
        made = Maker(kind.__new__, (kind,), ("memory", "ctypes", "data"), partial(self._fill, form), (like.device,))
        looks = ((("memory", "shape"), form.shape), (("device",), like.device))
        return made._replace(owners=(("memory",), ("memory", "base")), looks=looks) if self.keeps_arrays else made

    def _fill(self, form: Facts, made: FakeArray, device: int) -> None:
        made.__init__(self.empty(form, FakeArray(np.empty(0), device))[0].memory, device)  # type: ignore[misc]

    def stream_source(self, device: int) -> StreamSource:
        return StreamSource("call", self.stream, (device,))


class _Whole:
    def __init__(self, memory: np.ndarray) -> None:
        self.kept = memory
        address = memory.__array_interface__["data"]
        self.__array_interface__ = {"shape": (memory.nbytes,), "typestr": "|u1", "data": address, "version": 3}


CONTEXT, OTHER_CONTEXT, EVENT = 0x1000, 0x2000, 0x3000


class FakeDriver:
    """The driver's functions, as Python sees them and as addresses of C functions.

    Attributes:
        current: the current context.
        launches: the stream of each kernel that the launcher started.
        orders: what waits for what: event recorded in a stream, stream that waits.
        status: what starting a kernel returns.
    """

    def __init__(self) -> None:
        self.current = CONTEXT
        self.launches: list[int] = []
        self.orders: list[tuple[str, int]] = []
        self.status = 0
        self.kernels: dict[int, tuple[_Kernel, int]] = {}
        pointer, whole = ctypes.c_void_p, ctypes.c_uint
        handles = ctypes.POINTER(ctypes.c_void_p)
        launch = ctypes.CFUNCTYPE(
            ctypes.c_int, pointer, whole, whole, whole, whole, whole, whole, whole, pointer, pointer, handles
        )
        on_context = ctypes.CFUNCTYPE(ctypes.c_int, pointer)
        of_context = ctypes.CFUNCTYPE(ctypes.c_int, handles)
        record = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer)
        wait = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer, whole)
        self._functions = (
            launch(self._launch), of_context(self._get_current), on_context(self._push), of_context(self._pop),
            record(lambda event, stream: self._ordered("record", event, stream)),
            wait(lambda stream, event, _: self._ordered("wait", event, stream)),
        )  # fmt: skip
        self.addresses = tuple(ctypes.cast(function, ctypes.c_void_p).value for function in self._functions)

    def current_context(self) -> int:
        return self.current

    def launch(self, function: int, blocks: Any, block: Any, packed: bytes, stream: int) -> None:
        if self.status:
            raise DriverError("it failed")
        kernel, number = self.kernels[function]
        self.launches.append(stream)
        kernel.run_nest(number, packed, blocks, block)

    def order(self, event: int, first: int, then: int) -> None:
        self._ordered("record", event, first)
        self._ordered("wait", event, then)

    def finish(self, stream: int) -> None:
        self.orders.append(("finish", stream))

    def _launch(self, function: int, *rest: Any) -> int:
        *dimensions, _, stream, _, extra = rest
        size = ctypes.cast(extra[3], ctypes.POINTER(ctypes.c_size_t))[0]
        assert (extra[0], extra[2], extra[4]) == (1, 2, None)
        try:
            self.launch(function, dimensions[:3], dimensions[3:6], ctypes.string_at(extra[1], size), stream or 0)
        except DriverError:
            return 999
        return 0

    def _get_current(self, context: Any) -> int:
        context[0] = self.current
        return 0

    def _push(self, context: int) -> int:
        assert not self.current
        self.current = context
        return 0

    def _pop(self, context: Any) -> int:
        context[0] = self.current
        self.current = 0
        return 0

    def _ordered(self, what: str, event: int, stream: int | None) -> int:
        assert event == EVENT
        self.orders.append((what, stream or 0))
        return 0


class FakeDevice:
    """Runs kernels on the CPU.

    Attributes:
        kind: of its arrays.
        calls: its driver.
        loads: texts that were built.
        starts: the stream of each kernel that was started the long way.
        problem: what a start raises, if anything.
    """

    def __init__(self, ordinal: int, folder: Path, kind: FakeKind) -> None:
        self.ordinal = ordinal
        self.capability = 90
        self.handle, self.event = CONTEXT, EVENT
        self.kind = kind
        self.calls = FakeDriver()
        self.report_words = ReportWords(self._memory)
        self._pages: list[Any] = []
        self.folder = folder
        self.loads: list[str] = []
        self.starts: list[int] = []
        self.is_active = False
        self.problem: Exception | None = None
        self.build_problem: CannotFuse | None = None

    def _memory(self, size: int) -> int:
        self._pages.append(ctypes.create_string_buffer(b"\xff" * size, size))
        return ctypes.addressof(self._pages[-1])

    @contextmanager
    def active(self) -> Iterator[None]:
        before, self.is_active = self.is_active, True
        try:
            yield
        finally:
            self.is_active = before

    def order(self, first: int, then: int) -> None:
        self.calls.order(self.event, first, then)

    def launch_error(self, error: Exception) -> CannotFuse | None:
        return refuse(Code.DEVICE, "the kernel could not be started") if error is self.problem else None

    def load(self, source: CudaSource, device: Any, config: Config) -> tuple[BuiltKernel, Any]:  # noqa: ARG002
        assert device is self and self.is_active
        self.loads.append(source.text)
        if self.build_problem is not None:
            raise self.build_problem
        built = BuiltKernel(path=self.folder, was_cached=False, build_seconds=0.0)
        return built, _Kernel(source, self)


class _Kernel(ShimKernel):
    def __init__(self, source: CudaSource, device: FakeDevice) -> None:
        super().__init__(source, device.folder)
        self._device = device
        self.handles = [0x5000 + len(device.calls.kernels) + number for number in range(source.nest_count)]
        device.calls.kernels |= {handle: (self, number) for number, handle in enumerate(self.handles)}

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> CudaLaunch:  # noqa: ARG002
        return CudaLaunch(self, tuple(nest_starts(self._source, nests)))  # type: ignore[arg-type]

    def run(self, starts: Any, packed: bytes, stream: int = 0, report: int = 0) -> int:
        assert self._device.is_active
        self._device.starts.append(stream)
        if self._device.problem is not None:
            raise self._device.problem
        return self._start(starts, packed, report)


@pytest.fixture(scope="session")
def folder_of_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where kernels are compiled for the CPU, each once."""
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(params=["compiled", "python"])
def fake_device(request: pytest.FixtureRequest, folder_of_texts: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """A device for arrays of this file's classes, with the compiled launcher and with its twin."""
    if request.param == "python":
        monkeypatch.setattr(launcher, "extension", None)
    elif launcher.extension is None:
        pytest.skip(f"the launcher is {launcher.state}")
    kind = FakeKind()
    device = FakeDevice(0, folder_of_texts, kind)
    monkeypatch.setitem(array_kinds._KINDS, "tests", kind)
    monkeypatch.setattr(array_kinds, "_known", {})
    monkeypatch.setattr(devices, "find_device", lambda *_: device)
    monkeypatch.setattr(backend, "load", device.load)
    monkeypatch.setattr(backend, "is_built", lambda *_: False)
    return device
