"""Python's arithmetic on numbers that only the kernel knows: the index of a loop, a time that it counts.

Floats are NumPy's float64, operation by operation. Integers are int64, and the original runs where Python's would be
longer; so it does where Python raises, for a division by zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value
from pyfuse.graph.infer import OperandType
from pyfuse.graph.ops import by_python_operator

INTEGER, FLOAT, BOOL = np.dtype("i8"), np.dtype("f8"), np.dtype("?")
LONGEST = 2.0**62  # of an integer whose double shows how large it is: the double is off by 2**-53 of it
EXACT = 2.0**53  # integers up to here are doubles, so that a quotient of two is rounded once

_PLAIN = frozenset({"Add", "Sub", "Mult"})


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
    if len(operands) == 2 and class_name in _PLAIN:
        result = _applied(tracer, class_name, operands, is_real)
        return result if is_real else _unless_long(tracer, class_name, operands, result)
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
    zero = tracer.draft.add_constant(0.0, FLOAT)
    refused = tracer.apply_raw("equal", [right, zero], BOOL).node
    if all(_kind(operand) is int for operand in operands):
        for node in (left, right):
            size = tracer.apply_raw("absolute", [node], FLOAT)
            refused = tracer.apply_raw("logical_or", [refused, _is_over(tracer, size, EXACT)], BOOL).node
    result = tracer.apply_raw("divide", [left, right], FLOAT)
    return ArrayValue(node=tracer.apply_raw("replay_if", [refused, result.node], FLOAT).node, weak=float)


def _is_over(tracer: Tracer, size: ArrayValue, most: float) -> int:
    limit = tracer.draft.add_constant(most, FLOAT)
    return tracer.apply_raw("less", [limit, size.node], BOOL).node
