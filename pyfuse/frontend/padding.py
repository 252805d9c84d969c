"""``np.pad`` by a constant, by the edge and around: an array put together of its own slices."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.array_makers import copy_array, full_like
from pyfuse.frontend.joining import concatenated
from pyfuse.frontend.known_arguments import as_array, static
from pyfuse.frontend.slicing import sliced
from pyfuse.frontend.stores import given_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.nodes import Apply, Constant, Input, Scalar, View
from pyfuse.host_values import HostCall, HostExpression, value_guard

MAX_WIDTH = 8  # of a constant or an edge: each row of it is a piece, and loops of its own in the kernel


def pad(tracer: Tracer, array: Value, pad_width: Value, mode: Value = constant("constant"), **options: Value) -> Value:
    """``np.pad`` in the modes 'constant', 'edge' and 'wrap'.

    Raises:
        CannotFuse: another mode, a width that no kernel should be made for, or an array in Fortran's order.

    Source: numpy/lib/_arraypad_impl.py, ``pad``.
    """
    given = as_array(tracer, array)
    rank = tracer.rank(given)
    kind = static(tracer, mode)
    values = options.pop("constant_values", constant(0)) if kind == "constant" else constant(0)
    if kind not in ("constant", "edge", "wrap") or options or not isinstance(values, HostValue):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.pad is fused by one constant, 'edge' and 'wrap'", tracer.span)
    _check_order(tracer, given, rank)
    padded = given
    for axis, (before, after) in enumerate(_widths(tracer, pad_width, rank)):
        if before or after:
            padded = _padded(tracer, padded, axis, before, after, str(kind), values)
    return copy_array(tracer, given, "C") if padded is given else padded


def _check_order(tracer: Tracer, array: ArrayValue, rank: int) -> None:
    """NumPy pads into C order, unless the array lies in Fortran's alone."""
    if rank == 0:
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.pad of a number", tracer.span)
    if rank == 1:
        return
    known = given_array(tracer, array)
    if known is None:
        _check_computed(tracer, tracer.node_of(array))
        return
    expression, example = known
    is_other = _relied_on(tracer, lies_in_fortrans_order, expression, example, "fnc")
    if is_other:
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.pad of an array in Fortran's order is not fused", tracer.span)


def _check_computed(tracer: Tracer, node: int) -> None:
    """What elementwise operations make of arrays in C order lies in C order; of others it is not known here."""
    pending, seen = [node], set[int]()
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        match tracer.draft[index]:
            case Input(index=number):
                given = tracer.inputs[number]
                if _relied_on(tracer, lies_in_cs_order, given.expression, given.example, "c_contiguous"):
                    continue
            case Scalar() | Constant(dims=()):
                continue
            case Apply(operands=operands, kept_layout=None):
                pending += operands
                continue
            case View(operand=operand, axes=axes):
                kept = [axis for axis in axes if axis is not None]
                if kept == sorted(kept):
                    pending.append(operand)
                    continue
        raise refuse(
            Code.UNSUPPORTED_OPERATION, "np.pad of an array that is computed, whose order is open, is not fused",
            tracer.span, hints=("pad first, or in a statement of its own",),
        )  # fmt: skip


def _relied_on(
    tracer: Tracer, fact: Callable[[np.ndarray], bool], expression: HostExpression, example: np.ndarray, name: str
) -> bool:
    """A fact of an array of the caller, which the specialisation relies on from here on."""
    holds = fact(example)
    looked_at = HostCall(function=fact, operands=(expression,), text=f"{expression.text}.flags.{name}")
    tracer.add_guard(value_guard(looked_at, holds))
    return holds


def lies_in_cs_order(array: np.ndarray) -> bool:
    """Whether an array lies in C's order without gaps: its shape and strides say so."""
    return bool(array.flags.c_contiguous)


def lies_in_fortrans_order(array: np.ndarray) -> bool:
    """Whether an array lies in Fortran's order and not in C's: its shape and strides say so."""
    return bool(array.flags.fnc)


def _widths(tracer: Tracer, pad_width: Value, rank: int) -> list[tuple[int, int]]:
    """Before and after each axis, as NumPy broadcasts them."""
    known = _static(tracer, pad_width)
    try:
        widths = np.broadcast_to(np.asarray(known), (rank, 2))
    except (TypeError, ValueError) as error:
        raise refuse(Code.NUMPY_RAISES, "the widths of np.pad: NumPy raises its own error", tracer.span) from error
    if widths.dtype.kind not in "iu" or (widths < 0).any():
        raise refuse(Code.NUMPY_RAISES, "the widths of np.pad: NumPy raises its own error", tracer.span)
    return [(int(before), int(after)) for before, after in widths]


def _static(tracer: Tracer, value: Value) -> Any:
    if isinstance(value, tuple | list):
        return [_static(tracer, item) for item in value]
    return static(tracer, value)


def _padded(
    tracer: Tracer, array: ArrayValue, axis: int, before: int, after: int, mode: str, value: HostValue
) -> ArrayValue:
    extent = tracer.extent(array, axis)
    first, last = constant(0), tracer.host_call(operator.sub, [extent, constant(1)], "last")
    least = constant(max(before, after) if mode == "wrap" else 1)
    if not tracer.truth(tracer.host_call(operator.ge, [extent, least], "fits")):
        raise refuse(Code.UNSUPPORTED_OPERATION, "np.pad by more than an axis holds is not fused", tracer.span)
    if mode == "wrap":
        begin = tracer.host_call(operator.sub, [extent, constant(before)], "begin")
        head = [sliced(tracer, array, axis, begin, constant(before))] if before else []
        tail = [sliced(tracer, array, axis, first, constant(after))] if after else []
        return concatenated(tracer, [*head, array, *tail], axis)
    if max(before, after) > MAX_WIDTH:
        raise refuse(Code.UNSUPPORTED_OPERATION, f"np.pad is fused up to a width of {MAX_WIDTH}", tracer.span)
    ends = [sliced(tracer, array, axis, place, constant(1)) for place in (first, last)]
    if mode == "constant":
        ends = [as_array(tracer, full_like(tracer, end, value)) for end in ends]
    return concatenated(tracer, [ends[0]] * before + [array] + [ends[1]] * after, axis)
