"""What an element of a nest costs, estimated: for the choice of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyfuse.graph.loop_plan import ApplyStep, CarriedStep, ConstantStep, GatherStep, IndexStep, NestLoop, Step
from pyfuse.graph.ops import by_name

if TYPE_CHECKING:
    from pyfuse.graph.nest_steps import StepWriter

GATHER_COST = 500  # picoseconds of a read at a computed place, mostly from cache: 0.4 to 2 ns
ASSUMED_TURNS = 30  # of a loop in a nest, whose number only the call knows: for the choice of threads
IN_REGISTERS = 3  # times faster than ``Cost`` says, which knows of operands from the cache
PICOSECONDS_PER_BYTE = 12  # one core streams about 40 bytes in 1 ns from memory; a third of that is hidden by caches


def element_cost(
    writer: StepWriter, itemsizes: Sequence[int], last_axis: int | None, loop: NestLoop | None = None
) -> int:
    """Estimated picoseconds for one element of a nest on one core.

    Args:
        writer: of the nest's body.
        itemsizes: of what it writes.
        last_axis: the loop axis that is walked innermost: what is constant along it is computed once a row.
        loop: of the nest.
    """
    moved = (sum(load.dtype.itemsize for load in writer.loads) + sum(itemsizes)) * PICOSECONDS_PER_BYTE
    repeated = repeated_steps(writer.steps)
    costs = [_step_cost(step, last_axis) for step in writer.steps]
    once = sum(cost for position, cost in enumerate(costs) if position not in repeated)
    turns = 0 if loop is None else _turns(writer.steps, loop) or ASSUMED_TURNS
    return moved + once + sum(costs[position] for position in repeated) * turns // IN_REGISTERS


def _turns(steps: Sequence[Step], loop: NestLoop) -> int | None:
    """How often a loop runs, where that is known."""
    start, stop = steps[loop.start].source, steps[loop.stop].source
    if isinstance(start, ConstantStep) and isinstance(stop, ConstantStep):
        return len(range(int(start.value.real), int(stop.value.real), loop.step))
    return None


def repeated_steps(steps: Sequence[Step]) -> frozenset[int]:
    """The steps that change from iteration to iteration of a nest's own loop."""
    found: set[int] = set()
    for position, step in enumerate(steps):
        match step.source:
            case CarriedStep() | IndexStep():
                found.add(position)
            case ApplyStep(operands=operands) if not found.isdisjoint(operands):
                found.add(position)
    return frozenset(found)


def _step_cost(step: Step, last_axis: int | None) -> int:
    if not isinstance(step.source, ApplyStep | GatherStep) or (
        last_axis is not None and last_axis not in step.varies_along
    ):
        return 0
    if isinstance(step.source, GatherStep):
        return GATHER_COST
    return int(by_name(step.source.operation).cost) * (4 if step.dtype.kind == "c" else 1)
