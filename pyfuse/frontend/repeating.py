"""NumPy functions that put an array's elements down again: ``tile``, ``repeat``, ``roll``."""

from __future__ import annotations

import operator

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.array_makers import copy_array
from pyfuse.frontend.joining import known_count
from pyfuse.frontend.known_arguments import NONE, as_array, axis_number, is_none
from pyfuse.frontend.slicing import host_number, raveled, sliced
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant


def repeat(tracer: Tracer, a: Value, repeats: Value, axis: Value = NONE) -> Value:
    """``np.repeat`` by one number: each element several times over, in C order.

    Source: numpy/_core/src/multiarray/item_selection.c, ``PyArray_Repeat``.
    """
    array = as_array(tracer, a)
    count = known_count(tracer, repeats, "repeat")
    if is_none(axis):
        array, place = raveled(tracer, array), 0
    else:
        place = axis_number(tracer, array, axis)
    extent = host_number(tracer, operator.mul, tracer.extent(array, place), count)
    starts = [constant(start) for start in range(count)]
    return tracer.assemble([array] * count, place, starts, extent, step=count)


def tile(tracer: Tracer, A: Value, reps: Value) -> Value:
    """``np.tile``: the array several times side by side, in C order.

    Source: numpy/lib/_shape_base_impl.py, ``tile``.
    """
    array = as_array(tracer, A)
    given = list(reps) if isinstance(reps, tuple | list) else [reps]
    if isinstance(reps, HostValue) and isinstance(reps.value, tuple | list):
        given = [constant(count) for count in tracer.pin(reps)]
    counts = [known_count(tracer, count, "tile") for count in given]
    rank = tracer.rank(array)
    if len(counts) > rank:
        array = tracer.view(array, (*[None] * (len(counts) - rank), *range(rank)))
    if not counts or array.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of np.tile is not fused", tracer.span)
    if all(count == 1 for count in counts):
        return copy_array(tracer, array, "K")
    counts = [1] * (rank - len(counts)) + counts
    for place, count in enumerate(counts):
        if count > 1:
            own = tracer.extent(array, place)
            starts = [host_number(tracer, operator.mul, own, number) for number in range(count)]
            array = tracer.assemble(
                [array] * count, place, starts, host_number(tracer, operator.mul, own, count)
            )  # fmt: skip
    return array


def roll(tracer: Tracer, a: Value, shift: Value, axis: Value = NONE) -> Value:
    """``np.roll``: each axis in two parts, in the memory order of the array.

    Source: numpy/_core/numeric.py, ``roll``.
    """
    array = as_array(tracer, a)
    if array.is_scalar or (is_none(axis) and tracer.rank(array) != 1):
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "np.roll through several axes is not fused", tracer.span,
            hints=("give it an axis",),
        )  # fmt: skip
    distances = _distances(tracer, array, shift, constant(0) if is_none(axis) else axis)
    layout = tracer.node_of(array)
    rolled = array
    for place, distance in distances.items():
        rolled = _rolled(tracer, rolled, place, distance, layout)
    return copy_array(tracer, array, "K") if rolled is array else rolled


def _distances(tracer: Tracer, array: ArrayValue, shift: Value, axis: Value) -> dict[int, HostValue]:
    """How far each axis goes; what is asked of one axis several times adds up."""
    shifts, axes = ([*value] if isinstance(value, tuple | list) else [value] for value in (shift, axis))
    if 1 not in (len(shifts), len(axes)) and len(shifts) != len(axes):
        raise refuse(Code.NUMPY_RAISES, "shifts do not match axes: NumPy raises its own error", tracer.span)
    count = max(len(shifts), len(axes))
    pairs = zip(shifts * (count if len(shifts) == 1 else 1), axes * (count if len(axes) == 1 else 1), strict=True)
    distances: dict[int, HostValue] = {}
    for number, place_value in pairs:
        place = axis_number(tracer, array, place_value)
        if not isinstance(number, HostValue):
            raise refuse(Code.UNSUPPORTED_OPERATION, "np.roll by a computed distance is not fused", tracer.span)
        distance = tracer.host_call(int, [number], "int")
        distances[place] = host_number(tracer, operator.add, distances.get(place, constant(0)), distance)
    return distances


def _rolled(tracer: Tracer, array: ArrayValue, axis: int, distance: HostValue, layout: int) -> ArrayValue:
    extent = tracer.extent(array, axis)
    offset = host_number(tracer, offset_of, distance, extent)
    if not tracer.truth(offset):
        return array
    rest = host_number(tracer, operator.sub, extent, offset)
    head = sliced(tracer, array, axis, constant(0), rest, siblings=2)
    tail = sliced(tracer, array, axis, rest, offset, siblings=2)
    return tracer.assemble([tail, head], axis, [constant(0), offset], extent, layout=layout)


def offset_of(distance: int, extent: int) -> int:
    """How far elements are moved around an axis."""
    return distance % (extent or 1)
