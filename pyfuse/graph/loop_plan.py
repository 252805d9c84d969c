"""The records of a loop plan: what becomes which loop nest; and the plan as text."""

from __future__ import annotations

import enum

import numpy as np

from pyfuse.graph.nodes import ONE, Dims, HostExtent, Number, code_of
from pyfuse.graph.reduction_forms import ReductionForm
from pyfuse.records import dataclass

# A whole number that the call computes: the sum of each number or slot times a factor.
Sum = tuple[tuple[int, int | HostExtent], ...]


@dataclass(frozen=True, kw_only=True)
class Offset:
    """Where an operand's elements along one of its axes are, if not at the loop's index.

    Attributes:
        axis: of the array.
        start: the element at loop index 0.
        step: how far neighbours lie apart.
    """

    axis: int
    start: Sum
    step: int


@dataclass(frozen=True, kw_only=True)
class Load:
    """An array as a nest reads it.

    Attributes:
        index: of the array among the kernel's operands: inputs, then outputs, then temporaries.
        dtype: of its elements.
        axes: for each loop axis the array's axis, or None (broadcast).
        offsets: of array axes that are not simply walked from their first element.
    """

    index: int
    dtype: np.dtype
    axes: tuple[int | None, ...]
    offsets: tuple[Offset, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Store:
    """An output or temporary as a nest writes it.

    Attributes:
        output: its number among outputs, then temporaries.
        dtype: of its elements.
        step: the value.
        axes, offsets: as in ``Load``.
    """

    output: int
    dtype: np.dtype
    step: int
    axes: tuple[int | None, ...]
    offsets: tuple[Offset, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One value of the inner loop's body.

    Attributes:
        dtype: of the value.
        varies_along: loop axes on which the value depends.
        name: the user's name for it, or an empty string.
        source: what it is: a load, a scalar slot, a constant, an operation, or the result of a reduction.
    """

    dtype: np.dtype
    varies_along: frozenset[int]
    name: str
    source: LoadStep | ScalarStep | ConstantStep | ApplyStep | ReducedStep | CarriedStep | IndexStep


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
class ReducedStep:
    """The result of the nest's accumulation number ``accumulation``."""

    accumulation: int


@dataclass(frozen=True, kw_only=True)
class CarriedStep:
    """What an iteration of the nest's own loop finds: step ``initial`` first, then what ``NestLoop.updates`` says."""

    initial: int


@dataclass(frozen=True, kw_only=True)
class IndexStep:
    """The index of the nest's own loop."""


@dataclass(frozen=True, kw_only=True)
class NestLoop:
    """A loop around the body of a nest, for each element: ``for index in range(start, stop, step)``, at least once.

    What depends on no ``CarriedStep`` and no ``IndexStep`` is computed before it, and stores come after it.

    Attributes:
        start, stop: steps, of int64.
        step: not zero.
        updates: for each ``CarriedStep``, the step whose value the next iteration finds in its place.
    """

    start: int
    stop: int
    step: int
    updates: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Nest:
    """A loop nest over elements that do not depend on each other.

    Attributes:
        dims: the graph's dimension of each loop axis, outermost first.
        stores: what it writes.
        loads: what it reads.
        steps: the body, operands first.
        element_cost: estimated picoseconds for one element on one core.
        loop: around the steps, or None.
    """

    dims: Dims
    stores: tuple[Store, ...]
    loads: tuple[Load, ...]
    steps: tuple[Step, ...]
    element_cost: int
    loop: NestLoop | None = None


@dataclass(frozen=True, kw_only=True)
class Accumulation:
    """One reduction or scan of a nest.

    Attributes:
        node: of the graph: whose piece length a launch looks up.
        operation: name in the operation table.
        step: the values that are combined.
        dtype: of the values as they are combined; the result's too, unless it is an index.
        initial: the step of a number that comes first, or None.
        phase: the pass over the row in which it is computed.
        form: the order.
        mask: the step of the boolean values that say which values count, or None.
        counts: whether it counts the true ones of boolean values: a sum of them, exact in any order.
        is_scan: whether every partial result is stored, by store number ``scan_store``.
    """

    node: int
    operation: str
    step: int
    dtype: np.dtype
    initial: int | None
    phase: int
    form: ReductionForm
    counts: bool = False
    mask: int | None = None
    scan_store: int | None = None


class Style(enum.Enum):
    """How the loops of a nest with reductions lie."""

    ROWS = "rows"  # a row of reduced elements for each element of the result: passes over a row that stays in cache
    COLUMNS = "columns"  # neighbouring elements of the result together, from reduced element to reduced element
    PARTS = "parts"  # one result for all: parts of the only row, then their combination


EPILOGUE = -1  # the phase of a store that comes after all passes over a row


@dataclass(frozen=True, kw_only=True)
class ReductionNest:
    """A loop nest with reductions; its loop axes are ``kept``, then ``lead``, then ``row``.

    Attributes:
        style: how its loops lie.
        kept: dimensions of the results.
        lead: dimensions walked around the row, in this order.
        row: dimensions that make a row, in this order.
        stores: what it writes.
        store_phases: for each store the pass over the row in which it happens, or ``EPILOGUE``.
        loads, steps, element_cost: as in ``Nest``; an element is one of a row.
        accumulations: the reductions.
        partials: of PARTS, for each accumulation the temporaries that hold the parts' results.
    """

    style: Style
    kept: Dims
    lead: Dims
    row: Dims
    stores: tuple[Store, ...]
    store_phases: tuple[int, ...]
    loads: tuple[Load, ...]
    steps: tuple[Step, ...]
    accumulations: tuple[Accumulation, ...]
    element_cost: int
    partials: tuple[tuple[int, ...], ...] = ()

    @property
    def dims(self) -> Dims:
        """The graph's dimension of each loop axis."""
        return self.kept + self.lead + self.row

    @property
    def phase_count(self) -> int:
        """Passes over a row."""
        return 1 + max([accumulation.phase for accumulation in self.accumulations] + list(self.store_phases))


@dataclass(frozen=True, kw_only=True)
class Temporary:
    """Memory for values that one nest writes and later ones read.

    Attributes:
        dtype: of its elements.
        dims: its axes; it is in C order. None: one element for each part of a nest.
        shares: the output or temporary whose memory it is, seen under other dimensions.
    """

    dtype: np.dtype
    dims: Dims | None
    shares: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoopPlan:
    """All nests of a kernel, in the order in which they run."""

    nests: tuple[Nest | ReductionNest, ...]
    scalar_dtypes: tuple[np.dtype, ...]
    input_count: int
    output_count: int
    temporaries: tuple[Temporary, ...] = ()


def has_open_loop(plan: LoopPlan) -> bool:
    """Whether a nest has a loop whose number of turns only a call knows: nobody knows how long the kernel takes."""
    return any(
        not all(isinstance(nest.steps[bound].source, ConstantStep) for bound in (nest.loop.start, nest.loop.stop))
        for nest in plan.nests
        if isinstance(nest, Nest) and nest.loop is not None
    )


def plan_text(plan: LoopPlan) -> str:
    """The stable text form of a plan, ending in a newline."""
    lines = [
        f"tmp{number} : {code_of(temporary.dtype)}[{_dims_text(temporary.dims)}]{_shared_text(temporary, plan)}"
        for number, temporary in enumerate(plan.temporaries)
    ]
    for number, nest in enumerate(plan.nests):
        lines.append(f"nest {number} over {_loops_text(nest)}, {nest.element_cost} ps an element")
        lines += [f"  {_step_text(position, step, nest, plan)}" for position, step in enumerate(nest.steps)]
        if isinstance(nest, Nest) and nest.loop is not None:
            lines += [f"  t{carried} becomes t{update}" for carried, update in nest.loop.updates]
        lines += [f"  {_store_text(position, nest, plan)}" for position in range(len(nest.stores))]
    return "\n".join(lines) + "\n"


def _shared_text(temporary: Temporary, plan: LoopPlan) -> str:
    return "" if temporary.shares is None else f" in {_operand_text(plan.input_count + temporary.shares, plan)}"


def _loops_text(nest: Nest | ReductionNest) -> str:
    if isinstance(nest, Nest):
        loop = nest.loop
        turns = "" if loop is None else f", each from t{loop.start} to t{loop.stop} step {loop.step}"
        return f"[{_dims_text(nest.dims)}]{turns}"
    lead = f" lead [{_dims_text(nest.lead)}]" if nest.lead else ""
    return f"[{_dims_text(nest.kept)}] {nest.style.value}{lead} [{_dims_text(nest.row)}]"


def _dims_text(dims: Dims | None) -> str:
    return "parts" if dims is None else ", ".join("1" if dim == ONE else f"d{dim}" for dim in dims)


def _step_text(position: int, step: Step, nest: Nest | ReductionNest, plan: LoopPlan) -> str:
    match step.source:
        case LoadStep(load=load):
            operand = nest.loads[load]
            text = (
                f"load {_operand_text(operand.index, plan)}{_axes_text(operand.axes)}{_offsets_text(operand.offsets)}"
            )
        case ScalarStep(slot=slot):
            text = f"scalar s{slot}"
        case ConstantStep(value=value):
            text = f"constant {value!r}"
        case ApplyStep(operation=operation, operands=operands, result=result):
            text = f"{operation}{f'.{result}' if result else ''} {', '.join(f't{operand}' for operand in operands)}"
        case CarriedStep(initial=initial):
            text = f"carried from t{initial}"
        case IndexStep():
            text = "index"
        case ReducedStep(accumulation=number):
            assert isinstance(nest, ReductionNest)
            text = _accumulation_text(nest.accumulations[number])
    name = f"  # {step.name}" if step.name else ""
    return f"t{position} = {text} : {code_of(step.dtype)}{name}"


def _accumulation_text(accumulation: Accumulation) -> str:
    form = accumulation.form
    notes = [
        note
        for note, holds in (("in pieces", form.is_chunked), ("short", form.is_short), ("along memory", form.is_inner))
        if holds
    ]
    start = "" if accumulation.initial is None else f" from t{accumulation.initial}"
    kind = "scan" if accumulation.scan_store is not None else "count" if accumulation.counts else "reduce"
    return (
        f"{kind} {accumulation.operation} t{accumulation.step}{start} in pass {accumulation.phase} ({', '.join(notes)})"
    )


def _store_text(position: int, nest: Nest | ReductionNest, plan: LoopPlan) -> str:
    store = nest.stores[position]
    where = f"{_operand_text(plan.input_count + store.output, plan)} : {code_of(store.dtype)}{_axes_text(store.axes)}"
    phase = ""
    if isinstance(nest, ReductionNest):
        number = nest.store_phases[position]
        phase = " after all passes" if number == EPILOGUE else f" in pass {number}"
    scans = [value for value in getattr(nest, "accumulations", ()) if value.scan_store == position]
    value = _accumulation_text(scans[0]) if scans else f"t{store.step}"
    return f"store {value} to {where}{_offsets_text(store.offsets)}{phase}"


def _operand_text(index: int, plan: LoopPlan) -> str:
    if index < plan.input_count:
        return f"a{index}"
    buffer = index - plan.input_count
    return f"out{buffer}" if buffer < plan.output_count else f"tmp{buffer - plan.output_count}"


def _axes_text(axes: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("-" if axis is None else str(axis) for axis in axes) + "]"


def _offsets_text(offsets: tuple[Offset, ...]) -> str:
    return "".join(f" axis {offset.axis} from {sum_text(offset.start)} step {offset.step}" for offset in offsets)


def sum_text(terms: Sum) -> str:
    """A sum as text, such as ``2*n0 + 3``."""
    parts = [
        ("" if factor == 1 else f"{factor}*") + (f"n{number.slot}" if isinstance(number, HostExtent) else str(number))
        for factor, number in terms
    ]
    return " + ".join(parts) or "0"
