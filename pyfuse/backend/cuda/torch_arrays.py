"""PyTorch's CUDA tensors."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np

from pyfuse.backend.cuda.array_facts import PRIMARY, Facts, Maker, Path, PlainKind, Reading, StreamSource, not_plain
from pyfuse.diagnostics import Code, refuse

_ADDRESS: Path = ("data_ptr()",)
_DLPACK_CODES = {"i": 0, "u": 1, "f": 2, "V": 4, "c": 5, "b": 6}  # the kind of bfloat16 is "V"
_NAMES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "complex64", "complex128",
)  # fmt: skip


class TorchArrays(PlainKind):
    """The kind of ``torch.Tensor``."""

    name = "PyTorch"
    context = PRIMARY

    def __init__(self) -> None:
        self._dtypes: dict[Any, np.dtype] = {}
        self._codes: dict[np.dtype, Any] = {}

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """As ``ArrayKind.memory_errors``."""
        return (sys.modules["torch"].cuda.OutOfMemoryError,)

    def facts(self, array: Any) -> Facts:
        """As ``ArrayKind.facts``."""
        torch = sys.modules["torch"]
        if not self._dtypes:
            self._read_dtypes(torch)
        if not array.is_cuda:
            raise refuse(
                Code.DEVICE, f"a tensor of PyTorch lies on {array.device}, not on a CUDA device",
                hints=("tensor.numpy() sees the memory of a tensor on the CPU as a NumPy array",),
            )  # fmt: skip
        if type(array) is not torch.Tensor or array.layout is not torch.strided or array.is_conj() or array.is_neg():
            raise not_plain(array)
        if array.requires_grad:
            raise refuse(
                Code.DEVICE, "a tensor of PyTorch records gradients, which a kernel does not",
                hints=("pass tensor.detach()",),
            )  # fmt: skip
        dtype = self._dtypes.get(array.dtype)
        if dtype is None and array.dtype is torch.bfloat16:
            dtype = self._read_bfloat16(torch)
        if dtype is None:
            raise refuse(Code.UNSUPPORTED_DTYPE, f"NumPy has no dtype like {array.dtype}")
        size = dtype.itemsize
        strides = tuple([stride * size for stride in array.stride()])
        return Facts(array.get_device(), array.data_ptr(), tuple(array.shape), strides, dtype)

    def _read_dtypes(self, torch: Any) -> None:
        found = {getattr(torch, name): np.dtype(name) for name in _NAMES if hasattr(torch, name)}
        self._codes = {dtype: own for own, dtype in found.items()}
        self._dtypes = found

    def _read_bfloat16(self, torch: Any) -> np.dtype:
        """NumPy's dtype for bfloat16, which the package ml_dtypes adds to it."""
        try:
            from ml_dtypes import bfloat16
        except ImportError as error:
            raise refuse(
                Code.UNSUPPORTED_DTYPE, "NumPy has no bfloat16 without the package ml_dtypes",
                hints=("python -m pip install ml_dtypes",),
            ) from error  # fmt: skip
        found: np.dtype = np.dtype(bfloat16)
        self._codes[found] = torch.bfloat16
        self._dtypes[torch.bfloat16] = found
        return found

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        """As ``ArrayKind.empty``."""
        torch = sys.modules["torch"]
        made = torch.empty_strided(form.shape, _steps(form), dtype=self._codes[form.dtype], device=like.device)
        return made, made.data_ptr()

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """As ``ArrayKind.view``."""
        size, steps = form.dtype.itemsize, _steps(form)
        if self._dtypes[owner.dtype] != form.dtype or any(step < 0 for step in steps) or offset % size:
            raise refuse(
                Code.DEVICE, "the result is a view that PyTorch has none of: it runs backwards, or sees another dtype"
            )
        return owner.as_strided(form.shape, steps, owner.storage_offset() + offset // size)

    def assign(self, target: Any, value: Any) -> None:
        """As ``ArrayKind.assign``."""
        target.copy_(value)

    def stream(self, device: int) -> int:
        """As ``ArrayKind.stream``."""
        raw = _raw_stream()  # the public way takes 8 us
        return int(raw(device)) if raw is not None else int(_public_stream(device).cuda_stream)

    def reading(self, array: Any, facts: Facts) -> Reading | None:
        """As ``ArrayKind.reading``."""
        torch, kind = sys.modules["torch"], facts.dtype.kind
        beside: list[tuple[Path, Any]] = []
        if kind in "fcV":
            beside += [(("requires_grad",), False), (("is_neg()",), False)]
        if kind == "c":
            beside += [(("is_conj()",), False)]
        looks: list[tuple[Path, Any]] = [
            (("dtype",), array.dtype), (("shape",), array.shape), (("stride()",), array.stride()),
            (("get_device()",), facts.device), (("layout",), torch.strided), *beside,
        ]  # fmt: skip
        bits = 8 * facts.dtype.itemsize
        tensor = (facts.device, _DLPACK_CODES[kind], bits, facts.shape, _steps(facts))
        return Reading(
            type(array), facts.dtype.itemsize, tuple(looks), _ADDRESS, _exchange(type(array)), tensor, tuple(beside)
        )

    def maker(self, form: Facts, like: Any) -> Maker:
        """As ``ArrayKind.maker``; what PyTorch's own compiler makes its outputs with takes half the time."""
        torch = sys.modules["torch"]
        code, steps, exchange = self._codes[form.dtype], _steps(form), _exchange(torch.Tensor)
        dynamo = getattr(torch._C, "_dynamo", None)
        quick = getattr(getattr(dynamo, "guards", None), "_empty_strided_cuda", None)
        if quick is not None:
            return Maker(quick, (form.shape, steps, code), _ADDRESS, exchange=exchange)
        made = partial(torch.empty_strided, form.shape, steps, dtype=code, device=like.device)
        return Maker(made, (), _ADDRESS, exchange=exchange)

    def stream_source(self, device: int) -> StreamSource:
        """As ``ArrayKind.stream_source``."""
        exchange = _exchange(sys.modules["torch"].Tensor)
        if exchange is not None:
            return StreamSource("exchange", exchange, (device,))
        raw = _raw_stream()
        if raw is not None:
            return StreamSource("call", raw, (device,))
        return StreamSource("call", _public_stream, (device,), ("cuda_stream",))


def _steps(form: Facts) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple([stride // form.dtype.itemsize for stride in form.strides])


def _exchange(kind: type) -> Any:
    """The capsule of DLPack's exchange in C, which PyTorch has from 2.11 on; None before."""
    found = getattr(kind, "__dlpack_c_exchange_api__", None)
    return found if type(found).__name__ == "PyCapsule" else None


def _raw_stream() -> Any:
    return getattr(sys.modules["torch"]._C, "_cuda_getCurrentRawStream", None)


def _public_stream(device: int) -> Any:
    return sys.modules["torch"].cuda.current_stream(device)
