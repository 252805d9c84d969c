"""Reads by integer arrays: ``a[index]``, ``np.take``, ``np.take_along_axis``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend import input_views
from pyfuse.frontend.known_arguments import NONE, as_array, axis_number, is_none, static
from pyfuse.frontend.masks import of_unknown_shape
from pyfuse.frontend.stores import given_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.nodes import ALONG, INDEX, TAKE, Input
from pyfuse.host_values import HostCall

WHOLE = slice(None)
OF_A_MASK = "how many elements a mask selects depends on its values"


def is_gather(items: Sequence[Value]) -> bool:
    """Whether an index has arrays or lists among its items."""
    return any(isinstance(item, ArrayValue | list | tuple) for item in items)


def gathered(tracer: Tracer, array: ArrayValue, items: Sequence[Value]) -> ArrayValue:
    """``array[items]`` where some items are arrays of whole numbers.

    Args:
        tracer: of the function.
        array: no NumPy scalar.
        items: arrays, numbers, slices, None and Ellipsis.

    Raises:
        CannotFuse: the shape of the result depends on values, the result is a view, or NumPy raises.

    Source: NumPy user guide, "Advanced indexing", "Combining advanced and basic indexing".
    """
    items = [_listed(tracer, item) if isinstance(item, list | tuple) else item for item in items]
    kinds = [_checked(tracer, item) for item in items]
    places = [place for place, kind in enumerate(kinds) if kind is Ellipsis]
    rest = tracer.rank(array) - sum(kind is not Ellipsis and kind is not None for kind in kinds)
    if rest < 0 or len(places) > 1:
        raise refuse(Code.NUMPY_RAISES, "too many indices: NumPy raises its own error", tracer.span)
    dots = places[0] if places else len(items)
    after = dots + len(places)
    entries = [*items[:dots], *[constant(WHOLE)] * rest, *items[after:]]
    asked = [*kinds[:dots], *[WHOLE] * rest, *kinds[after:]]
    axes = [axis for axis, kind in enumerate(asked) if kind is not None and not isinstance(kind, slice)]
    place = _place(
        tracer, tracer.rank(array), kinds, [asked[axis] if axis in axes else WHOLE for axis in range(len(asked))]
    )
    basic = [constant(WHOLE) if axis in axes else entry for axis, entry in enumerate(entries)]
    indices = [_index_node(tracer, entries[axis]) for axis in axes]
    return _gather(tracer, _basic_part(tracer, array, basic), indices, axes, place, INDEX)


def take(
    tracer: Tracer, a: Value, indices: Value, axis: Value = NONE, out: Value = NONE, mode: Value = constant("raise")
) -> ArrayValue:
    """``np.take`` and ``array.take``: without an axis, of the flattened array."""
    how = static(tracer, mode)
    if how not in ("raise", "wrap", "clip") or not is_none(out):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.take with 'out=' or such a mode is not fused", tracer.span)
    array = _array(tracer, a, "np.take")
    index = _listed(tracer, indices) if isinstance(indices, list | tuple) else _array(tracer, indices, "np.take")
    _check_integers(tracer, index, "biu")
    if is_none(axis) and tracer.rank(array) != 1:
        array = _flat(tracer, array)
    along = 0 if is_none(axis) else axis_number(tracer, array, axis)
    return _gather(tracer, array, [tracer.node_of(index)], [along], along, TAKE, how)


def take_along_axis(tracer: Tracer, arr: Value, indices: Value, axis: Value = constant(-1)) -> ArrayValue:
    """``np.take_along_axis``."""
    array, index = _array(tracer, arr, "np.take_along_axis"), _array(tracer, indices, "np.take_along_axis")
    _check_integers(tracer, index, "iu")
    if is_none(axis):
        array = _flat(tracer, array) if tracer.rank(array) != 1 else array
    along = 0 if is_none(axis) else axis_number(tracer, array, axis)
    if tracer.rank(array) != tracer.rank(index):
        raise refuse(Code.NUMPY_RAISES, "the indices have another rank than the array: NumPy raises", tracer.span)
    return _gather(tracer, array, [tracer.node_of(index)], [along], 0, ALONG)


def _gather(
    tracer: Tracer,
    array: ArrayValue,
    indices: Sequence[int],
    axes: Sequence[int],
    place: int,
    kind: str,
    mode: str = "raise",
) -> ArrayValue:
    node = tracer.draft.gather(_source(tracer, array), indices, axes, place, kind, tracer.origin(), mode)
    return ArrayValue(node=node, is_scalar=not tracer.draft.dims(node))


def _source(tracer: Tracer, array: ArrayValue) -> int:
    """The node of the array that is read: an input wherever NumPy has it before the kernel runs."""
    given = given_array(tracer, array)
    node = tracer.node_of(array)
    if given is None or isinstance(tracer.draft[node], Input):
        return node
    expression, example = given
    return tracer.lift_view(expression, example, input_views.expression_key(expression)).node


def _array(tracer: Tracer, value: Value, name: str) -> ArrayValue:
    """An argument that must be an array: of numbers and lists NumPy makes one first."""
    if not isinstance(value, ArrayValue) or value.weak:
        raise refuse(Code.UNSUPPORTED_VALUE, f"{name} of what is no array is not fused", tracer.span)
    return value


def _flat(tracer: Tracer, array: ArrayValue) -> ArrayValue:
    return as_array(tracer, input_views.view_function(np.ravel)(tracer, array))


def _basic_part(tracer: Tracer, array: ArrayValue, basic: Sequence[Value]) -> ArrayValue:
    """The view that the slices and None of an index make."""
    if all(isinstance(entry, HostValue) and entry.is_constant and entry.value == WHOLE for entry in basic):
        return array
    return as_array(tracer, input_views.selected(tracer, array, basic))


def _listed(tracer: Tracer, items: list[Value] | tuple[Value, ...]) -> ArrayValue:
    """A list of numbers as NumPy has it when it is an index: an array that is made at each call."""
    given = input_views.as_host(tracer, "an index", items)
    array = np.array(given.value)
    if array.dtype.kind == "b":
        raise of_unknown_shape(tracer, OF_A_MASK)
    if array.dtype.kind != "i":
        raise refuse(Code.UNSUPPORTED_VALUE, "a list that is an index has other items than numbers", tracer.span)
    expression = HostCall(function=np.array, operands=(given.expression,), text=given.expression.text)
    return tracer.lift_view(expression, array, (np.array, input_views.expression_key(given.expression)))


def _index_node(tracer: Tracer, item: Value) -> int:
    return tracer.node_of(item) if isinstance(item, ArrayValue) else tracer.operand(item, np.dtype("i8"))


# --- what NumPy is asked ----------------------------------------------------------------------------------------------


def _checked(tracer: Tracer, item: Value) -> Any:
    """An item as one that stands in for it: of the same kind and rank; arrays have no elements.

    Raises:
        CannotFuse: it is a mask, or nothing that NumPy takes as an index.
    """
    if isinstance(item, ArrayValue):
        _check_integers(tracer, item, "iu")
        dtype, rank = tracer.dtype(item), tracer.rank(item)
        return dtype.type(0) if item.is_scalar else np.zeros((0,) * rank, dtype)
    value = item.value if isinstance(item, HostValue) else item
    if value is None or value is Ellipsis:
        return value
    if isinstance(value, slice):
        return WHOLE
    if type(value) is int or isinstance(value, np.integer):
        return 0
    raise refuse(Code.UNSUPPORTED_VALUE, "an index is no array, number or slice", tracer.span)


def _check_integers(tracer: Tracer, index: ArrayValue, kinds: str) -> None:
    kind = tracer.dtype(index).kind
    if kind == "b" and "b" not in kinds:
        raise of_unknown_shape(tracer, OF_A_MASK)
    if index.weak:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a number that NumPy has counted is an index", tracer.span)
    if kind not in kinds:
        raise refuse(Code.NUMPY_RAISES, "an index array has no whole numbers: NumPy raises its own error", tracer.span)


def _place(tracer: Tracer, rank: int, items: Sequence[Any], alone: Sequence[Any]) -> int:
    """Which axis of the result is the first that the index arrays walk.

    Args:
        tracer: of the function.
        rank: of the array.
        items: stand-ins for the items of the index.
        alone: the same without Ellipsis, where slices and None have been applied.

    Raises:
        CannotFuse: the result is a view of the array, which only NumPy makes, or it is one of NumPy's special cases.
    """
    array = np.zeros((1,) * rank)
    result = array[tuple(items)]
    if isinstance(result, np.ndarray) and result.size and np.may_share_memory(result, array):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a view that a computed number chooses is not fused", tracer.span)
    if np.shape(np.zeros((1,) * len(alone))[tuple(alone)]) != np.shape(result):
        raise refuse(Code.UNSUPPORTED_OPERATION, "an Ellipsis stands for no axis between index arrays", tracer.span)
    return np.shape(result).index(0) if 0 in np.shape(result) else 0
