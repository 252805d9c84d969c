"""Views of arrays that the kernel computes: by index, flipped, under other extents; returned ones are NumPy's own."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, axis_number, listed, static, whole_number
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.nodes import ONE, Apply, Assemble, Reduce, Scan

WHOLE = slice(None)


def selected(tracer: Tracer, array: ArrayValue, items: Sequence[HostValue]) -> Value:
    """``array[items]`` with a basic index: a view, or a NumPy scalar where every axis has its number.

    Raises:
        CannotFuse: NumPy raises.

    Source: NumPy user guide, "Indexing on ndarrays", basic indexing.
    """
    entries = _one_for_each_axis(tracer, array, items)
    axes: list[int | None] = []
    view, axis = array, 0
    for entry in entries:
        if entry.value is None:
            axes.append(None)
            continue
        if isinstance(entry.value, slice):
            view = _sliced(tracer, view, axis, entry)
            axes.append(axis)
        else:
            place = tracer.host_call(_place, [entry, tracer.extent(array, axis)], "index")
            view = tracer.slice(view, axis, place, constant(1))
        axis += 1
    if axes == list(range(tracer.rank(array))):
        return view if view is not array else tracer.view(array, tuple(range(tracer.rank(array))))
    if not axes and not any(item.value is Ellipsis for item in items):  # with one it stays an array
        node = tracer.draft.view(tracer.node_of(view), (), tracer.origin())
        return ArrayValue(node=node, is_scalar=True)
    return tracer.view(view, tuple(axes))


def flipped(tracer: Tracer, array: ArrayValue, axis: Value) -> ArrayValue:
    """``np.flip``.

    Source: numpy/lib/_function_base_impl.py, ``flip``.
    """
    rank = tracer.rank(array)
    axes = [axis_number(tracer, array, place) for place in listed(axis)] or list(range(rank))
    if len(set(axes)) != len(axes):
        raise refuse(Code.NUMPY_RAISES, "a repeated axis: NumPy raises its own error", tracer.span)
    view = array
    for place in axes:
        extent = tracer.extent(array, place)
        last = tracer.host_call(_last, [extent], "last")
        view = tracer.slice(view, place, last, extent, step=-1, siblings=1)
    return view if axes else tracer.view(array, tuple(range(rank)))


def reshaped(tracer: Tracer, array: ArrayValue, shape: Sequence[Value], order: Value = constant("C")) -> ArrayValue:
    """``np.reshape`` and ``np.ravel`` of an array that lies in C order.

    Raises:
        CannotFuse: the array may lie in another order, in which NumPy makes a copy, or the extents do not fit.

    Source: NumPy reference, ``numpy.reshape``.
    """
    if static(tracer, order) not in ("C", "A"):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a reshape in another order than C is not fused", tracer.span)
    if array.base is not None or not isinstance(tracer.node(array), Apply | Reduce | Scan | Assemble):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a reshape of a view that is computed is not fused", tracer.span,
                     hints=("reshape it before it is sliced or transposed",))  # fmt: skip
    extents: list[HostValue] = []
    for extent in shape:
        if not isinstance(extent, HostValue) or isinstance(extent.value, bool):
            raise refuse(Code.NUMPY_RAISES, "an extent is no whole number", tracer.span)
        extents.append(extent)
    own = [tracer.extent(array, axis) for axis in range(tracer.rank(array))]
    free = [place for place, extent in enumerate(extents) if tracer.truth(_is_left_open(tracer, extent))]
    if len(free) > 1:
        raise refuse(Code.NUMPY_RAISES, "two extents are left open: NumPy raises its own error", tracer.span)
    total = tracer.host_call(_product, own, "size")
    fixed = [extent for place, extent in enumerate(extents) if place not in free]
    if free:
        extents[free[0]] = tracer.host_call(_quotient, [total, *fixed], "extent")
    elif not tracer.host_call(_fits, [total, *fixed], "fits").value:
        raise refuse(Code.SHAPE_MISMATCH, "an array does not fit its new shape: NumPy raises its own error")
    if not extents:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a reshape to rank 0 is not fused", tracer.span)
    return tracer.reshape(array, extents)


def _one_for_each_axis(tracer: Tracer, array: ArrayValue, items: Sequence[HostValue]) -> list[HostValue]:
    """The items with the Ellipsis written out, so that each but None stands for one axis."""
    rank = tracer.rank(array)
    if array.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a NumPy scalar is indexed", tracer.span)
    taken = sum(item.value is not None and item.value is not Ellipsis for item in items)
    dots = [place for place, item in enumerate(items) if item.value is Ellipsis]
    if taken > rank or len(dots) > 1:
        raise refuse(Code.NUMPY_RAISES, "too many indices: NumPy raises its own error", tracer.span)
    place = dots[0] if dots else len(items)
    rest = [constant(WHOLE)] * (rank - taken)
    return [*items[:place], *rest, *items[place + 1 :]]


def _sliced(tracer: Tracer, array: ArrayValue, axis: int, item: HostValue) -> ArrayValue:
    if item.is_constant and item.value == WHOLE:
        return array
    whole = tracer.extent(array, axis)
    step = whole_number(tracer, tracer.host_call(_step, [item], "step"))
    start = tracer.host_call(_start, [item, whole], "start")
    extent = tracer.host_call(_extent, [item, whole], "extent")
    is_all = tracer.draft.dims(tracer.node_of(array))[axis] == ONE and extent.value == 1
    return tracer.slice(array, axis, start, extent, step=step, siblings=int(is_all))


def _is_left_open(tracer: Tracer, extent: HostValue) -> HostValue:
    return tracer.host_call(partial(operator.eq, -1), [extent], "is -1")


def _place(index: Any, extent: int) -> int:
    place = operator.index(index)
    if not -extent <= place < extent:
        raise IndexError(f"index {place} is out of bounds for an axis of size {extent}")
    return place % extent


def _last(extent: int) -> int:
    return max(extent - 1, 0)


def _step(item: slice) -> int:
    return 1 if item.step is None else operator.index(item.step)


def _start(item: slice, extent: int) -> int:
    places = range(*item.indices(extent))
    return places[0] if places else 0


def _extent(item: slice, extent: int) -> int:
    return len(range(*item.indices(extent)))


def _product(*extents: int) -> int:
    return math.prod(extents)


def _quotient(total: int, *extents: int) -> int:
    known = math.prod(extents)
    if known <= 0 or total % known:
        raise ValueError("an array does not fit its new shape")
    return total // known


def _fits(total: int, *extents: int) -> bool:
    return all(extent >= 0 for extent in extents) and math.prod(extents) == total


def called(
    tracer: Tracer, handler: Callable[..., Value], name: str, arguments: Sequence[Value], keywords: dict[str, Value]
) -> Value:
    """A call of one of ``FUNCTIONS`` or ``METHODS``.

    Raises:
        CannotFuse: also for arguments that it does not take.
    """
    try:
        inspect.signature(handler).bind(tracer, *arguments, **keywords)
    except TypeError as error:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, f"these arguments of {name} are not fused", tracer.span, notes=(str(error),)
        ) from error
    made: Value = handler(tracer, *arguments, **keywords)
    return made


def _flip(tracer: Tracer, m: ArrayValue, axis: Value = NONE) -> Value:
    return flipped(tracer, m, axis)


def _flip_along(axis: int) -> Callable[..., Value]:
    def handler(tracer: Tracer, m: ArrayValue) -> Value:
        if tracer.rank(m) <= axis:
            raise refuse(Code.NUMPY_RAISES, "the array has too few axes: NumPy raises its own error", tracer.span)
        return flipped(tracer, m, constant(axis))

    return handler


def _reshape(tracer: Tracer, a: ArrayValue, /, shape: Value, order: Value = constant("C")) -> Value:
    return reshaped(tracer, a, listed(shape), order)


def _ravel(tracer: Tracer, a: ArrayValue, order: Value = constant("C")) -> Value:
    return reshaped(tracer, a, [constant(-1)], order)


def _reshape_method(tracer: Tracer, a: ArrayValue, *shape: Value, order: Value = constant("C")) -> Value:
    return reshaped(tracer, a, listed(shape[0]) if len(shape) == 1 else shape, order)


FUNCTIONS: dict[Callable[..., Any], Callable[..., Value]] = {
    np.flip: _flip,
    np.fliplr: _flip_along(1),
    np.flipud: _flip_along(0),
    np.reshape: _reshape,
    np.ravel: _ravel,
}
METHODS: dict[str, Callable[..., Value]] = {"reshape": _reshape_method, "ravel": _ravel}
