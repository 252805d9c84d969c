"""Arguments of a call in the form that a handler needs: known numbers, axes, dtypes, or arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant, leaves
from pyfuse.graph.infer import is_fused_dtype

NONE = constant(None)


def static(tracer: Tracer, value: Value) -> Any:
    """The Python object of an argument that decides the form of the kernel; it becomes part of the specialisation."""
    if isinstance(value, tuple | list):
        return type(value)(static(tracer, item) for item in value)
    if not isinstance(value, HostValue):
        raise refuse(Code.UNSUPPORTED_VALUE, "an argument that must be known is an array", tracer.span)
    return tracer.pin(value)


def whole_number(tracer: Tracer, value: Value) -> int:
    """A known whole number."""
    number = static(tracer, value)
    if isinstance(number, bool) or not isinstance(number, int | np.integer):
        raise refuse(Code.NUMPY_RAISES, f"{number!r} is no whole number", tracer.span)
    return int(number)


def axis_number(tracer: Tracer, array: ArrayValue, axis: Value, extra: int = 0) -> int:
    """A known axis of an array, counted from the front."""
    number, rank = whole_number(tracer, axis), tracer.rank(array) + extra
    if not -rank <= number < rank:
        raise refuse(Code.NUMPY_RAISES, f"axis {number} is out of bounds: NumPy raises its own error", tracer.span)
    return number % rank


def as_dtype(tracer: Tracer, value: Value) -> np.dtype:
    """A known dtype, however the user spells it."""
    try:
        dtype: np.dtype = np.dtype(static(tracer, value))
    except TypeError as error:
        raise refuse(Code.NUMPY_RAISES, "this is no dtype: NumPy raises its own error", tracer.span) from error
    if not is_fused_dtype(dtype):
        raise refuse(Code.UNSUPPORTED_DTYPE, f"arrays of {dtype} stay with NumPy", tracer.span)
    return dtype


def only_defaults(tracer: Tracer, name: str, keywords: dict[str, Value], **defaults: Any) -> None:
    """Refuse keywords that a handler does not know, unless they have their default values."""
    for keyword, value in keywords.items():
        if keyword not in defaults or static(tracer, value) != defaults[keyword]:
            raise refuse(Code.UNSUPPORTED_OPERATION, f"{name} with '{keyword}=' is not fused", tracer.span)


def as_array(tracer: Tracer, value: Value) -> ArrayValue:
    """An operand that must be an array; a number becomes one of rank 0."""
    if isinstance(value, ArrayValue):
        return ArrayValue(node=value.node) if value.weak else value
    kind = tracer.operand_type(value)
    dtype = kind if isinstance(kind, np.dtype) else np.asarray(kind(0)).dtype
    return ArrayValue(node=tracer.operand(value, dtype))


def is_none(value: Value) -> bool:
    """Whether a value is the object None."""
    return isinstance(value, HostValue) and value.value is None


def listed(value: Value) -> list[Value]:
    """The items of a tuple or list, none of None, and else the value alone."""
    if isinstance(value, tuple | list):
        return list(value)
    return [] if is_none(value) else [value]


def has_array(values: Sequence[Value]) -> bool:
    """Whether any of the values, or of the values in their containers, is an array."""
    return any(isinstance(leaf, ArrayValue) for value in values for leaf in leaves(value))
