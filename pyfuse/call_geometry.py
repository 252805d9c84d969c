"""Shapes, orders and strides of one call's arrays: how its outputs will lie, which plan fits, how its nests run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyfuse.array_layout import GATHERED_UNIT, NestGeometry, NestLayout, merge_dims, merge_reduction_dims
from pyfuse.array_walks import with_known_walks
from pyfuse.call_signature import exact_key
from pyfuse.compiler import Specialization, plan_for
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.drop_unused_values import may_report
from pyfuse.graph.evaluate import number_at
from pyfuse.graph.loop_plan import Load, LoopPlan, Nest, Offset, ReductionNest, Store, Style
from pyfuse.graph.loops import update_of
from pyfuse.graph.nodes import (
    ONE,
    Apply,
    Carried,
    Gather,
    Graph,
    Input,
    InputExtent,
    Reduce,
    Reshape,
    Scan,
    Slice,
    View,
)
from pyfuse.graph.ops import Fold, by_name
from pyfuse.graph.output_layouts import AxisOrder, miniatures, node_orders
from pyfuse.graph.reduction_forms import ReductionForm, base_of, dense_strides, form_of, reductions_of, walk_of
from pyfuse.records import dataclass

# A full reduction is cut at the nodes of NumPy's tree, until parts have fewer elements than twice this, or are 64.
PART_ELEMENTS = 16_384
MOST_PART_BITS = 6


@dataclass(frozen=True, kw_only=True)
class CallGeometry:
    """Shapes and strides of a call's arrays, and how its outputs will lie."""

    extents: tuple[int, ...]  # of each dimension of the graph
    shapes: tuple[tuple[int, ...], ...]  # of each output
    orders: tuple[AxisOrder, ...]
    plan: LoopPlan
    forms: tuple[ReductionForm, ...]
    nests: tuple[NestGeometry, ...]
    temporaries: tuple[int, ...]  # elements of each; those that share memory have none
    depends_on_buffer: bool  # whether results depend on the size of NumPy's buffers
    input_key: tuple[object, ...]  # exact forms of the inputs, and computed extents: what all this holds for

    @property
    def layouts(self) -> tuple[NestLayout, ...]:
        """What the kernel's text depends on, beside the plan."""
        return tuple(nest.layout for nest in self.nests)


def evaluate_inputs(specialization: Specialization, arguments: Sequence[Any]) -> tuple[list[np.ndarray], list[int]]:
    """The arrays and the computed extents of a call.

    Raises:
        CannotFuse: computing one raises, or an extent is negative.
    """
    try:
        inputs = [expression.evaluate(arguments) for expression in specialization.inputs]
        extents = [int(expression.evaluate(arguments)) for expression in specialization.extents]
    except MemoryError:
        raise
    except Exception as error:  # the user's arithmetic may raise anything; the original raises it again
        raise refuse(Code.HOST_ERROR, "computing a shape raises", notes=(str(error),)) from error
    if any(extent < 0 for extent in extents):
        raise refuse(Code.HOST_ERROR, "an extent is negative: NumPy raises its own error")
    return inputs, extents


