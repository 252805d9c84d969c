"""The records of a loop plan: what becomes which loop nest."""

from __future__ import annotations

import enum

import numpy as np

from pyfuse.graph.nodes import Dims, HostExtent, Number
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
        gathered: array axes along which computed indices choose: see ``GatherStep``.
        gathered_dims: the dimension of each of them.
    """

    index: int
    dtype: np.dtype
    axes: tuple[int | None, ...]
    offsets: tuple[Offset, ...] = ()
    gathered: tuple[int, ...] = ()
    gathered_dims: Dims = ()


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
        source: what it is: a load, one at computed places, a scalar slot, a constant, an operation, or the result of a
            reduction.
    """

    dtype: np.dtype
    varies_along: frozenset[int]
    name: str
    source: LoadStep | GatherStep | ScalarStep | ConstantStep | ApplyStep | ReducedStep | CarriedStep | IndexStep


@dataclass(frozen=True, kw_only=True)
class LoadStep:
    """Read the nest's load number ``load``."""

    load: int


@dataclass(frozen=True, kw_only=True)
class GatherStep:
    """Read the nest's load number ``load`` where earlier steps say: an index for each of its ``gathered`` axes.

    Attributes:
        load: which.
        operands: the steps of the indices.
        mode: as in ``nodes.Gather``.
    """

    load: int
    operands: tuple[int, ...]
    mode: str


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


def operands_of_step(step: Step) -> tuple[int, ...]:
    """The earlier steps whose values a step needs."""
    return step.source.operands if isinstance(step.source, ApplyStep | GatherStep) else ()


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
    """All nests of a kernel, in the order in which they run.

    Attributes:
        nests: what runs.
        scalar_dtypes: of the numbers that are passed.
        input_count, output_count: arrays.
        temporaries: arrays of the kernel's own.
        overwrites: outputs may be inputs at the same time, element for element.
    """

    nests: tuple[Nest | ReductionNest, ...]
    scalar_dtypes: tuple[np.dtype, ...]
    input_count: int
    output_count: int
    temporaries: tuple[Temporary, ...] = ()
    overwrites: bool = False


def has_open_loop(plan: LoopPlan) -> bool:
    """Whether a nest has a loop whose number of turns only a call knows: nobody knows how long the kernel takes."""
    return any(
        not all(isinstance(nest.steps[bound].source, ConstantStep) for bound in (nest.loop.start, nest.loop.stop))
        for nest in plan.nests
        if isinstance(nest, Nest) and nest.loop is not None
    )
