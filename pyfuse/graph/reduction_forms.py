"""How NumPy would walk the operand of each reduction of a call: part of what a loop plan depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.nodes import ONE, Apply, Graph, Input, Node, Reduce, Scan, Slice, View
from pyfuse.graph.ops import Fold, by_name
from pyfuse.graph.reduction_order import reduction_order
from pyfuse.records import dataclass

_WALKS_AS_BEFORE_2_3 = np.lib.NumpyVersion(np.__version__) < "2.3.0.dev0"
SHORT_ROW = 8  # numbers, of which a complex one is two: NumPy's pairwise sum adds fewer one after the other


@dataclass(frozen=True, kw_only=True)
class ReductionForm:
    """What of a reduction's order the text of its kernel depends on.

    Attributes:
        lead: axes of the operand that are walked around ``row``, outermost first; a pairwise sum adds the sum of each
            row to what it has.
        row: axes of the operand that make one row, outermost first.
        is_inner: whether the row is what NumPy's innermost loop runs along; else that is an axis of the result, and
            elements are combined one after the other.
        is_chunked: whether NumPy cuts the row in pieces (its buffer's size) and adds the sum of each.
        is_short: the row has fewer than ``SHORT_ROW`` numbers, which NumPy adds one after the other.
    """

    lead: tuple[int, ...]
    row: tuple[int, ...]
    is_inner: bool
    is_chunked: bool = False
    is_short: bool = False


@dataclass(frozen=True, kw_only=True)
class ArrayWalk:
    """An array as NumPy has it before a reduction: extents, strides in bytes, whether it goes through a buffer."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    is_buffered: bool


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """How NumPy cuts the rows of a reduction.

    Attributes:
        length: elements of a piece; 0 where rows are not cut.
        depend_on_buffer: whether another size of NumPy's buffers may mean other pieces.
    """

    length: int
    depend_on_buffer: bool


WHOLE = Pieces(length=0, depend_on_buffer=False)


def reductions_of(graph: Graph) -> tuple[int, ...]:
    """The nodes that reduce or accumulate."""
    return tuple(index for index, node in enumerate(graph.nodes) if isinstance(node, Reduce | Scan))


def base_of(graph: Graph, index: int) -> int:
    """The node that made the array whose memory a node shows."""
    while True:
        node = graph.nodes[index]
        if isinstance(node, View | Slice):
            index = node.operand
        elif _is_the_operand_itself(graph, node):
            assert isinstance(node, Apply)
            index = node.operands[0]
        else:
            return index


def walk_of(
    graph: Graph,
    index: int,
    inputs: Sequence[np.ndarray],
    dims: Sequence[int],
    orders: Mapping[int, tuple[int, ...]],
) -> ArrayWalk:
    """A node's array as NumPy would have it.

    Args:
        graph: of the call.
        index: the node.
        inputs: arrays of the call.
        dims: extent of each dimension.
        orders: for each node of ``base_of`` that is no input, its axes from the outermost in memory to the innermost.
    """
    node = graph.nodes[index]
    shape = tuple(1 if dim == ONE else dims[dim] for dim in node.dims)
    match node:
        case Input():
            array = inputs[node.index]
            return ArrayWalk(shape=array.shape, strides=array.strides, is_buffered=not array.flags.aligned)
        case View():
            whole = walk_of(graph, node.operand, inputs, dims, orders)
            strides = tuple(0 if axis is None else whole.strides[axis] for axis in node.axes)
            return ArrayWalk(shape=shape, strides=strides, is_buffered=whole.is_buffered)
        case Slice():
            whole = walk_of(graph, node.operand, inputs, dims, orders)
            strides = tuple(
                stride * node.step if axis == node.axis else stride for axis, stride in enumerate(whole.strides)
            )
            return ArrayWalk(shape=shape, strides=strides, is_buffered=whole.is_buffered)
        case Apply() if _is_the_operand_itself(graph, node):
            whole = walk_of(graph, node.operands[0], inputs, dims, orders)
            is_cast = node.dtype != graph.nodes[node.operands[0]].dtype and node.operation == "cast"
            return ArrayWalk(shape=shape, strides=whole.strides, is_buffered=whole.is_buffered or is_cast)
        case _:
            return ArrayWalk(
                shape=shape, strides=dense_strides(shape, orders[index], node.dtype.itemsize), is_buffered=False
            )


def dense_strides(shape: tuple[int, ...], order: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of an array without gaps whose axes lie in memory in this order, outermost first."""
    strides = [0] * len(shape)
    step = itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def form_of(
    node: Reduce | Scan, walk: ArrayWalk, buffer_size: int, mask: ArrayWalk | None = None
) -> tuple[ReductionForm, Pieces]:
    """The form of a reduction, and how NumPy cuts its rows.

    Raises:
        CannotFuse: this NumPy goes an unknown way here.
    """
    if isinstance(node, Scan):
        scanned = (node.axis,) if walk.shape[node.axis] != 1 else ()
        return ReductionForm(lead=(), row=scanned, is_inner=_is_innermost(walk, scanned)), WHOLE
    axes = tuple(axis for axis in node.axes if walk.shape[axis] != 1)
    is_whole = all(extent == 1 or axis in node.axes for axis, extent in enumerate(walk.shape))
    operation = by_name(node.operation)
    if operation.finds_an_index:
        return ReductionForm(lead=(), row=axes, is_inner=is_whole or _is_innermost(walk, axes)), WHOLE
    order = reduction_order(
        walk.shape,
        walk.strides,
        node.axes,
        is_buffered=walk.is_buffered,
        buffer_size=buffer_size,
        mask_strides=None if mask is None else _broadcast_strides(mask, len(walk.shape)),
        legacy=_WALKS_AS_BEFORE_2_3,
    )
    outer = tuple(axis for group in order.outer for axis in group)
    inner = tuple(axis for group in order.inner for axis in group)
    if operation.fold(node.dtype) is Fold.IN_ORDER and node.dtype == np.dtype("f2") and inner:
        raise refuse(Code.UNSUPPORTED_DTYPE, f"NumPy reduces float16 by '{node.operation}' without rounding each step")
    if operation.fold(node.dtype) is not Fold.PAIRWISE:
        return ReductionForm(lead=(), row=outer + inner, is_inner=is_whole or bool(inner)), WHOLE
    if not inner:
        return ReductionForm(lead=(), row=outer, is_inner=is_whole), WHOLE
    length = math.prod(walk.shape[axis] for axis in inner)
    is_chunked = order.chunk < length
    # A float16 sum rounds once for each row, not after every element.
    numbers = length * (2 if node.dtype.kind == "c" else 1)
    adds_singly = numbers < SHORT_ROW and node.dtype != np.dtype("f2") and mask is None
    is_short = adds_singly and not (outer or is_chunked or is_whole)
    form = ReductionForm(lead=outer, row=inner, is_inner=not is_short, is_chunked=is_chunked, is_short=is_short)
    may_be_cut = walk.is_buffered or len(order.inner) > 1 or _WALKS_AS_BEFORE_2_3
    return form, Pieces(length=order.chunk if is_chunked else 0, depend_on_buffer=may_be_cut)


def _is_the_operand_itself(graph: Graph, node: Node) -> bool:
    """Whether NumPy makes no array for a node: a cast inside a loop, or one part of complex numbers seen in place."""
    if not isinstance(node, Apply) or node.kept_layout is not None:
        return False
    is_part = node.operation in ("real", "imag") and bool(graph.nodes[node.operands[0]].dims)
    return is_part or (node.operation == "cast" and node.is_implicit)


def _broadcast_strides(mask: ArrayWalk, rank: int) -> tuple[int, ...]:
    own = tuple(0 if extent == 1 else stride for extent, stride in zip(mask.shape, mask.strides, strict=True))
    return (0,) * (rank - len(own)) + own


def _is_innermost(walk: ArrayWalk, axes: Sequence[int]) -> bool:
    """Whether neighbours along the last of ``axes`` lie closer in memory than along any other axis."""
    strides = [abs(stride) for stride, extent in zip(walk.strides, walk.shape, strict=True) if extent != 1]
    return not axes or abs(walk.strides[axes[-1]]) <= min(strides)
