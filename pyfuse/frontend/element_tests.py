"""NumPy's tests of elements that are more than one ufunc: ``isclose``, ``isposinf``, ``isneginf``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import as_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.infer import result_type


def handler_of(function: object) -> Callable[..., Value] | None:
    """The handler ``(tracer, *arguments, **keywords)`` of a test, or None."""
    try:
        return _HANDLERS.get(function)
    except TypeError:  # unhashable callable
        return None


def isclose(
    tracer: Tracer, a: Value, b: Value, rtol: Value = constant(1e-5), atol: Value = constant(1e-8),
    equal_nan: Value = constant(False),
) -> Value:  # fmt: skip
    """``np.isclose``; where it ignores invalid operations (infinity minus infinity) the kernel may ask for a replay.

    Source: numpy/_core/numeric.py, ``isclose``.
    """
    rtol, atol = _tolerance(tracer, rtol), _tolerance(tracer, atol)
    x, y = a, _inexact(tracer, b)
    distance = tracer.apply_named("absolute", tracer.apply_named("subtract", x, y))
    allowed = _added(tracer, atol, _scaled(tracer, rtol, y))
    result = tracer.apply_named("less_equal", distance, allowed)
    result = tracer.apply_named("bitwise_and", result, _test(tracer, "isfinite", np.isfinite, y))
    result = tracer.apply_named("bitwise_or", result, tracer.apply_named("equal", x, y))
    if tracer.truth(equal_nan):
        nans = [_test(tracer, "isnan", np.isnan, value) for value in (x, y)]
        result = tracer.apply_named("bitwise_or", result, tracer.apply_named("bitwise_and", *nans))
    return result


def _tolerance(tracer: Tracer, value: Value) -> HostValue:
    if not isinstance(value, HostValue) or type(value.value) not in (int, float):
        raise refuse(Code.UNSUPPORTED_OPERATION, "isclose with tolerances that are arrays is not fused", tracer.span)
    if not tracer.truth(tracer.host_call(math.isfinite, [value], "isfinite")):
        raise refuse(Code.NUMPY_RAISES, "isclose with a tolerance that is not finite: NumPy warns", tracer.span)
    return value


def _inexact(tracer: Tracer, value: Value) -> Value:
    """An operand as NumPy's isclose makes it: floating, so that no integer overflows."""
    if isinstance(value, HostValue) and isinstance(value.value, int):
        return tracer.host_call(float, [value], "float")
    if isinstance(value, HostValue) and type(value.value) in (float, complex):
        return value
    array = as_array(tracer, value)
    dtype = result_type([tracer.dtype(array), float])
    return array if dtype == tracer.dtype(array) else tracer.cast(array, dtype)


def _scaled(tracer: Tracer, rtol: HostValue, y: Value) -> Value:
    if isinstance(y, HostValue):
        return tracer.host_call(_relative, [rtol, y], "rtol * abs")
    return tracer.apply_named("multiply", rtol, tracer.apply_named("absolute", y))


def _added(tracer: Tracer, atol: HostValue, scaled: Value) -> Value:
    if isinstance(scaled, HostValue):
        return tracer.host_call(_sum, [atol, scaled], "atol + rtol * abs")
    return tracer.apply_named("add", atol, scaled)


def _test(tracer: Tracer, name: str, function: Callable[[Any], Any], value: Value) -> Value:
    if isinstance(value, HostValue):
        return tracer.host_call(function, [value], name)
    return tracer.apply_named(name, value)


def _relative(rtol: float, y: Any) -> Any:
    return rtol * abs(y)


def _sum(first: Any, second: Any) -> Any:
    return first + second


def _infinity_of_sign(name: str) -> Callable[..., Value]:
    def handler(tracer: Tracer, x: Value) -> Value:
        array = as_array(tracer, x)
        is_negative: ArrayValue = tracer.apply_named("signbit", array)
        sign = is_negative if name == "isneginf" else tracer.apply_named("invert", is_negative)
        return tracer.apply_named("logical_and", tracer.apply_named("isinf", array), sign)

    return handler


_HANDLERS: dict[Any, Callable[..., Value]] = {
    np.isclose: isclose,
    np.isposinf: _infinity_of_sign("isposinf"),
    np.isneginf: _infinity_of_sign("isneginf"),
}
