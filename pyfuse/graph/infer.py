"""Which dtypes an operation computes in: asked of NumPy, never looked up in a table of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.nodes import is_bfloat16
from pyfuse.graph.ops import Operation, callable_of

FUSED_CODES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"])

# A dtype, or the Python type of a weak scalar (NEP 50).
OperandType = np.dtype | type


def is_fused_dtype(dtype: np.dtype) -> bool:
    """Whether kernels can hold elements of this dtype: native byte order, no metadata, one of ``FUSED_CODES``.

    Those of a device can hold bfloat16 too.
    """
    return is_number_dtype(dtype) or is_bfloat16(dtype)


def is_number_dtype(dtype: np.dtype) -> bool:
    """Whether kernels take numbers of this dtype as arguments."""
    return f"{dtype.kind}{dtype.itemsize}" in FUSED_CODES and dtype.isnative and dtype.metadata is None


def resolve(
    operation: Operation,
    operands: Sequence[OperandType],
    *,
    dtype: np.dtype | None = None,
    casting: str = "same_kind",
) -> tuple[tuple[np.dtype, ...], tuple[np.dtype, ...]]:
    """The loop that NumPy would choose.

    Args:
        operation: a ufunc of the table.
        operands: the dtype of each operand, or ``int``, ``float``, ``complex`` for a Python number.
        dtype: the ``dtype=`` argument of the call.
        casting: the ``casting=`` argument of the call.

    Returns:
        The dtypes that the operands are cast to, and those of the results.

    Raises:
        CannotFuse: NumPy has no such loop (it will raise its own error), or the loop's dtypes are not fused.

    Source: ``numpy.ufunc.resolve_dtypes``.
    """
    ufunc: Any = callable_of(operation)
    types = [*operands, *([None] * operation.result_count)]
    asked: dict[str, Any] = {}
    if dtype is not None:
        asked["signature"] = (*([None] * operation.operand_count), *([dtype] * operation.result_count))
    try:
        loop = ufunc.resolve_dtypes(tuple(types), casting=casting, **asked)
    except (TypeError, ValueError) as error:
        raise refuse(
            Code.NUMPY_RAISES,
            f"NumPy has no loop of '{operation.name}' for these types and raises its own error",
            notes=(str(error),),
        ) from error
    for entry in loop:
        if not is_fused_dtype(entry):
            raise refuse(Code.UNSUPPORTED_DTYPE, f"'{operation.name}' computes in {entry}, which stays with NumPy")
    return tuple(loop[: operation.operand_count]), tuple(loop[operation.operand_count :])


def resolve_reduction(operation: Operation, operand: np.dtype, dtype: np.dtype | None = None) -> np.dtype:
    """The dtype in which NumPy reduces or accumulates: of the loop's operands and of the result.

    Args:
        operation: a ufunc of two operands.
        operand: the array's dtype.
        dtype: the ``dtype=`` argument of the call.

    Raises:
        CannotFuse: NumPy has no such loop, or it is not fused.

    Source: ``numpy.ufunc.resolve_dtypes`` with ``reduction=True``.
    """
    ufunc: Any = callable_of(operation)
    asked: dict[str, Any] = {} if dtype is None else {"signature": (dtype, None, None)}
    try:
        loop = ufunc.resolve_dtypes((None, operand, None), reduction=True, casting="unsafe", **asked)
    except (TypeError, ValueError) as error:
        raise refuse(
            Code.NUMPY_RAISES,
            f"NumPy cannot reduce {operand} by '{operation.name}' and raises its own error",
            notes=(str(error),),
        ) from error
    if len(set(loop)) > 1 or not is_fused_dtype(loop[0]):
        raise refuse(Code.UNSUPPORTED_DTYPE, f"'{operation.name}' reduces in {loop[0]}, which stays with NumPy")
    found: np.dtype = loop[0]
    return found


def result_type(operands: Sequence[OperandType]) -> np.dtype:
    """``np.result_type`` of dtypes and weak Python scalar types.

    Raises:
        CannotFuse: the types have no common dtype, or it is not fused.
    """
    examples = [operand if isinstance(operand, np.dtype) else operand(0) for operand in operands]
    try:
        dtype = np.result_type(*examples)
    except TypeError as error:
        raise refuse(Code.NUMPY_RAISES, "NumPy has no common dtype for these values", notes=(str(error),)) from error
    if not is_fused_dtype(dtype):
        raise refuse(Code.UNSUPPORTED_DTYPE, f"the common dtype is {dtype}, which stays with NumPy")
    return dtype
