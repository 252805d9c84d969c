"""The body of a nest: the values of a graph, flattened to steps; a value read under two axis maps becomes two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from pyfuse.graph.element_cost import GATHER_COST
from pyfuse.graph.loop_plan import (
    ApplyStep,
    CarriedStep,
    ConstantStep,
    GatherStep,
    IndexStep,
    Load,
    LoadStep,
    NestLoop,
    Offset,
    ReducedStep,
    ScalarStep,
    Step,
    Sum,
)
from pyfuse.graph.loops import loop_bodies, needed_of_loop, update_of
from pyfuse.graph.nodes import (
    ALONG,
    ONE,
    Apply,
    Assemble,
    Carried,
    Constant,
    Gather,
    Graph,
    Input,
    Looped,
    LoopIndex,
    Node,
    Reduce,
    Reshape,
    Scalar,
    Scan,
    Slice,
    View,
    operands_of,
)
from pyfuse.graph.ops import Cost, by_name


class AxisUse(NamedTuple):
    """How a nest walks one axis of a value.

    Attributes:
        loop: the loop axis, or None where the index does not change.
        start: the index at loop index 0.
        step: how far neighbours lie apart.
        chosen: what says which index it is, where that is computed.
    """

    loop: int | None
    start: Sum = ()
    step: int = 1
    chosen: Chosen | None = None


class Chosen(NamedTuple):
    """The index along an axis as the value of another node: which, how it is walked, and the mode of the gather."""

    node: int
    axes: tuple[AxisUse, ...]
    mode: str


# One use for each axis of a value.
AxisMap = tuple[AxisUse, ...]
STILL = AxisUse(None)

# A value that costs more than this many picoseconds is not computed again for every row of a larger array.
HELD_ABOVE = int(Cost.DIVISION)
_ALWAYS_ANCHORS = (Reduce, Scan, Assemble, Reshape, Looped)


def anchors_of(graph: Graph) -> frozenset[int]:
    """The values that loops of their own compute, and that everything else reads from memory.

    Results of reductions, scans and loops, arrays that are put together or reshaped, what is computed and read by
    indices, and values that are dear and would be computed for every row of a larger array that they are broadcast to.
    (What is constant along the last axis is computed once a row, and not held.)
    """
    held = set()
    read_by_indices = set()
    inside = loop_bodies(graph)
    for node in graph.nodes:
        if isinstance(node, Gather):
            held |= {_without_views(graph, index) for index in node.indices if _is_repeated(graph, index, node)}
            read_by_indices.add(node.operand)
        if not isinstance(node, Apply) or not node.dims or node.dims[-1] == ONE:
            continue
        for operand in node.operands:
            dims = graph.nodes[operand].dims
            is_broadcast = sum(dim != ONE for dim in dims) < sum(dim != ONE for dim in node.dims)
            if dims and dims[-1] != ONE and is_broadcast:
                held.add(_without_views(graph, operand))
    always = {index for index, node in enumerate(graph.nodes) if isinstance(node, _ALWAYS_ANCHORS)}
    if graph.loops:  # their nests have no reads by indices inside
        always |= {index for index, node in enumerate(graph.nodes) if isinstance(node, Gather)}
    always |= {index for index in read_by_indices if not isinstance(graph.nodes[index], Input)}
    dear = {
        index for index in held - inside if isinstance(graph.nodes[index], Apply | Gather) and _is_dear(graph, index)
    }
    return frozenset(always | dear)


def _is_repeated(graph: Graph, index: int, node: Gather) -> bool:
    """Whether an index is needed for every row of what is read by it."""
    dims = graph.nodes[index].dims
    return bool(dims) and dims[-1] != ONE and len(dims) < len(node.dims)


def _without_views(graph: Graph, index: int) -> int:
    while isinstance(node := graph.nodes[index], View):
        index = node.operand
    return index


def _is_dear(graph: Graph, root: int) -> bool:
    """Whether one element of a value costs more than ``HELD_ABOVE``, from what is in memory."""
    pending, seen, cost = [root], {root}, 0
    while pending and cost <= HELD_ABOVE:
        node = graph.nodes[pending.pop()]
        if isinstance(node, Apply):
            cost += int(by_name(node.operation).cost)
        if isinstance(node, Gather):
            cost += GATHER_COST
        if isinstance(node, Apply | View | Slice):
            for operand in operands_of(node):
                if operand not in seen:
                    seen.add(operand)
                    pending.append(operand)
    return cost > HELD_ABOVE


def plain_map(graph: Graph, index: int, loops: Sequence[int]) -> AxisMap:
    """The axis map of a value whose axes, those of extent one left out, are walked by ``loops``."""
    walking = iter(loops)
    return tuple(STILL if dim == ONE else AxisUse(next(walking)) for dim in graph.nodes[index].dims)


def operand_maps(graph: Graph, node: Node, axes: AxisMap) -> list[tuple[int, AxisMap]]:
    """What a node reads, and how, when it is itself walked by ``axes``; for one that is computed where it is read."""
    match node:
        case View():
            rank = len(graph.nodes[node.operand].dims)
            where = {axis: axes[position] for position, axis in enumerate(node.axes) if axis is not None}
            return [(node.operand, _normal(graph, node.operand, [where.get(axis, STILL) for axis in range(rank)]))]
        case Slice():
            use = axes[node.axis]
            start = _sum(((1, node.start),), tuple((factor * node.step, number) for factor, number in use.start))
            moved = AxisUse(use.loop, start, use.step * node.step)
            mapped = [moved if axis == node.axis else own for axis, own in enumerate(axes)]
            return [(node.operand, _normal(graph, node.operand, mapped))]
        case Apply():
            return [
                (operand, _normal(graph, operand, axes[len(axes) - len(graph.nodes[operand].dims) :]))
                for operand in node.operands
            ]
        case Gather():
            return [(node.operand, _gathered(graph, node, axes))]
        case Carried(initial=operand) | Looped(operand=operand):
            return [(operand, axes)]
        case _:
            return []


def _gathered(graph: Graph, node: Gather, axes: AxisMap) -> AxisMap:
    """How the operand of a gather is walked: along some axes by the values of its indices."""
    dims = graph.nodes[node.operand].dims
    count = len(axes) if node.kind == ALONG else len(axes) - (len(dims) - len(node.axes))
    by_indices = axes[node.place : node.place + count]
    rest = axes[: node.place] + axes[node.place + count :]
    if node.kind == ALONG:
        rest = tuple(use for axis, use in enumerate(axes) if axis not in node.axes)
    chosen = {
        axis: AxisUse(None, chosen=Chosen(index, _normal(graph, index, by_indices[count - rank :]), node.mode))
        for axis, index in zip(node.axes, node.indices, strict=True)
        for rank in [len(graph.nodes[index].dims)]
    }
    others = iter(rest)
    uses = [chosen[axis] if axis in chosen else next(others) for axis in range(len(dims))]
    return tuple(STILL if dim == ONE and use.chosen is None else use for dim, use in zip(dims, uses, strict=True))


def places_needed(axes: AxisMap) -> list[tuple[int, AxisMap]]:
    """The values that say at which index an axis is read, where they are computed."""
    return [(use.chosen.node, use.chosen.axes) for use in axes if use.chosen is not None]


def loop_maps(graph: Graph, index: int, axes: AxisMap) -> list[tuple[int, AxisMap]]:
    """What a node of a loop reads of the loop itself: the update of a carried value, and bounds."""
    is_carried = isinstance(graph.nodes[index], Carried)
    return [(need, axes if is_carried else ()) for need in needed_of_loop(graph, index)]


def mask_map(graph: Graph, node: Reduce, operand_axes: AxisMap) -> tuple[int, AxisMap] | None:
    """The mask of a reduction, and how it is walked where its operand is walked by ``operand_axes``."""
    if node.where is None:
        return None
    rank = len(graph.nodes[node.where].dims)
    return node.where, _normal(graph, node.where, operand_axes[len(operand_axes) - rank :])


def _normal(graph: Graph, index: int, axes: Sequence[AxisUse]) -> AxisMap:
    dims = graph.nodes[index].dims
    return tuple(STILL if dim == ONE else use for dim, use in zip(dims, axes, strict=True))


def _sum(*sums: Sum) -> Sum:
    """Terms together; numbers that are known are added up, zeros left out."""
    known = sum(factor * number for terms in sums for factor, number in terms if isinstance(number, int))
    slots = tuple(term for terms in sums for term in terms if not isinstance(term[1], int))
    return (*slots, (1, known)) if known else slots


def anchors_read(
    graph: Graph, roots: Sequence[tuple[int, AxisMap]], anchors: Collection[int]
) -> Iterator[tuple[int, AxisMap]]:
    """The anchors that values read, each with every axis map under which it is read."""
    pending, seen = list(roots), set(roots)
    while pending:
        index, axes = pending.pop()
        needs = needs_of(graph, index, axes, anchors)
        if index in anchors:
            yield index, axes
        else:
            needs += loop_maps(graph, index, axes)
        for need in needs:
            if need not in seen:
                seen.add(need)
                pending.append(need)


def needs_of(graph: Graph, index: int, axes: AxisMap, anchors: Collection[int]) -> list[tuple[int, AxisMap]]:
    """What a value is computed from, when it is itself walked by ``axes``; of one in memory, where it is read."""
    if index in anchors or isinstance(graph.nodes[index], Input):
        return places_needed(axes)
    return operand_maps(graph, graph.nodes[index], axes)


class StepWriter:
    """Flattens the values of one nest.

    Args:
        graph: of the kernel.
        loop_count: axes of the nest.
        anchors: values that are read from memory.
        buffer_of: for an anchor, the operand that holds its values.
        own: for anchors that this nest reduces to, the axis map under which their result is at hand, and its number.
    """

    def __init__(
        self,
        graph: Graph,
        loop_count: int,
        anchors: Collection[int],
        buffer_of: Callable[[int], int],
        own: Mapping[int, tuple[AxisMap, int]] | None = None,
    ) -> None:
        self.loads: list[Load] = []
        self.steps: list[Step] = []
        self._graph = graph
        self._loop_count = loop_count
        self._anchors = anchors
        self._buffer_of = buffer_of
        self._own = own or {}
        self._known: dict[tuple[int, AxisMap], int] = {}

    def step_of(self, root: int, root_axes: AxisMap) -> int:
        """The step of a value, its operands first; an explicit stack, because graphs may be thousands deep."""
        pending = [(root, root_axes)]
        while pending:
            index, axes = pending[-1]
            if (index, axes) in self._known:
                pending.pop()
                continue
            needed = needs_of(self._graph, index, axes, self._anchors)
            missing = [need for need in needed if need not in self._known]
            if missing:
                pending += reversed(missing)
                continue
            pending.pop()
            self._known[index, axes] = self._add_step(index, axes, [self._known[need] for need in needed])
        return self._known[root, root_axes]

    def loop_of(self, number: int) -> NestLoop:
        """The loop of the nest, once its stores are written: the steps of its bounds and updates are added."""
        loop = self._graph.loops[number]
        start, stop = self.step_of(loop.start, ()), self.step_of(loop.stop, ())
        updates: dict[int, int] = {}
        while missing := [
            (step, index, axes)
            for (index, axes), step in self._known.items()
            if isinstance(self._graph.nodes[index], Carried) and step not in updates
        ]:
            for step, index, axes in missing:
                updates[step] = self.step_of(update_of(self._graph, index), axes)
        return NestLoop(start=start, stop=stop, step=loop.step, updates=tuple(updates.items()))

    def by_loop_axis(self, axes: AxisMap) -> tuple[tuple[int | None, ...], tuple[Offset, ...]]:
        """An axis map as ``Load`` and ``Store`` keep it."""
        where = {use.loop: axis for axis, use in enumerate(axes) if use.loop is not None}
        offsets = tuple(
            Offset(axis=axis, start=use.start, step=use.step)
            for axis, use in enumerate(axes)
            if use.start or (use.step != 1 and use.loop is not None)
        )
        return tuple(where.get(loop) for loop in range(self._loop_count)), offsets

    def _add_step(self, index: int, axes: AxisMap, operands: list[int]) -> int:
        node = self._graph.nodes[index]
        source: LoadStep | ScalarStep | ConstantStep | ApplyStep | CarriedStep | IndexStep
        varies = frozenset(axis for operand in operands for axis in self.steps[operand].varies_along)
        if index in self._anchors:
            if self._own.get(index, (None, 0))[0] != axes:
                return self._add_load(node, self._buffer_of(index), axes, operands)
            varies = frozenset(use.loop for use in axes if use.loop is not None)
            reduced = ReducedStep(accumulation=self._own[index][1])
            return self._append(Step(dtype=node.dtype, varies_along=varies, name=node.origin.name, source=reduced))
        match node:
            case View() | Slice() | Gather() | Looped():
                return operands[0]
            case Carried():
                source = CarriedStep(initial=operands[0])
                varies |= frozenset(use.loop for use in axes if use.loop is not None)
            case LoopIndex():
                source = IndexStep()
            case Input():
                return self._add_load(node, node.index, axes, operands)
            case Scalar():
                source = ScalarStep(slot=node.slot)
            case Constant():
                source = ConstantStep(value=node.value)
            case Apply():
                source = ApplyStep(operation=node.operation, operands=tuple(operands), result=node.result)
            case _:
                raise AssertionError(f"unknown node {node!r}")
        return self._append(Step(dtype=node.dtype, varies_along=varies, name=node.origin.name, source=source))

    def _add_load(self, node: Node, operand: int, axes: AxisMap, places: Sequence[int]) -> int:
        by_loop, offsets = self.by_loop_axis(axes)
        gathered = {axis: use.chosen.mode for axis, use in enumerate(axes) if use.chosen is not None}
        self.loads.append(
            Load(
                index=operand,
                dtype=node.dtype,
                axes=by_loop,
                offsets=offsets,
                gathered=tuple(gathered),
                gathered_dims=tuple(node.dims[axis] for axis in gathered),
            )
        )
        varies = frozenset(use.loop for use in axes if use.loop is not None)
        varies |= {axis for place in places for axis in self.steps[place].varies_along}
        source: LoadStep | GatherStep = LoadStep(load=len(self.loads) - 1)
        if gathered:
            (mode,) = set(gathered.values())
            source = GatherStep(load=len(self.loads) - 1, operands=tuple(places), mode=mode)
        return self._append(Step(dtype=node.dtype, varies_along=varies, name=node.origin.name, source=source))

    def _append(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1
