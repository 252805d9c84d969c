"""Calls of ufuncs inside a fused function, with their keywords, and NumPy's shortcuts for powers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.kernel_numbers import number_as_scalar
from pyfuse.frontend.known_arguments import NONE, as_array, as_dtype, is_none, listed, only_defaults, static
from pyfuse.frontend.scalar_arithmetic import is_complex_scalar
from pyfuse.frontend.stores import is_apart, store_into
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.infer import resolve
from pyfuse.graph.ops import Operation, by_name

_BOOL = np.dtype(bool)

# Exponents that NumPy computes by another ufunc, for a Python number or a 0-d array
# (numpy/_core/src/multiarray/number.c, fast_scalar_power). The class of a run-time exponent is part of the
# specialisation, its value is not.
_FAST_POWERS: dict[Any, str] = {0.5: "sqrt", 1.0: "positive", 2.0: "square", -1.0: "reciprocal"}


def call_ufunc(tracer: Tracer, operation: Operation, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
    """A call of a ufunc of the table, with ``out=``, ``where=``, ``dtype=`` and ``casting=``."""
    count = operation.operand_count
    if not count <= len(arguments) <= count + operation.result_count:
        raise refuse(Code.NUMPY_RAISES, f"'{operation.name}' takes {count} operands: NumPy raises", tracer.span)
    operands, positional_out = list(arguments[:count]), list(arguments[count:])
    options = dict(keywords)
    out = positional_out or listed(options.pop("out", NONE))
    where = options.pop("where", constant(True))
    dtype_value = options.pop("dtype", NONE)
    dtype = None if is_none(dtype_value) else as_dtype(tracer, dtype_value)
    casting = static(tracer, options.pop("casting", constant("same_kind")))
    only_defaults(tracer, operation.name, options, order="K", subok=True)
    if operation.name in ("square", "multiply") and all(is_complex_scalar(tracer, operand) for operand in operands):
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "complex NumPy scalars are multiplied with other rounding", tracer.span
        )
    if all(isinstance(operand, HostValue) or _is_number(operand) for operand in operands):
        operands = [number_as_scalar(tracer, operand) for operand in operands]
    if operation.name == "power" and dtype is None:
        made: tuple[ArrayValue, ...] = (power(tracer, operands[0], operands[1]),)
    else:
        made = tracer.apply(operation, operands, dtype=dtype, casting=casting)
    results = _stored(tracer, made, out, where, casting)
    return results[0] if len(results) == 1 else tuple(results)


def _is_number(value: Value) -> bool:
    return isinstance(value, ArrayValue) and value.weak is not None


def _stored(
    tracer: Tracer, made: Sequence[ArrayValue], out: list[Value], where: Value, casting: str
) -> list[ArrayValue]:
    is_everywhere = isinstance(where, HostValue) and where.is_constant and where.value is True
    targets = [target for target in out if not is_none(target)]
    if not targets:
        if not is_everywhere:
            raise refuse(
                Code.UNINITIALISED,
                "'where=' without 'out=' leaves elements uninitialised",
                tracer.span,
                hints=("np.where gives every element a value",),
            )
        return list(made)
    if len(targets) != len(made) or not all(isinstance(target, ArrayValue) for target in targets):
        raise refuse(Code.UNSUPPORTED_OPERATION, "'out=' is given for some results only", tracer.span)
    arrays: list[ArrayValue] = [target for target in targets if isinstance(target, ArrayValue)]
    if len(arrays) > 1 and not all(is_apart(one, other) for one in arrays for other in arrays if one is not other):
        raise refuse(Code.UNSUPPORTED_OPERATION, "several results go into arrays that share memory", tracer.span)
    if len({id(array) for array in arrays}) < len(arrays):
        raise refuse(Code.UNSUPPORTED_OPERATION, "several results go into one array", tracer.span)
    for value, target in zip(made, arrays, strict=True):
        if not np.can_cast(tracer.dtype(value), tracer.dtype(target), casting):  # type: ignore[arg-type]
            raise refuse(
                Code.NUMPY_RAISES, "the result cannot be cast to 'out': NumPy raises its own error", tracer.span
            )
        kept = value if is_everywhere else _choose(tracer, as_array(tracer, where), value, target)
        store_into(tracer, target, kept, casting)
    return arrays


def _choose(tracer: Tracer, condition: ArrayValue, value: ArrayValue, other: ArrayValue) -> ArrayValue:
    if tracer.dtype(condition) != _BOOL:
        raise refuse(Code.NUMPY_RAISES, "'where=' must be a boolean array: NumPy raises", tracer.span)
    dtype = tracer.dtype(other)
    converted = tracer.draft.cast(tracer.node_of(value), dtype, tracer.origin(), is_implicit=True)
    return tracer.apply_raw("select", [tracer.node_of(condition), converted, tracer.node_of(other)], dtype)


def power(tracer: Tracer, base: Value, exponent: Value) -> ArrayValue:
    """``base ** exponent``, with NumPy's shortcuts for the exponents -1, 0.5, 1 and 2.

    NumPy scalars take none (numpy/_core/src/umath/scalarmath.c.src, ``@name@_power``): sqrt(-0.0) is not (-0.0)**0.5.
    """
    if isinstance(exponent, ArrayValue) and exponent.weak:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "the shortcut for a power depends on a number of the kernel", tracer.span
        )
    if isinstance(exponent, HostValue) and isinstance(base, ArrayValue) and not base.is_scalar:
        if tracer.dtype(base).kind == "b":
            raise refuse(Code.UNSUPPORTED_OPERATION, "powers of boolean arrays are not fused", tracer.span)
        shortcut = tracer.pin(tracer.host_call(_fast_power, [exponent], "power shortcut"))
        _, (result,) = _power_types(tracer, base, exponent)
        if shortcut is not None and result.kind in "fc":
            wide = ArrayValue(node=tracer.operand(base, result), is_scalar=base.is_scalar)
            return tracer.apply(by_name(shortcut), [wide])[0]
    return tracer.apply(by_name("power"), [base, exponent])[0]


def _power_types(tracer: Tracer, base: Value, exponent: Value) -> tuple[tuple[np.dtype, ...], tuple[np.dtype, ...]]:
    return resolve(by_name("power"), [tracer.operand_type(base), tracer.operand_type(exponent)])


def _fast_power(exponent: Any) -> str | None:
    return _FAST_POWERS.get(exponent) if isinstance(exponent, int | float | np.number) else None
