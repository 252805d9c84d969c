"""NumPy functions that go by masks: ``np.putmask`` is a store; the shape of what the others give depends on values."""

from __future__ import annotations

from collections.abc import Callable

from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend.stores import as_stored, is_mask, store_where
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant
from pyfuse.graph.nodes import ONE


def putmask(tracer: Tracer, a: Value, mask: Value, values: Value) -> Value:
    """``np.putmask`` with one value, or with one for each element, which is ``a[mask] = values[mask]``.

    Raises:
        CannotFuse: NumPy would repeat the values, cast them or raise, or the store is not fused.
    """
    if not isinstance(a, ArrayValue) or not isinstance(mask, ArrayValue) or not is_mask(tracer, mask):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.putmask without an array and a mask is not fused", tracer.span)
    if isinstance(values, ArrayValue):
        own, given = (tracer.draft.dims(tracer.current_node(array)) for array in (a, values))
        is_alike = [dim == ONE for dim in own] == [dim == ONE for dim in given] or (not given and bool(own))
        if not is_alike or tracer.dtype(values) != tracer.dtype(a):
            raise refuse(Code.UNSUPPORTED_OPERATION, "np.putmask repeats or casts these values", tracer.span)
    store_where(tracer, a, mask, as_stored(tracer, values, tracer.dtype(a)))
    return constant(None)


def shape_from_values(name: str) -> Callable[..., Value]:
    """The handler of a function whose result's shape depends on the elements of its arguments."""

    def handler(tracer: Tracer, *_arguments: Value, **_keywords: Value) -> Value:
        raise of_unknown_shape(tracer, f"how many elements {name} gives depends on values")

    return handler


def place(tracer: Tracer, *_arguments: Value, **_keywords: Value) -> Value:
    """``np.place``: which value an element gets depends on the elements before it."""
    raise refuse(
        Code.UNSUPPORTED_OPERATION,
        "np.place counts the elements of its mask one after the other",
        tracer.span,
        hints=("a[mask] = number and np.where choose element by element",),
    )


def of_unknown_shape(tracer: Tracer, message: str) -> CannotFuse:
    """Why a value whose shape depends on elements is not fused."""
    return refuse(
        Code.UNSUPPORTED_OPERATION,
        message,
        tracer.span,
        label="the shape is known only when this has run",
        hints=("np.where chooses element by element, and reductions take where=",),
    )
