"""NumPy functions that give a view of an array under other axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, as_array, axis_number, is_none, listed, whole_number
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant
from pyfuse.graph.nodes import ONE


def permuted(tracer: Tracer, array: ArrayValue, axes: Sequence[int]) -> ArrayValue:
    """A view with axes in another order."""
    rank = tracer.rank(array)
    order = [axis + rank if axis < 0 else axis for axis in axes]
    if sorted(order) != list(range(rank)):
        raise refuse(Code.NUMPY_RAISES, "these axes do not match the array: NumPy raises its own error", tracer.span)
    return tracer.view(array, tuple(order))


def transpose(tracer: Tracer, a: Value, axes: Value = NONE) -> Value:
    """``np.transpose`` and ``np.permute_dims``."""
    array = as_array(tracer, a)
    if is_none(axes):
        return tracer.view(array, tuple(reversed(range(tracer.rank(array)))))
    return permuted(tracer, array, [whole_number(tracer, axis) for axis in listed(axes)])


def expand_dims(tracer: Tracer, a: Value, axis: Value) -> Value:
    """``np.expand_dims``."""
    array = as_array(tracer, a)
    wanted = listed(axis)
    places = {axis_number(tracer, array, place, extra=len(wanted)) for place in wanted}
    if len(places) != len(wanted):
        raise refuse(Code.NUMPY_RAISES, "a repeated axis: NumPy raises its own error", tracer.span)
    own = iter(range(tracer.rank(array)))
    rank = tracer.rank(array) + len(wanted)
    return tracer.view(array, tuple(None if place in places else next(own) for place in range(rank)))


def moveaxis(tracer: Tracer, a: Value, source: Value, destination: Value) -> Value:
    """``np.moveaxis``."""
    array = as_array(tracer, a)
    sources = [axis_number(tracer, array, axis) for axis in listed(source)]
    destinations = [axis_number(tracer, array, axis) for axis in listed(destination)]
    if len(set(sources)) != len(destinations) or len(set(destinations)) != len(sources):
        raise refuse(Code.NUMPY_RAISES, "repeated axes: NumPy raises its own error", tracer.span)
    order = [axis for axis in range(tracer.rank(array)) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return tracer.view(array, tuple(order))


def swapaxes(tracer: Tracer, a: Value, axis1: Value, axis2: Value) -> Value:
    """``np.swapaxes``."""
    array = as_array(tracer, a)
    order = list(range(tracer.rank(array)))
    first, second = axis_number(tracer, array, axis1), axis_number(tracer, array, axis2)
    order[first], order[second] = order[second], order[first]
    return tracer.view(array, tuple(order))


def rollaxis(tracer: Tracer, a: Value, axis: Value, start: Value = constant(0)) -> Value:
    """``np.rollaxis``."""
    array = as_array(tracer, a)
    rank = tracer.rank(array)
    moved, place = axis_number(tracer, array, axis), whole_number(tracer, start)
    if not -rank <= place <= rank:
        raise refuse(Code.NUMPY_RAISES, "'start' is out of bounds: NumPy raises its own error", tracer.span)
    place += rank if place < 0 else 0
    order = [other for other in range(rank) if other != moved]
    order.insert(place - 1 if moved < place else place, moved)
    return tracer.view(array, tuple(order))


def squeeze(tracer: Tracer, a: Value, axis: Value = NONE) -> Value:
    """``np.squeeze`` and ``array.squeeze``: the array itself where no axis goes."""
    array = as_array(tracer, a)
    dims = tracer.draft.dims(tracer.node_of(array))
    if is_none(axis):
        dropped = {place for place, dim in enumerate(dims) if dim == ONE}
    else:
        wanted = listed(axis)
        dropped = {axis_number(tracer, array, place) for place in wanted}
        if len(dropped) != len(wanted) or any(dims[place] != ONE for place in dropped):
            raise refuse(Code.NUMPY_RAISES, "these axes cannot be squeezed: NumPy raises its own error", tracer.span)
    if not dropped:
        return array
    return tracer.view(array, tuple(place for place in range(len(dims)) if place not in dropped))


def at_least(rank: int) -> Callable[..., Value]:
    """The handler of ``np.atleast_1d``, ``np.atleast_2d`` or ``np.atleast_3d``.

    Source: numpy/_core/shape_base.py.
    """
    new_axes: dict[int, tuple[int | None, ...]] = {
        0: (None,) * rank,
        1: (None, 0) if rank == 2 else (None, 0, None),
        2: (0, 1, None),
    }

    def handler(tracer: Tracer, *arrays: Value) -> Value:
        results: list[Value] = []
        for given in arrays:
            array = as_array(tracer, given)
            if array.is_scalar:
                array = ArrayValue(node=tracer.node_of(array))  # NumPy makes an array of it first
            own = tracer.rank(array)
            results.append(array if own >= rank else tracer.view(array, new_axes[own]))
        return results[0] if len(results) == 1 else tuple(results)

    return handler
