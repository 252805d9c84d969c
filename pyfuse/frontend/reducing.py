"""``ufunc.reduce`` on values: what its arguments ask for, and which of it a kernel does exactly as NumPy does."""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, as_array, as_dtype, axis_number, is_none, listed
from pyfuse.frontend.stores import store_into
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.infer import resolve_reduction
from pyfuse.graph.nodes import ONE
from pyfuse.graph.ops import Exactness, Fold, Operation, by_name, callable_of

ABSENT = constant(np._NoValue, "absent")  # an argument that is not given
FALSE = constant(False)
TRUE = constant(True)
_BOOL = np.dtype(bool)
# Kinds of dtypes that hold a Python number without another one's loss.
_HOLDERS: dict[type, str] = {int: "iufc", float: "fc", complex: "c"}


def reduce_ufunc(
    tracer: Tracer,
    name: str,
    value: Value,
    axis: Value = NONE,
    dtype: Value = NONE,
    out: Value = NONE,
    keepdims: Value = FALSE,
    initial: Value = ABSENT,
    where: Value = TRUE,
) -> ArrayValue:
    """``ufunc.reduce`` with NumPy's arguments; ``axis=None`` means all axes.

    Args:
        tracer: of the function.
        name: of the ufunc, which has two operands.
        value: an array of rank one at least.
        axis: a number, a tuple of numbers or None.
        dtype: in which NumPy reduces; None for its own choice.
        out: an array that takes the result.
        keepdims: whether reduced axes stay, with extent one.
        initial: a number that comes before the first element.
        where: an array of booleans: which elements count.

    Returns:
        A NumPy scalar where no axis is left and no ``out`` is given, else an array.

    Raises:
        CannotFuse: NumPy raises its own error, or combines in an order that a kernel does not repeat.

    Source: numpy/_core/src/umath/reduction.c and ufunc_object.c, PyUFunc_Reduce.
    """
    operation = by_name(name)
    array = reducible(tracer, value)
    axes = axes_of(tracer, array, axis)
    loop = loop_of(tracer, operation, array, dtype, out)
    if len(axes) > 1 and not _is_reorderable(name, loop):
        raise refuse(
            Code.NUMPY_RAISES, f"'{name}' reduces along one axis only: NumPy raises its own error", tracer.span
        )
    start = _initial(tracer, operation, loop, initial)
    mask = None
    if not is_everywhere(where) and operation.fold(loop) is Fold.PAIRWISE:
        mask = mask_of(tracer, array, where)
    elif not is_everywhere(where):
        array = _masked(tracer, operation, array, loop, where, start)
    made = tracer.reduce(name, array, axes, dtype=loop, keepdims=is_true(tracer, keepdims), initial=start, where=mask)
    return into(tracer, made, out, is_any_order=operation.fold(loop) is Fold.ANY_ORDER)


def reducible(tracer: Tracer, value: Value) -> ArrayValue:
    """An operand of a reduction: an array of rank one at least."""
    array = as_array(tracer, value)
    if not tracer.rank(array):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a reduction of a 0-d array or a scalar is not fused", tracer.span)
    if array.weak:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a reduction of a Python number is not fused", tracer.span)
    return array


def axes_of(tracer: Tracer, array: ArrayValue, axis: Value) -> tuple[int, ...]:
    """The axes that an ``axis=`` argument means, counted from the front and in the order given.

    Raises:
        CannotFuse: one is out of bounds or repeated (NumPy raises its own error), or there is none.
    """
    if is_none(axis):
        return tuple(range(tracer.rank(array)))
    if isinstance(axis, list):
        raise refuse(Code.NUMPY_RAISES, "a list is no axis: NumPy raises its own error", tracer.span)
    if isinstance(axis, HostValue) and isinstance(axis.value, tuple):
        axis = tuple(constant(item) for item in tracer.pin(axis))
    axes = tuple(axis_number(tracer, array, item) for item in listed(axis))
    if len(set(axes)) != len(axes):
        raise refuse(Code.NUMPY_RAISES, "a repeated axis: NumPy raises its own error", tracer.span)
    if not axes:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a reduction along no axis is not fused", tracer.span)
    return axes


