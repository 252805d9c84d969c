"""Stores into arrays: those that the function has made, and those that the caller holds.

What goes into an array of the caller is an output of the kernel, put in its place when the kernel has run and nothing
can fail any more. All that the kernel reads of the caller is therefore as it was before the first store. That is what
NumPy would read too, as long as nothing is read after a store that shares memory with it: such a statement begins
another region.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyfuse.diagnostics import Code, Diagnostic, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.nodes import ONE, Apply, Input, Looped, Reduce, Scan
from pyfuse.graph.ops import Cost, by_name
from pyfuse.host_values import HostArgument, HostCall, HostConstant, HostExpression, view_of
from pyfuse.memory_overlap import may_overlap

if TYPE_CHECKING:
    from pyfuse.frontend.tracer import Tracer

OPERATIONS_A_STORE = 3  # simple ones, from which on a kernel that only stores is worth it

_NUMBER_KINDS = {bool: "biufc", int: "iufc", float: "fc", complex: "c"}


@dataclasses.dataclass(kw_only=True, eq=False)
class GivenStore:
    """A store into an array of the caller.

    Attributes:
        target: the array.
        expression: where it is at each call.
        example: the one at hand.
        node: what goes into it.
        apart: arrays that are read after the store: they must not share memory with it.
    """

    target: ArrayValue
    expression: HostExpression
    example: np.ndarray
    node: int
    apart: list[HostExpression] = dataclasses.field(default_factory=list)


def given_array(tracer: Tracer, array: ArrayValue) -> tuple[HostExpression, np.ndarray] | None:
    """How NumPy has an array at each call before the kernel runs, and the array at hand.

    Returns:
        For arrays of the call and views of them; None for what the kernel computes.

    Raises:
        CannotFuse: it shares memory with what was stored before, so NumPy would have it otherwise.
    """
    given = _given(tracer, array)
    if given is not None and any(may_overlap(given[1], store.example) for store in tracer.stores):
        raise _begins_a_region(tracer, "a view is made of an array that was stored into")
    return given


def _given(tracer: Tracer, array: ArrayValue) -> tuple[HostExpression, np.ndarray] | None:
    if array.argument is not None and array.example is not None:
        is_unchanged = isinstance(tracer.draft[tracer.current_node(array)], Input)
        return (array.argument, array.example) if is_unchanged else None
    given = _given(tracer, array.base) if array.base is not None else None
    if given is None or array.cut is not None or array.reshaped is not None:
        return None
    expression, example = given
    operands = (
        expression, HostConstant(value=array.axes, text=repr(array.axes)),
        HostConstant(value=array.part, text=repr(array.part)),
    )  # fmt: skip
    shown = f"{expression.text}.{array.part}" if array.part else f"{expression.text} under axes {array.axes}"
    return (
        HostCall(function=view_of, operands=operands, text=shown),
        view_of(example, array.axes, array.part),
    )


def is_apart(one: ArrayValue, other: ArrayValue) -> bool:
    """Whether two arrays share no memory at hand, as far as that is known; those that a function makes do not."""
    return one.example is None or other.example is None or not may_overlap(one.example, other.example)


def check_read(tracer: Tracer, array: ArrayValue) -> None:
    """An array of the caller is read: not after a store that shares memory with it.

    Raises:
        CannotFuse: it is.
    """
    own = [number for number, store in enumerate(tracer.stores) if store.target is array]
    for store in tracer.stores[own[-1] + 1 if own else 0 :]:
        assert array.example is not None and array.argument is not None
        if may_overlap(array.example, store.example):
            raise _begins_a_region(tracer, f"'{array.argument.text}' is read after a store into its memory")
        if all(array.argument is not other for other in store.apart):
            store.apart.append(array.argument)


def arrays_apart(tracer: Tracer, array: ArrayValue) -> list[HostExpression] | None:
    """All other arrays of the caller, where none of them shares memory with one at hand; else None."""
    others = [given for given in tracer.inputs if given.expression is not array.argument]
    if array.example is None or any(may_overlap(array.example, given.example) for given in others):
        return None
    return [given.expression for given in others]


def store_into(tracer: Tracer, target: ArrayValue, value: ArrayValue, casting: str = "same_kind") -> None:
    """``target[...] = value``.

    Raises:
        CannotFuse: the target is a scalar or a view of what the function computes, or NumPy would raise.
    """
    while target.base is not None and target.axes == tuple(range(tracer.rank(target.base))) and not _is_part(target):
        target = target.base  # a[...] = value
    if target.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a store goes into a NumPy scalar", tracer.span)
    if target.is_reshaped:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a store may change a reshape that was made before", tracer.span)
    if not np.can_cast(tracer.dtype(value), tracer.dtype(target), casting):  # type: ignore[arg-type]
        raise refuse(Code.NUMPY_RAISES, "an in-place result cannot be cast: NumPy raises its own error", tracer.span)
    node, is_complex = tracer.node(value), tracer.dtype(value).kind == "c"
    is_product = isinstance(node, Apply) and node.operation in ("multiply", "square")
    # One address for operand and result is an overlap to NumPy's vector loop (umath/fast_loop_macros.h).
    if is_complex and is_product and set(tracer.draft.dims(tracer.current_node(target))) <= {ONE}:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "one complex number is multiplied in place with other rounding", tracer.span
        )
    given = _given(tracer, target)
    if given is None and target.argument is None and target.base is not None:
        raise _begins_a_region(tracer, "a store goes through a view of an array that this function computes")
    stored = tracer.draft.store(tracer.current_node(target), tracer.node_of(value), tracer.origin(), is_implicit=True)
    if given is not None:
        tracer.stores.append(GivenStore(target=target, expression=given[0], example=given[1], node=stored))
    elif target.argument is not None:
        _store_again(tracer, target, stored)
    target.node = stored


def _is_part(view: ArrayValue) -> bool:
    return view.part is not None or view.cut is not None or view.reshaped is not None


def _store_again(tracer: Tracer, target: ArrayValue, stored: int) -> None:
    """A further store into the same array: in the place of the last one, unless another came between."""
    (*_, last) = (store for store in tracer.stores if store.target is target)
    if last is tracer.stores[-1]:
        last.node = stored
    else:
        again = GivenStore(target=target, expression=last.expression, example=last.example, node=stored)
        tracer.stores.append(again)


def set_item(tracer: Tracer, owner: ArrayValue, index: Value, value: Value) -> None:
    """``owner[index] = value``.

    Raises:
        CannotFuse: the index selects elements in another way than a slice, or the value is not fused.
    """
    if is_mask(tracer, index):
        assert isinstance(index, ArrayValue)
        stored = as_stored(tracer, value, tracer.dtype(owner))
        if tracer.rank(stored):
            raise refuse(Code.UNSUPPORTED_OPERATION, "an array is stored into the elements of a mask", tracer.span)
        store_where(tracer, owner, index, stored)
        return
    target = item_to_store(tracer, owner, index)
    store_into(tracer, target, as_stored(tracer, value, tracer.dtype(target)), casting="unsafe")


def store_where(tracer: Tracer, owner: ArrayValue, mask: ArrayValue, value: ArrayValue) -> None:
    """``owner[mask] = value`` with one value, or with one for each element of the owner.

    Raises:
        CannotFuse: the mask is of another form, or the store is not fused.
    """
    dims, others = (tracer.draft.dims(tracer.current_node(array)) for array in (owner, mask))
    if (
        owner.is_scalar
        or len(dims) != len(others)
        or any((a == ONE) != (b == ONE) for a, b in zip(dims, others, strict=True))
    ):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a mask of another shape than the array is not fused", tracer.span)
    dtype = tracer.dtype(owner)
    stored = tracer.draft.cast(tracer.node_of(value), dtype, tracer.origin(), is_implicit=True)
    chosen = tracer.apply_raw("select", [tracer.node_of(mask), stored, tracer.node_of(owner)], dtype)
    store_into(tracer, owner, chosen)


def is_mask(tracer: Tracer, index: Value) -> bool:
    """Whether an index is a boolean array."""
    return isinstance(index, ArrayValue) and not index.is_scalar and tracer.dtype(index).kind == "b"


def as_stored(tracer: Tracer, value: Value, wanted: np.dtype) -> ArrayValue:
    """A value as an assignment to elements takes it."""
    if isinstance(value, HostValue):
        kind = np.dtype(type(value.value)).kind if isinstance(value.value, np.generic) else ""
        allowed = _NUMBER_KINDS.get(type(value.value), "")
        if wanted.kind not in allowed and not (kind and np.can_cast(value.value.dtype, wanted, "same_kind")):
            raise refuse(Code.UNSUPPORTED_VALUE, "a value of another kind is stored into an array", tracer.span)
        return ArrayValue(node=tracer.operand(value, wanted))
    if not isinstance(value, ArrayValue):
        raise refuse(Code.UNSUPPORTED_VALUE, "a list or another object is stored into an array", tracer.span)
    if value.weak:
        return ArrayValue(node=tracer.operand(value, wanted))
    if tracer.dtype(value).kind == "c" and wanted.kind != "c":
        raise refuse(Code.UNSUPPORTED_OPERATION, "a store drops imaginary parts: NumPy warns of it", tracer.span)
    return value


def item_to_store(tracer: Tracer, owner: ArrayValue, index: Value) -> ArrayValue:
    """The view ``owner[index]`` that a store goes through; an element is a view of rank 0.

    Raises:
        CannotFuse: the index selects elements in another way than a slice.
    """
    from pyfuse.frontend import array_methods

    items: Sequence[Value] = index if isinstance(index, tuple) else (index,)
    if any(isinstance(item, ArrayValue | list | tuple) for item in items):
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "a store into elements that an index array chooses is not fused", tracer.span
        )
    if not any(isinstance(item, HostValue) and item.value is Ellipsis for item in items):
        items = (*items, constant(Ellipsis))
    held, tracer.stores = tracer.stores, []  # nothing is read: the view may show what was stored before
    try:
        view = array_methods.subscript(tracer, owner, tuple(items))
    finally:
        tracer.stores = held
    if not isinstance(view, ArrayValue) or view.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a store goes into a NumPy scalar", tracer.span)
    return view


def check_gain(tracer: Tracer) -> None:
    """Refuse a function that does nothing but a little arithmetic in place: NumPy needs no memory for that.

    What a kernel stores goes through an array of its own. ``a += b * c`` of a million float64 takes 400 us, NumPy 460;
    of a hundred thousand 45 and 35; ``a *= 2`` 226 and 72. Not so where the kernel stores itself.
    """
    if is_whole_arrays(tracer):
        return
    nodes = [tracer.draft[index] for index in range(len(tracer.draft))]
    work = sum(by_name(node.operation).cost for node in nodes if isinstance(node, Apply) and node.operation != "cast")
    if work < OPERATIONS_A_STORE * Cost.SIMPLE * len(tracer.stores) and not any(
        isinstance(node, Reduce | Scan | Looped) for node in nodes
    ):
        raise refuse(Code.NO_ARRAY_WORK, "so little is done in place that NumPy does it as fast", tracer.span)


def is_whole_arrays(tracer: Tracer) -> bool:
    """Whether all stores go into arguments as they are: then the kernel can make them itself (in_place.py)."""
    return not tracer.reads_extents and all(isinstance(store.expression, HostArgument) for store in tracer.stores)


def _begins_a_region(tracer: Tracer, message: str) -> CannotFuse:
    """A statement that fuses where no store comes before it in the same region."""
    return CannotFuse(Diagnostic(code=Code.ARGUMENT_STORE, message=message, span=tracer.span, begins_region=True))
