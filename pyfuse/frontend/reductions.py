"""NumPy's reductions that are one ``ufunc.reduce`` or two, and those that find an index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, as_array, is_none
from pyfuse.frontend.reducing import (
    ABSENT,
    FALSE,
    TRUE,
    axes_of,
    into,
    is_everywhere,
    is_true,
    reduce_ufunc,
    reducible,
)
from pyfuse.frontend.stores import store_into
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant
from pyfuse.graph.ops import by_name

Handler = Callable[..., Value]

_BOOL = np.dtype(bool)
# NumPy 2.4 gives an np.intp without an axis, earlier ones a Python int.
_COUNT_IS_PYTHON_INT = not isinstance(np.count_nonzero(np.zeros(1)), np.generic)


def summing(name: str) -> Handler:
    """The handler of ``np.sum`` or ``np.prod``, and of the methods: a reduction that has a dtype.

    Source: numpy/_core/fromnumeric.py, ``_wrapreduction``; numpy/_core/_methods.py, ``_sum``.
    """

    def handler(
        tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE,
        keepdims: Value = FALSE, initial: Value = ABSENT, where: Value = TRUE,
    ) -> Value:  # fmt: skip
        return reduce_ufunc(tracer, name, a, axis, dtype, out, keepdims, initial, where)

    return handler


def extreme(name: str) -> Handler:
    """The handler of ``np.min`` or ``np.max``, their other names, and the methods.

    Source: numpy/_core/_methods.py, ``_amax``.
    """

    def handler(
        tracer: Tracer, a: Value, axis: Value = NONE, out: Value = NONE, keepdims: Value = FALSE,
        initial: Value = ABSENT, where: Value = TRUE,
    ) -> Value:  # fmt: skip
        return reduce_ufunc(tracer, name, a, axis, NONE, out, keepdims, initial, where)

    return handler


def truth_of(name: str) -> Handler:
    """The handler of ``np.any`` or ``np.all``, and of the methods: elements count as true or false.

    Source: numpy/_core/fromnumeric.py, ``_wrapreduction_any_all``; numpy/_core/_methods.py, ``_any``.
    """

    def handler(
        tracer: Tracer, a: Value, axis: Value = NONE, out: Value = NONE, keepdims: Value = FALSE, *,
        where: Value = TRUE,
    ) -> Value:  # fmt: skip
        return reduce_ufunc(tracer, name, a, axis, constant(_BOOL), out, keepdims, ABSENT, where)

    return handler


def count_nonzero(tracer: Tracer, a: Value, axis: Value = NONE, *, keepdims: Value = FALSE) -> Value:
    """``np.count_nonzero``.

    Source: numpy/_core/numeric.py, ``count_nonzero``.
    """
    array = reducible(tracer, a)
    flags = array if tracer.dtype(array) == _BOOL else tracer.cast(array, _BOOL)
    total = reduce_ufunc(tracer, "add", flags, axis, constant(np.intp), NONE, keepdims)
    if _COUNT_IS_PYTHON_INT and is_none(axis) and not is_true(tracer, keepdims):
        return ArrayValue(node=total.node, weak=int)
    return total


def ptp(tracer: Tracer, a: Value, axis: Value = NONE, out: Value = NONE, keepdims: Value = FALSE) -> Value:
    """``np.ptp``: the largest element less the smallest.

    Source: numpy/_core/_methods.py, ``_ptp``.
    """
    largest = reduce_ufunc(tracer, "maximum", a, axis, NONE, out, keepdims)
    smallest = reduce_ufunc(tracer, "minimum", a, axis, NONE, NONE, keepdims)
    result = tracer.apply_named("subtract", largest, smallest)
    if is_none(out):
        return result
    store_into(tracer, largest, result)
    return largest


def index_of(name: str) -> Handler:
    """The handler of ``np.argmin`` or ``np.argmax``, and of the methods.

    Source: NumPy's reference of ``numpy.argmax``; numpy/_core/src/multiarray/calculation.c.
    """

    def handler(tracer: Tracer, a: Value, axis: Value = NONE, out: Value = NONE, *, keepdims: Value = FALSE) -> Value:
        array = reducible(tracer, a)
        if isinstance(axis, tuple | list):
            raise refuse(Code.NUMPY_RAISES, f"'{name}' takes one axis: NumPy raises its own error", tracer.span)
        axes = axes_of(tracer, array, axis)
        if not is_none(axis) and len(axes) != 1:
            raise refuse(Code.NUMPY_RAISES, f"'{name}' takes one axis: NumPy raises its own error", tracer.span)
        made = tracer.reduce(name, array, axes, keepdims=is_true(tracer, keepdims))
        return into(tracer, made, out, is_any_order=True)

    return handler


def ufunc_reduce(name: str) -> Handler:
    """The handler of ``ufunc.reduce``: along the first axis, if not told otherwise.

    Source: NumPy's reference of ``numpy.ufunc.reduce``.
    """

    def handler(
        tracer: Tracer, array: Value, axis: Value = constant(0), dtype: Value = NONE, out: Value = NONE,
        keepdims: Value = FALSE, initial: Value = ABSENT, where: Value = TRUE,
    ) -> Value:  # fmt: skip
        return reduce_ufunc(tracer, name, array, axis, dtype, out, keepdims, initial, where)

    return handler


def ufunc_outer(name: str) -> Handler:
    """The handler of ``ufunc.outer``: every element of one array with every element of the other.

    Source: NumPy's reference of ``numpy.ufunc.outer``.
    """
    operation = by_name(name)

    def handler(tracer: Tracer, first: Value, second: Value) -> Value:
        left, right = as_array(tracer, first), as_array(tracer, second)
        if left.weak or right.weak:
            raise refuse(Code.UNSUPPORTED_OPERATION, "the outer product of a Python number is not fused", tracer.span)
        if operation.operand_count != 2 or operation.result_count != 1:
            raise refuse(Code.UNSUPPORTED_OPERATION, f"'{name}.outer' is not fused", tracer.span)
        own = tuple(range(tracer.rank(left)))
        spread = tracer.view(left, (*own, *([None] * tracer.rank(right)))) if tracer.rank(right) else left
        return tracer.apply(operation, [spread, right])[0]

    return handler


def refuse_where(tracer: Tracer, name: str, where: Value) -> None:
    """Refuse ``where=`` of a function that sums what is not whole: NumPy adds runs of true elements."""
    if not is_everywhere(where):
        raise refuse(
            Code.UNSUPPORTED_OPERATION, f"'{name}' with 'where=' rounds in an order that depends on the mask",
            tracer.span,
        )  # fmt: skip