def is_given(value: Value) -> bool:
    """Whether an argument is there: NumPy's default for some is ``np._NoValue``."""
    return not (isinstance(value, HostValue) and value.value is ABSENT.value)


def is_everywhere(where: Value) -> bool:
    """Whether ``where=`` leaves nothing out."""
    return not is_given(where) or (isinstance(where, HostValue) and where.is_constant and where.value is True)


def is_true(tracer: Tracer, value: Value) -> bool:
    """The value of a flag such as ``keepdims=``, whose default may be ``np._NoValue``."""
    return is_given(value) and tracer.truth(value)


def into(tracer: Tracer, made: ArrayValue, out: Value, *, is_any_order: bool) -> ArrayValue:
    """A reduction's result in the array of an ``out=`` argument, if there is one.

    Args:
        tracer: of the function.
        made: the result.
        out: the argument.
        is_any_order: the result does not depend on the order in which NumPy walks the operand, which the strides of
            ``out`` decide too where it has several axes.

    Raises:
        CannotFuse: it is of another shape (NumPy raises its own error), or of another dtype than the reduction's.
    """
    targets = listed(out)
    if not targets:
        return made
    target = targets[0]
    if len(targets) != 1 or not isinstance(target, ArrayValue):
        raise refuse(Code.NUMPY_RAISES, "'out=' takes one array: NumPy raises its own error", tracer.span)
    if target.base is not None or target.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "'out=' is a view of an array", tracer.span)
    if tracer.dtype(target) != tracer.dtype(made):
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            f"a reduction in {tracer.dtype(made)} into an array of {tracer.dtype(target)} is not fused",
            tracer.span,
            hints=("give 'out=' the dtype that the result has without it",),
        )
    if not have_same_form(tracer, target, made):
        raise refuse(Code.NUMPY_RAISES, "'out=' has another shape: NumPy raises its own error", tracer.span)
    if not is_any_order and tracer.rank(made) > 1:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "a sum into an array of several axes rounds in an order that depends on it",
            tracer.span,
        )  # fmt: skip
    store_into(tracer, target, made)
    return target


def have_same_form(tracer: Tracer, first: ArrayValue, second: ArrayValue) -> bool:
    """Whether two arrays have one rank, and extents of one on the same axes."""
    dims, others = (tracer.draft.dims(tracer.node_of(array)) for array in (first, second))
    return len(dims) == len(others) and all((a == ONE) == (b == ONE) for a, b in zip(dims, others, strict=True))


def loop_of(tracer: Tracer, operation: Operation, array: ArrayValue, dtype: Value, out: Value) -> np.dtype:
    """The dtype in which NumPy reduces or accumulates; without ``dtype=`` that of ``out`` decides too.

    Raises:
        CannotFuse: NumPy has no such loop, or what it does is not exact.

    Source: numpy/_core/src/umath/ufunc_object.c, ``reducelike_promote_and_resolve``.
    """
    if operation.operand_count != 2 or operation.result_count != 1:
        raise refuse(Code.NUMPY_RAISES, f"'{operation.name}' cannot reduce: NumPy raises its own error", tracer.span)
    if operation.exactness is not Exactness.BITS:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, f"reductions by '{operation.name}', which rounds, stay with NumPy", tracer.span
        )
    own = tracer.dtype(array)
    wanted = None if is_none(dtype) else as_dtype(tracer, dtype)
    targets = listed(out)
    if wanted is None and len(targets) == 1 and isinstance(targets[0], ArrayValue):
        wanted = _loop_into(operation, own, tracer.dtype(targets[0]))
    loop = resolve_reduction(operation, own, wanted)
    if own.kind == "c" and loop.kind not in "cb":
        raise refuse(Code.UNSUPPORTED_OPERATION, "a cast drops imaginary parts: NumPy warns of it", tracer.span)
    return loop


def _loop_into(operation: Operation, own: np.dtype, target: np.dtype) -> np.dtype | None:
    """The dtype of ``out`` if NumPy reduces in it, else None."""
    ufunc: Any = callable_of(operation)
    try:
        loop = ufunc.resolve_dtypes((target, own, target), casting="unsafe")
    except (TypeError, ValueError):
        return None
    return target if set(loop) == {target} else None


