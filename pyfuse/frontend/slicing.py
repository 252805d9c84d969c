"""Elements along one axis: of arrays that the call gives NumPy slices them, of others the kernel does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pyfuse.frontend import computed_views
from pyfuse.frontend.input_views import selected, view_function
from pyfuse.frontend.stores import given_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, constant


def sliced(
    tracer: Tracer,
    array: ArrayValue,
    axis: int,
    start: HostValue,
    extent: HostValue,
    *,
    step: int = 1,
    siblings: int = 0,
) -> ArrayValue:
    """``array[..., start : start + extent * step : step, ...]``, only read.

    Args:
        tracer: of the function.
        array: no NumPy scalar.
        axis: counted from the front.
        start: the first element, not negative.
        extent: the number of elements.
        step: distance of neighbours, positive.
        siblings: how many slices along the axis hold all its elements together, 0 if that is not known.
    """
    if given_array(tracer, array) is None:
        return tracer.slice(array, axis, start, extent, step=step, siblings=siblings)
    bounds = tracer.host_call(partial(_bounds, step=step), [start, extent], "slice")
    made = selected(tracer, array, [*[constant(slice(None))] * axis, bounds])
    assert isinstance(made, ArrayValue)
    return made


def shortened(tracer: Tracer, array: ArrayValue, axis: int, by: int) -> HostValue:
    """The extent of an axis less ``by``, and zero at least."""
    return tracer.host_call(partial(_less, by=by), [tracer.extent(array, axis)], f"less {by}")


def raveled(tracer: Tracer, array: ArrayValue) -> ArrayValue:
    """The array as one row in C order.

    Raises:
        CannotFuse: it has several axes, and is a view of an array that the kernel computes.
    """
    if tracer.rank(array) == 1:
        return array
    if not tracer.rank(array):
        return tracer.view(array, (None,))
    if given_array(tracer, array) is None:
        return computed_views.reshaped(tracer, array, [constant(-1)])
    made = view_function(np.ravel)(tracer, array)
    assert isinstance(made, ArrayValue)
    return made


def host_number(tracer: Tracer, function: Callable[..., Any], *operands: HostValue | int) -> HostValue:
    """A whole number that Python computes of others at each call."""
    values = [operand if isinstance(operand, HostValue) else constant(operand) for operand in operands]
    return tracer.host_call(function, values, getattr(function, "__name__", "number").strip("_"))


def _bounds(start: int, extent: int, *, step: int) -> slice:
    return slice(int(start), int(start) + int(extent) * step, step)


def _less(extent: int, *, by: int) -> int:
    return max(extent - by, 0)
