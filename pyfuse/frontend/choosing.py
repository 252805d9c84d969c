"""NumPy functions that choose or limit elements: ``where``, ``clip``, ``select``, ``piecewise``, ``nan_to_num``."""

from __future__ import annotations

import operator

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.array_makers import copy_array
from pyfuse.frontend.known_arguments import NONE, as_array, is_none, listed, static
from pyfuse.frontend.masks import of_unknown_shape
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.ufunc_calls import call_ufunc
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.infer import result_type
from pyfuse.graph.nodes import ONE
from pyfuse.graph.ops import by_name

_ABSENT = constant(None, "absent")  # an argument that is not given, where None means something else
_BOOL = np.dtype(bool)


def where(tracer: Tracer, condition: Value, *choices: Value) -> Value:
    """``np.where`` with three arguments."""
    if len(choices) != 2:
        raise of_unknown_shape(tracer, "how many indices np.where with one argument gives depends on values")
    if all(isinstance(value, HostValue) for value in (condition, *choices)):
        raise refuse(Code.NO_ARRAY_WORK, "np.where of numbers alone", tracer.span)
    dtype = result_type([tracer.operand_type(choice) for choice in choices])
    test = _as_condition(tracer, condition)
    nodes = [tracer.operand(choice, dtype) for choice in choices]
    value = tracer.apply_raw("select", [test, *nodes], dtype)
    value.is_scalar = False  # np.where of 0-d arrays is a 0-d array
    return value


def _as_condition(tracer: Tracer, condition: Value) -> int:
    array = as_array(tracer, condition)
    node = tracer.node_of(array)
    return node if tracer.dtype(array) == _BOOL else tracer.draft.cast(node, _BOOL, tracer.origin(), is_implicit=True)


def clip(
    tracer: Tracer, a: Value, a_min: Value = _ABSENT, a_max: Value = _ABSENT, out: Value = NONE, *,
    min: Value = _ABSENT, max: Value = _ABSENT, **keywords: Value,
) -> Value:  # fmt: skip
    """``np.clip``: both bounds by position, or either by its keyword."""
    if (a_min is _ABSENT) != (a_max is _ABSENT) or (a_min is not _ABSENT and (min, max) != (_ABSENT, _ABSENT)):
        raise refuse(Code.NUMPY_RAISES, "these arguments of clip do not match: NumPy raises", tracer.span)
    low, high = (min, max) if a_min is _ABSENT else (a_min, a_max)
    return clip_between(tracer, a, low, high, out, **keywords)


def clip_between(tracer: Tracer, a: Value, low: Value, high: Value, out: Value = NONE, **keywords: Value) -> Value:
    """What ``np.clip`` and ``array.clip`` do: one ufunc, depending on which bounds there are.

    Source: numpy/_core/_methods.py, ``_clip``.
    """
    array = as_array(tracer, a)
    low = _none_if_below(tracer, array, low)
    high = _none_if_above(tracer, array, high)
    options = {**keywords, "out": out}
    if is_none(low) and is_none(high):
        return call_ufunc(tracer, by_name("positive"), [array], options)
    if is_none(low):
        return call_ufunc(tracer, by_name("minimum"), [array, high], options)
    if is_none(high):
        return call_ufunc(tracer, by_name("maximum"), [array, low], options)
    has_array_bound = any(isinstance(bound, ArrayValue) and _has_extent(tracer, bound) for bound in (low, high))
    return call_ufunc(tracer, by_name("clip_arrays" if has_array_bound else "clip"), [array, low, high], options)


def _has_extent(tracer: Tracer, array: ArrayValue) -> bool:
    return any(dim != ONE for dim in tracer.draft.dims(tracer.node_of(array)))


def _none_if_below(tracer: Tracer, array: ArrayValue, bound: Value) -> Value:
    """No bound, where a Python int is at or below all that the array's integers can be."""
    dtype = tracer.dtype(array)
    if bound is _ABSENT:
        return NONE
    if dtype.kind not in "iu" or not isinstance(bound, HostValue) or type(bound.value) is not int:
        return bound
    limit = constant(int(np.iinfo(dtype).min))
    return NONE if tracer.truth(tracer.host_call(operator.le, [bound, limit], "is no bound")) else bound


def _none_if_above(tracer: Tracer, array: ArrayValue, bound: Value) -> Value:
    """No bound, where a Python int is at or above all that the array's integers can be."""
    dtype = tracer.dtype(array)
    if bound is _ABSENT:
        return NONE
    if dtype.kind not in "iu" or not isinstance(bound, HostValue) or type(bound.value) is not int:
        return bound
    limit = constant(int(np.iinfo(dtype).max))
    return NONE if tracer.truth(tracer.host_call(operator.ge, [bound, limit], "is no bound")) else bound