def call_geometry(
    specialization: Specialization,
    inputs: Sequence[np.ndarray],
    extents: Sequence[int],
    direct: Mapping[int, tuple[int, ...]] | None = None,
) -> CallGeometry:
    """Check the shapes of a call against each other, and lay out its outputs and loop nests.

    Args:
        specialization: of the call.
        inputs: its arrays.
        extents: its computed extents.
        direct: strides in bytes of outputs that are arrays of the caller.

    Raises:
        CannotFuse: shapes do not match (NumPy raises its own error), or the rank is too high.
    """
    graph = specialization.graph
    dims = _dim_extents(graph, inputs, extents)
    if 0 in dims:
        _refuse_empty(graph, dims)
    _refuse_backward_products(graph, inputs)
    orders = _orders(specialization, inputs, extents)
    _check_reshapes(graph, dims, orders)
    walks = _Walks(graph, inputs, dims, orders)
    plan = plan_for(specialization, walks.forms)
    shapes = tuple(_shape(graph.nodes[output.node].dims, dims) for output in graph.outputs)
    output_orders = tuple(orders[output.node] for output in graph.outputs)
    buffers = [
        dense_strides(shape, order, dtype.itemsize)
        for shape, order, dtype in zip(shapes, output_orders, specialization.output_dtypes, strict=True)
    ]
    for number, strides in (direct or {}).items():
        buffers[number] = strides
    for temporary in plan.temporaries:
        shape = _shape(temporary.dims or (), dims)
        buffers.append(dense_strides(shape, range(len(shape)), temporary.dtype.itemsize))
    laid = _Nests(plan, dims, inputs, buffers, extents, walks.lengths)
    nests = tuple(laid.geometry(nest) for nest in plan.nests)
    return CallGeometry(
        extents=dims,
        shapes=shapes,
        orders=output_orders,
        plan=plan,
        forms=walks.forms,
        nests=nests,
        temporaries=_temporary_sizes(plan, nests, dims),
        depends_on_buffer=walks.depend_on_buffer,
        input_key=(*exact_key(inputs), *extents),
    )


def part_count(nest: NestGeometry) -> int:
    """Of a row in parts: how many."""
    return nest.parameters[-3]


def _shape(of: Sequence[int], dims: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if dim == ONE else dims[dim] for dim in of)


def _dim_extents(graph: Graph, inputs: Sequence[np.ndarray], extents: Sequence[int]) -> tuple[int, ...]:
    dims = []
    for sources in graph.dims:
        found = [
            inputs[source.index].shape[source.axis] if isinstance(source, InputExtent) else extents[source.slot]
            for source in sources
        ]
        if any(extent != found[0] for extent in found):
            raise refuse(Code.SHAPE_MISMATCH, "shapes do not match: NumPy raises its own error")
        dims.append(found[0])
    return tuple(dims)


def _orders(
    specialization: Specialization, inputs: Sequence[np.ndarray], extents: Sequence[int]
) -> Mapping[int, AxisOrder]:
    """Of each output, and of each array that is reduced and not given, the axes as they lie in memory."""
    graph = specialization.graph
    small = miniatures(inputs)
    key = (small, tuple([min(extent, 2) for extent in extents]))
    if key not in specialization.orders:
        wanted = [output.node for output in graph.outputs]
        for index in reductions_of(graph):
            node = graph.nodes[index]
            assert isinstance(node, Reduce | Scan)
            wanted.append(base_of(graph, node.operand))
            if isinstance(node, Reduce) and node.where is not None:
                wanted.append(base_of(graph, node.where))
        wanted += [node.operand for node in graph.nodes if isinstance(node, Reshape)]
        specialization.orders[key] = node_orders(graph, wanted, small, extents)
    return specialization.orders[key]


def _refuse_empty(graph: Graph, dims: Sequence[int]) -> None:
    """Empty arrays whose results NumPy computes or reports in ways that loops over nothing do not."""
    if any(isinstance(node, Gather) for node in graph.nodes):
        raise refuse(Code.UNSUPPORTED_ARRAY, "an array is empty: NumPy has rules of its own for indices then")
    if reductions_of(graph):
        raise refuse(Code.EMPTY_REDUCTION, "an array that is reduced is empty: NumPy has rules of its own for that")
    if any(may_report(graph, node) and all(dim == ONE or dims[dim] != 0 for dim in node.dims) for node in graph.nodes):
        # Such a value is computed inside the loop over its consumer, which then does not run.
        raise refuse(
            Code.FLOATING_POINT_REPORT,
            "the result is empty, but NumPy computes other values on the way to it and may report an error of theirs",
        )


def _refuse_backward_products(graph: Graph, inputs: Sequence[np.ndarray]) -> None:
    """NumPy 2.4 has loops of its own for complex arrays that run backwards.

    Products of complex64 are rounded once where it walks forwards, twice where an operand runs backwards; complex128
    has no such difference. Absolute values come from ``npy_hypot`` where the innermost stride is negative, else from
    vector code (numpy/_core/src/umath/loops_unary_complex.dispatch.c.src). Kernels do as it does forwards. Found by
    fuzzing.
    """
    for node in graph.nodes:
        if not isinstance(node, Apply) or not (
            (node.operation in ("multiply", "square") and node.dtype == np.dtype("c8")) or node.operation == "absolute"
        ):
            continue
        for operand in node.operands:
            if graph.nodes[operand].dtype.kind == "c" and _may_run_backwards(graph, operand, inputs):
                raise refuse(
                    Code.UNSUPPORTED_ARRAY, "NumPy rounds in a way of its own where a complex array runs backwards"
                )


