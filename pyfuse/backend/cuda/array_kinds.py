"""The arrays that live on a device: which library's they are, where they lie, and how to make another of the kind.

No library is imported here before an array of its own has been seen.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, Protocol

import numpy as np

from pyfuse.diagnostics import Code, refuse

PRIMARY, CURRENT = "primary", "current"  # contexts
_LEGACY_STREAMS = (0, 1)  # how CUDA's default stream is written


class Facts(NamedTuple):
    """Where an array lies: a device's number (-1: that of the current context), address, shape, strides in bytes."""

    device: int
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype


class ArrayKind(Protocol):
    """What arrays of one library can do.

    Attributes:
        name: as users know it.
        context: where its memory is: in each device's primary context, or in the caller's current one.
        memory_errors: what it raises where a device's memory is used up.
    """

    name: str
    context: str

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """See above."""

    def facts(self, array: Any) -> Facts:
        """Where an array lies. Raises CannotFuse for one that is not plain memory on a device."""

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        """A new array of a form, dense in some order of its axes, beside ``like``; and its address."""

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """A view of a form on an array's memory, whose first element is ``offset`` bytes behind that of ``owner``.

        Raises CannotFuse where the library has no such views.
        """

    def assign(self, target: Any, value: Any) -> None:
        """Copy an array of the kind into another of the same shape and dtype, in the library's own stream.

        Raises CannotFuse where the library cannot; nothing has been copied then.
        """

    def stream(self, device: int) -> int:
        """The handle of the stream that the library's work goes to now; 0 is the default one."""

    def ordered(self, device: int, handle: int) -> AbstractContextManager[None]:
        """Work of stream ``handle`` inside the block comes after what the library has started, and before what it will.

        Only asked for where ``stream`` is not the default one.
        """


def kind_of(value: Any) -> ArrayKind | None:
    """The kind of a device array; None for what is none."""
    kind = type(value)
    if kind not in _known:
        _known[kind] = _kind_of_type(kind)
    return _known[kind]


def holds_device_arrays(arguments: Sequence[Any]) -> bool:
    """Whether an array on a device is among a call's arguments, or in containers of them."""
    return any(map(_holds, arguments))


def _holds(value: Any) -> bool:
    if type(value) in (tuple, list):
        return any(map(_holds, value))
    if type(value) is dict:
        return any(map(_holds, value.values()))
    return kind_of(value) is not None


def _kind_of_type(kind: type) -> ArrayKind | None:
    if not hasattr(kind, "__cuda_array_interface__"):
        return None
    library = kind.__module__.partition(".")[0]
    return _KINDS.get(library) or _Unknown(f"{kind.__module__}.{kind.__qualname__}")


class _Cupy:
    """CuPy's arrays."""

    name = "CuPy"
    context = PRIMARY

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        return (MemoryError,)  # cupy.cuda.memory.OutOfMemoryError is one

    def facts(self, array: Any) -> Facts:
        if type(array) is not sys.modules["cupy"].ndarray:
            raise _not_plain(array)
        memory = array.data
        return Facts(memory.device_id, memory.ptr, array.shape, array.strides, array.dtype)

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        cupy = sys.modules["cupy"]
        number = like.data.device_id
        if cupy.cuda.device.get_device_id() == number:
            made = cupy.ndarray(form.shape, form.dtype)
        else:
            with cupy.cuda.Device(number):
                made = cupy.ndarray(form.shape, form.dtype)
        if made.strides != form.strides and made.size:
            made = cupy.ndarray(form.shape, form.dtype, memptr=made.data, strides=form.strides)
        return made, made.data.ptr

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        kind = sys.modules["cupy"].ndarray
        return kind(form.shape, form.dtype, memptr=owner.data + offset, strides=form.strides)

    def assign(self, target: Any, value: Any) -> None:
        target[...] = value

    def stream(self, device: int) -> int:  # noqa: ARG002  CuPy's current stream is that of its current device
        return int(sys.modules["cupy"].cuda.get_current_stream().ptr)

    @contextmanager
    def ordered(self, device: int, handle: int) -> Any:  # noqa: ARG002
        cuda = sys.modules["cupy"].cuda
        own, other = cuda.get_current_stream(), cuda.ExternalStream(handle)
        other.wait_event(own.record())
        yield
        own.wait_event(other.record())


