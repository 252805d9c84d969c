"""What becomes which loop nest: outputs of one shape are computed together, everything else is inlined into them."""

from __future__ import annotations

import numpy as np

from pyfuse.graph.nodes import (
    ONE,
    Apply,
    Constant,
    Dims,
    Graph,
    Input,
    Node,
    Number,
    Scalar,
    View,
    code_of,
)
from pyfuse.graph.ops import by_name
from pyfuse.records import dataclass

# For each axis of a value, the loop axis that walks it, or None where its extent is one.
AxisMap = tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Load:
    """An input array as a nest reads it: ``axes`` gives for each loop axis the array's axis, or None (broadcast)."""

    index: int
    dtype: np.dtype
    axes: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Store:
    """An output as a nest writes it: ``step`` is the value; ``axes`` as in ``Load``."""

    output: int
    dtype: np.dtype
    step: int
    axes: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One value of the inner loop's body.

    Attributes:
        dtype: of the value.
        varies_along: loop axes on which the value depends.
        name: the user's name for it, or an empty string.
        source: what it is: a load, a scalar slot, a constant, or an operation.
    """

    dtype: np.dtype
    varies_along: frozenset[int]
    name: str
    source: LoadStep | ScalarStep | ConstantStep | ApplyStep


@dataclass(frozen=True, kw_only=True)
class LoadStep:
    """Read the nest's load number ``load``."""

    load: int


@dataclass(frozen=True, kw_only=True)
class ScalarStep:
    """Read scalar number ``slot`` of the call."""

    slot: int


@dataclass(frozen=True, kw_only=True)
class ConstantStep:
    """A number in the text."""

    value: Number


@dataclass(frozen=True, kw_only=True)
class ApplyStep:
    """An operation on earlier steps."""

    operation: str
    operands: tuple[int, ...]
    result: int


@dataclass(frozen=True, kw_only=True)
class Nest:
    """One loop nest.

    Attributes:
        dims: the graph's dimension of each loop axis, outermost first.
        stores: what it writes.
        loads: what it reads.
        steps: the body, operands first.
        element_cost: estimated picoseconds for one element on one core.
    """

    dims: Dims
    stores: tuple[Store, ...]
    loads: tuple[Load, ...]
    steps: tuple[Step, ...]
    element_cost: int


@dataclass(frozen=True, kw_only=True)
class LoopPlan:
    """All nests of a kernel, in the order in which they run."""

    nests: tuple[Nest, ...]
    scalar_dtypes: tuple[np.dtype, ...]
    output_count: int


PICOSECONDS_PER_BYTE = 12  # one core streams about 40 bytes in 1 ns from memory; a third of that is hidden by caches


def plan_loops(graph: Graph) -> LoopPlan:
    """Group outputs by the dimensions they are walked in, and flatten what each group computes."""
    groups: dict[Dims, list[int]] = {}
    for number, output in enumerate(graph.outputs):
        groups.setdefault(tuple(dim for dim in graph.nodes[output.node].dims if dim != ONE), []).append(number)
    nests = tuple(_NestWriter(graph, dims).write(outputs) for dims, outputs in groups.items())
    return LoopPlan(nests=nests, scalar_dtypes=graph.scalar_dtypes, output_count=len(graph.outputs))


def plan_text(plan: LoopPlan) -> str:
    """The stable text form of a plan, ending in a newline."""
    lines: list[str] = []
    for number, nest in enumerate(plan.nests):
        lines.append(
            f"nest {number} over [{', '.join(f'd{dim}' for dim in nest.dims)}], {nest.element_cost} ps an element"
        )
        lines += [f"  {_step_text(position, step, nest)}" for position, step in enumerate(nest.steps)]
        lines += [
            f"  store t{store.step} to out{store.output} : {code_of(store.dtype)}{_axes_text(store.axes)}"
            for store in nest.stores
        ]
    return "\n".join(lines) + "\n"


