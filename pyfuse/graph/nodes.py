"""The records of a graph: nodes in execution order, symbolic dimensions, outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

import numpy as np

from pyfuse.records import dataclass
from pyfuse.source import Span

ONE = -1  # the dimension whose extent is known to be one; every other dimension is an index into ``Graph.dims``

Dims = tuple[int, ...]
Number = bool | int | float | complex


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a node came from: for names in generated text and for diagnostics; never part of a graph's meaning."""

    name: str = ""
    span: Span | None = None


@dataclass(frozen=True, kw_only=True)
class Node:
    """One value.

    Attributes:
        dtype: element type.
        dims: one symbolic dimension for each axis, outermost first.
        origin: the user's place and name for it.
    """

    dtype: np.dtype
    dims: Dims
    origin: Origin = field(default=Origin(), compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Input(Node):
    """An array given at the call: number ``index`` among the arrays of the call."""

    index: int


@dataclass(frozen=True, kw_only=True)
class Scalar(Node):
    """A number given at the call, of rank 0, already of ``dtype``: number ``slot`` among the scalars."""

    slot: int


@dataclass(frozen=True, kw_only=True)
class Constant(Node):
    """A number known at specialisation. With ``dims`` it is an array filled with that number."""

    value: Number


@dataclass(frozen=True, kw_only=True)
class Apply(Node):
    """An operation of the table on earlier nodes, elementwise with broadcasting.

    Attributes:
        operation: name in the operation table.
        operands: indices of earlier nodes, already of the loop's dtypes.
        result: which result of an operation that has several.
        is_implicit: a cast that NumPy does inside a loop, not one that makes an array; of a store, that the array whose
            layout is kept is itself written.
        kept_layout: the node whose memory order the result takes, when it was stored into an existing array.
    """

    operation: str
    operands: tuple[int, ...]
    result: int = 0
    is_implicit: bool = False
    kept_layout: int | None = None


@dataclass(frozen=True, kw_only=True)
class View(Node):
    """The elements of an earlier node under other axes.

    Attributes:
        operand: index of the node.
        axes: for each axis of the view, the operand's axis, or None for a new axis of extent one. Axes of the operand
            that do not appear have extent one.
    """

    operand: int
    axes: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Reduce(Node):
    """One result for all elements along some axes: ``ufunc.reduce``, ``argmax`` or ``argmin``.

    Attributes:
        operation: name in the operation table.
        operand: index of an earlier node, of the loop's dtype: NumPy's cast inside the loop is an implicit cast.
        axes: of the operand, ascending. The node's dimensions are those of the others (``keepdims`` is a view of it).
        initial: index of a node of rank 0 that comes before the first element, in place of the ufunc's identity.
        where: index of a boolean node, broadcast to the operand, of a sum in pairs that leaves elements out: NumPy adds
            the sum of each run of true ones.
    """

    operation: str
    operand: int
    axes: tuple[int, ...]
    initial: int | None = None
    where: int | None = None


@dataclass(frozen=True, kw_only=True)
class Scan(Node):
    """All results along one axis: ``ufunc.accumulate``.

    Attributes:
        operation: name of a ufunc in the operation table.
        operand: index of an earlier node, of the node's dtype.
        axis: along which.
    """

    operation: str
    operand: int
    axis: int


@dataclass(frozen=True, kw_only=True)
class Slice(Node):
    """Some elements of an earlier node along one axis: ``operand[..., start : start + extent * step : step, ...]``.

    Attributes:
        operand: index of the node.
        axis: which axis.
        start: the first element, a number or the slot of one that the call computes.
        step: distance of neighbours, negative when they run backwards.
        siblings: how many slices of the operand along the axis, this one among them, together hold all its elements;
            0 where that is not known. NumPy reports errors of elements that nobody looks at.
    """

    operand: int
    axis: int
    start: int | HostExtent
    step: int = 1
    siblings: int = 0


@dataclass(frozen=True, kw_only=True)
class Reshape(Node):
    """The elements of an earlier node, in C order, under other dimensions with as many elements.

    Attributes:
        operand: index of the node, which must lie in C order in memory: else NumPy copies.
    """

    operand: int


@dataclass(frozen=True, kw_only=True)
class Assemble(Node):
    """A new array put together from pieces along one axis; each piece has its own extent there.

    Attributes:
        pieces: indices of earlier nodes, equal in dtype and in all other dimensions.
        axis: along which the pieces lie.
        starts: for each piece where its first element goes, a number or the slot of one that the call computes.
        step: distance of neighbours of one piece.
        layout: whose memory order the result has: that of ``np.concatenate``, that of a node, or C order.
    """

    pieces: tuple[int, ...]
    axis: int
    starts: tuple[int | HostExtent, ...]
    step: int = 1
    layout: int | str = "C"


CONCATENATED = "concatenated"  # a layout of ``Assemble``: that which ``np.concatenate`` gives its result


@dataclass(frozen=True, kw_only=True)
class Gather(Node):
    """Elements of an earlier node that arrays of whole numbers choose: NumPy's integer array indexing, or ``np.take``.

    Attributes:
        operand: index of the node that is read.
        indices: indices of integer nodes, broadcast together; negative ones count from the end.
        axes: of the operand: for each of ``indices`` the axis along which it chooses, ascending.
        place: which axis of the result is the first that ``indices`` walk; the operand's other axes keep their order
            around them. Of ``ALONG``, the one index has all axes of the result, and those of the operand are the same.
        kind: which of NumPy's functions it is: ``INDEX``, ``TAKE`` or ``ALONG``.
        mode: what becomes of an index outside of the axis: ``raise``, ``wrap`` or ``clip``, as in ``np.take``.
    """

    operand: int
    indices: tuple[int, ...]
    axes: tuple[int, ...]
    place: int
    kind: str
    mode: str = "raise"


# Kinds of ``Gather``: ``a[i, j]``, ``np.take(a, i, axis)``, ``np.take_along_axis(a, i, axis)``.
INDEX, TAKE, ALONG = "index", "take", "along"


@dataclass(frozen=True, kw_only=True)
class LoopIndex(Node):
    """The index of loop number ``loop`` in the iteration at hand: an int64 of rank 0."""

    loop: int


@dataclass(frozen=True, kw_only=True)
class Carried(Node):
    """A value as an iteration of a loop finds it: ``initial`` in the first one, then its update (see ``Loop``).

    Attributes:
        loop: number of the loop.
        slot: tells it from other carried values of the loop.
        initial: index of an earlier node of the same dtype and dimensions.
    """

    loop: int
    slot: int
    initial: int


@dataclass(frozen=True, kw_only=True)
class Looped(Node):
    """What an earlier node is in the last iteration of a loop: only through this do values leave a loop.

    Attributes:
        loop: number of the loop.
        operand: index of the node.
    """

    loop: int
    operand: int


@dataclass(frozen=True, kw_only=True)
class Loop:
    """``for index in range(start, stop, step)``, which runs at least once.

    Its body is every node that depends on its index or carried values: elementwise operations only.

    Attributes:
        start: index of a node of rank 0, an int64 that no loop changes.
        stop: the same.
        step: not zero.
        updates: for each carried node, the node whose value the next iteration finds in its place.
    """

    start: int
    stop: int
    step: int
    updates: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class InputExtent:
    """A dimension's extent: axis ``axis`` of input ``index``."""

    index: int
    axis: int


@dataclass(frozen=True, kw_only=True)
class HostExtent:
    """A dimension's extent: whole number ``slot`` among the extents that the call computes."""

    slot: int


Extent = InputExtent | HostExtent


@dataclass(frozen=True, kw_only=True)
class Output:
    """An array that the kernel makes.

    Attributes:
        node: the value.
        is_scalar: of rank 0 and a NumPy scalar, not a 0-d array.
        is_discarded: computed only for the floating-point errors it may report.
    """

    node: int
    is_scalar: bool = False
    is_discarded: bool = False


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Array operations of one specialisation, in the order in which NumPy would run them.

    Attributes:
        nodes: operands always come before their users.
        dims: for each symbolic dimension, everything at the call whose extent it is; all must be equal.
        outputs: what the kernel writes.
        input_count: arrays at the call.
        scalar_dtypes: of each scalar at the call.
        extent_count: whole numbers that the call computes for ``HostExtent``.
        loops: inside the kernel; none is in another.
    """

    nodes: tuple[Node, ...]
    dims: tuple[tuple[Extent, ...], ...]
    outputs: tuple[Output, ...]
    input_count: int
    scalar_dtypes: tuple[np.dtype, ...]
    extent_count: int = 0
    loops: tuple[Loop, ...] = ()


def operands_of(node: Node) -> tuple[int, ...]:
    """The nodes whose values ``node`` reads."""
    match node:
        case Apply(operands=operands):
            return operands
        case View(operand=operand) | Scan(operand=operand) | Slice(operand=operand) | Reshape(operand=operand):
            return (operand,)
        case Reduce(operand=operand, initial=initial, where=where):
            return (operand, *(index for index in (initial, where) if index is not None))
        case Assemble(pieces=pieces):
            return pieces
        case Gather(operand=operand, indices=indices):
            return (operand, *indices)
        case Carried(initial=initial):
            return (initial,)
        case Looped(operand=operand):
            return (operand,)
        case _:
            return ()


def layout_node(node: Node) -> int | None:
    """The node whose memory order, not whose value, ``node`` needs."""
    match node:
        case Apply(kept_layout=kept):
            return kept
        case Assemble(layout=int() as kept):
            return kept
        case _:
            return None


def renumbered(node: Node, number: Mapping[int, int] | Sequence[int]) -> Node:
    """The node with other indices for the nodes that it refers to."""
    match node:
        case Apply(kept_layout=kept):
            moved = None if kept is None else number[kept]
            return replace(node, operands=tuple(number[index] for index in node.operands), kept_layout=moved)
        case Carried():
            return replace(node, initial=number[node.initial])
        case View() | Scan() | Slice() | Reshape() | Looped():
            return replace(node, operand=number[node.operand])
        case Reduce(initial=initial, where=where):
            start, mask = (None if index is None else number[index] for index in (initial, where))
            return replace(node, operand=number[node.operand], initial=start, where=mask)
        case Assemble(layout=layout):
            pieces = tuple(number[index] for index in node.pieces)
            return replace(node, pieces=pieces, layout=number[layout] if isinstance(layout, int) else layout)
        case Gather(operand=operand, indices=indices):
            return replace(node, operand=number[operand], indices=tuple(number[index] for index in indices))
        case _:
            return node


def code_of(dtype: np.dtype) -> str:
    """NumPy's short code of a native dtype, such as ``f8``, or ``bf2``: the suffix of the C library's names."""
    return "bf2" if is_bfloat16(dtype) else f"{dtype.kind}{dtype.itemsize}"


def is_bfloat16(dtype: np.dtype) -> bool:
    """Whether it is the dtype that the package ml_dtypes adds to NumPy; its kind is that of plain bytes, ``V``."""
    return dtype.kind == "V" and dtype.type.__module__ == "ml_dtypes" and dtype.type.__name__ == "bfloat16"