def _may_run_backwards(graph: Graph, index: int, inputs: Sequence[np.ndarray]) -> bool:
    pending, seen = [index], set[int]()
    while pending:
        index = pending.pop()
        node = graph.nodes[index]
        if index in seen:
            continue
        seen.add(index)
        if isinstance(node, Slice) and node.step < 0:
            return True
        if isinstance(node, Input) and _runs_backwards(inputs[node.index]):
            return True
        if isinstance(node, View | Slice):
            pending.append(node.operand)
        if isinstance(node, Carried):
            pending += [node.initial, update_of(graph, index)]
    return False


def _runs_backwards(array: np.ndarray) -> bool:
    return any(stride < 0 for stride in array.strides)  # NumPy's loops look at the stride of one element too


def _check_reshapes(graph: Graph, dims: Sequence[int], orders: Mapping[int, AxisOrder]) -> None:
    """Arrays that are seen under other extents must have as many elements, in C order: else NumPy raises, or copies."""
    for node in graph.nodes:
        if not isinstance(node, Reshape):
            continue
        own, other = (_shape(shape, dims) for shape in (node.dims, graph.nodes[node.operand].dims))
        if math.prod(own) != math.prod(other):
            raise refuse(Code.SHAPE_MISMATCH, "an array does not fit its new shape: NumPy raises its own error")
        order = [axis for axis in orders[node.operand] if other[axis] != 1]
        if order != sorted(order):
            raise refuse(Code.UNSUPPORTED_ARRAY, "an array that is not in C order is reshaped: NumPy copies it")


class _Walks:
    """The form of each reduction at this call, and the length of the pieces that NumPy cuts its rows in."""

    def __init__(
        self, graph: Graph, inputs: Sequence[np.ndarray], dims: Sequence[int], orders: Mapping[int, AxisOrder]
    ) -> None:
        self.lengths: dict[int, int] = {}
        self.depend_on_buffer = False
        forms = []
        for index in reductions_of(graph):
            node = graph.nodes[index]
            assert isinstance(node, Reduce | Scan)
            walk = walk_of(graph, node.operand, inputs, dims, orders)
            where = node.where if isinstance(node, Reduce) else None
            mask = None if where is None else walk_of(graph, where, inputs, dims, orders)
            form, pieces = form_of(node, walk, np.getbufsize(), mask)
            self.lengths[index] = pieces.length
            self.depend_on_buffer |= pieces.depend_on_buffer
            forms.append(form)
        self.forms = tuple(forms)