class _Torch:
    """PyTorch's CUDA tensors."""

    name = "PyTorch"
    context = PRIMARY

    def __init__(self) -> None:
        self._dtypes: dict[Any, np.dtype] = {}
        self._codes: dict[np.dtype, Any] = {}

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        return (sys.modules["torch"].cuda.OutOfMemoryError,)

    def facts(self, array: Any) -> Facts:
        torch = sys.modules["torch"]
        if not self._dtypes:
            self._read_dtypes(torch)
        if not array.is_cuda:
            raise refuse(
                Code.DEVICE, f"a tensor of PyTorch lies on {array.device}, not on a CUDA device",
                hints=("tensor.numpy() sees the memory of a tensor on the CPU as a NumPy array",),
            )  # fmt: skip
        if type(array) is not torch.Tensor or array.layout is not torch.strided or array.is_conj() or array.is_neg():
            raise _not_plain(array)
        if array.requires_grad:
            raise refuse(
                Code.DEVICE, "a tensor of PyTorch records gradients, which a kernel does not",
                hints=("pass tensor.detach()",),
            )  # fmt: skip
        dtype = self._dtypes.get(array.dtype)
        if dtype is None:
            raise refuse(Code.UNSUPPORTED_DTYPE, f"NumPy has no dtype like {array.dtype}")
        size = dtype.itemsize
        strides = tuple([stride * size for stride in array.stride()])
        return Facts(array.get_device(), array.data_ptr(), tuple(array.shape), strides, dtype)

    def _read_dtypes(self, torch: Any) -> None:
        names = (
            "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
            "float64", "complex64", "complex128",
        )  # fmt: skip
        found = {getattr(torch, name): np.dtype(name) for name in names if hasattr(torch, name)}
        self._codes = {dtype: own for own, dtype in found.items()}
        self._dtypes = found

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        steps = [stride // form.dtype.itemsize for stride in form.strides]
        torch = sys.modules["torch"]
        made = torch.empty_strided(form.shape, steps, dtype=self._codes[form.dtype], device=like.device)
        return made, made.data_ptr()

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        size = form.dtype.itemsize
        steps = [stride // size for stride in form.strides]
        if self._dtypes[owner.dtype] != form.dtype or any(step < 0 for step in steps) or offset % size:
            raise refuse(
                Code.DEVICE, "the result is a view that PyTorch has none of: it runs backwards, or sees another dtype"
            )
        return owner.as_strided(form.shape, steps, owner.storage_offset() + offset // size)

    def assign(self, target: Any, value: Any) -> None:
        target.copy_(value)

    def stream(self, device: int) -> int:
        torch = sys.modules["torch"]
        raw = getattr(torch._C, "_cuda_getCurrentRawStream", None)  # what its own compiler asks; the public way: 8 us
        return int(raw(device)) if raw is not None else int(torch.cuda.current_stream(device).cuda_stream)

    @contextmanager
    def ordered(self, device: int, handle: int) -> Any:
        cuda = sys.modules["torch"].cuda
        own, other = cuda.current_stream(device), cuda.ExternalStream(handle, device=device)
        other.wait_stream(own)
        yield
        own.wait_stream(other)


class _GpuArray:
    """The arrays of pycuda.gpuarray."""

    name = "pycuda"
    context = CURRENT

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        return (sys.modules["pycuda.driver"].MemoryError,)

    def facts(self, array: Any) -> Facts:
        return Facts(-1, int(array.gpudata or 0), tuple(array.shape), tuple(array.strides), array.dtype)

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        kind = sys.modules["pycuda.gpuarray"].GPUArray
        made = kind(form.shape, form.dtype, allocator=like.allocator, strides=form.strides)
        return made, int(made.gpudata or 0)

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        kind = sys.modules["pycuda.gpuarray"].GPUArray
        address = int(owner.gpudata or 0) + offset
        return kind(form.shape, form.dtype, gpudata=address, base=owner, strides=form.strides)

    def assign(self, target: Any, value: Any) -> None:
        try:
            target[...] = value
        except NotImplementedError as error:  # more than three dimensions with gaps between
            raise refuse(Code.DEVICE, "pycuda cannot store into such a view", notes=(str(error),)) from error

    def stream(self, device: int) -> int:  # noqa: ARG002
        return 0

    def ordered(self, device: int, handle: int) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()


class _Numba:
    """Numba's device arrays."""

    name = "Numba"
    context = PRIMARY

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        return (MemoryError,)

    def facts(self, array: Any) -> Facts:
        interface = array.__cuda_array_interface__
        if interface.get("stream") not in (None, *_LEGACY_STREAMS):
            raise refuse(Code.DEVICE, "an array of Numba belongs to a stream of its own")
        return Facts(-1, interface["data"][0] or 0, tuple(array.shape), tuple(array.strides), np.dtype(array.dtype))

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:  # noqa: ARG002  Numba has one pool
        made = sys.modules["numba.cuda"].device_array(form.shape, dtype=form.dtype, strides=form.strides)
        return made, made.__cuda_array_interface__["data"][0] or 0

    def view(self, owner: Any, offset: int, form: Facts) -> Any:  # noqa: ARG002
        raise refuse(Code.DEVICE, "the result is a view, which is not made of Numba's arrays yet")

    def assign(self, target: Any, value: Any) -> None:  # noqa: ARG002
        raise refuse(Code.DEVICE, "stores into Numba's arrays are not fused")

    def stream(self, device: int) -> int:  # noqa: ARG002
        return 0

    def ordered(self, device: int, handle: int) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()


class _Unknown:
    """Device arrays of a library that is not known here."""

    context = PRIMARY
    memory_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def facts(self, array: Any) -> Facts:  # noqa: ARG002
        raise refuse(
            Code.DEVICE, f"device arrays of type {self.name} are not known",
            hints=("CuPy, PyTorch, pycuda and Numba arrays are; cupy.asarray sees others without a copy",),
        )  # fmt: skip

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        raise AssertionError((form, like))

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        raise AssertionError((owner, offset, form))

    def assign(self, target: Any, value: Any) -> None:
        raise AssertionError((target, value))

    def stream(self, device: int) -> int:
        raise AssertionError(device)

    def ordered(self, device: int, handle: int) -> AbstractContextManager[None]:
        raise AssertionError((device, handle))


def _not_plain(array: Any) -> Exception:
    return refuse(Code.DEVICE, f"an array of type {type(array).__qualname__} is more than plain memory on a device")


_NUMBA = _Numba()  # in the package numba, or in numba-cuda that takes its place
_KINDS: dict[str, ArrayKind] = {
    "cupy": _Cupy(), "torch": _Torch(), "pycuda": _GpuArray(), "numba": _NUMBA, "numba_cuda": _NUMBA
}  # fmt: skip
_known: dict[type, ArrayKind | None] = {}
