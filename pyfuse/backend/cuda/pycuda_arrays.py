"""The arrays of pycuda.gpuarray."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from pyfuse.backend.cuda.array_facts import CURRENT, Facts, Maker, PlainKind, Reading, StreamSource
from pyfuse.diagnostics import Code, refuse


class PycudaArrays(PlainKind):
    """The kind of ``GPUArray``."""

    name = "pycuda"
    context = CURRENT

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """As ``ArrayKind.memory_errors``."""
        return (sys.modules["pycuda.driver"].MemoryError,)

    def facts(self, array: Any) -> Facts:
        """As ``ArrayKind.facts``."""
        return Facts(-1, int(array.gpudata or 0), tuple(array.shape), tuple(array.strides), array.dtype)

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        """As ``ArrayKind.empty``."""
        made = _kind()(form.shape, form.dtype, allocator=like.allocator, strides=form.strides)
        return made, int(made.gpudata or 0)

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """As ``ArrayKind.view``."""
        address = int(owner.gpudata or 0) + offset
        return _kind()(form.shape, form.dtype, gpudata=address, base=owner, strides=form.strides)

    def assign(self, target: Any, value: Any) -> None:
        """As ``ArrayKind.assign``."""
        try:
            target[...] = value
        except NotImplementedError as error:  # more than three dimensions with gaps between
            raise refuse(Code.DEVICE, "pycuda cannot store into such a view", notes=(str(error),)) from error

    def stream(self, device: int) -> int:  # noqa: ARG002
        """As ``ArrayKind.stream``."""
        return 0

    def reading(self, array: Any, facts: Facts) -> Reading | None:
        """As ``ArrayKind.reading``; what an array is made with makes the result too."""
        looks = ((("dtype",), array.dtype), (("shape",), array.shape), (("strides",), array.strides))
        allocator = ((("allocator",), array.allocator),)
        return Reading(type(array), facts.dtype.itemsize, (*looks, *allocator), ("gpudata",))

    def maker(self, form: Facts, like: Any) -> Maker:
        """As ``ArrayKind.maker``."""
        made = partial(_kind(), form.shape, form.dtype, allocator=like.allocator, strides=form.strides)
        return Maker(made, (), ("gpudata",))

    def stream_source(self, device: int) -> StreamSource:  # noqa: ARG002
        """As ``ArrayKind.stream_source``."""
        return StreamSource()


def _kind() -> Any:
    return sys.modules["pycuda.gpuarray"].GPUArray
