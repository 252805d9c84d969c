"""``np.linalg.norm``: of vectors along an axis, and those of matrices that need no singular values."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, axis_number, is_none, static
from pyfuse.frontend.reducing import ABSENT, FALSE, axes_of, is_true, reduce_ufunc, reducible
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.ufunc_calls import power
from pyfuse.frontend.values import ArrayValue, Value, constant

_DOUBLE = np.dtype("f8")
_ZERO = constant(0)


def norm(tracer: Tracer, x: Value, ord: Value = NONE, axis: Value = NONE, keepdims: Value = FALSE) -> Value:
    """``np.linalg.norm``.

    Source: numpy/linalg/_linalg.py, ``norm``.
    """
    array = reducible(tracer, x)
    if tracer.dtype(array).kind in "biu":
        array = tracer.cast(array, _DOUBLE)
    order, rank = static(tracer, ord), tracer.rank(array)
    if is_none(axis) and (order is None or (order in ("f", "fro") and rank == 2) or (order == 2 and rank == 1)):
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            "this norm of a whole array is a BLAS product in NumPy, which rounds in an order of its own",
            tracer.span,
            hints=("with an axis, such as axis=0, it is fused",),
        )
    axes = axes_of(tracer, array, axis)
    keep = constant(is_true(tracer, keepdims))
    if len(axes) == 1:
        return _vector_norm(tracer, array, order, axes[0], keep)
    if len(axes) == 2:
        return _matrix_norm(tracer, array, order, axes, keep)
    raise refuse(Code.NUMPY_RAISES, "a norm is taken along one or two axes: NumPy raises its own error", tracer.span)


def vector_norm(
    tracer: Tracer, x: Value, /, *, axis: Value = NONE, keepdims: Value = FALSE, ord: Value = constant(2)
) -> Value:
    """``np.linalg.vector_norm`` along one axis.

    Source: numpy/linalg/_linalg.py, ``vector_norm``.
    """
    array = reducible(tracer, x)
    if is_none(axis) and tracer.rank(array) == 1:
        axis = _ZERO
    if is_none(axis) or isinstance(axis, tuple | list):
        raise refuse(Code.UNSUPPORTED_OPERATION, "vector_norm is fused along one axis", tracer.span)
    return norm(tracer, array, ord, constant(axis_number(tracer, array, axis)), keepdims)


def _vector_norm(tracer: Tracer, x: ArrayValue, order: Any, axis: int, keep: Value) -> ArrayValue:
    place = constant(axis)
    if isinstance(order, str):
        raise refuse(Code.NUMPY_RAISES, "this is no norm of vectors: NumPy raises its own error", tracer.span)
    if order is None or order == 2:
        return tracer.apply_named("sqrt", reduce_ufunc(tracer, "add", _squares(tracer, x), place, keepdims=keep))
    if order == 0:
        flags = tracer.cast(tracer.apply_named("not_equal", x, _ZERO), _real_dtype(tracer, x))
        return reduce_ufunc(tracer, "add", flags, place, keepdims=keep)
    sizes = tracer.apply_named("absolute", x)
    if order == math.inf:
        return reduce_ufunc(tracer, "maximum", sizes, place, keepdims=keep, initial=_ZERO)
    if order == -math.inf:
        return reduce_ufunc(tracer, "minimum", sizes, place, keepdims=keep)
    if order == 1:
        return reduce_ufunc(tracer, "add", sizes, place, keepdims=keep)
    if type(order) not in (int, float):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a norm of this order is not fused", tracer.span)
    total = reduce_ufunc(tracer, "add", power(tracer, sizes, constant(order)), place, keepdims=keep)
    root = tracer.host_call(partial(np.reciprocal, dtype=tracer.dtype(total)), [constant(order)], "reciprocal")
    return power(tracer, total, root)


def _matrix_norm(tracer: Tracer, x: ArrayValue, order: Any, axes: tuple[int, ...], keep: Value) -> ArrayValue:
    """Rows or columns are summed, then the largest or smallest sum is taken; with all axes kept until the end."""
    if order in (None, "fro", "f"):
        both = tuple(constant(axis) for axis in axes)
        return tracer.apply_named("sqrt", reduce_ufunc(tracer, "add", _squares(tracer, x), both, keepdims=keep))
    if isinstance(order, str) or abs(order) not in (1, math.inf):
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "this norm of a matrix needs its singular values, or NumPy raises", tracer.span
        )
    summed, chosen = axes if abs(order) == 1 else (axes[1], axes[0])
    sums = reduce_ufunc(tracer, "add", tracer.apply_named("absolute", x), constant(summed), keepdims=keep)
    left = chosen if is_true(tracer, keep) or chosen < summed else chosen - 1
    name, initial = ("maximum", _ZERO) if order > 0 else ("minimum", ABSENT)
    return reduce_ufunc(tracer, name, sums, constant(left), keepdims=keep, initial=initial)


def _squares(tracer: Tracer, x: ArrayValue) -> ArrayValue:
    """``(x.conj() * x).real``."""
    if tracer.dtype(x).kind != "c":
        return tracer.apply_named("multiply", x, x)
    return tracer.part(tracer.apply_named("multiply", tracer.apply_named("conjugate", x), x), "real")


def _real_dtype(tracer: Tracer, x: ArrayValue) -> np.dtype:
    dtype = tracer.dtype(x)
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
