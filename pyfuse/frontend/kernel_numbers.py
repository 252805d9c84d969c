"""Python's arithmetic on numbers that only the kernel knows: the index of a loop, a time that it counts.

Floats are NumPy's float64, operation by operation. Integers are int64, and the original runs where Python's would be
longer; so it does where Python raises, for a division by zero.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value
from pyfuse.graph.infer import OperandType
from pyfuse.graph.ops import by_python_operator
from pyfuse.host_values import Guard

INTEGER, FLOAT, BOOL = np.dtype("i8"), np.dtype("f8"), np.dtype("?")
LONGEST = 2.0**62  # of an integer whose double shows how large it is: the double is off by 2**-53 of it
EXACT = 2.0**53  # integers up to here are doubles, so that a quotient of two is rounded once

MODERATE = 2**31  # bounds of a loop: arithmetic with an index between such needs no look at how long the result is

_OPERATORS = {"Add": operator.add, "Sub": operator.sub, "Mult": operator.mul}


def are_numbers(values: Sequence[Value]) -> bool:
    """Whether an operator is Python's own on plain numbers, of which the kernel computes one at least."""
    kinds = [_kind(value) for value in values]
    return None not in kinds and any(isinstance(value, ArrayValue) for value in values)


def apply_to_numbers(tracer: Tracer, class_name: str, operands: Sequence[Value]) -> ArrayValue:
    """A Python operator on such numbers.

    Raises:
        CannotFuse: it is not one that kernels do as Python does.
    """
    kinds = [_kind(operand) for operand in operands]
    is_real = float in kinds
    if len(operands) == 1 and class_name in ("USub", "UAdd"):
        return operands[0] if class_name == "UAdd" else _applied(tracer, "USub", operands, is_real)  # type: ignore[return-value]
    if len(operands) == 2 and class_name in _OPERATORS:
        result = _applied(tracer, class_name, operands, is_real)
        if is_real:
            return result
        result.interval = _interval(tracer, class_name, operands)
        return result if result.interval is not None else _unless_long(tracer, class_name, operands, result)
    if len(operands) == 2 and class_name == "Div":
        return _quotient(tracer, operands)
    raise refuse(Code.UNSUPPORTED_OPERATION, "Python computes with a number that only the kernel knows", tracer.span)


def number_as_scalar(tracer: Tracer, value: Value) -> Value:
    """A number of the kernel as the NumPy scalar that a ufunc makes of it."""
    if isinstance(value, ArrayValue) and value.weak:
        return ArrayValue(node=tracer.node_of(value), is_scalar=True)
    return value


def _kind(value: Value) -> type | None:
    kind = value.weak if isinstance(value, ArrayValue) else type(value.value) if isinstance(value, HostValue) else None
    return kind if kind in (int, float) else None


def _applied(tracer: Tracer, class_name: str, operands: Sequence[Value], is_real: bool) -> ArrayValue:
    dtype = FLOAT if is_real else INTEGER
    operation = by_python_operator(class_name)
    assert operation is not None
    nodes = [tracer.operand(operand, dtype) for operand in operands]
    kind: OperandType = float if is_real else int
    assert isinstance(kind, type)
    return ArrayValue(node=tracer.apply_raw(operation.name, nodes, dtype).node, weak=kind)


def _unless_long(tracer: Tracer, class_name: str, operands: Sequence[Value], result: ArrayValue) -> ArrayValue:
    """An integer; the original runs where it does not fit an int64."""
    size = tracer.apply_raw("absolute", [_applied(tracer, class_name, operands, is_real=True).node], FLOAT)
    is_long = _is_over(tracer, size, LONGEST)
    return ArrayValue(node=tracer.apply_raw("replay_if", [is_long, result.node], INTEGER).node, weak=int)


def _quotient(tracer: Tracer, operands: Sequence[Value]) -> ArrayValue:
    """A quotient; the original runs where Python raises, or divides integers that no double holds."""
    left, right = (tracer.operand(operand, FLOAT) for operand in operands)
    result = tracer.apply_raw("divide", [left, right], FLOAT)
    spans = [_span(tracer, operand) for operand in operands]
    refusals: list[int] = []
    divisor, span = operands[1], spans[1]
    is_known = isinstance(divisor, HostValue) and divisor.is_constant and divisor.value != 0
    if not is_known and (span is None or span[0] <= 0 <= span[1]):
        zero = tracer.draft.add_constant(0.0, FLOAT)
        refusals.append(tracer.apply_raw("equal", [right, zero], BOOL).node)
    if all(_kind(operand) is int for operand in operands):
        for node, own in zip((left, right), spans, strict=True):
            if own is None or max(map(abs, own)) > EXACT:
                size = tracer.apply_raw("absolute", [node], FLOAT)
                refusals.append(_is_over(tracer, size, EXACT))
    if not refusals:
        return ArrayValue(node=result.node, weak=float)
    refused = refusals[0]
    for other in refusals[1:]:
        refused = tracer.apply_raw("logical_or", [refused, other], BOOL).node
    return ArrayValue(node=tracer.apply_raw("replay_if", [refused, result.node], FLOAT).node, weak=float)


def _interval(tracer: Tracer, class_name: str, operands: Sequence[Value]) -> tuple[int, int] | None:
    """Between which numbers a result always is, where that is known and no int64 is too short for it."""
    spans = [_span(tracer, operand) for operand in operands]
    left, right = spans
    if left is None or right is None:
        return None
    function = _OPERATORS[class_name]
    ends = [function(one, other) for one in left for other in right]
    return (min(ends), max(ends)) if max(map(abs, ends)) < LONGEST else None


def _span(tracer: Tracer, value: Value) -> tuple[int, int] | None:
    """Between which numbers a whole number always is; the bounds of a loop are then guarded to be moderate."""
    if isinstance(value, HostValue):
        is_known = value.is_constant and type(value.value) is int
        return (value.value, value.value) if is_known else None
    if not isinstance(value, ArrayValue) or value.interval is not None or value.limits is None:
        return value.interval if isinstance(value, ArrayValue) else None
    ends: list[int] = []
    for limit in value.limits:
        if limit.is_constant:
            ends.append(int(limit.value))
        elif _is_moderate(limit.value):
            text = f"{limit.expression.text} is moderate"
            tracer.add_guard(Guard(expression=limit.expression, holds_for=_is_moderate, text=text))
            ends += [-MODERATE, MODERATE] if limit is value.limits[0] else [_beyond(value.limits)]
        else:
            return None
    value.interval = (min(ends), max(ends))
    return value.interval


def _beyond(limits: tuple[HostValue, HostValue]) -> int:
    """How far an index may go on the side of its second limit: there is a first turn, so that side is known."""
    return MODERATE if limits[1].value > limits[0].value else -MODERATE


def _is_moderate(number: int) -> bool:
    return -MODERATE <= number <= MODERATE


def _is_over(tracer: Tracer, size: ArrayValue, most: float) -> int:
    limit = tracer.draft.add_constant(most, FLOAT)
    return tracer.apply_raw("less", [limit, size.node], BOOL).node
