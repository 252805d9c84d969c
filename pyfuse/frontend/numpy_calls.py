"""NumPy functions inside a fused function, beyond ufuncs: each handler says what the call means on values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant, leaves
from pyfuse.graph.infer import is_fused_dtype, result_type
from pyfuse.graph.nodes import ONE, Dims
from pyfuse.graph.ops import Operation, by_name

Handler = Callable[..., Value]
_NONE = constant(None)
_ABSENT = constant(None, "absent")  # an argument that is not given, where None means something else
_BOOL = np.dtype(bool)


def handler_of(function: object) -> Handler | None:
    """The handler ``(tracer, *arguments, **keywords)`` of a NumPy function, or None."""
    try:
        return _HANDLERS.get(function)  # type: ignore[arg-type]
    except TypeError:  # unhashable callable
        return None


# --- arguments that must be known ------------------------------------------------------------------------------------


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
        dtype = np.dtype(static(tracer, value))
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
        return value
    kind = tracer.operand_type(value)
    dtype = kind if isinstance(kind, np.dtype) else np.asarray(kind(0)).dtype
    return ArrayValue(node=tracer.operand(value, dtype))


# --- ufuncs -----------------------------------------------------------------------------------------------------------


def call_ufunc(tracer: Tracer, operation: Operation, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
    """A call of a ufunc of the table, with ``out=``, ``where=``, ``dtype=`` and ``casting=``."""
    count = operation.operand_count
    if not count <= len(arguments) <= count + operation.result_count:
        raise refuse(Code.NUMPY_RAISES, f"'{operation.name}' takes {count} operands: NumPy raises", tracer.span)
    operands, positional_out = list(arguments[:count]), list(arguments[count:])
    options = dict(keywords)
    out = positional_out or _listed(options.pop("out", _NONE))
    where = options.pop("where", constant(True))
    dtype_value = options.pop("dtype", _NONE)
    dtype = None if _is_none(dtype_value) else as_dtype(tracer, dtype_value)
    casting = static(tracer, options.pop("casting", constant("same_kind")))
    only_defaults(tracer, operation.name, options, order="K", subok=True)
    if operation.name == "power" and dtype is None:
        made: tuple[ArrayValue, ...] = (power(tracer, operands[0], operands[1]),)
    else:
        made = tracer.apply(operation, operands, dtype=dtype, casting=casting)
    results = _stored(tracer, made, out, where, casting)
    return results[0] if len(results) == 1 else tuple(results)


def _stored(
    tracer: Tracer, made: Sequence[ArrayValue], out: list[Value], where: Value, casting: str
) -> list[ArrayValue]:
    is_everywhere = isinstance(where, HostValue) and where.is_constant and where.value is True
    targets = [target for target in out if not _is_none(target)]
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
    for value, target in zip(made, arrays, strict=True):
        if not np.can_cast(tracer.dtype(value), tracer.dtype(target), casting):  # type: ignore[arg-type]
            raise refuse(
                Code.NUMPY_RAISES, "the result cannot be cast to 'out': NumPy raises its own error", tracer.span
            )
        kept = value if is_everywhere else _choose(tracer, as_array(tracer, where), value, target)
        tracer.store(target, kept, casting)
    return arrays


def _choose(tracer: Tracer, condition: ArrayValue, value: ArrayValue, other: ArrayValue) -> ArrayValue:
    if tracer.dtype(condition) != _BOOL:
        raise refuse(Code.NUMPY_RAISES, "'where=' must be a boolean array: NumPy raises", tracer.span)
    dtype = tracer.dtype(other)
    converted = tracer.draft.cast(tracer.node_of(value), dtype, tracer.origin(), is_implicit=True)
    return tracer.apply_raw("select", [tracer.node_of(condition), converted, tracer.node_of(other)], dtype)


# Exponents that NumPy computes by another ufunc, for a Python number or a 0-d array (numpy/_core/src/multiarray/number.c,
# fast_scalar_power). The class of a run-time exponent is part of the specialisation, its value is not.
_FAST_POWERS = {0.5: "sqrt", 1.0: "positive", 2.0: "square", -1.0: "reciprocal"}


def power(tracer: Tracer, base: Value, exponent: Value) -> ArrayValue:
    """``base ** exponent``, with NumPy's shortcuts for the exponents -1, 0.5, 1 and 2."""
    if isinstance(exponent, HostValue) and isinstance(base, ArrayValue):
        if tracer.dtype(base).kind == "b":
            raise refuse(Code.UNSUPPORTED_OPERATION, "powers of boolean arrays are not fused", tracer.span)
        shortcut = tracer.pin(tracer.host_call(_fast_power, [exponent], "power shortcut"))
        _, (result,) = _power_types(tracer, base, exponent)
        if shortcut is not None and result.kind in "fc":
            wide = ArrayValue(node=tracer.operand(base, result), is_scalar=base.is_scalar)
            return tracer.apply(by_name(shortcut), [wide])[0]
    return tracer.apply(by_name("power"), [base, exponent])[0]


