"""Groups of values that will share a loop nest, and the memory of values that pass from one nest to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from pyfuse.graph.loop_plan import Style, Temporary
from pyfuse.graph.nest_steps import AxisMap, plain_map
from pyfuse.graph.nodes import Dims, Graph, Reshape, Scan
from pyfuse.graph.reduction_forms import ReductionForm


@dataclasses.dataclass(kw_only=True)
class Member:
    """A reduction or scan of a group: its node, how the loops walk its operand, and the mask of ``where=``."""

    node: int
    form: ReductionForm
    operand_axes: AxisMap
    mask: tuple[int, AxisMap] | None = None
    phase: int = 0


@dataclasses.dataclass(kw_only=True)
class Write:
    """A value that a group writes to a buffer: ``axes`` of the value, ``target`` of the buffer.

    Attributes:
        computes: the value is an anchor that is computed here.
        loop: number of the loop of the graph that computes it.
    """

    value: int
    buffer: int
    axes: AxisMap
    target: AxisMap
    computes: bool = False
    phase: int = 0
    loop: int | None = None


@dataclasses.dataclass(kw_only=True)
class Group:
    """What becomes one nest.

    Attributes:
        style: None for a nest without reductions.
        key: what members must share.
        loop: number of the loop of the graph that it runs for each element.
        kept, lead, row: loop axes.
        walked: the dimensions of the members' operands in their own order, and the loop axis of each.
    """

    style: Style | None
    key: tuple[object, ...]
    kept: Dims
    lead: Dims = ()
    row: Dims = ()
    walked: tuple[Dims, tuple[int, ...]] = ((), ())
    loop: int | None = None
    members: list[Member] = dataclasses.field(default_factory=list)
    writes: list[Write] = dataclasses.field(default_factory=list)

    def result_axes(self, graph: Graph, index: int) -> AxisMap:
        """The axis map under which the result of one of the members is at hand."""
        if isinstance(graph.nodes[index], Scan):
            return plain_map(graph, index, self.walked[1])
        return plain_map(graph, index, range(len(self.kept)))


class Buffers:
    """Which arrays hold the values of anchors: outputs of the kernel, or temporaries."""

    def __init__(self, graph: Graph, anchors: Collection[int]) -> None:
        self.temporaries: list[Temporary] = []
        self._graph = graph
        self._homes: dict[int, int] = {}
        for number, output in enumerate(graph.outputs):
            if output.node in anchors and not isinstance(graph.nodes[output.node], Reshape):
                self._homes.setdefault(output.node, number)

    def known(self, anchor: int) -> int | None:
        """The number of an anchor's array among outputs, then temporaries; None where it has none yet."""
        return self._homes.get(anchor)

    def of(self, anchor: int) -> int:
        """The same; an anchor that has no array gets a temporary."""
        if anchor not in self._homes:
            node = self._graph.nodes[anchor]
            self._homes[anchor] = self.add_temporary(node.dtype, node.dims)
        return self._homes[anchor]

    def operand(self, anchor: int) -> int:
        """The number of an anchor's array among all operands of the kernel."""
        return self._graph.input_count + self.of(anchor)

    def share(self, anchor: int, buffer: int) -> None:
        """Let an anchor's values be those of another array, under the anchor's dimensions."""
        node = self._graph.nodes[anchor]
        self._homes[anchor] = self.add_temporary(node.dtype, node.dims, shares=buffer)

    def add_temporary(self, dtype: np.dtype, dims: Dims | None, shares: int | None = None) -> int:
        """A new temporary's number among outputs and temporaries."""
        self.temporaries.append(Temporary(dtype=dtype, dims=dims, shares=shares))
        return len(self._graph.outputs) + len(self.temporaries) - 1
