"""NumPy functions that tell a fact about arrays: shape, size, kind of number, real and imaginary part."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from pyfuse.frontend.array_methods import attribute
from pyfuse.frontend.known_arguments import NONE, as_array, axis_number, is_none
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant


def shape(tracer: Tracer, a: Value) -> Value:
    """``np.shape``."""
    array = as_array(tracer, a)
    return tuple(tracer.extent(array, axis) for axis in range(tracer.rank(array)))


def ndim(tracer: Tracer, a: Value) -> Value:
    """``np.ndim``."""
    return constant(tracer.rank(as_array(tracer, a)))


def size(tracer: Tracer, a: Value, axis: Value = NONE) -> Value:
    """``np.size``."""
    array = as_array(tracer, a)
    if not is_none(axis):
        return tracer.extent(array, axis_number(tracer, array, axis))
    total = constant(1)
    for place in range(tracer.rank(array)):
        total = tracer.host_call(operator.mul, [total, tracer.extent(array, place)], "mul")
    return total


def result_type_of(tracer: Tracer, *values: Value) -> Value:
    """``np.result_type``."""
    known = [_dtype_or_type(tracer, value) for value in values]
    return constant(np.result_type(*[kind(0) if isinstance(kind, type) else kind for kind in known]))


def _dtype_or_type(tracer: Tracer, value: Value) -> Any:
    if isinstance(value, HostValue) and not isinstance(value.value, int | float | complex | np.generic):
        return value.value
    return tracer.operand_type(value)


def kind_test(test: Callable[[str], bool]) -> Callable[..., Value]:
    """The handler of a test of an array's kind of number."""

    def handler(tracer: Tracer, a: Value) -> Value:
        return constant(test(tracer.dtype(as_array(tracer, a)).kind))

    return handler


def isscalar(_: Tracer, a: Value) -> Value:
    """``np.isscalar``."""
    return constant(isinstance(a, HostValue) or (isinstance(a, ArrayValue) and a.is_scalar))


def real_of(tracer: Tracer, a: Value) -> Value:
    """``np.real``."""
    return attribute(tracer, as_array(tracer, a), "real")


def imag_of(tracer: Tracer, a: Value) -> Value:
    """``np.imag``."""
    return attribute(tracer, as_array(tracer, a), "imag")
