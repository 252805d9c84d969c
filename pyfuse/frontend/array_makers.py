"""NumPy functions that make arrays: filled ones, and copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.known_arguments import NONE, as_array, as_dtype, is_none, listed, only_defaults, static
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.nodes import Constant, Dims


def full_like(tracer: Tracer, a: Value, fill: Value, dtype: Value = NONE, **keywords: Value) -> Value:
    """An array of the shape and order of ``a``, filled with one value."""
    only_defaults(tracer, "full_like", keywords, order="K", subok=True, shape=None, device=None)
    array = as_array(tracer, a)
    wanted = tracer.dtype(array) if is_none(dtype) else as_dtype(tracer, dtype)
    node = tracer.draft.store(tracer.node_of(array), _fill_value(tracer, fill, wanted), tracer.origin(), wanted)
    return ArrayValue(node=node)


def full(tracer: Tracer, shape: Value, fill: Value, dtype: Value = NONE, **keywords: Value) -> Value:
    """An array of a given shape, filled with one number."""
    only_defaults(tracer, "full", keywords, order="C", device=None, like=None)
    if is_none(dtype):
        kind = tracer.operand_type(fill)
        wanted = kind if isinstance(kind, np.dtype) else np.asarray(kind(0)).dtype
    else:
        wanted = as_dtype(tracer, dtype)
    dims: Dims = tuple(tracer.dim(extent) for extent in listed(shape))
    if not isinstance(fill, HostValue) or not fill.is_constant:
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            "np.full with a value known only at the call is not fused",
            tracer.span,
            hints=("np.full_like, or broadcasting, does the same",),
        )
    node = tracer.operand(fill, wanted)
    if dims:
        number = tracer.draft[node]
        assert isinstance(number, Constant)
        node = tracer.draft.add_constant(number.value, wanted, dims, tracer.origin())
    return ArrayValue(node=node)


def _fill_value(tracer: Tracer, fill: Value, dtype: np.dtype) -> int:
    if isinstance(fill, ArrayValue):
        return tracer.draft.cast(tracer.node_of(fill), dtype, tracer.origin(), is_implicit=True)
    return tracer.operand(fill, dtype)


def filled_like(number: int) -> Callable[..., Value]:
    """The handler of ``np.zeros_like`` or ``np.ones_like``."""

    def handler(tracer: Tracer, a: Value, dtype: Value = NONE, **keywords: Value) -> Value:
        return full_like(tracer, a, constant(number), dtype, **keywords)

    return handler


def filled(number: int) -> Callable[..., Value]:
    """The handler of ``np.zeros`` or ``np.ones``."""

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


def array_of(
    tracer: Tracer, a: Value, dtype: Value = NONE, *, copy: Value = constant(True), order: Value = constant("K"),
    **keywords: Value,
) -> Value:  # fmt: skip
    """``np.array`` of what is an array already."""
    only_defaults(tracer, "array", keywords, subok=False, ndmin=0, like=None)
    if not isinstance(a, ArrayValue) or static(tracer, order) != "K":
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of np.array is not fused", tracer.span)
    if static(tracer, copy) is not True:
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.array with 'copy=' is not fused", tracer.span,
                     hints=("np.asarray copies only where it must",))  # fmt: skip
    wanted = tracer.dtype(a) if is_none(dtype) else as_dtype(tracer, dtype)
    value = a if wanted == tracer.dtype(a) else tracer.cast(a, wanted)
    return ArrayValue(node=tracer.draft.store(tracer.node_of(value), tracer.node_of(value), tracer.origin()))


def copy_of(
    tracer: Tracer,
    a: Value,
    order: Value = constant("K"),
    subok: Value = constant(False),  # noqa: ARG001  NumPy has it; no array here is of a subclass
) -> Value:
    """``np.copy``."""
    return copy_array(tracer, a, static(tracer, order))


def asarray(tracer: Tracer, a: Value, dtype: Value = NONE, order: Value = NONE, **keywords: Value) -> Value:
    """``np.asarray`` of what is an array already."""
    only_defaults(tracer, "asarray", keywords, copy=None, device=None, like=None)
    if not isinstance(a, ArrayValue) or not is_none(order):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.asarray of something that is no array is not fused", tracer.span)
    if a.is_scalar:
        a = ArrayValue(node=a.node)  # a 0-d array of its own
    wanted = tracer.dtype(a) if is_none(dtype) else as_dtype(tracer, dtype)
    return a if wanted == tracer.dtype(a) else tracer.cast(a, wanted)