def _power_types(tracer: Tracer, base: Value, exponent: Value) -> tuple[tuple[np.dtype, ...], tuple[np.dtype, ...]]:
    from pyfuse.graph.infer import resolve

    return resolve(by_name("power"), [tracer.operand_type(base), tracer.operand_type(exponent)])


def _fast_power(exponent: Any) -> str | None:
    return _FAST_POWERS.get(exponent) if isinstance(exponent, int | float | np.number) else None


# --- choosing and limiting -------------------------------------------------------------------------------------------


def where(tracer: Tracer, condition: Value, *choices: Value) -> Value:
    """``np.where`` with three arguments."""
    if len(choices) != 2:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "np.where with one argument gives indices, which are not fused", tracer.span
        )
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
    tracer: Tracer, a: Value, a_min: Value = _ABSENT, a_max: Value = _ABSENT, out: Value = _NONE, *,
    min: Value = _ABSENT, max: Value = _ABSENT, **keywords: Value,
) -> Value:  # fmt: skip
    """``np.clip``: both bounds by position, or either by its keyword."""
    if (a_min is _ABSENT) != (a_max is _ABSENT) or (a_min is not _ABSENT and (min, max) != (_ABSENT, _ABSENT)):
        raise refuse(Code.NUMPY_RAISES, "these arguments of clip do not match: NumPy raises", tracer.span)
    low, high = (min, max) if a_min is _ABSENT else (a_min, a_max)
    return clip_between(tracer, a, low, high, out, **keywords)


def clip_between(tracer: Tracer, a: Value, low: Value, high: Value, out: Value = _NONE, **keywords: Value) -> Value:
    """What ``np.clip`` and ``array.clip`` do: one ufunc, depending on which bounds there are.

    Source: numpy/_core/_methods.py, ``_clip``.
    """
    array = as_array(tracer, a)
    low = _none_if_below(tracer, array, low)
    high = _none_if_above(tracer, array, high)
    options = {**keywords, "out": out}
    if _is_none(low) and _is_none(high):
        return call_ufunc(tracer, by_name("positive"), [array], options)
    if _is_none(low):
        return call_ufunc(tracer, by_name("minimum"), [array, high], options)
    if _is_none(high):
        return call_ufunc(tracer, by_name("maximum"), [array, low], options)
    has_array_bound = any(isinstance(bound, ArrayValue) and _has_extent(tracer, bound) for bound in (low, high))
    return call_ufunc(tracer, by_name("clip_arrays" if has_array_bound else "clip"), [array, low, high], options)


def _has_extent(tracer: Tracer, array: ArrayValue) -> bool:
    return any(dim != ONE for dim in tracer.draft.dims(tracer.node_of(array)))


def _none_if_below(tracer: Tracer, array: ArrayValue, bound: Value) -> Value:
    """No bound, where a Python int is at or below all that the array's integers can be."""
    dtype = tracer.dtype(array)
    if bound is _ABSENT:
        return _NONE
    if dtype.kind not in "iu" or not isinstance(bound, HostValue) or type(bound.value) is not int:
        return bound
    limit = constant(int(np.iinfo(dtype).min))
    return _NONE if tracer.truth(tracer.host_call(operator.le, [bound, limit], "is no bound")) else bound


def _none_if_above(tracer: Tracer, array: ArrayValue, bound: Value) -> Value:
    """No bound, where a Python int is at or above all that the array's integers can be."""
    dtype = tracer.dtype(array)
    if bound is _ABSENT:
        return _NONE
    if dtype.kind not in "iu" or not isinstance(bound, HostValue) or type(bound.value) is not int:
        return bound
    limit = constant(int(np.iinfo(dtype).max))
    return _NONE if tracer.truth(tracer.host_call(operator.ge, [bound, limit], "is no bound")) else bound


