"""NumPy functions that split an array: views of one that the call gives, slices of one that the kernel computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.input_views import view_function
from pyfuse.frontend.joining import MAX_PIECES, known_count
from pyfuse.frontend.known_arguments import as_array, axis_number, static, whole_number
from pyfuse.frontend.slicing import host_number, sliced
from pyfuse.frontend.stores import given_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant

Handler = Callable[..., Value]


def splitting(function: Callable[..., Any], smallest_rank: int, axis: int | None) -> Handler:
    """The handler of ``np.split`` or one of its kin.

    Args:
        function: NumPy's.
        smallest_rank: of an array that it takes.
        axis: along which it splits; None where the call says.

    Source: numpy/lib/_shape_base_impl.py, ``array_split``.
    """
    of_inputs = view_function(function)

    def along(tracer: Tracer, ary: Value, indices_or_sections: Value, place: Value) -> Value:
        array = as_array(tracer, ary)
        if tracer.rank(array) < smallest_rank:
            raise refuse(Code.NUMPY_RAISES, "the array has too few axes: NumPy raises its own error", tracer.span)
        number = axis_number(tracer, array, place)
        if isinstance(indices_or_sections, HostValue) and not isinstance(indices_or_sections.value, tuple | list):
            is_even = function is not np.array_split
            return _sections(tracer, array, number, known_count(tracer, indices_or_sections, "split"), is_even=is_even)
        return _between(tracer, array, number, static(tracer, indices_or_sections))

    def named(tracer: Tracer, ary: Value, indices_or_sections: Value, axis: Value = constant(0)) -> Value:
        if given_array(tracer, as_array(tracer, ary)) is not None:
            return of_inputs(tracer, ary, indices_or_sections, axis)
        return along(tracer, ary, indices_or_sections, axis)

    def fixed(tracer: Tracer, ary: Value, indices_or_sections: Value) -> Value:
        array = as_array(tracer, ary)
        if given_array(tracer, array) is not None:
            return of_inputs(tracer, ary, indices_or_sections)
        place = 0 if function is np.hsplit and tracer.rank(array) == 1 else axis
        return along(tracer, ary, indices_or_sections, constant(place))

    return named if axis is None else fixed


def unstack(tracer: Tracer, x: Value, /, *, axis: Value = constant(0)) -> Value:
    """``np.unstack``: the extent of the axis becomes part of the specialisation.

    Source: numpy/_core/shape_base.py, ``unstack``.
    """
    array = as_array(tracer, x)
    if given_array(tracer, array) is not None:
        return view_function(np.unstack)(tracer, x, axis=axis)
    place = axis_number(tracer, array, axis)
    count = whole_number(tracer, tracer.extent(array, place))
    if not 1 <= count <= MAX_PIECES:
        raise refuse(Code.TOO_LARGE, f"an axis of {count} elements is not unstacked", tracer.span)
    kept = tuple(other for other in range(tracer.rank(array)) if other != place)
    rows = [sliced(tracer, array, place, constant(number), constant(1), siblings=count) for number in range(count)]
    if kept:
        return tuple(tracer.view(row, kept) for row in rows)
    nodes = [tracer.draft.view(tracer.node_of(row), (), tracer.origin()) for row in rows]
    return tuple(ArrayValue(node=node, is_scalar=True) for node in nodes)


def _sections(tracer: Tracer, array: ArrayValue, axis: int, count: int, *, is_even: bool) -> Value:
    whole = tracer.extent(array, axis)
    is_divided = host_number(tracer, _divides, whole, count)
    if is_even and not tracer.truth(is_divided):
        raise refuse(Code.NUMPY_RAISES, "the array does not split evenly: NumPy raises its own error", tracer.span)
    bounds = [host_number(tracer, partial(_start, count=count, number=number), whole) for number in range(count + 1)]
    return _pieces(tracer, array, axis, bounds)


def _between(tracer: Tracer, array: ArrayValue, axis: int, indices: Sequence[Any]) -> Value:
    if not isinstance(indices, tuple | list) or not all(isinstance(index, int | np.integer) for index in indices):
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of split is not fused", tracer.span)
    whole = tracer.extent(array, axis)
    bounds = [host_number(tracer, _clamped, index, whole) for index in (0, *(int(index) for index in indices))]
    return _pieces(tracer, array, axis, [*bounds, whole])


def _pieces(tracer: Tracer, array: ArrayValue, axis: int, bounds: Sequence[HostValue]) -> Value:
    pieces: list[Value] = []
    for start, stop in pairwise(bounds):
        extent = host_number(tracer, _distance, start, stop)
        pieces.append(sliced(tracer, array, axis, start, extent, siblings=len(bounds) - 1))
    return pieces


def _divides(whole: int, count: int) -> bool:
    return not whole % count


def _start(whole: int, *, count: int, number: int) -> int:
    each, extra = divmod(whole, count)
    return number * each + min(number, extra)


def _clamped(index: int, whole: int) -> int:
    return slice(index, None).indices(whole)[0]


def _distance(start: int, stop: int) -> int:
    return max(stop - start, 0)
