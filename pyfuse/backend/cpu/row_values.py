"""What a pass over a row computes anew, and what it has: the steps of a nest sorted by where their values are known."""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.step_text import StepText
from pyfuse.graph.element_cost import GATHER_COST
from pyfuse.graph.loop_plan import ApplyStep, GatherStep, LoadStep, ReductionNest, Store
from pyfuse.graph.ops import Cost, by_name

# A value that a later pass needs again is kept in memory if it costs more than this many picoseconds to compute.
KEPT_ABOVE = int(Cost.DIVISION)


class RowValues:
    """Where each step of a nest is known.

    Attributes:
        moves: steps that change in the innermost loop, given how the operands lie.
        kept: those that are kept in memory from one pass over the row to a later one.
        computed: steps that move, with the first pass that has them.
    """

    def __init__(self, nest: ReductionNest, steps: StepText, folds: Sequence[FoldText]) -> None:
        self._nest = nest
        self._steps = steps
        self._folds = folds
        self._reduced_axes = frozenset(range(len(nest.kept), len(nest.dims)))
        self.moves: set[int] = set()
        self.kept: set[int] = set()
        self.computed: dict[int, int] = {}
        for position in range(len(nest.steps)):
            if self.is_of_row(position) and steps.moves(position):
                self.moves.add(position)
        self._plan_kept()

    def is_of_row(self, position: int) -> bool:
        """Whether a step's value depends on the place in the row."""
        return not self._reduced_axes.isdisjoint(self._nest.steps[position].varies_along)

    def sinks(self, phase: int) -> list[int]:
        """Steps whose values a pass reduces or stores."""
        folds = [fold for fold in self._folds if fold.accumulation.phase == phase]
        values = [fold.accumulation.step for fold in folds]
        values += [fold.accumulation.mask for fold in folds if fold.accumulation.mask is not None]
        return values + [store.step for _, store in self.stores(phase)]

    def stores(self, phase: int) -> list[tuple[int, Store]]:
        """What a pass stores, scans left out."""
        scans = {fold.accumulation.scan_store for fold in self._folds}
        return [
            (position, store)
            for position, (store, own) in enumerate(zip(self._nest.stores, self._nest.store_phases, strict=True))
            if own == phase and position not in scans
        ]

    def ready(self, phase: int) -> set[int]:
        """Kept rows that an earlier pass has filled."""
        return {step for step in self.kept if self.computed[step] < phase}

    def kept_now(self, phase: int) -> set[int]:
        """Kept rows that a pass fills."""
        return {step for step in self.kept if self.computed[step] == phase}

    def read_along_row(self, phase: int) -> list[int]:
        """Operands that a pass reads or writes along the row."""
        loads = [
            self._steps.load_position(source.load)
            for position in self._steps.cone(self.sinks(phase), self.ready(phase))
            if isinstance(source := self._nest.steps[position].source, LoadStep | GatherStep)
            and self.is_of_row(position)
        ]
        scans = [
            fold.accumulation.scan_store
            for fold in self._folds
            if fold.accumulation.phase == phase and fold.accumulation.scan_store is not None
        ]
        return sorted({*loads, *scans, *(position for position, _ in self.stores(phase))})

    def _plan_kept(self) -> None:
        for phase in range(self._nest.phase_count):
            sinks = self.sinks(phase)
            for position in reversed(self._steps.cone(sinks)):
                if (
                    position in self.moves
                    and self.computed.get(position, phase) < phase
                    and self._cost(position) > KEPT_ABOVE
                    and position in self._steps.cone(sinks, self.kept)
                ):
                    self.kept.add(position)
            for position in self._steps.cone(sinks, self.kept):
                if position in self.moves:
                    self.computed.setdefault(position, phase)

    def _cost(self, position: int) -> int:
        sources = [self._nest.steps[step].source for step in self._steps.cone([position]) if step in self.moves]
        gathers = sum(isinstance(source, GatherStep) for source in sources)
        costs = sum(int(by_name(source.operation).cost) for source in sources if isinstance(source, ApplyStep))
        return costs + gathers * GATHER_COST
