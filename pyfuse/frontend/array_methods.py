"""Attributes and methods of arrays inside a fused function."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend import products, reductions, repeating, scans, statistics
from pyfuse.frontend.array_makers import copy_array
from pyfuse.frontend.axis_calls import permuted, squeeze
from pyfuse.frontend.choosing import clip_between
from pyfuse.frontend.gathers import gathered, is_gather, take
from pyfuse.frontend.input_views import METHODS, flatten, selected, view_method
from pyfuse.frontend.known_arguments import as_dtype, axis_number, static, whole_number
from pyfuse.frontend.masks import shape_from_values
from pyfuse.frontend.rounding import round_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant


def attribute(tracer: Tracer, array: ArrayValue, name: str) -> Value:
    """``array.name`` for an attribute that is data.

    Raises:
        CannotFuse: the attribute is not one that is understood.
    """
    known = _ATTRIBUTES.get(name)
    if known is None:
        raise refuse(Code.UNKNOWN_ATTRIBUTE, f"the array attribute '.{name}' is not fused", tracer.span)
    return known(tracer, array)


def method(name: str) -> Callable[..., Value] | None:
    """The handler ``(tracer, array, *arguments, **keywords)`` of an array method, or None if it is not known."""
    return _METHODS.get(name)


# --- attributes -------------------------------------------------------------------------------------------------------


def _shape(tracer: Tracer, array: ArrayValue) -> Value:
    return tuple(tracer.extent(array, axis) for axis in range(tracer.rank(array)))


def _size(tracer: Tracer, array: ArrayValue) -> HostValue:
    extents = [tracer.extent(array, axis) for axis in range(tracer.rank(array))]
    return reduce(lambda a, b: tracer.host_call(operator.mul, [a, b], "mul"), extents, constant(1))


def _transposed(tracer: Tracer, array: ArrayValue) -> Value:
    if array.is_scalar:
        return array
    return tracer.view(array, tuple(reversed(range(tracer.rank(array)))))


def _real(tracer: Tracer, array: ArrayValue) -> Value:
    return _part(tracer, array, "real")


def _imag(tracer: Tracer, array: ArrayValue) -> Value:
    if tracer.dtype(array).kind != "c":
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "the imaginary part of a real array is a read-only array of zeros", tracer.span
        )
    return _part(tracer, array, "imag")


def _part(tracer: Tracer, array: ArrayValue, name: str) -> Value:
    dtype = tracer.dtype(array)
    if dtype.kind != "c":
        return array  # NumPy: the real part of a real array is the array itself
    return tracer.part(array, name)


_ATTRIBUTES: dict[str, Callable[[Tracer, ArrayValue], Value]] = {
    "shape": _shape,
    "ndim": lambda tracer, array: constant(tracer.rank(array)),
    "size": _size,
    "dtype": lambda tracer, array: constant(tracer.dtype(array)),
    "nbytes": lambda tracer, array: tracer.host_call(
        operator.mul, [_size(tracer, array), constant(tracer.dtype(array).itemsize)], "mul"
    ),
    "itemsize": lambda tracer, array: constant(tracer.dtype(array).itemsize),
    "T": _transposed,
    "real": _real,
    "imag": _imag,
}


# --- methods ----------------------------------------------------------------------------------------------------------


def _astype(
    tracer: Tracer, array: ArrayValue, dtype: Value, order: Value = constant("K"), casting: Value = constant("unsafe"),
    subok: Value = constant(True),  # noqa: ARG001  NumPy has it; no array here is of a subclass
    copy: Value = constant(True),
) -> Value:  # fmt: skip
    wanted = as_dtype(tracer, dtype)
    own = tracer.dtype(array)
    if static(tracer, order) != "K":
        raise refuse(Code.UNSUPPORTED_OPERATION, "astype with an order other than 'K' is not fused", tracer.span)
    if not np.can_cast(own, wanted, static(tracer, casting)):
        raise refuse(Code.NUMPY_RAISES, f"{own} cannot be cast to {wanted} by this rule: NumPy raises", tracer.span)
    if not static(tracer, copy) and own == wanted:
        return array
    return tracer.cast(array, wanted)


def _copy(tracer: Tracer, array: ArrayValue, order: Value = constant("C")) -> Value:
    return copy_array(tracer, array, static(tracer, order))


def _conjugate(tracer: Tracer, array: ArrayValue) -> Value:
    if tracer.dtype(array).kind != "c":
        return array  # NumPy returns the array itself
    return tracer.apply_named("conjugate", array)


def _clip(
    tracer: Tracer, array: ArrayValue, min: Value = constant(None), max: Value = constant(None),
    out: Value = constant(None), **keywords: Value,
) -> Value:  # fmt: skip
    return clip_between(tracer, array, min, max, out, **keywords)


def _round(tracer: Tracer, array: ArrayValue, decimals: Value = constant(0)) -> Value:
    return round_array(tracer, array, decimals)


def _transpose(tracer: Tracer, array: ArrayValue, *axes: Value) -> Value:
    if len(axes) == 1 and isinstance(axes[0], tuple | list):
        axes = tuple(axes[0])
    if not axes or (len(axes) == 1 and static(tracer, axes[0]) is None):
        return _transposed(tracer, array)
    return permuted(tracer, array, [whole_number(tracer, axis) for axis in axes])


def _swapaxes(tracer: Tracer, array: ArrayValue, axis1: Value, axis2: Value) -> Value:
    order = list(range(tracer.rank(array)))
    first, second = (axis_number(tracer, array, axis) for axis in (axis1, axis2))
    order[first], order[second] = order[second], order[first]
    return tracer.view(array, tuple(order))


_METHODS: dict[str, Callable[..., Value]] = {
    "astype": _astype,
    "copy": _copy,
    "conj": _conjugate,
    "conjugate": _conjugate,
    "clip": _clip,
    "round": _round,
    "transpose": _transpose,
    "swapaxes": _swapaxes,
    "squeeze": squeeze,
    "flatten": flatten,
    **{name: view_method(name) for name in METHODS},
    "sum": reductions.summing("add"),
    "prod": reductions.summing("multiply"),
    "min": reductions.extreme("minimum"),
    "max": reductions.extreme("maximum"),
    "any": reductions.truth_of("logical_or"),
    "all": reductions.truth_of("logical_and"),
    "argmin": reductions.index_of("argmin"),
    "argmax": reductions.index_of("argmax"),
    "mean": statistics.mean,
    "var": statistics.var,
    "std": statistics.std,
    "cumsum": scans.scanning("add"),
    "cumprod": scans.scanning("multiply"),
    "repeat": repeating.repeat,
    "dot": products.product("dot"),
    "trace": products.trace,
    "take": take,
    "nonzero": shape_from_values(".nonzero()"),
    "compress": shape_from_values(".compress()"),
}


def subscript(tracer: Tracer, array: ArrayValue, index: Value) -> Value:
    """``array[index]``: under new axes (``[:, None]``), or a part of an array that the call gives.

    Raises:
        CannotFuse: the index selects elements in another way.
    """
    if array.is_scalar:
        raise refuse(Code.UNSUPPORTED_OPERATION, "a NumPy scalar is indexed", tracer.span)
    items = list(index) if isinstance(index, tuple) else [index]
    if not items and not tracer.rank(array):
        return ArrayValue(node=tracer.node_of(array), is_scalar=True)  # x[()] of a 0-d array is a NumPy scalar
    if is_gather(items):
        return gathered(tracer, array, items)
    entries: list[Any] = [
        entry.value if isinstance(entry, HostValue) and entry.is_constant else Ellipsis for entry in items
    ]
    if not all(_keeps_everything(item) for item in items) or sum(entry is Ellipsis for entry in entries) > 1:
        return selected(tracer, array, items)
    rank = tracer.rank(array)
    kept = sum(isinstance(entry, slice) for entry in entries)
    if kept > rank:
        raise refuse(Code.NUMPY_RAISES, "too many indices: NumPy raises its own error", tracer.span)
    if Ellipsis not in [entry for entry in entries if entry is None or entry is Ellipsis]:
        entries.append(Ellipsis)
    axes: list[int | None] = []
    axis = 0
    for entry in entries:
        if entry is None:
            axes.append(None)
        elif entry is Ellipsis:
            axes += range(axis, axis + rank - kept)
            axis += rank - kept
        else:
            axes.append(axis)
            axis += 1
    return tracer.view(array, tuple(axes))


def _keeps_everything(item: Value) -> bool:
    if not isinstance(item, HostValue) or not item.is_constant:
        return False
    value = item.value
    return value is None or value is Ellipsis or (isinstance(value, slice) and value == slice(None))