def select(tracer: Tracer, condlist: Value, choicelist: Value, default: Value = constant(0)) -> Value:
    """``np.select``: the first condition that holds decides."""
    conditions, choices = _listed(condlist), _listed(choicelist)
    if len(conditions) != len(choices) or not conditions:
        raise refuse(Code.NUMPY_RAISES, "np.select needs as many choices as conditions: NumPy raises", tracer.span)
    dtype = result_type([_plain_type(tracer, choice) for choice in [*choices, default]])
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


def _plain_type(tracer: Tracer, value: Value) -> Any:
    """np.select and np.piecewise turn Python numbers into arrays unless they are plain int, float or complex."""
    return tracer.operand_type(value)


def piecewise(
    tracer: Tracer, x: Value, condlist: Value, funclist: Value, *arguments: Value, **keywords: Value
) -> Value:
    """``np.piecewise`` whose pieces are numbers."""
    array = as_array(tracer, x)
    conditions = _listed(condlist)
    pieces = _listed(funclist)
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
    tracer: Tracer, x: Value, copy: Value = constant(True), nan: Value = constant(0.0), posinf: Value = _NONE,
    neginf: Value = _NONE,
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
        ("posinf", constant(float(limits.max)) if _is_none(posinf) else posinf),
        ("neginf", constant(float(limits.min)) if _is_none(neginf) else neginf),
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


def round_array(tracer: Tracer, a: Value, decimals: Value = constant(0), out: Value = _NONE) -> Value:
    """``np.round``: rint, scaled by a power of ten where decimals are asked for."""
    array = as_array(tracer, a)
    places = whole_number(tracer, decimals)
    kind = tracer.dtype(array).kind
    if not _is_none(out) or kind == "c" or (kind in "iu" and places < 0) or kind == "b":
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of round is not fused", tracer.span)
    if kind in "iu":
        return copy_array(tracer, array, "K") if not array.is_scalar else array
    if places == 0:
        return tracer.apply_named("rint", array)
    scale = constant(float(10 ** abs(places)))
    before, after = ("multiply", "divide") if places > 0 else ("divide", "multiply")
    scaled = tracer.apply_named(before, array, scale)
    rounded = tracer.apply_named(after, tracer.apply_named("rint", scaled), scale)
    # NumPy computes this in an array made by PyArray_Empty(..., PyArray_ISFORTRAN(a)), not in order 'K'.
    laid_out = tracer.apply_raw("contiguous_either", [tracer.node_of(array)], tracer.dtype(rounded))
    node = tracer.draft.store(tracer.node_of(laid_out), tracer.node_of(rounded), tracer.origin(), is_implicit=True)
    return ArrayValue(node=node, is_scalar=rounded.is_scalar)


# --- new arrays -------------------------------------------------------------------------------------------------------


def full_like(tracer: Tracer, a: Value, fill: Value, dtype: Value = _NONE, **keywords: Value) -> Value:
    """An array of the shape and order of ``a``, filled with one value."""
    only_defaults(tracer, "full_like", keywords, order="K", subok=True, shape=None, device=None)
    array = as_array(tracer, a)
    wanted = tracer.dtype(array) if _is_none(dtype) else as_dtype(tracer, dtype)
    node = tracer.draft.store(tracer.node_of(array), _fill_value(tracer, fill, wanted), tracer.origin(), wanted)
    return ArrayValue(node=node)


def full(tracer: Tracer, shape: Value, fill: Value, dtype: Value = _NONE, **keywords: Value) -> Value:
    """An array of a given shape, filled with one number."""
    only_defaults(tracer, "full", keywords, order="C", device=None, like=None)
    if _is_none(dtype):
        kind = tracer.operand_type(fill)
        wanted = kind if isinstance(kind, np.dtype) else np.asarray(kind(0)).dtype
    else:
        wanted = as_dtype(tracer, dtype)
    dims: Dims = tuple(tracer.dim(extent) for extent in _listed(shape))
    if not isinstance(fill, HostValue) or not fill.is_constant:
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.full with a value known only at the call is not fused", tracer.span,
                     hints=("np.full_like, or broadcasting, does the same",))  # fmt: skip
    node = tracer.operand(fill, wanted)
    if dims:
        number = tracer.draft[node].value  # type: ignore[attr-defined]
        node = tracer.draft.add_constant(number, wanted, dims, tracer.origin())
    return ArrayValue(node=node)


def _fill_value(tracer: Tracer, fill: Value, dtype: np.dtype) -> int:
    if isinstance(fill, ArrayValue):
        return tracer.draft.cast(tracer.node_of(fill), dtype, tracer.origin(), is_implicit=True)
    return tracer.operand(fill, dtype)


