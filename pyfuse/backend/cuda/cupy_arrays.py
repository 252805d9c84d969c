"""CuPy's arrays."""

from __future__ import annotations

import itertools
import math
import operator
import sys
from functools import cache, partial
from typing import Any

import numpy as np

from pyfuse.backend.cuda.array_facts import PRIMARY, Facts, Maker, Path, PlainKind, Reading, StreamSource, not_plain

_ADDRESS: Path = ("data", "ptr")
_OWNERS: tuple[Path, ...] = (("data",), ("data", "mem"))
MOST_KEPT_BYTES = 2**18  # of an array that is handed out again: for larger ones, making it is a small part of a call


class CupyArrays(PlainKind):
    """The kind of ``cupy.ndarray``."""

    name = "CuPy"
    context = PRIMARY
    takes_numpys_functions = True

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """``cupy.cuda.memory.OutOfMemoryError`` is one."""
        return (MemoryError,)

    def facts(self, array: Any) -> Facts:
        """As ``ArrayKind.facts``."""
        if type(array) is not sys.modules["cupy"].ndarray:
            raise not_plain(array)
        memory = array.data
        return Facts(memory.device_id, memory.ptr, array.shape, array.strides, array.dtype)

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        """As ``ArrayKind.empty``."""
        cupy = sys.modules["cupy"]
        number = like.data.device_id
        if cupy.cuda.device.get_device_id() == number:
            made = _made(form)
        else:
            with cupy.cuda.Device(number):
                made = _made(form)
        return made, made.data.ptr

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """As ``ArrayKind.view``."""
        kind = sys.modules["cupy"].ndarray
        return kind(form.shape, form.dtype, memptr=owner.data + offset, strides=form.strides)

    def assign(self, target: Any, value: Any) -> None:
        """As ``ArrayKind.assign``."""
        target[...] = value

    def stream(self, device: int) -> int:  # noqa: ARG002  CuPy's current stream is that of its current device
        """As ``ArrayKind.stream``."""
        return int(sys.modules["cupy"].cuda.get_current_stream().ptr)

    def reading(self, array: Any, facts: Facts) -> Reading | None:
        """As ``ArrayKind.reading``.

        A shape costs as much as four attributes, and CuPy makes the tuples of both anew each time: where an array is
        dense and no axis is short, less is looked at that says the same.
        """
        shape = facts.shape
        looks: list[tuple[Path, Any]] = [(("dtype",), facts.dtype)]
        if len(shape) == 1 and hasattr(array, "_c_contiguous"):
            looks += [(("size",), shape[0]), (("ndim",), 1)]
        else:
            looks += [(("shape",), shape)]
        if getattr(array, "_c_contiguous", False) and min(shape, default=0) > 1:
            looks += [(("_c_contiguous",), array._c_contiguous)]
        else:
            looks += [(("strides",), facts.strides)]
        if _device_count() > 1:
            looks += [(("data", "device_id"), facts.device)]
        return Reading(type(array), facts.dtype.itemsize, tuple(looks), _ADDRESS)

    def maker(self, form: Facts, like: Any) -> Maker:  # noqa: ARG002
        """As ``ArrayKind.maker``; past ``ndarray.__new__``, a Python function that takes a fifth of the time."""
        ndarray = sys.modules["cupy"].ndarray
        base = ndarray.__mro__[1]
        for order in "CF":
            given = (form.shape, form.dtype, None, None, order)
            if _strides(form, order) == form.strides and _has_init(base, order):
                found = Maker(base.__new__, (ndarray,), _ADDRESS, base._init, given)
                return found._replace(**self._reuse(form)) if _is_small(form) else found
        return Maker(partial(_made, form), (), _ADDRESS)

    def _reuse(self, form: Facts) -> dict[str, Any]:
        """What the launcher must look at before it hands out an array of a form again."""
        made = _made(form)
        reading = self.reading(made, self.facts(made))
        return {"looks": reading.looks if reading is not None else (), "owners": _OWNERS if reading is not None else ()}

    def stream_source(self, device: int) -> StreamSource:
        """As ``ArrayKind.stream_source``."""
        cupy = sys.modules["cupy"]
        own = getattr(sys.modules.get("cupy_backends.cuda.stream"), "__pyx_capi__", {}).get("get_stream_ptr")
        if own is not None and '"intptr_t (int)"' in repr(own):  # what Cython code would import
            return StreamSource("function", own, (device,))
        return StreamSource("call", cupy.cuda.get_current_stream, (), ("ptr",))


def _made(form: Facts) -> Any:
    """A new array of a form on the current device."""
    cupy = sys.modules["cupy"]
    made = cupy.ndarray(form.shape, form.dtype)
    if made.strides != form.strides and made.size:
        made = cupy.ndarray(form.shape, form.dtype, memptr=made.data, strides=form.strides)
    return made


def _strides(form: Facts, order: str) -> tuple[int, ...]:
    """Of a dense array of that shape."""
    extents = form.shape[::-1] if order == "C" else form.shape
    steps = tuple(itertools.accumulate(extents[:-1], operator.mul, initial=form.dtype.itemsize))[: len(extents)]
    return steps[::-1] if order == "C" else steps


def _is_small(form: Facts) -> bool:
    return 0 < math.prod(form.shape) * form.dtype.itemsize <= MOST_KEPT_BYTES


@cache
def _has_init(base: Any, order: str) -> bool:
    """Whether what CuPy calls private does what it is thought to do."""
    if not hasattr(base, "_init"):
        return False
    made = base.__new__(sys.modules["cupy"].ndarray)
    expected = np.empty((2, 3), "f4", order)  # type: ignore[call-overload]
    try:
        base._init(made, expected.shape, expected.dtype, None, None, order)
    except TypeError:
        return False
    return bool((made.shape, made.strides, made.dtype) == (expected.shape, expected.strides, expected.dtype))


@cache
def _device_count() -> int:
    return int(sys.modules["cupy"].cuda.runtime.getDeviceCount())