class _Nests:
    """The geometry of each nest of a plan."""

    def __init__(
        self,
        plan: LoopPlan,
        dims: Sequence[int],
        inputs: Sequence[np.ndarray],
        buffers: Sequence[tuple[int, ...]],
        extents: Sequence[int],
        pieces: Mapping[int, int],
    ) -> None:
        self._plan = plan
        self._dims = dims
        self._inputs = inputs
        self._buffers = buffers
        self._extents = extents
        self._pieces = pieces

    def geometry(self, nest: Nest | ReductionNest) -> NestGeometry:
        operands: list[Store | Load] = [*nest.stores, *nest.loads]
        strides = [_by_loop_axis(operand, self._strides(operand)) for operand in operands]
        loop_extents = [self._dims[dim] for dim in nest.dims]
        itemsizes = [operand.dtype.itemsize for operand in operands]
        is_aligned = [self._is_aligned(operand) for operand in operands]
        starts = tuple(
            sum(self._start(offset) * self._strides(operand)[offset.axis] for offset in operand.offsets)
            for operand in operands
            if operand.offsets
        )
        starts += tuple(
            number
            for load in nest.loads
            for axis, extent in zip(load.gathered, _shape(load.gathered_dims, self._dims), strict=True)
            for number in (self._strides(load)[axis], extent)
        )
        if isinstance(nest, Nest):
            merged = merge_dims(loop_extents, strides, itemsizes, is_aligned)
            if any(load.gathered for load in nest.loads):
                merged = replace(merged, layout=self._with_gathers(nest, merged.layout))
            elif nest.loop is None:
                merged = with_known_walks(merged, len(nest.stores), [operand.dtype for operand in operands])
            return replace(merged, starts=starts)
        merged = merge_reduction_dims(
            (len(nest.kept), len(nest.lead), len(nest.row)),
            loop_extents,
            strides,
            itemsizes,
            is_aligned,
            is_row_innermost=nest.style is not Style.COLUMNS,
        )
        return NestGeometry(
            layout=self._with_gathers(nest, merged.layout),
            extents=merged.extents,
            strides=merged.strides,
            starts=starts,
            parameters=self._parameters(nest),
        )

    def _strides(self, operand: Store | Load) -> tuple[int, ...]:
        if isinstance(operand, Store):
            return self._buffers[operand.output]
        if operand.index < self._plan.input_count:
            return self._inputs[operand.index].strides
        return self._buffers[operand.index - self._plan.input_count]

    def _with_gathers(self, nest: Nest | ReductionNest, layout: NestLayout) -> NestLayout:
        """The layout, with what computed places count."""
        operands = list(layout.operands)
        for place, load in enumerate(nest.loads, len(nest.stores)):
            if load.gathered and self._strides(load)[load.gathered[-1]] == load.dtype.itemsize:
                operands[place] = operands[place][:1] + GATHERED_UNIT + operands[place][1:]
        return replace(layout, operands=tuple(operands))

    def _is_aligned(self, operand: Store | Load) -> bool:
        is_buffer = isinstance(operand, Store) or operand.index >= self._plan.input_count
        return is_buffer or self._inputs[operand.index].flags.aligned  # type: ignore[union-attr]

    def _start(self, offset: Offset) -> int:
        return sum(factor * number_at(number, self._extents) for factor, number in offset.start)

    def _parameters(self, nest: ReductionNest) -> tuple[int, ...]:
        """See ``NestGeometry.parameters``."""
        pieces = [self._pieces[value.node] for value in nest.accumulations if value.form.is_chunked]
        if nest.style is not Style.PARTS:
            return tuple(pieces)
        lead = math.prod(self._dims[dim] for dim in nest.lead)
        length = math.prod(self._dims[dim] for dim in nest.row)
        in_row = -(-length // pieces[0]) if pieces else 1
        if pieces or nest.lead:
            return (*pieces, lead * in_row, in_row, 0)
        bits = 0
        while _may_be_cut(nest) and bits < MOST_PART_BITS and length >> (bits + 1) >= PART_ELEMENTS:
            bits += 1
        return (1 << bits, 1, bits)


def _may_be_cut(nest: ReductionNest) -> bool:
    """Whether parts of the row give the same result as all of it from the first to the last element."""
    return all(
        value.scan_store is None
        and (by_name(value.operation).finds_an_index or by_name(value.operation).fold(value.dtype) is not Fold.IN_ORDER)
        for value in nest.accumulations
    )


def _by_loop_axis(operand: Store | Load, strides: Sequence[int]) -> tuple[int, ...]:
    steps = {offset.axis: offset.step for offset in operand.offsets}
    return tuple(0 if axis is None else strides[axis] * steps.get(axis, 1) for axis in operand.axes)


def _temporary_sizes(plan: LoopPlan, nests: Sequence[NestGeometry], dims: Sequence[int]) -> tuple[int, ...]:
    parts = {
        place - plan.output_count: part_count(geometry)
        for nest, geometry in zip(plan.nests, nests, strict=True)
        if isinstance(nest, ReductionNest)
        for places in nest.partials
        for place in places
    }
    return tuple(
        parts[number] if temporary.dims is None else math.prod(_shape(temporary.dims, dims))
        for number, temporary in enumerate(plan.temporaries)
    )
