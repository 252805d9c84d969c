"""NumPy's reductions that leave NaN out; where they would warn or raise, the original runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend import statistics
from pyfuse.frontend.known_arguments import NONE, as_dtype, is_none
from pyfuse.frontend.reducing import (
    ABSENT,
    FALSE,
    TRUE,
    axes_of,
    into,
    is_given,
    is_true,
    reduce_ufunc,
    reducible,
    replayed,
)
from pyfuse.frontend.reductions import refuse_where
from pyfuse.frontend.scans import scanning
from pyfuse.frontend.statistics import degrees_off, divided, rooted
from pyfuse.frontend.stores import store_into
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant
from pyfuse.graph.ops import by_name

Handler = Callable[..., Value]

_INTP = constant(np.intp)


def nan_replaced(tracer: Tracer, value: Value, number: float) -> tuple[ArrayValue, ArrayValue | None]:
    """A copy with a number in the place of NaN, and where NaN was; integers are as they are.

    Source: numpy/lib/_nanfunctions_impl.py, ``_replace_nan``.
    """
    array = reducible(tracer, value)
    dtype = tracer.dtype(array)
    if dtype.kind not in "fc":
        return array, None
    is_nan = tracer.apply_named("isnan", array)
    return _put(tracer, array, is_nan, number), is_nan


def _put(tracer: Tracer, array: ArrayValue, where: ArrayValue, number: float) -> ArrayValue:
    dtype = tracer.dtype(array)
    nodes = [tracer.node_of(where), tracer.operand(constant(number), dtype), tracer.node_of(array)]
    chosen = tracer.apply_raw("select", nodes, dtype)
    if array.is_scalar:
        return chosen
    return ArrayValue(node=tracer.draft.store(tracer.node_of(array), tracer.node_of(chosen), tracer.origin()))


def nan_summing(name: str) -> Handler:
    """The handler of ``np.nansum`` or ``np.nanprod``.

    Source: numpy/lib/_nanfunctions_impl.py, ``nansum``.
    """
    neutral = 0 if name == "add" else 1

    def handler(
        tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE,
        keepdims: Value = FALSE, initial: Value = ABSENT, where: Value = TRUE,
    ) -> Value:  # fmt: skip
        array, _ = nan_replaced(tracer, a, neutral)
        return reduce_ufunc(tracer, name, array, axis, dtype, out, keepdims, initial, where)

    return handler


def nan_scanning(name: str) -> Handler:
    """The handler of ``np.nancumsum`` or ``np.nancumprod``.

    Source: numpy/lib/_nanfunctions_impl.py, ``nancumsum``.
    """
    neutral, scan = (0 if name == "add" else 1), scanning(name)

    def handler(tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE) -> Value:
        array, _ = nan_replaced(tracer, a, neutral)
        return scan(tracer, array, axis, dtype, out)

    return handler


def nan_extreme(name: str) -> Handler:
    """The handler of ``np.nanmin`` or ``np.nanmax``: ``fmin`` or ``fmax``, and a warning where all is NaN.

    Source: numpy/lib/_nanfunctions_impl.py, ``nanmin``.
    """

    def handler(
        tracer: Tracer, a: Value, axis: Value = NONE, out: Value = NONE, keepdims: Value = FALSE,
        initial: Value = ABSENT, where: Value = TRUE,
    ) -> Value:  # fmt: skip
        found = reduce_ufunc(tracer, name, a, axis, NONE, NONE, keepdims, initial, where)
        if tracer.dtype(found).kind in "fc":
            found = replayed(tracer, tracer.apply_named("isnan", found), found)
        return into(tracer, found, out, is_any_order=tracer.dtype(found).kind != "c")

    return handler


def nan_index_of(name: str) -> Handler:
    """The handler of ``np.nanargmin`` or ``np.nanargmax``, which raise where all is NaN.

    Source: numpy/lib/_nanfunctions_impl.py, ``nanargmin``.
    """
    worst = float("inf") if name == "argmin" else float("-inf")

    def handler(tracer: Tracer, a: Value, axis: Value = NONE, out: Value = NONE, *, keepdims: Value = FALSE) -> Value:
        array, is_nan = nan_replaced(tracer, a, worst)
        axes = axes_of(tracer, array, axis)
        if isinstance(axis, tuple | list) or (len(axes) != 1 and not is_none(axis)):
            raise refuse(Code.NUMPY_RAISES, f"'{name}' takes one axis: NumPy raises its own error", tracer.span)
        found = tracer.reduce(name, array, axes, keepdims=is_true(tracer, keepdims))
        if is_nan is not None:
            all_nan = tracer.reduce("logical_and", is_nan, axes, keepdims=is_true(tracer, keepdims))
            found = replayed(tracer, all_nan, found)
        return into(tracer, found, out, is_any_order=True)

    return handler


def nanmean(
    tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE, keepdims: Value = FALSE, *,
    where: Value = TRUE,
) -> Value:  # fmt: skip
    """``np.nanmean``.

    Source: numpy/lib/_nanfunctions_impl.py, ``nanmean``.
    """
    refuse_where(tracer, "nanmean", where)
    array, is_nan = nan_replaced(tracer, a, 0)
    if is_nan is None:
        return statistics.mean(tracer, array, axis, dtype, out, keepdims)
    _refuse_out_and_whole_dtype(tracer, "nanmean", dtype, out)
    count = reduce_ufunc(tracer, "add", tracer.apply_named("invert", is_nan), axis, _INTP, NONE, keepdims)
    total = reduce_ufunc(tracer, "add", array, axis, dtype, NONE, keepdims)
    result = _divided_by_count(tracer, total, count)
    return replayed(tracer, tracer.apply_named("equal", count, constant(0)), result)


def nanvar(
    tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE, ddof: Value = constant(0),
    keepdims: Value = FALSE, *, where: Value = TRUE, mean: Value = ABSENT, correction: Value = ABSENT,
) -> ArrayValue:  # fmt: skip
    """``np.nanvar``.

    Source: numpy/lib/_nanfunctions_impl.py, ``nanvar``.
    """
    refuse_where(tracer, "nanvar", where)
    array, is_nan = nan_replaced(tracer, a, 0)
    if is_nan is None:
        return statistics.var(
            tracer, array, axis, dtype, out, ddof, keepdims, mean=mean, correction=correction
        )  # fmt: skip
    _refuse_out_and_whole_dtype(tracer, "nanvar", dtype, out)
    degrees = degrees_off(tracer, ddof, correction)
    count = reduce_ufunc(tracer, "add", tracer.apply_named("invert", is_nan), axis, _INTP, NONE, TRUE)
    center = mean
    if not is_given(mean):
        total = reduce_ufunc(tracer, "add", array, axis, dtype, NONE, TRUE)
        center = _divided_by_count(tracer, total, count)
    deviation = tracer.apply(by_name("subtract"), [array, center], casting="unsafe")[0]
    if tracer.dtype(deviation).kind == "c" and tracer.dtype(array).kind != "c":
        raise refuse(Code.UNSUPPORTED_OPERATION, "a cast drops imaginary parts: NumPy warns of it", tracer.span)
    store_into(tracer, array, deviation, casting="unsafe")
    array = _put(tracer, array, is_nan, 0)
    if tracer.dtype(array).kind == "c":
        product = tracer.apply_named("multiply", array, tracer.apply_named("conjugate", array))
        squares = tracer.part(product, "real")
    else:
        squares = tracer.apply_named("multiply", array, array)
    total = reduce_ufunc(tracer, "add", squares, axis, dtype, NONE, keepdims)
    if tracer.rank(total) < tracer.rank(count):
        count = _squeezed(tracer, count, axes_of(tracer, array, axis))
    freedom = tracer.apply_named("subtract", count, degrees)
    result = _divided_by_count(tracer, total, freedom)
    return replayed(tracer, tracer.apply_named("less_equal", freedom, constant(0)), result)


def nanstd(
    tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE, ddof: Value = constant(0),
    keepdims: Value = FALSE, *, where: Value = TRUE, mean: Value = ABSENT, correction: Value = ABSENT,
) -> ArrayValue:  # fmt: skip
    """``np.nanstd``.

    Source: numpy/lib/_nanfunctions_impl.py, ``nanstd``.
    """
    variance = nanvar(
        tracer, a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction
    )  # fmt: skip
    return rooted(tracer, variance)


def _divided_by_count(tracer: Tracer, total: ArrayValue, count: ArrayValue) -> ArrayValue:
    """The quotient, in the dtype and the array of ``total``.

    Source: numpy/lib/_nanfunctions_impl.py, ``_divide_by_count``.
    """
    if total.is_scalar:
        return tracer.cast(divided(tracer, total, count), tracer.dtype(total))
    statistics.divide_in_place(tracer, total, count)
    return total


def _squeezed(tracer: Tracer, count: ArrayValue, axes: tuple[int, ...]) -> ArrayValue:
    kept = tuple(place for place in range(tracer.rank(count)) if place not in axes)
    node = tracer.draft.view(tracer.node_of(count), kept, tracer.origin())
    return ArrayValue(node=node, is_scalar=not kept)


def _refuse_out_and_whole_dtype(tracer: Tracer, name: str, dtype: Value, out: Value) -> None:
    if not is_none(out):
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'{name}' with 'out=' is not fused", tracer.span)
    if not is_none(dtype) and as_dtype(tracer, dtype).kind not in "fc":
        raise refuse(Code.NUMPY_RAISES, "the dtype must be inexact: NumPy raises its own error", tracer.span)
