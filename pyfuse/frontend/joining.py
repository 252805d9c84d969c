"""NumPy functions that join arrays along an axis."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.axis_calls import at_least
from pyfuse.frontend.known_arguments import NONE, as_array, as_dtype, axis_number, is_none, static
from pyfuse.frontend.slicing import raveled
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.graph.infer import result_type
from pyfuse.graph.nodes import CONCATENATED, ONE

MAX_PIECES = 256  # each is loops of its own in the kernel

_SAME_KIND = constant("same_kind")


def concatenated(
    tracer: Tracer, pieces: Sequence[ArrayValue], axis: int, dtype: Value = NONE, casting: Value = _SAME_KIND
) -> ArrayValue:
    """``np.concatenate`` of arrays of one rank.

    Raises:
        CannotFuse: NumPy raises its own error, or there are too many pieces.

    Source: NumPy's reference of ``numpy.concatenate``.
    """
    if not pieces or len({tracer.rank(piece) for piece in pieces}) > 1 or not tracer.rank(pieces[0]):
        raise refuse(Code.NUMPY_RAISES, "arrays of different ranks are joined: NumPy raises its own error", tracer.span)
    if len(pieces) > MAX_PIECES:
        raise refuse(Code.TOO_LARGE, f"more than {MAX_PIECES} arrays are joined", tracer.span)
    kinds = [tracer.dtype(piece) for piece in pieces]
    wanted = result_type(kinds) if is_none(dtype) else as_dtype(tracer, dtype)
    rule = static(tracer, casting)
    if not all(np.can_cast(kind, wanted, rule) for kind in kinds):
        raise refuse(Code.NUMPY_RAISES, f"an array cannot be cast to {wanted}: NumPy raises its own error", tracer.span)
    if wanted.kind not in "cb" and any(kind.kind == "c" for kind in kinds):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a cast drops imaginary parts: NumPy warns of it", tracer.span)
    starts, total = [], constant(0)
    for piece in pieces:
        starts.append(total)
        total = tracer.host_call(operator.add, [total, tracer.extent(piece, axis)], "add")
    cast = [
        ArrayValue(node=tracer.draft.cast(tracer.node_of(piece), wanted, tracer.origin(), is_implicit=True))
        for piece in pieces
    ]
    return tracer.assemble(cast, axis, starts, total, layout=CONCATENATED)


def sequence_of(tracer: Tracer, arrays: Value) -> list[Value]:
    """The items of a list or tuple of arrays."""
    if not isinstance(arrays, tuple | list):
        raise refuse(Code.UNSUPPORTED_VALUE, "what is joined is no list or tuple of arrays", tracer.span)
    return list(arrays)


def pieces_of(tracer: Tracer, value: Value) -> list[ArrayValue]:
    """One item of what is joined: an array, or a list of numbers as one-element pieces of the array that NumPy makes.

    The dtype of such an array is the common one of its numbers, where a Python number counts as an array would.
    """
    if not isinstance(value, tuple | list):
        return [as_array(tracer, value)]
    numbers = [as_array(tracer, item) for item in value]
    if not numbers or any(tracer.rank(number) or number.weak for number in numbers):
        raise refuse(Code.UNSUPPORTED_VALUE, "a list that is joined is no list of numbers", tracer.span)
    dtype = result_type([tracer.dtype(number) for number in numbers])
    nodes = [tracer.draft.cast(tracer.node_of(number), dtype, tracer.origin(), is_implicit=False) for number in numbers]
    return [tracer.view(ArrayValue(node=node), (None,)) for node in nodes]


def concatenate(
    tracer: Tracer, arrays: Value, /, axis: Value = constant(0), out: Value = NONE, *, dtype: Value = NONE,
    casting: Value = _SAME_KIND,
) -> Value:  # fmt: skip
    """``np.concatenate``; without an axis of raveled arrays."""
    _refuse_out(tracer, "concatenate", out)
    pieces = [piece for item in sequence_of(tracer, arrays) for piece in pieces_of(tracer, item)]
    if not pieces:
        raise refuse(Code.NUMPY_RAISES, "nothing is joined: NumPy raises its own error", tracer.span)
    if is_none(axis):
        rows = [raveled(tracer, piece) for piece in pieces]
        return concatenated(tracer, rows, 0, dtype, casting)
    return concatenated(tracer, pieces, axis_number(tracer, pieces[0], axis), dtype, casting)


def stack(
    tracer: Tracer, arrays: Value, axis: Value = constant(0), out: Value = NONE, *, dtype: Value = NONE,
    casting: Value = _SAME_KIND,
) -> Value:  # fmt: skip
    """``np.stack``.

    Source: numpy/_core/shape_base.py, ``stack``.
    """
    _refuse_out(tracer, "stack", out)
    items = [as_array(tracer, item) for item in sequence_of(tracer, arrays)]
    if not items or len({tracer.rank(item) for item in items}) > 1:
        raise refuse(
            Code.NUMPY_RAISES, "arrays of different shapes are stacked: NumPy raises its own error", tracer.span
        )
    place = axis_number(tracer, items[0], axis, extra=1)
    own = tuple(range(tracer.rank(items[0])))
    expanded = [tracer.view(item, (*own[:place], None, *own[place:])) for item in items]
    return concatenated(tracer, expanded, place, dtype, casting)


def stacking(rank: int, axis: int) -> Callable[..., Value]:
    """The handler of ``np.hstack`` or ``np.vstack``: arrays of a rank at least, along an axis.

    Source: numpy/_core/shape_base.py, ``hstack``, ``vstack``.
    """

    def handler(tracer: Tracer, tup: Value, *, dtype: Value = NONE, casting: Value = _SAME_KIND) -> Value:
        raised = _raised(tracer, rank, tup)
        # As a special case of hstack, dimension 0 of 1-dimensional arrays is "horizontal".
        return concatenated(tracer, raised, 0 if tracer.rank(raised[0]) == 1 else axis, dtype, casting)

    return handler


def dstack(tracer: Tracer, tup: Value) -> Value:
    """``np.dstack``.

    Source: numpy/lib/_shape_base_impl.py, ``dstack``.
    """
    return concatenated(tracer, _raised(tracer, 3, tup), 2)


def column_stack(tracer: Tracer, tup: Value) -> Value:
    """``np.column_stack``: rows stand as columns.

    Source: numpy/lib/_shape_base_impl.py, ``column_stack``.
    """
    columns: list[ArrayValue] = []
    for item in sequence_of(tracer, tup):
        array = as_array(tracer, item)
        axes: dict[int, tuple[int | None, ...]] = {0: (None, None), 1: (0, None)}
        rank = tracer.rank(array)
        columns.append(tracer.view(array, axes[rank]) if rank in axes else array)
    return concatenated(tracer, columns, 1)


def append(tracer: Tracer, arr: Value, values: Value, axis: Value = NONE) -> Value:
    """``np.append``.

    Source: numpy/lib/_function_base_impl.py, ``append``.
    """
    first, rest = as_array(tracer, arr), pieces_of(tracer, values)
    if is_none(axis):
        rows = [raveled(tracer, piece) for piece in (first, *rest)]
        return concatenated(tracer, rows, 0)
    return concatenated(tracer, [first, *rest], axis_number(tracer, first, axis))


def _raised(tracer: Tracer, rank: int, tup: Value) -> list[ArrayValue]:
    """The arrays under new axes up to a rank, as ``np.atleast_1d`` and its like give them."""
    handler = at_least(rank)
    raised: list[ArrayValue] = []
    for item in sequence_of(tracer, tup):
        pieces = pieces_of(tracer, item)
        if len(pieces) > 1 and rank > 1:
            raise refuse(Code.UNSUPPORTED_VALUE, "a list of numbers is stacked as a row", tracer.span)
        for piece in pieces:
            made = handler(tracer, piece)
            assert isinstance(made, ArrayValue)
            raised.append(made)
    if not raised:
        raise refuse(Code.NUMPY_RAISES, "nothing is joined: NumPy raises its own error", tracer.span)
    return raised


def _refuse_out(tracer: Tracer, name: str, out: Value) -> None:
    if not is_none(out):
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'{name}' with 'out=' is not fused", tracer.span)


def is_one(tracer: Tracer, array: ArrayValue, axis: int) -> bool:
    """Whether the extent of an axis is known to be one."""
    return tracer.draft.dims(tracer.node_of(array))[axis] == ONE


def known_count(tracer: Tracer, value: Value, name: str) -> int:
    """A number of repetitions, which decides the form of the kernel.

    Raises:
        CannotFuse: it is no known whole number from one to ``MAX_PIECES``.
    """
    if not isinstance(value, HostValue):
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'{name}' by an array or list is not fused", tracer.span)
    count = static(tracer, value)
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= MAX_PIECES:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, f"'{name}' is fused for 1 to {MAX_PIECES} repetitions", tracer.span
        )  # fmt: skip
    return int(count)
