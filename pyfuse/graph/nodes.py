"""The records of a graph: nodes in execution order, symbolic dimensions, outputs."""

from __future__ import annotations

from dataclasses import field

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
    """

    nodes: tuple[Node, ...]
    dims: tuple[tuple[Extent, ...], ...]
    outputs: tuple[Output, ...]
    input_count: int
    scalar_dtypes: tuple[np.dtype, ...]
    extent_count: int = 0


def operands_of(node: Node) -> tuple[int, ...]:
    """The nodes whose values ``node`` reads."""
    match node:
        case Apply(operands=operands):
            return operands
        case View(operand=operand):
            return (operand,)
        case _:
            return ()


def code_of(dtype: np.dtype) -> str:
    """NumPy's short code of a native dtype, such as ``f8``: the suffix of the C library's names."""
    return f"{dtype.kind}{dtype.itemsize}"