def _filled_like(number: int) -> Handler:
    def handler(tracer: Tracer, a: Value, dtype: Value = _NONE, **keywords: Value) -> Value:
        return full_like(tracer, a, constant(number), dtype, **keywords)

    return handler


def _filled(number: int) -> Handler:
    def handler(tracer: Tracer, shape: Value, dtype: Value = constant(np.float64), **keywords: Value) -> Value:
        return full(tracer, shape, constant(number), dtype, **keywords)

    return handler


def copy_array(tracer: Tracer, a: Value, order: str = "K") -> ArrayValue:
    """``np.copy`` and ``array.copy()``."""
    array = as_array(tracer, a)
    if order == "K":
        return ArrayValue(node=tracer.draft.store(tracer.node_of(array), tracer.node_of(array), tracer.origin()))
    if order == "C":
        if array.is_scalar:
            return array
        return ArrayValue(node=tracer.draft.copy_in_c_order(tracer.node_of(array), tracer.origin()))
    raise refuse(Code.UNSUPPORTED_OPERATION, f"a copy in order '{order}' is not fused", tracer.span)


def _array(
    tracer: Tracer, a: Value, dtype: Value = _NONE, *, copy: Value = constant(True), order: Value = constant("K"),
    **keywords: Value,
) -> Value:  # fmt: skip
    """``np.array`` of what is an array already."""
    only_defaults(tracer, "array", keywords, subok=False, ndmin=0, like=None)
    if not isinstance(a, ArrayValue) or static(tracer, order) != "K":
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of np.array is not fused", tracer.span)
    if static(tracer, copy) is not True:
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.array with 'copy=' is not fused", tracer.span,
                     hints=("np.asarray copies only where it must",))  # fmt: skip
    wanted = tracer.dtype(a) if _is_none(dtype) else as_dtype(tracer, dtype)
    value = a if wanted == tracer.dtype(a) else tracer.cast(a, wanted)
    return ArrayValue(node=tracer.draft.store(tracer.node_of(value), tracer.node_of(value), tracer.origin()))


def _np_copy(tracer: Tracer, a: Value, order: Value = constant("K"), subok: Value = constant(False)) -> Value:
    return copy_array(tracer, a, static(tracer, order))


def _asarray(tracer: Tracer, a: Value, dtype: Value = _NONE, order: Value = _NONE, **keywords: Value) -> Value:
    """``np.asarray`` of what is an array already."""
    only_defaults(tracer, "asarray", keywords, copy=None, device=None, like=None)
    if not isinstance(a, ArrayValue) or not _is_none(order):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.asarray of something that is no array is not fused", tracer.span)
    if a.is_scalar:
        a = ArrayValue(node=a.node)  # a 0-d array of its own
    wanted = tracer.dtype(a) if _is_none(dtype) else as_dtype(tracer, dtype)
    return a if wanted == tracer.dtype(a) else tracer.cast(a, wanted)


# --- axes -------------------------------------------------------------------------------------------------------------


def permuted(tracer: Tracer, array: ArrayValue, axes: Sequence[int]) -> ArrayValue:
    """A view with axes in another order."""
    rank = tracer.rank(array)
    order = [axis + rank if axis < 0 else axis for axis in axes]
    if sorted(order) != list(range(rank)):
        raise refuse(Code.NUMPY_RAISES, "these axes do not match the array: NumPy raises its own error", tracer.span)
    return tracer.view(array, tuple(order))


def _transpose(tracer: Tracer, a: Value, axes: Value = _NONE) -> Value:
    array = as_array(tracer, a)
    if _is_none(axes):
        return tracer.view(array, tuple(reversed(range(tracer.rank(array)))))
    return permuted(tracer, array, [whole_number(tracer, axis) for axis in _listed(axes)])


def _expand_dims(tracer: Tracer, a: Value, axis: Value) -> Value:
    array = as_array(tracer, a)
    wanted = _listed(axis)
    places = {axis_number(tracer, array, place, extra=len(wanted)) for place in wanted}
    if len(places) != len(wanted):
        raise refuse(Code.NUMPY_RAISES, "a repeated axis: NumPy raises its own error", tracer.span)
    own = iter(range(tracer.rank(array)))
    rank = tracer.rank(array) + len(wanted)
    return tracer.view(array, tuple(None if place in places else next(own) for place in range(rank)))


