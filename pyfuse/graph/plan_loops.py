"""From a graph to its loop plan: which values share a nest, which are kept in memory between nests.

Outputs of one shape are computed together, and everything else is inlined into them. A reduction's result is computed
by the loops over its operand; reductions over the same rows share them, and so does what is computed of a row and its
reductions (a softmax is three passes over a row that stays in cache).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pyfuse.graph.loop_plan import EPILOGUE, LoopPlan, Nest, ReductionNest, Style
from pyfuse.graph.nest_groups import Buffers, Group, Member, Write
from pyfuse.graph.nest_steps import AxisMap, AxisUse, anchors_of, anchors_read, mask_map, plain_map
from pyfuse.graph.nest_writer import write_nest
from pyfuse.graph.nodes import ONE, Assemble, Dims, Graph, HostExtent, Looped, Reduce, Reshape, Scan
from pyfuse.graph.ops import Fold, by_name
from pyfuse.graph.reduction_forms import ReductionForm, reductions_of

MOST_MEMBERS = 16  # reductions that share a nest: each has a buffer on the stack, and takes registers

Reads = list[tuple[int, AxisMap]]


def plan_loops(graph: Graph, forms: Sequence[ReductionForm] = ()) -> LoopPlan:
    """The loop plan of a graph.

    Args:
        graph: after all passes.
        forms: for each of ``reductions_of(graph)`` the order in which NumPy walks its operand at this call.
    """
    return _Planner(graph, dict(zip(reductions_of(graph), forms, strict=True))).plan()


class _Planner:
    """Puts reductions and outputs into groups one after the other, then writes each group's nest."""

    def __init__(self, graph: Graph, forms: Mapping[int, ReductionForm]) -> None:
        self._graph = graph
        self._forms = forms
        self._groups: list[Group] = []
        self._places: dict[int, list[int]] = {}  # of each anchor, the groups that compute it
        self._anchors = anchors_of(graph)
        self._buffers = Buffers(graph, self._anchors)
        self._read: set[int] = set()  # anchors that another nest than their own reads

    def plan(self) -> LoopPlan:
        for index, node in enumerate(self._graph.nodes):
            if isinstance(node, Reduce | Scan):
                self._place_reduction(index, node)
            elif isinstance(node, Assemble):
                self._place_pieces(index, node)
            elif isinstance(node, Reshape):
                self._place_reshaped(index, node)
            elif isinstance(node, Looped):
                buffer = self._buffers.of(index)
                self._places[index] = [self._place_whole(index, buffer, computes=True, loop=node.loop)]
            elif index in self._anchors:
                self._places[index] = [self._place_whole(index, self._buffers.of(index), computes=True)]
        for number, output in enumerate(self._graph.outputs):
            if self._buffers.known(output.node) != number:
                self._place_whole(output.node, number)
        nests = tuple(self._nest(group) for group in self._groups)
        return LoopPlan(
            nests=nests,
            scalar_dtypes=self._graph.scalar_dtypes,
            input_count=self._graph.input_count,
            output_count=len(self._graph.outputs),
            temporaries=tuple(self._buffers.temporaries),
        )

    # --- groups ---------------------------------------------------------------------------------------------------

    def _place_reduction(self, index: int, node: Reduce | Scan) -> None:
        group = self._group_for(index, node)
        operand_axes = self._operand_axes(node, self._forms[index], len(group.kept))
        mask = mask_map(self._graph, node, operand_axes) if isinstance(node, Reduce) else None
        member = Member(node=index, form=self._forms[index], operand_axes=operand_axes, mask=mask)
        reads = self._reads_of_member(member, node)
        found = next((place for place, other in enumerate(self._groups) if self._may_join(group, other, reads)), None)
        if found is None:
            found = len(self._groups)
            self._groups.append(group)
        group = self._groups[found]
        member.phase = self._phase(found, reads)
        while any(_collide(self._graph, member, other) for other in group.members if other.phase == member.phase):
            member.phase += 1
        group.members.append(member)
        self._places[index] = [found]
        self._note_reads(found, reads)
        if isinstance(node, Scan):
            buffer = self._buffers.of(index)
            axes = group.result_axes(self._graph, index)
            group.writes.append(Write(value=index, buffer=buffer, axes=axes, target=axes, phase=member.phase))

    def _group_for(self, index: int, node: Reduce | Scan) -> Group:
        """A new group for a reduction: its loops, from its operand's dimensions."""
        form = self._forms[index]
        dims = self._graph.nodes[node.operand].dims
        reduced = (node.axis,) if isinstance(node, Scan) else node.axes
        kept = tuple(dim for axis, dim in enumerate(dims) if axis not in reduced and dim != ONE)
        lead, row = tuple(dims[axis] for axis in form.lead), tuple(dims[axis] for axis in form.row)
        is_whole = isinstance(node, Scan) or node.where is not None  # what comes before decides: there are no parts
        style = Style.PARTS if not kept and not is_whole else Style.ROWS if form.is_inner or not kept else Style.COLUMNS
        axes = self._operand_axes(node, form, len(kept))
        walked = [(dims[axis], use.loop) for axis, use in enumerate(axes) if use.loop is not None]
        order = (tuple(dim for dim, _ in walked), tuple(loop for _, loop in walked))
        own = (
            index if isinstance(node, Scan) or (style is Style.PARTS and _stands_alone(self._graph, node, form)) else -1
        )
        return Group(style=style, key=(style, kept, lead, row, order, own), kept=kept, lead=lead, row=row, walked=order)

    def _operand_axes(self, node: Reduce | Scan, form: ReductionForm, kept_count: int) -> AxisMap:
        """Loop axes of a reduction's operand: the kept ones in their order, then lead and row."""
        reduced = {axis: kept_count + place for place, axis in enumerate((*form.lead, *form.row))}
        gone = (node.axis,) if isinstance(node, Scan) else node.axes
        kept = iter(range(kept_count))
        uses = []
        for axis, dim in enumerate(self._graph.nodes[node.operand].dims):
            if dim == ONE:
                uses.append(AxisUse(None))
            else:
                uses.append(AxisUse(reduced[axis] if axis in gone else next(kept)))
        return tuple(uses)

    def _reads_of_member(self, member: Member, node: Reduce | Scan) -> Reads:
        roots = [(node.operand, member.operand_axes)]
        if isinstance(node, Reduce) and node.initial is not None:
            roots.append((node.initial, ()))
        if member.mask is not None:
            roots.append(member.mask)
        return list(anchors_read(self._graph, roots, self._anchors))

    def _may_join(self, wanted: Group, group: Group, reads: Reads) -> bool:
        has_room = len(group.members) < MOST_MEMBERS
        return has_room and group.key == wanted.key and self._are_at_hand(reads, group)

    def _are_at_hand(self, reads: Reads, group: Group, *, after_all: bool = False) -> bool:
        """Whether everything read is computed before a group, or in earlier passes of it."""
        here = self._groups.index(group)
        for anchor, axes in reads:
            last = max(self._places[anchor])
            if last < here:
                continue
            is_own_result = last == here and isinstance(self._graph.nodes[anchor], Reduce)
            is_in_time = group.style is Style.ROWS or after_all
            if not (is_own_result and is_in_time and axes == group.result_axes(self._graph, anchor)):
                return False
        return True

    def _phase(self, place: int, reads: Reads) -> int:
        """The first pass over a row in which everything read is known."""
        group = self._groups[place]
        phases = {member.node: member.phase for member in group.members}
        return max((phases[anchor] + 1 for anchor, _ in reads if anchor in phases), default=0)

    def _note_reads(self, place: int, reads: Reads) -> None:
        self._read |= {anchor for anchor, _ in reads if self._places[anchor] != [place]}

    def _place_pieces(self, index: int, node: Assemble) -> None:
        buffer, places = self._buffers.of(index), []
        for piece, start in zip(node.pieces, node.starts, strict=True):
            loops = range(sum(dim != ONE for dim in self._graph.nodes[piece].dims))
            axes = plain_map(self._graph, piece, loops)
            target = _piece_target(axes, node, start)
            places.append(self._place_write(Write(value=piece, buffer=buffer, axes=axes, target=target)))
        self._places[index] = places

    def _place_reshaped(self, index: int, node: Reshape) -> None:
        """The operand goes to memory in C order, where it is seen under the other dimensions."""
        operand = self._graph.nodes[node.operand]
        if node.operand in self._anchors:
            buffer, places = self._buffers.of(node.operand), self._places[node.operand]
            self._read.add(node.operand)
        else:
            buffer = self._buffers.add_temporary(operand.dtype, operand.dims)
            axes = plain_map(self._graph, node.operand, range(sum(dim != ONE for dim in operand.dims)))
            places = [self._place_write(Write(value=node.operand, buffer=buffer, axes=axes, target=axes))]
        self._buffers.share(index, buffer)
        self._places[index] = places

    def _place_whole(self, value: int, buffer: int, *, computes: bool = False, loop: int | None = None) -> int:
        """Put a value that fills an array into a group; returns its place."""
        loops = range(sum(dim != ONE for dim in self._graph.nodes[value].dims))
        axes = plain_map(self._graph, value, loops)
        write = Write(value=value, buffer=buffer, axes=axes, target=axes, computes=computes, loop=loop)
        return self._place_write(write)

    def _place_write(self, write: Write) -> int:
        """Put a value that goes to memory into a group; returns its place."""
        dims = tuple(dim for dim in self._graph.nodes[write.value].dims if dim != ONE)
        for place, group in enumerate(self._groups):
            found = self._as_part_of(group, dims, write)
            if found is not None:
                group.writes.append(found)
                return place
        self._groups.append(Group(style=None, key=(None, dims), kept=dims, loop=write.loop))
        self._groups[-1].writes.append(write)
        self._note_reads(len(self._groups) - 1, self._reads_of(write))
        return len(self._groups) - 1

    def _reads_of(self, write: Write) -> Reads:
        anchors = self._anchors - {write.value} if write.computes else self._anchors
        return list(anchors_read(self._graph, [(write.value, write.axes)], anchors))

    def _as_part_of(self, group: Group, dims: Dims, write: Write) -> Write | None:
        """The write as one of a group's, or None where it does not belong there."""
        place = self._groups.index(group)
        if write.loop != group.loop:
            return None
        if dims == group.kept:
            results = {member.node for member in group.members}
            reads = self._reads_of(write)
            is_wanted = group.style is None or any(anchor in results for anchor, _ in reads)
            if not is_wanted or not self._are_at_hand(reads, group, after_all=True):
                return None
            self._note_reads(place, reads)
            return dataclasses.replace(write, phase=0 if group.style is None else EPILOGUE)
        if group.style is not Style.ROWS or dims != group.walked[0] or group.lead or self._is_scan(group):
            return None
        loops = dict(enumerate(group.walked[1]))
        moved = dataclasses.replace(write, axes=_renamed(write.axes, loops), target=_renamed(write.target, loops))
        reads = self._reads_of(moved)
        if not self._are_at_hand(reads, group):
            return None
        self._note_reads(place, reads)
        return dataclasses.replace(moved, phase=self._phase(place, reads))

    def _is_scan(self, group: Group) -> bool:
        return any(isinstance(self._graph.nodes[member.node], Scan) for member in group.members)

    def _nest(self, group: Group) -> Nest | ReductionNest:
        """A group's nest; results of its reductions that others need are stored too."""
        for member in group.members:
            index = member.node
            is_needed = index in self._read or self._buffers.known(index) is not None
            if isinstance(self._graph.nodes[index], Reduce) and is_needed:
                axes = group.result_axes(self._graph, index)
                buffer = self._buffers.of(index)
                group.writes.append(Write(value=index, buffer=buffer, axes=axes, target=axes, phase=EPILOGUE))
        return write_nest(self._graph, group, self._buffers, self._anchors)


