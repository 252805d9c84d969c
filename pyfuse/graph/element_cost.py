"""What an element of a nest costs, estimated: for the choice of threads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pyfuse.graph.loop_plan import ApplyStep, CarriedStep, ConstantStep, GatherStep, IndexStep, NestLoop, Step
from pyfuse.graph.ops import Cost, by_name

if TYPE_CHECKING:
    from pyfuse.graph.nest_steps import StepWriter

GATHER_COST = 500  # picoseconds of a read at a computed place, mostly from cache: 0.4 to 2 ns
ASSUMED_TURNS = 30  # of a loop in a nest, whose number only the call knows: for the choice of threads
# Times as fast as ``PICOSECONDS`` says, in a loop of the nest: 20 complex iterations are estimated well.
IN_REGISTERS = 3
# Of an operation on eight bytes, in vectors; half of it on four and less. Measured on Zen 4 in kernels of 100,000
# elements, one thread: 22 and 10 in sea water, 305 and 102 of a division, 1,000 and 400 of tanh and exp.
PICOSECONDS = {Cost.SIMPLE: 30, Cost.DIVISION: 300, Cost.FUNCTION: 1000}
HALF_COST = 600  # of float16, which is computed in float32 and rounded
COMPLEX_PARTS = 8  # a product is six operations, and looked at
PICOSECONDS_PER_BYTE = 12  # one core streams about 40 bytes in 1 ns from memory; a third of that is hidden by caches


def element_cost(
    writer: StepWriter, itemsizes: Sequence[int], axes: Collection[int], loop: NestLoop | None = None
) -> int:
    """Estimated picoseconds for one element of a nest on one core.

    Args:
        writer: of the nest's body.
        itemsizes: of what it writes.
        axes: what is constant along these loop axes is not computed for each element: the innermost axis, or those that
            are reduced. Without any, all is.
        loop: of the nest.
    """
    moved = (sum(load.dtype.itemsize for load in writer.loads) + sum(itemsizes)) * PICOSECONDS_PER_BYTE
    repeated = repeated_steps(writer.steps)
    costs = [_step_cost(step, axes) for step in writer.steps]
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


def _step_cost(step: Step, axes: Collection[int]) -> int:
    is_constant = bool(axes) and step.varies_along.isdisjoint(axes)
    if not isinstance(step.source, ApplyStep | GatherStep) or is_constant:
        return 0
    if isinstance(step.source, GatherStep):
        return GATHER_COST
    cost = by_name(step.source.operation).cost
    if cost not in PICOSECONDS:
        return int(cost)
    one = PICOSECONDS[cost]
    match step.dtype.kind, step.dtype.itemsize:
        case "c", size:
            return one * COMPLEX_PARTS * size // 16
        case "f", 2:
            return one + HALF_COST
        case _, size:
            return one if size == 8 else one // 2
