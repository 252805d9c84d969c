"""A group of values as a nest of the loop plan: its loads, steps, stores and accumulations."""

from __future__ import annotations

import dataclasses

import numpy as np

from pyfuse.graph.element_cost import element_cost
from pyfuse.graph.loop_plan import Accumulation, ApplyStep, Nest, ReductionNest, Store, Style
from pyfuse.graph.nest_groups import Buffers, Group, Member, Write
from pyfuse.graph.nest_steps import StepWriter
from pyfuse.graph.nodes import Graph, Reduce, Scan
from pyfuse.graph.ops import Fold, by_name

HALF = np.dtype("f2")
INDEX = np.dtype("i8")


def write_nest(graph: Graph, group: Group, buffers: Buffers, anchors: frozenset[int]) -> Nest | ReductionNest:
    """The nest of a group; anchors of other nests are read from their buffers."""
    others = anchors - {write.value for write in group.writes if write.computes}
    if group.style is None:
        return _map_nest(graph, group, buffers, others)
    return _reduction_nest(graph, group, buffers, others)


def _map_nest(graph: Graph, group: Group, buffers: Buffers, anchors: frozenset[int]) -> Nest:
    writer = StepWriter(graph, len(group.kept), anchors, buffers.operand)
    stores = tuple(_store(graph, writer, write) for write in group.writes)
    loop = None if group.loop is None else writer.loop_of(group.loop)
    sizes = [store.dtype.itemsize for store in stores]
    return Nest(
        dims=group.kept,
        stores=stores,
        loads=tuple(writer.loads),
        steps=tuple(writer.steps),
        element_cost=element_cost(writer, sizes, range(len(group.kept))[-1:], loop),
        loop=loop,
    )


def _store(graph: Graph, writer: StepWriter, write: Write, step: int | None = None) -> Store:
    axes, offsets = writer.by_loop_axis(write.target)
    return Store(
        output=write.buffer,
        dtype=graph.nodes[write.value].dtype,
        step=writer.step_of(write.value, write.axes) if step is None else step,
        axes=axes,
        offsets=offsets,
    )


def _reduction_nest(graph: Graph, group: Group, buffers: Buffers, anchors: frozenset[int]) -> ReductionNest:
    own = {
        member.node: (group.result_axes(graph, member.node), number)
        for number, member in enumerate(group.members)
        if isinstance(graph.nodes[member.node], Reduce)
    }
    count = len(group.kept) + len(group.lead) + len(group.row)
    reduced = range(len(group.kept), count)
    writer = StepWriter(graph, count, anchors, buffers.operand, own)
    values = [_accumulated(graph, writer, member) for member in group.members]
    stores: list[Store] = []
    scans: dict[int, int] = {}
    for number, write in enumerate(group.writes):
        scanned = next((place for place, member in enumerate(group.members) if member.node == write.value), None)
        if scanned is not None and isinstance(graph.nodes[write.value], Scan):
            scans[scanned] = number
            stores.append(_store(graph, writer, write, values[scanned].step))
        else:
            stores.append(_store(graph, writer, write))
    accumulations = tuple(
        dataclasses.replace(value, scan_store=scans.get(number)) for number, value in enumerate(values)
    )
    assert group.style is not None
    partials = tuple(_partials(value, buffers) for value in accumulations) if group.style is Style.PARTS else ()
    return ReductionNest(
        style=group.style,
        kept=group.kept,
        lead=group.lead,
        row=group.row,
        stores=tuple(stores),
        store_phases=tuple(write.phase for write in group.writes),
        loads=tuple(writer.loads),
        steps=tuple(writer.steps),
        accumulations=accumulations,
        element_cost=element_cost(writer, [], reduced if group.style is Style.COLUMNS else reduced[-1:]),
        partials=partials,
    )


def _accumulated(graph: Graph, writer: StepWriter, member: Member) -> Accumulation:
    node = graph.nodes[member.node]
    assert isinstance(node, Reduce | Scan)
    initial = node.initial if isinstance(node, Reduce) else None
    step = writer.step_of(node.operand, member.operand_axes)
    mask = member.mask
    counted = _counted(writer, node, step) if initial is None and mask is None and member.form.is_inner else None
    return Accumulation(
        node=member.node,
        operation=node.operation,
        step=step if counted is None else counted,
        dtype=graph.nodes[node.operand].dtype,
        initial=None if initial is None else writer.step_of(initial, ()),
        phase=member.phase,
        form=member.form,
        counts=counted is not None,
        mask=None if mask is None else writer.step_of(*mask),
    )


def _counted(writer: StepWriter, node: Reduce | Scan, step: int) -> int | None:
    """The boolean values whose sum a reduction is, where whole numbers or float64 hold every count exactly."""
    source = writer.steps[step].source
    is_exact = node.dtype.kind in "iu" or node.dtype == np.dtype("f8")
    if not isinstance(node, Reduce) or node.operation != "add" or not is_exact:
        return None
    if not isinstance(source, ApplyStep) or source.operation != "cast":
        return None
    (operand,) = source.operands
    return operand if writer.steps[operand].dtype == np.dtype(bool) else None


def _partials(accumulation: Accumulation, buffers: Buffers) -> tuple[int, ...]:
    """Temporaries for the results of parts: float16 sums of parts are float32, an index goes with its value."""
    if accumulation.scan_store is not None:
        return ()
    operation = by_name(accumulation.operation)
    if operation.finds_an_index:
        return (buffers.add_temporary(accumulation.dtype, None), buffers.add_temporary(INDEX, None))
    is_half_sum = accumulation.dtype == HALF and operation.fold(HALF) is Fold.PAIRWISE
    return (buffers.add_temporary(np.dtype("f4") if is_half_sum else accumulation.dtype, None),)
