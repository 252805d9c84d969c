"""Constants that the compiler must not see: what it computes with them would report no floating-point error."""

from __future__ import annotations

import cmath
from collections.abc import Sequence

from pyfuse.graph.loop_plan import ApplyStep, ConstantStep, Step

# Operations on integers and booleans of which one operand may decide the result: x & 0, x | True, where(True, x, y).
_ABSORBING = frozenset({"multiply", "bitwise_and", "bitwise_or", "logical_and", "logical_or", "select"})
# gcc 12.2 makes a product and the addition of (-1, 0) to it, which it writes as a subtraction and an addition, into one
# fused instruction even under -ffp-contract=off (see complex.c).
_ADDING = frozenset({"add", "subtract"})
# The compiler knows which numbers a boolean or a short integer can be, and so what some comparisons give: True == 0.5.
_COMPARING = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
_CHOOSING = frozenset({"select", "heaviside"})  # a result of few values: gcc computes on with each


def opaque_constants(steps: Sequence[Step]) -> set[int]:
    """Constants that the compiler could compute with: infinities, choices, and all that an operation's operands are."""
    constant: set[int] = set()
    opaque: set[int] = set()
    for position, step in enumerate(steps):
        match step.source:
            case ConstantStep(value=value):
                constant.add(position)
                if isinstance(value, float | complex) and not cmath.isfinite(value):
                    opaque.add(position)
            case ApplyStep(operation=operation, operands=operands):
                is_constant = all(operand in constant for operand in operands)
                if is_constant:
                    constant.add(position)
                if is_constant or (operation in _CHOOSING and step.dtype.kind in "fc"):
                    opaque |= {operand for operand in operands if isinstance(steps[operand].source, ConstantStep)}
                opaque |= {operand for operand in operands if _decides_alone(operation, steps[operand].source)}
                if operation in _ADDING and step.dtype.kind == "c":
                    opaque |= {operand for operand in operands if isinstance(steps[operand].source, ConstantStep)}
                if operation in _COMPARING and any(_is_of_few_values(steps, operand) for operand in operands):
                    opaque |= {operand for operand in operands if isinstance(steps[operand].source, ConstantStep)}
    return opaque


def _is_of_few_values(steps: Sequence[Step], position: int) -> bool:
    source = steps[position].source
    return (
        isinstance(source, ApplyStep) and source.operation == "cast" and steps[source.operands[0]].dtype.kind in "biu"
    )


def _decides_alone(operation: str, source: object) -> bool:
    """Whether an operand is a constant that gives the result whatever the other operand is.

    The compiler would leave the other one out, and with it what NumPy reports of it.
    """
    if not isinstance(source, ConstantStep) or operation not in _ABSORBING:
        return False
    return source.value in (0, -1) or isinstance(source.value, bool)