def _moveaxis(tracer: Tracer, a: Value, source: Value, destination: Value) -> Value:
    array = as_array(tracer, a)
    sources = [axis_number(tracer, array, axis) for axis in _listed(source)]
    destinations = [axis_number(tracer, array, axis) for axis in _listed(destination)]
    if len(set(sources)) != len(destinations) or len(set(destinations)) != len(sources):
        raise refuse(Code.NUMPY_RAISES, "repeated axes: NumPy raises its own error", tracer.span)
    order = [axis for axis in range(tracer.rank(array)) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return tracer.view(array, tuple(order))


def _swapaxes(tracer: Tracer, a: Value, axis1: Value, axis2: Value) -> Value:
    array = as_array(tracer, a)
    order = list(range(tracer.rank(array)))
    first, second = axis_number(tracer, array, axis1), axis_number(tracer, array, axis2)
    order[first], order[second] = order[second], order[first]
    return tracer.view(array, tuple(order))


# --- facts about arrays -----------------------------------------------------------------------------------------------


def _shape(tracer: Tracer, a: Value) -> Value:
    array = as_array(tracer, a)
    return tuple(tracer.extent(array, axis) for axis in range(tracer.rank(array)))


def _ndim(tracer: Tracer, a: Value) -> Value:
    return constant(tracer.rank(as_array(tracer, a)))


def _size(tracer: Tracer, a: Value, axis: Value = _NONE) -> Value:
    array = as_array(tracer, a)
    if not _is_none(axis):
        return tracer.extent(array, axis_number(tracer, array, axis))
    total = constant(1)
    for place in range(tracer.rank(array)):
        total = tracer.host_call(operator.mul, [total, tracer.extent(array, place)], "mul")
    return total


def _result_type(tracer: Tracer, *values: Value) -> Value:
    known = [value.value if isinstance(value, HostValue) and not isinstance(value.value, int | float | complex | np.generic)
             else tracer.operand_type(value) for value in values]  # fmt: skip
    return constant(np.result_type(*[kind(0) if isinstance(kind, type) else kind for kind in known]))


def _is_array_test(test: Callable[[np.dtype, int], Any]) -> Handler:
    def handler(tracer: Tracer, a: Value) -> Value:
        array = as_array(tracer, a)
        return constant(test(tracer.dtype(array), tracer.rank(array)))

    return handler


def _real_of(tracer: Tracer, a: Value) -> Value:
    from pyfuse.frontend.array_methods import attribute

    return attribute(tracer, as_array(tracer, a), "real")


def _imag_of(tracer: Tracer, a: Value) -> Value:
    from pyfuse.frontend.array_methods import attribute

    return attribute(tracer, as_array(tracer, a), "imag")


def _is_none(value: Value) -> bool:
    return isinstance(value, HostValue) and value.value is None


def _listed(value: Value) -> list[Value]:
    if isinstance(value, tuple | list):
        return list(value)
    return [] if _is_none(value) else [value]


def has_array(values: Sequence[Value]) -> bool:
    """Whether any of the values, or of the values in their containers, is an array."""
    return any(isinstance(leaf, ArrayValue) for value in values for leaf in leaves(value))


_HANDLERS: dict[Any, Handler] = {
    np.where: where,
    np.clip: clip,
    np.select: select,
    np.piecewise: piecewise,
    np.nan_to_num: nan_to_num,
    np.round: round_array,
    np.around: round_array,
    np.full: full,
    np.full_like: full_like,
    np.zeros: _filled(0),
    np.ones: _filled(1),
    np.zeros_like: _filled_like(0),
    np.ones_like: _filled_like(1),
    np.copy: _np_copy,
    np.array: _array,
    np.asarray: _asarray,
    np.asanyarray: _asarray,
    np.transpose: _transpose,
    np.permute_dims: _transpose,
    np.expand_dims: _expand_dims,
    np.moveaxis: _moveaxis,
    np.swapaxes: _swapaxes,
    np.shape: _shape,
    np.ndim: _ndim,
    np.size: _size,
    np.result_type: _result_type,
    np.iscomplexobj: _is_array_test(lambda dtype, rank: dtype.kind == "c"),
    np.isrealobj: _is_array_test(lambda dtype, rank: dtype.kind != "c"),
    np.isscalar: lambda tracer, a: constant(isinstance(a, HostValue) or (isinstance(a, ArrayValue) and a.is_scalar)),
    np.real: _real_of,
    np.imag: _imag_of,
}