def select(tracer: Tracer, condlist: Value, choicelist: Value, default: Value = constant(0)) -> Value:
    """``np.select``: the first condition that holds decides."""
    conditions, choices = listed(condlist), listed(choicelist)
    if len(conditions) != len(choices) or not conditions:
        raise refuse(Code.NUMPY_RAISES, "np.select needs as many choices as conditions: NumPy raises", tracer.span)
    dtype = result_type([tracer.operand_type(choice) for choice in [*choices, default]])
    value = tracer.operand(default, dtype)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        if not isinstance(condition, ArrayValue) or tracer.dtype(condition) != _BOOL:
            raise refuse(Code.NUMPY_RAISES, "np.select needs boolean arrays as conditions: NumPy raises", tracer.span)
        kind = tracer.operand_type(choice)
        own = kind if isinstance(kind, np.dtype) else np.asarray(kind(0)).dtype
        if not np.can_cast(own, dtype, "same_kind"):
            raise refuse(Code.NUMPY_RAISES, "np.select stores a choice that cannot be cast: NumPy raises", tracer.span)
        array = tracer.apply_raw("select", [tracer.node_of(condition), tracer.operand(choice, dtype), value], dtype)
        value = tracer.node_of(array)
    # NumPy fills an array made by np.full: its order is C whatever the operands' is.
    node = tracer.draft.copy_in_c_order(value, tracer.origin())
    return ArrayValue(node=node)


def piecewise(
    tracer: Tracer, x: Value, condlist: Value, funclist: Value, *arguments: Value, **keywords: Value
) -> Value:
    """``np.piecewise`` whose pieces are numbers."""
    array = as_array(tracer, x)
    conditions = listed(condlist)
    pieces = listed(funclist)
    if arguments or keywords or not all(isinstance(piece, HostValue) and not callable(piece.value) for piece in pieces):
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            "np.piecewise is fused for pieces that are numbers",
            tracer.span,
            hints=("np.where or np.select take expressions",),
        )
    if len(pieces) not in (len(conditions), len(conditions) + 1) or not all(
        isinstance(condition, ArrayValue) and tracer.dtype(condition) == _BOOL for condition in conditions
    ):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.piecewise with these conditions is not fused", tracer.span)
    dtype = tracer.dtype(array)
    value = tracer.operand(pieces[-1] if len(pieces) > len(conditions) else constant(0), dtype)
    for condition, piece in zip(conditions, pieces, strict=False):  # later pieces overwrite earlier ones
        assert isinstance(condition, ArrayValue)
        chosen = tracer.apply_raw("select", [tracer.node_of(condition), tracer.operand(piece, dtype), value], dtype)
        value = tracer.node_of(chosen)
    return ArrayValue(node=tracer.draft.store(tracer.node_of(array), value, tracer.origin()))


def nan_to_num(
    tracer: Tracer, x: Value, copy: Value = constant(True), nan: Value = constant(0.0), posinf: Value = NONE,
    neginf: Value = NONE,
) -> Value:  # fmt: skip
    """``np.nan_to_num`` of real arrays."""
    array = as_array(tracer, x)
    dtype = tracer.dtype(array)
    is_scalar = not tracer.rank(array)  # NumPy gives a scalar, also for a 0-d array
    if dtype.kind == "c" or not static(tracer, copy):
        raise refuse(Code.UNSUPPORTED_OPERATION, "nan_to_num is fused for copies of real arrays", tracer.span)
    if dtype.kind != "f":
        return ArrayValue(node=tracer.node_of(copy_array(tracer, array, "K")), is_scalar=is_scalar)
    limits = np.finfo(dtype)
    value = tracer.node_of(array)
    tests = (
        ("isnan", nan),
        ("posinf", constant(float(limits.max)) if is_none(posinf) else posinf),
        ("neginf", constant(float(limits.min)) if is_none(neginf) else neginf),
    )
    for test, replacement in tests:
        condition = _infinity_test(tracer, array, test)
        replaced = tracer.apply_raw(
            "select", [tracer.node_of(condition), tracer.operand(replacement, dtype), value], dtype
        )
        value = tracer.node_of(replaced)
    stored = tracer.draft.store(tracer.node_of(array), value, tracer.origin())
    return ArrayValue(node=stored, is_scalar=is_scalar)


def _infinity_test(tracer: Tracer, array: ArrayValue, test: str) -> ArrayValue:
    if test == "isnan":
        return tracer.apply_named("isnan", array)
    infinity = constant(float("inf") if test == "posinf" else float("-inf"))
    return tracer.apply_named("equal", array, infinity)
