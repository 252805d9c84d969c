"""Where Python's operators on NumPy scalars do otherwise than NumPy's loops over arrays: the original runs then.

Kernels compute scalars (results of reductions, elements) as loops do. Found by fuzzing, and by reading
numpy/_core/src/umath/scalarmath.c.src.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value
from pyfuse.graph.infer import OperandType

# On integer scalars these warn of overflow, which arrays do not.
_OVERFLOWING = frozenset({"Add", "Sub", "Mult", "USub", "Pow", "FloorDiv", "Mod", "LShift", "RShift"})
_ORDERING = frozenset({"Lt", "LtE", "Gt", "GtE"})
_REMAINDERS = frozenset({"Mod", "FloorDiv"})


def refuse_scalar_difference(tracer: Tracer, operator: str, operands: Sequence[Value]) -> None:
    """Refuse an operator on NumPy scalars alone where it differs from the loop.

    Args:
        tracer: of the function.
        operator: the name of its ``ast`` class; ``Abs`` for ``abs()``.
        operands: arrays and numbers.

    Raises:
        CannotFuse: it does.
    """
    arrays = [operand for operand in operands if isinstance(operand, ArrayValue)]
    if not any(array.is_scalar for array in arrays) or any(tracer.rank(array) for array in arrays):
        return
    kinds = [tracer.operand_type(operand) for operand in operands]
    reason = next((text for differs, text in _DIFFERENCES if differs(operator, operands, kinds)), None)
    if reason is not None:
        raise refuse(Code.UNSUPPORTED_OPERATION, reason, tracer.span)


def is_complex_scalar(tracer: Tracer, value: Value) -> bool:
    """Whether a value is a complex NumPy scalar, on which some ufuncs round otherwise too (``np.square``)."""
    return isinstance(value, ArrayValue) and value.is_scalar and tracer.dtype(value).kind == "c"


def _overflows(operator: str, _: Sequence[Value], kinds: Sequence[OperandType]) -> bool:
    return operator in _OVERFLOWING and any(isinstance(kind, np.dtype) and kind.kind in "iu" for kind in kinds)


def _rounds_otherwise(operator: str, _: Sequence[Value], kinds: Sequence[OperandType]) -> bool:
    return operator in ("Mult", "Abs") and _has_complex(kinds)


def _orders_otherwise(operator: str, _: Sequence[Value], kinds: Sequence[OperandType]) -> bool:
    return operator in _ORDERING and _has_complex(kinds)


def _is_python_complex(_: str, operands: Sequence[Value], kinds: Sequence[OperandType]) -> bool:
    """``1j + np.float64(2)``: a float64 scalar is a Python float, and Python's complex answers."""
    first = operands[0]
    return isinstance(first, HostValue) and type(first.value) is complex and np.dtype("f8") in kinds


def _reports_more(operator: str, _: Sequence[Value], kinds: Sequence[OperandType]) -> bool:
    return operator in _REMAINDERS and np.dtype("f2") in kinds


def _has_complex(kinds: Sequence[OperandType]) -> bool:
    return any(kind is complex or (isinstance(kind, np.dtype) and kind.kind == "c") for kind in kinds)


_DIFFERENCES: tuple[tuple[Callable[[str, Sequence[Value], Sequence[OperandType]], bool], str], ...] = (
    (_overflows, "integer arithmetic of NumPy scalars stays with NumPy, which warns of overflow"),
    (_rounds_otherwise, "complex NumPy scalars are multiplied and measured with other rounding than arrays"),
    (_orders_otherwise, "complex NumPy scalars are ordered by their real parts where one is NaN, arrays are not"),
    (_is_python_complex, "Python itself computes with its complex number and a float64 scalar"),
    (_reports_more, "the remainder of float16 scalars reports the overflow of a quotient that arrays do not compute"),
)