@cache
def _is_reorderable(name: str, dtype: np.dtype) -> bool:
    """Whether NumPy reduces along several axes at once; it is asked."""
    ufunc: Any = callable_of(by_name(name))
    try:
        ufunc.reduce(np.ones((1, 1), dtype), axis=(0, 1), dtype=dtype)
    except ValueError:
        return False
    return True


def _initial(tracer: Tracer, operation: Operation, loop: np.dtype, initial: Value) -> Value | None:
    if not is_given(initial):
        return None
    if is_none(initial):
        if _identity(operation, loop) is None:
            return None
        raise refuse(Code.UNSUPPORTED_OPERATION, "'initial=None' takes the identity away: not fused", tracer.span)
    kind = tracer.operand_type(initial)
    is_kept = kind == loop if isinstance(kind, np.dtype) else loop.kind in _HOLDERS[kind]
    if not is_kept or (isinstance(initial, ArrayValue) and tracer.rank(initial)):
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'initial=' of another dtype than {loop} is not fused", tracer.span)
    return initial


def _identity(operation: Operation, loop: np.dtype) -> Any:
    """What NumPy starts a reduction with, as the loop's dtype holds it (all bits set for -1 of unsigned integers)."""
    ufunc: Any = callable_of(operation)
    return None if ufunc.identity is None else np.asarray(ufunc.identity).astype(loop).item()


def _masked(
    tracer: Tracer, operation: Operation, array: ArrayValue, loop: np.dtype, where: Value, initial: Value | None
) -> ArrayValue:
    """The operand with what changes nothing in the place of elements that do not count."""
    if operation.fold(loop) is not Fold.ANY_ORDER:
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            f"'{operation.name}' of {loop} with 'where=' rounds in an order that depends on the mask",
            tracer.span,
            hints=("np.where before the reduction gives every element a value",),
        )
    mask = mask_of(tracer, array, where)
    neutral: Value | None = initial
    identity = _identity(operation, loop)
    if identity is not None:
        neutral = constant(identity)
    if neutral is None:
        raise refuse(Code.NUMPY_RAISES, "'where=' needs 'initial=' here: NumPy raises its own error", tracer.span)
    element = tracer.draft.cast(tracer.node_of(array), loop, tracer.origin(), is_implicit=True)
    return tracer.apply_raw("select", [tracer.node_of(mask), element, tracer.operand(neutral, loop)], loop)


def mask_of(tracer: Tracer, array: ArrayValue, where: Value) -> ArrayValue:
    """The array of a ``where=`` argument, which is broadcast to ``array``."""
    mask = as_array(tracer, where)
    if tracer.dtype(mask) != _BOOL:
        raise refuse(Code.NUMPY_RAISES, "'where=' must be boolean: NumPy raises its own error", tracer.span)
    shape = tracer.draft.dims(tracer.node_of(array))
    joined = tracer.draft.broadcast([shape, tracer.draft.dims(tracer.node_of(mask))])
    if joined != tracer.draft.dims(tracer.node_of(array)):
        raise refuse(Code.NUMPY_RAISES, "'where=' is larger than the array: NumPy raises its own error", tracer.span)
    return mask


def count_of(tracer: Tracer, array: ArrayValue, axes: tuple[int, ...]) -> HostValue:
    """How many elements make one result, as NumPy's ``intp``: a number that the call computes.

    Source: numpy/_core/_methods.py, ``_count_reduce_items``.
    """
    count = constant(1)
    for axis in axes:
        count = tracer.host_call(operator.mul, [count, tracer.extent(array, axis)], "mul")
    return tracer.host_call(np.intp, [count], "intp")


def replayed(tracer: Tracer, condition: ArrayValue, value: ArrayValue) -> ArrayValue:
    """The value; where the condition holds of any element, the original runs (NumPy warns or raises there)."""
    nodes = [tracer.node_of(condition), tracer.node_of(value)]
    made = tracer.apply_raw("replay_if", nodes, tracer.dtype(value))
    made.is_scalar = value.is_scalar
    return made