class _NestWriter:
    """Flattens the values of one nest; a value read under two axis maps becomes two steps."""

    def __init__(self, graph: Graph, dims: Dims) -> None:
        self._graph = graph
        self._dims = dims
        self._loads: list[Load] = []
        self._steps: list[Step] = []
        self._known: dict[tuple[int, AxisMap], int] = {}

    def write(self, outputs: list[int]) -> Nest:
        stores = []
        for number in outputs:
            index = self._graph.outputs[number].node
            node = self._graph.nodes[index]
            loop_axes = iter(range(len(self._dims)))
            axes: AxisMap = tuple(None if dim == ONE else next(loop_axes) for dim in node.dims)
            step = self._flatten(index, axes)
            stores.append(Store(output=number, dtype=node.dtype, step=step, axes=self._by_loop_axis(axes)))
        return Nest(
            dims=self._dims,
            stores=tuple(stores),
            loads=tuple(self._loads),
            steps=tuple(self._steps),
            element_cost=self._cost(stores),
        )

    def _flatten(self, root: int, root_axes: AxisMap) -> int:
        """The step of a node, its operands first; an explicit stack, because graphs may be thousands deep."""
        pending = [(root, root_axes)]
        while pending:
            index, axes = pending[-1]
            if (index, axes) in self._known:
                pending.pop()
                continue
            needed = self._operand_maps(self._graph.nodes[index], axes)
            missing = [need for need in needed if need not in self._known]
            if missing:
                pending += reversed(missing)
                continue
            pending.pop()
            self._known[index, axes] = self._add_step(self._graph.nodes[index], axes, needed)
        return self._known[root, root_axes]

    def _operand_maps(self, node: Node, axes: AxisMap) -> list[tuple[int, AxisMap]]:
        match node:
            case View():
                operand_rank = len(self._graph.nodes[node.operand].dims)
                where = {axis: axes[position] for position, axis in enumerate(node.axes) if axis is not None}
                return [(node.operand, self._normal(node.operand, tuple(where.get(i) for i in range(operand_rank))))]
            case Apply():
                return [
                    (operand, self._normal(operand, axes[len(axes) - len(self._graph.nodes[operand].dims) :]))
                    for operand in node.operands
                ]
            case _:
                return []

    def _normal(self, index: int, axes: AxisMap) -> AxisMap:
        dims = self._graph.nodes[index].dims
        return tuple(None if dim == ONE else axis for dim, axis in zip(dims, axes, strict=True))

    def _add_step(self, node: Node, axes: AxisMap, needed: list[tuple[int, AxisMap]]) -> int:
        operands = tuple(self._known[need] for need in needed)
        source: LoadStep | ScalarStep | ConstantStep | ApplyStep
        varies = frozenset(axis for operand in operands for axis in self._steps[operand].varies_along)
        match node:
            case View():
                return operands[0]
            case Input():
                load = Load(index=node.index, dtype=node.dtype, axes=self._by_loop_axis(axes))
                self._loads.append(load)
                source = LoadStep(load=len(self._loads) - 1)
                varies = frozenset(axis for axis in axes if axis is not None)
            case Scalar():
                source = ScalarStep(slot=node.slot)
            case Constant():
                source = ConstantStep(value=node.value)
            case Apply():
                source = ApplyStep(operation=node.operation, operands=operands, result=node.result)
            case _:
                raise AssertionError(f"unknown node {node!r}")
        self._steps.append(Step(dtype=node.dtype, varies_along=varies, name=node.origin.name, source=source))
        return len(self._steps) - 1

    def _by_loop_axis(self, axes: AxisMap) -> tuple[int | None, ...]:
        where = {loop_axis: axis for axis, loop_axis in enumerate(axes) if loop_axis is not None}
        return tuple(where.get(loop_axis) for loop_axis in range(len(self._dims)))

    def _cost(self, stores: list[Store]) -> int:
        arrays: list[Load | Store] = [*self._loads, *stores]
        moved = sum(operand.dtype.itemsize for operand in arrays) * PICOSECONDS_PER_BYTE
        applied = [step for step in self._steps if isinstance(step.source, ApplyStep)]
        return moved + sum(_step_cost(step, len(self._dims)) for step in applied)


def _step_cost(step: Step, rank: int) -> int:
    """Picoseconds of one step; a value that is constant along the last axis is computed once a row."""
    assert isinstance(step.source, ApplyStep)
    if rank and rank - 1 not in step.varies_along:
        return 0
    return int(by_name(step.source.operation).cost) * (4 if step.dtype.kind == "c" else 1)


def _step_text(position: int, step: Step, nest: Nest) -> str:
    match step.source:
        case LoadStep(load=load):
            text = f"load a{nest.loads[load].index}{_axes_text(nest.loads[load].axes)}"
        case ScalarStep(slot=slot):
            text = f"scalar s{slot}"
        case ConstantStep(value=value):
            text = f"constant {value!r}"
        case ApplyStep(operation=operation, operands=operands, result=result):
            text = f"{operation}{f'.{result}' if result else ''} {', '.join(f't{operand}' for operand in operands)}"
    name = f"  # {step.name}" if step.name else ""
    return f"t{position} = {text} : {code_of(step.dtype)}{name}"


def _axes_text(axes: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("-" if axis is None else str(axis) for axis in axes) + "]"
