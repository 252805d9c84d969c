"""Running sums and products: ``ufunc.accumulate`` and the functions around it."""

from __future__ import annotations

from collections.abc import Callable

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.joining import concatenated
from pyfuse.frontend.known_arguments import NONE, as_array, axis_number, is_none
from pyfuse.frontend.reducing import FALSE, into, loop_of, reducible
from pyfuse.frontend.slicing import raveled
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant
from pyfuse.graph.ops import by_name

Handler = Callable[..., Value]


def accumulate(tracer: Tracer, name: str, array: ArrayValue, axis: int, dtype: Value, out: Value) -> ArrayValue:
    """``ufunc.accumulate`` along one axis.

    Raises:
        CannotFuse: NumPy has no such loop, or it rounds by more than one operation an element.

    Source: NumPy's reference of ``numpy.ufunc.accumulate``.
    """
    loop = loop_of(tracer, by_name(name), array, dtype, out)
    made = tracer.scan(name, array, axis, loop)
    return into(tracer, made, out, is_any_order=True)


def scanning(name: str) -> Handler:
    """The handler of ``np.cumsum`` or ``np.cumprod``, and of the methods: without an axis along the raveled array.

    Source: NumPy's reference of ``numpy.cumsum``.
    """

    def handler(tracer: Tracer, a: Value, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE) -> Value:
        array = reducible(tracer, a)
        if is_none(axis):
            return accumulate(tracer, name, raveled(tracer, array), 0, dtype, out)
        return accumulate(tracer, name, array, axis_number(tracer, array, axis), dtype, out)

    return handler


def ufunc_accumulate(name: str) -> Handler:
    """The handler of ``ufunc.accumulate``: along the first axis, if not told otherwise."""

    def handler(
        tracer: Tracer, array: Value, axis: Value = constant(0), dtype: Value = NONE, out: Value = NONE
    ) -> Value:
        operand = reducible(tracer, array)
        return accumulate(tracer, name, operand, axis_number(tracer, operand, axis), dtype, out)

    return handler


def cumulative(name: str) -> Handler:
    """The handler of ``np.cumulative_sum`` or ``np.cumulative_prod``.

    Source: numpy/_core/fromnumeric.py, ``_cumulative_func``.
    """
    neutral = 0 if name == "add" else 1

    def handler(
        tracer: Tracer, x: Value, /, *, axis: Value = NONE, dtype: Value = NONE, out: Value = NONE,
        include_initial: Value = FALSE,
    ) -> Value:  # fmt: skip
        array = reducible(tracer, x)
        if is_none(axis) and tracer.rank(array) > 1:
            raise refuse(Code.NUMPY_RAISES, "an axis is needed: NumPy raises its own error", tracer.span)
        place = 0 if is_none(axis) else axis_number(tracer, array, axis)
        is_started = tracer.truth(include_initial)
        if is_started and (tracer.rank(array) > 1 or not is_none(out)):
            raise refuse(Code.UNSUPPORTED_OPERATION, "'include_initial=' of several axes is not fused", tracer.span)
        made = accumulate(tracer, name, array, place, dtype, out)
        if not is_started:
            return made
        first = tracer.operand(constant(neutral), tracer.dtype(made))
        return concatenated(tracer, [tracer.view(as_array(tracer, ArrayValue(node=first)), (None,)), made], 0)

    return handler
