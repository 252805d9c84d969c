"""Differences of neighbours: ``np.diff`` and ``np.gradient``."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.joining import concatenated
from pyfuse.frontend.known_arguments import NONE, as_array, axis_number, whole_number
from pyfuse.frontend.reducing import ABSENT, axes_of, is_given, reducible
from pyfuse.frontend.slicing import host_number, shortened, sliced
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant

MAX_ORDER = 16  # each order doubles the work of the one before: beyond it NumPy's arrays are faster
_DOUBLE = np.dtype("f8")


def diff(
    tracer: Tracer, a: Value, n: Value = constant(1), axis: Value = constant(-1), prepend: Value = ABSENT,
    append: Value = ABSENT,
) -> Value:  # fmt: skip
    """``np.diff``.

    Source: numpy/lib/_function_base_impl.py, ``diff``.
    """
    order = whole_number(tracer, n)
    if order == 0:
        return a
    if not 0 < order <= MAX_ORDER:
        raise refuse(Code.UNSUPPORTED_OPERATION, f"differences of order {order} are not fused", tracer.span)
    array = reducible(tracer, a)
    place = axis_number(tracer, array, axis)
    before, after = (_edge(tracer, array, value) for value in (prepend, append))
    if before or after:
        array = concatenated(tracer, [*before, array, *after], place)
    name = "not_equal" if tracer.dtype(array) == np.dtype(bool) else "subtract"
    for _ in range(order):
        extent = shortened(tracer, array, place, 1)
        second = host_number(tracer, min, 1, tracer.extent(array, place))
        later = sliced(tracer, array, place, second, extent, siblings=2)
        earlier = sliced(tracer, array, place, constant(0), extent, siblings=2)
        array = tracer.apply_named(name, later, earlier)
    return array


def _edge(tracer: Tracer, array: ArrayValue, value: Value) -> list[ArrayValue]:
    """What is put before or behind the array: nothing, an array, or a number as one element."""
    if not is_given(value):
        return []
    edge = as_array(tracer, value)
    if tracer.rank(edge):
        return [edge]
    if tracer.rank(array) > 1:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "np.diff with a number before or behind several axes is not fused", tracer.span
        )
    return [tracer.view(edge, (None,))]


def gradient(tracer: Tracer, f: Value, *varargs: Value, axis: Value = NONE, edge_order: Value = constant(1)) -> Value:
    """``np.gradient`` with one distance for each axis.

    Source: numpy/lib/_function_base_impl.py, ``gradient``.
    """
    array = reducible(tracer, f)
    axes = axes_of(tracer, array, axis)
    order = whole_number(tracer, edge_order)
    if order not in (1, 2):
        raise refuse(Code.NUMPY_RAISES, "'edge_order' is 1 or 2: NumPy may raise its own error", tracer.span)
    spacings = _spacings(tracer, varargs, len(axes))
    dtype = tracer.dtype(array)
    if dtype.kind in "iu":
        array = tracer.cast(array, _DOUBLE)
    if dtype.kind not in "iuf":
        raise refuse(Code.UNSUPPORTED_OPERATION, f"np.gradient of {dtype} is not fused", tracer.span)
    made = [_along(tracer, array, place, spacing, order) for place, spacing in zip(axes, spacings, strict=True)]
    return made[0] if len(made) == 1 else tuple(made)


def _spacings(tracer: Tracer, varargs: Sequence[Value], count: int) -> list[HostValue]:
    spacings = list(varargs) or [constant(1.0)]
    if len(spacings) == 1:
        spacings *= count
    if len(spacings) != count:
        raise refuse(Code.NUMPY_RAISES, "the spacings do not match the axes: NumPy raises its own error", tracer.span)
    for spacing in spacings:
        if not isinstance(spacing, HostValue) or not isinstance(spacing.value, int | float | np.integer | np.floating):
            raise refuse(
                Code.UNSUPPORTED_OPERATION, "np.gradient with coordinates is not fused", tracer.span,
                hints=("a number for the distance of all neighbours is",),
            )  # fmt: skip
    return [spacing for spacing in spacings if isinstance(spacing, HostValue)]


def _along(tracer: Tracer, f: ArrayValue, axis: int, spacing: HostValue, order: int) -> ArrayValue:
    """Central differences inside, one-sided ones at the two ends."""
    extent = tracer.extent(f, axis)
    if not tracer.truth(host_number(tracer, operator.ge, extent, order + 1)):
        raise refuse(Code.NUMPY_RAISES, "the axis is too short: NumPy raises its own error", tracer.span)
    first, last = (_first_edge, _last_edge) if order == 1 else (_first_edge_2, _last_edge_2)
    pieces, starts = [first(tracer, f, axis, spacing)], [constant(0)]
    if tracer.truth(host_number(tracer, operator.gt, extent, 2)):
        inner = shortened(tracer, f, axis, 2)
        later, earlier = (sliced(tracer, f, axis, constant(start), inner, siblings=2) for start in (2, 0))
        double = tracer.host_call(operator.mul, [constant(2.0), spacing], "mul")
        pieces.append(_ratio(tracer, later, earlier, double))
        starts.append(constant(1))
    pieces.append(last(tracer, f, axis, spacing))
    starts.append(shortened(tracer, f, axis, 1))
    own = tracer.dtype(f)
    nodes = [tracer.draft.cast(tracer.node_of(piece), own, tracer.origin(), is_implicit=True) for piece in pieces]
    values = [ArrayValue(node=node) for node in nodes]
    return tracer.assemble(values, axis, starts, extent, layout=tracer.node_of(f))


def _at(tracer: Tracer, f: ArrayValue, axis: int, place: int) -> ArrayValue:
    """One element of each row, counted from the end where ``place`` is negative."""
    start = constant(place) if place >= 0 else shortened(tracer, f, axis, -place)
    return sliced(tracer, f, axis, start, constant(1))


def _ratio(tracer: Tracer, later: ArrayValue, earlier: ArrayValue, distance: Value) -> ArrayValue:
    return tracer.apply_named("divide", tracer.apply_named("subtract", later, earlier), distance)


def _first_edge(tracer: Tracer, f: ArrayValue, axis: int, spacing: HostValue) -> ArrayValue:
    return _ratio(tracer, _at(tracer, f, axis, 1), _at(tracer, f, axis, 0), spacing)


def _last_edge(tracer: Tracer, f: ArrayValue, axis: int, spacing: HostValue) -> ArrayValue:
    return _ratio(tracer, _at(tracer, f, axis, -1), _at(tracer, f, axis, -2), spacing)


def _first_edge_2(tracer: Tracer, f: ArrayValue, axis: int, spacing: HostValue) -> ArrayValue:
    return _weighted(tracer, f, axis, spacing, ((-1.5, 0), (2.0, 1), (-0.5, 2)))


def _last_edge_2(tracer: Tracer, f: ArrayValue, axis: int, spacing: HostValue) -> ArrayValue:
    return _weighted(tracer, f, axis, spacing, ((0.5, -3), (-2.0, -2), (1.5, -1)))


def _weighted(
    tracer: Tracer, f: ArrayValue, axis: int, spacing: HostValue, terms: Sequence[tuple[float, int]]
) -> ArrayValue:
    products = [
        tracer.apply_named(
            "multiply",
            tracer.host_call(operator.truediv, [constant(weight), spacing], "div"),
            _at(tracer, f, axis, place),
        )
        for weight, place in terms
    ]
    return tracer.apply_named("add", tracer.apply_named("add", products[0], products[1]), products[2])
