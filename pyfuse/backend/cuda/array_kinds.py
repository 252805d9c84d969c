"""Which library's an array on a device is. No library is imported here before an array of its own has been seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyfuse.backend.cuda.array_facts import PRIMARY, ArrayKind, Facts, Maker, PlainKind, Reading, StreamSource
from pyfuse.backend.cuda.cupy_arrays import CupyArrays
from pyfuse.backend.cuda.jax_arrays import JaxArrays
from pyfuse.backend.cuda.moved_arrays import MOVED, Moved
from pyfuse.backend.cuda.numba_arrays import NumbaArrays
from pyfuse.backend.cuda.pycuda_arrays import PycudaArrays
from pyfuse.backend.cuda.torch_arrays import TorchArrays
from pyfuse.diagnostics import Code, refuse


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
    if kind is Moved:
        return MOVED
    if not hasattr(kind, "__cuda_array_interface__"):
        return None
    library = kind.__module__.partition(".")[0]
    return _KINDS.get(library) or _Unknown(f"{kind.__module__}.{kind.__qualname__}")


class _Unknown(PlainKind):
    """Device arrays of a library that is not known here."""

    context = PRIMARY
    memory_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def facts(self, array: Any) -> Facts:  # noqa: ARG002
        raise refuse(
            Code.DEVICE, f"device arrays of type {self.name} are not known",
            hints=("those of CuPy, PyTorch, pycuda, Numba and JAX are; cupy.asarray sees others without a copy",),
        )  # fmt: skip

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        raise AssertionError((form, like))

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        raise AssertionError((owner, offset, form))

    def assign(self, target: Any, value: Any) -> None:
        raise AssertionError((target, value))

    def stream(self, device: int) -> int:
        raise AssertionError(device)

    def reading(self, array: Any, facts: Facts) -> Reading | None:
        raise AssertionError((array, facts))

    def maker(self, form: Facts, like: Any) -> Maker:
        raise AssertionError((form, like))

    def stream_source(self, device: int) -> StreamSource:
        raise AssertionError(device)


_NUMBA = NumbaArrays()  # in the package numba, or in numba-cuda that takes its place
_KINDS: dict[str, ArrayKind] = {
    "cupy": CupyArrays(), "torch": TorchArrays(), "pycuda": PycudaArrays(), "numba": _NUMBA, "numba_cuda": _NUMBA,
    "jaxlib": JaxArrays(),
}  # fmt: skip
_known: dict[type, ArrayKind | None] = {}