def _renamed(uses: AxisMap, loops: Mapping[int, int]) -> AxisMap:
    return tuple(use if use.loop is None else use._replace(loop=loops[use.loop]) for use in uses)


def _piece_target(axes: AxisMap, node: Assemble, start: int | HostExtent) -> AxisMap:
    """Where a piece walked by ``axes`` goes in what it is a piece of."""
    here = axes[node.axis]
    moved = AxisUse(here.loop, () if start == 0 else ((1, start),), node.step)
    return (*axes[: node.axis], moved, *axes[node.axis + 1 :])


def _stands_alone(graph: Graph, node: Reduce, form: ReductionForm) -> bool:
    """Whether a full reduction shares its pass with no other: its parts are cut in a way of its own."""
    fold = by_name(node.operation).fold(graph.nodes[node.operand].dtype)
    if by_name(node.operation).finds_an_index:
        return False
    is_complex_sum = fold is Fold.PAIRWISE and graph.nodes[node.operand].dtype.kind == "c"
    return form.is_chunked or is_complex_sum or fold is Fold.IN_ORDER


def _collide(graph: Graph, one: Member, other: Member) -> bool:
    """Whether two pairwise sums cut the row in different ways, so that they need a pass each."""
    trees = []
    for member in (one, other):
        node = graph.nodes[member.node]
        assert isinstance(node, Reduce | Scan)
        if by_name(node.operation).finds_an_index or by_name(node.operation).fold(node.dtype) is not Fold.PAIRWISE:
            return False
        trees.append((node.dtype.kind, member.form.is_chunked))
    return trees[0] != trees[1] or any(is_chunked for _, is_chunked in trees)
