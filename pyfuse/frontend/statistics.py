"""NumPy's means and variances: the steps of ``numpy/_core/_methods.py``, one by one."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, is_none
from pyfuse.frontend.reducing import (
    ABSENT,
    FALSE,
    TRUE,
    axes_of,
    count_of,
    have_same_form,
    is_everywhere,
    is_given,
    mask_of,
    reduce_ufunc,
    reducible,
    replayed,
)
from pyfuse.frontend.reductions import refuse_where
from pyfuse.frontend.stores import store_into
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.infer import result_type
from pyfuse.graph.nodes import ONE
from pyfuse.graph.ops import by_name

_DOUBLE, _SINGLE, _HALF = np.dtype("f8"), np.dtype("f4"), np.dtype("f2")


def mean(
    tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE, keepdims: Value = FALSE, *,
    where: Value = TRUE,
) -> ArrayValue:  # fmt: skip
    """``np.mean`` and ``array.mean``: float16 is summed in float32, integers and booleans in float64.

    Source: numpy/_core/_methods.py, ``_mean``.
    """
    array = reducible(tracer, a)
    own = tracer.dtype(array)
    is_half_result = is_none(dtype) and own == _HALF
    if is_half_result:
        dtype = constant(_SINGLE)
    elif is_none(dtype) and own.kind in "biu":
        dtype = constant(_DOUBLE)
    count: Value = count_of(tracer, array, axes_of(tracer, array, axis))
    total = reduce_ufunc(tracer, "add", array, axis, dtype, out, keepdims, where=where)
    if not is_everywhere(where):
        count = _counted(tracer, array, axis, keepdims, where)
        total = replayed(tracer, tracer.apply_named("equal", count, constant(0)), total)  # NumPy warns
    if total.is_scalar:
        return tracer.cast(divided(tracer, total, count), own if is_half_result else tracer.dtype(total))
    divide_in_place(tracer, total, count)
    return tracer.cast(total, own) if is_half_result and is_none(out) else total


def _counted(tracer: Tracer, array: ArrayValue, axis: Value, keepdims: Value, where: Value) -> ArrayValue:
    """How many elements count in each result.

    Source: numpy/_core/_methods.py, ``_count_reduce_items``.
    """
    mask = tracer.node_of(mask_of(tracer, array, where))
    everywhere = tracer.draft.store(tracer.node_of(array), mask, tracer.origin(), np.dtype(bool))
    return reduce_ufunc(tracer, "add", ArrayValue(node=everywhere), axis, constant(np.intp), NONE, keepdims)


def divided(tracer: Tracer, total: ArrayValue, count: Value) -> ArrayValue:
    """``total / count`` in the dtype that NumPy divides them in."""
    return tracer.apply(by_name("divide"), [total, count])[0]


def divide_in_place(tracer: Tracer, total: ArrayValue, count: Value) -> None:
    """``np.true_divide(total, count, out=total, casting="unsafe")``."""
    quotient = tracer.apply(by_name("divide"), [total, count], casting="unsafe")[0]
    if tracer.dtype(quotient).kind == "c" and tracer.dtype(total).kind not in "c":
        raise refuse(Code.UNSUPPORTED_OPERATION, "a cast drops imaginary parts: NumPy warns of it", tracer.span)
    store_into(tracer, total, quotient, casting="unsafe")


def var(
    tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE, ddof: Value = constant(0),
    keepdims: Value = FALSE, *, where: Value = TRUE, mean: Value = ABSENT, correction: Value = ABSENT,
) -> ArrayValue:  # fmt: skip
    """``np.var`` and ``array.var``.

    Source: numpy/_core/_methods.py, ``_var``; numpy/_core/fromnumeric.py, ``var``.
    """
    refuse_where(tracer, "var", where)
    array = reducible(tracer, a)
    axes = axes_of(tracer, array, axis)
    degrees = degrees_off(tracer, ddof, correction)
    count = count_of(tracer, array, axes)
    if not (degrees.is_constant and degrees.value == 0) and tracer.truth(
        tracer.host_call(operator.ge, [degrees, count], "ge")
    ):
        raise refuse(Code.NUMPY_RAISES, "no degree of freedom is left: NumPy warns of it", tracer.span)
    if is_none(dtype) and tracer.dtype(array).kind in "biu":
        dtype = constant(_DOUBLE)
    center = mean
    if not is_given(mean) or is_none(mean):
        center = reduce_ufunc(tracer, "add", array, axis, dtype, NONE, TRUE)
        divide_in_place(tracer, center, count)
    squares = _squares(tracer, array, tracer.apply_named("subtract", array, center))
    if squares.is_scalar or not have_same_form(tracer, squares, array):
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of 'mean=' is not fused", tracer.span)
    total = reduce_ufunc(tracer, "add", squares, axis, dtype, out, keepdims)
    freedom = tracer.host_call(degrees_left, [count, degrees], "degrees of freedom")
    if total.is_scalar:
        return tracer.cast(divided(tracer, total, freedom), tracer.dtype(total))
    divide_in_place(tracer, total, freedom)
    return total


def std(
    tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE, ddof: Value = constant(0),
    keepdims: Value = FALSE, *, where: Value = TRUE, mean: Value = ABSENT, correction: Value = ABSENT,
) -> ArrayValue:  # fmt: skip
    """``np.std`` and ``array.std``: the root of ``var``, of the same arguments.

    Source: numpy/_core/_methods.py, ``_std``.
    """
    variance = var(
        tracer, a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction
    )  # fmt: skip
    return rooted(tracer, variance)


def rooted(tracer: Tracer, variance: ArrayValue) -> ArrayValue:
    """``np.sqrt`` of a variance, in the array where it is one."""
    root = tracer.apply_named("sqrt", variance)
    if variance.is_scalar:
        return tracer.cast(root, tracer.dtype(variance))
    store_into(tracer, variance, root)
    return variance


def degrees_off(tracer: Tracer, ddof: Value, correction: Value) -> HostValue:
    """The number that ``ddof=``, or its other name, takes off the count."""
    if is_given(correction):
        if not isinstance(ddof, HostValue) or tracer.pin(ddof) != 0:
            raise refuse(Code.NUMPY_RAISES, "'ddof' and 'correction' are both given: NumPy raises", tracer.span)
        ddof = correction
    if not isinstance(ddof, HostValue) or not isinstance(ddof.value, int | float | np.integer | np.floating):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a 'ddof=' that is no number is not fused", tracer.span)
    return ddof


def degrees_left(count: Any, off: Any) -> Any:
    """The divisor of a variance."""
    return np.maximum(count - off, 0)


def _squares(tracer: Tracer, array: ArrayValue, deviation: ArrayValue) -> ArrayValue:
    """Squared deviations, real: of a complex number the squares of its parts, added."""
    if tracer.dtype(array).kind in "fiu":
        return tracer.apply_named("square", deviation)
    if tracer.dtype(deviation).kind == "c":
        parts = [tracer.apply_named("square", tracer.part(deviation, name)) for name in ("real", "imag")]
        return tracer.apply_named("add", *parts)
    return tracer.apply_named("multiply", deviation, tracer.apply_named("conjugate", deviation))


def average(
    tracer: Tracer, a: Value, axis: Value = NONE, weights: Value = NONE, returned: Value = FALSE, *,
    keepdims: Value = FALSE,
) -> Value:  # fmt: skip
    """``np.average``; where weights sum to zero NumPy raises, so the original runs.

    Source: numpy/lib/_function_base_impl.py, ``average``.
    """
    array = reducible(tracer, a)
    if is_none(weights):
        if tracer.truth(returned):
            raise refuse(Code.UNSUPPORTED_OPERATION, "np.average with 'returned=' needs weights to fuse", tracer.span)
        return mean(tracer, array, axis, keepdims=keepdims)
    spread = _along(tracer, array, axis, weights)
    types = [tracer.dtype(array), tracer.dtype(spread)]
    if types[0].kind in "biu":
        types.append(_DOUBLE)
    dtype = result_type(types)
    scale = reduce_ufunc(tracer, "add", spread, axis, constant(dtype), NONE, keepdims)
    weighted = tracer.apply(by_name("multiply"), [array, spread], dtype=dtype)[0]
    total = reduce_ufunc(tracer, "add", weighted, axis, NONE, NONE, keepdims)
    quotient = divided(tracer, total, scale)
    result = replayed(tracer, tracer.apply_named("equal", scale, constant(0.0)), quotient)
    if not tracer.truth(returned):
        return result
    if not have_same_form(tracer, scale, result):
        raise refuse(Code.UNSUPPORTED_OPERATION, "the sum of weights of another shape is not returned", tracer.span)
    return (result, scale)


def _along(tracer: Tracer, array: ArrayValue, axis: Value, weights: Value) -> ArrayValue:
    """Weights under the axes of the array.

    Source: numpy/lib/_function_base_impl.py, ``_weights_are_valid``.
    """
    if not isinstance(weights, ArrayValue) or weights.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "weights that are no array are not fused", tracer.span)
    if have_same_form(tracer, weights, array):
        return weights
    axes = axes_of(tracer, array, axis)
    dims, own = (tracer.draft.dims(tracer.node_of(value)) for value in (array, weights))
    fits = len(own) == len(axes) and all(
        (dims[place] == ONE) == (dim == ONE) for place, dim in zip(axes, own, strict=True)
    )
    if is_none(axis) or not fits:
        raise refuse(Code.NUMPY_RAISES, "the weights' shape does not fit: NumPy raises its own error", tracer.span)
    places = {place: position for position, place in enumerate(axes)}
    return tracer.view(weights, tuple(places.get(place) for place in range(tracer.rank(array))))
