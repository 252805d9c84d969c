"""A device that is none: arrays in the process's own memory that say they are on one, and kernels run on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.cuda import array_kinds
from pyfuse.backend.cuda import kernel as devices
from pyfuse.backend.cuda.array_kinds import Facts
from pyfuse.backend.cuda.launch_shape import CudaSource
from pyfuse.backend.interface import BuiltKernel
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


class FakeKind:
    """What ``FakeArray`` can do."""

    name = "fake"
    context = array_kinds.PRIMARY
    memory_errors = (MemoryError,)

    def __init__(self) -> None:
        self.is_full = False
        self.current_stream = 0
        self.ordered_with: list[int] = []

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

    @contextmanager
    def ordered(self, device: int, handle: int) -> Iterator[None]:  # noqa: ARG002
        self.ordered_with.append(handle)
        yield


class _Whole:
    def __init__(self, memory: np.ndarray) -> None:
        self.kept = memory
        address = memory.__array_interface__["data"]
        self.__array_interface__ = {"shape": (memory.nbytes,), "typestr": "|u1", "data": address, "version": 3}


class FakeStream:
    """A stream of the fake device's own."""

    handle = 77


class FakeDevice:
    """Runs kernels on the CPU.

    Attributes:
        kind: of its arrays.
        loads: texts that were built.
        problem: what a start raises, if anything.
    """

    def __init__(self, ordinal: int, folder: Path, kind: FakeKind) -> None:
        self.ordinal = ordinal
        self.capability = 90
        self.own_stream = FakeStream()
        self.kind = kind
        self.folder = folder
        self.loads: list[str] = []
        self.starts: list[Any] = []
        self.is_active = False
        self.problem: Exception | None = None
        self.build_problem: CannotFuse | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        self.is_active = True
        try:
            yield
        finally:
            self.is_active = False

    def run(self, start: Any, packed: bytes) -> None:
        with self.active():
            try:
                start(packed)
            except RuntimeError as error:
                raise refuse(Code.DEVICE, "the kernel could not be started") from error

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

    def _start(self, starts: Any, packed: bytes, stream: Any = None) -> int:
        assert self._device.is_active
        self._device.starts.append(stream)
        if self._device.problem is not None:
            raise self._device.problem
        return super()._start(starts, packed)


@pytest.fixture
def fake_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """A device for arrays of this file's classes."""
    kind = FakeKind()
    device = FakeDevice(0, tmp_path, kind)
    monkeypatch.setitem(array_kinds._KINDS, "tests", kind)
    monkeypatch.setattr(array_kinds, "_known", {})
    monkeypatch.setattr(devices, "find_device", lambda *_: device)
    monkeypatch.setattr("pyfuse.device_call.load", device.load)
    return device
