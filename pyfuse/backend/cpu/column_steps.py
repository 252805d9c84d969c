"""What the loops of a nest of columns are made of: which steps move with the results, and where operands are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu import geometry_text, lane_text
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.step_text import StepText, buffer_length
from pyfuse.graph.loop_plan import (
    EPILOGUE,
    ApplyStep,
    GatherStep,
    LoadStep,
    ReducedStep,
    ReductionNest,
    Store,
    operands_of_step,
)
from pyfuse.graph.ops import Cost, by_name

# Results taken together: 8 KiB of float64 for each accumulator. Where many elements are reduced, four times as many: a
# processor fetches ahead as long as it reads on through a row. Sums of 3162 x 3162 float64 along the first axis take
# 2.5 ms so, and 3.1 by the short ones; but of 4 x 250,000 186 us, and 153 by the short ones (Zen 4, one thread).
STRETCH, LONG_STRETCH = 1024, 4096
MANY_ELEMENTS = 64  # reduced, in the innermost loop over them
# Elements more for each buffer, so that no two lie a multiple of 4 KiB apart: a processor takes a read of the one for a
# read of what was just written to the other. argmax of 512 columns of float64: 16 us, not 28.
PADDING = 8
MOST_OPERATIONS = 8  # of an element that is worth building more than once


class ColumnSteps:
    """The steps and operands of one nest."""

    def __init__(self, nest: ReductionNest, layout: NestLayout, input_count: int) -> None:
        self._nest = nest
        self._layout = layout
        self._steps = StepText(nest, layout, input_count)
        self._folds = [FoldText(number, value, self._steps) for number, value in enumerate(nest.accumulations)]
        self._reduced_axes = frozenset(range(len(nest.kept), len(nest.dims)))
        self._geometry = geometry_text.of_columns(self._steps, layout)
        self._moves: set[int] = set()  # steps that change along the innermost loop
        self._held: list[int] = []  # steps that move, but are the same for every reduced element, and worth keeping
        for position, step in enumerate(nest.steps):
            if self._steps.moves(position):
                self._moves.add(position)
            if isinstance(step.source, ReducedStep):
                self._steps.names[position] = f"result{step.source.accumulation}"
        self._held = self._worth_holding()
        self._has_lanes = not self._held and all(lane_text.takes_any_order(fold) for fold in self._folds)
        hopeful = [fold for fold in self._folds if fold.has_a_hopeful_form]
        self._hopeful = hopeful if self._is_light() and not any(fold.is_scan for fold in self._folds) else []
        self._stretch = buffer_length(self._buffer_sizes(), LONG_STRETCH)  # at most
        self._lanes, self._turn = ("lanes", "sides") if self._has_lanes else ("width", "1")

    def _is_of_row(self, position: int) -> bool:
        """Whether a step's value depends on the reduced element."""
        return not self._reduced_axes.isdisjoint(self._nest.steps[position].varies_along)

    def _worth_holding(self) -> list[int]:
        """What is computed for each result once, not once more with each reduced element."""
        values = self._steps.cone(self._values())
        readers = [self._nest.steps[position] for position in values if self._is_of_row(position)]
        read = {operand for step in readers for operand in operands_of_step(step)}
        return [
            position
            for position in sorted(read)
            if position in self._moves
            and not self._is_of_row(position)
            and isinstance(self._nest.steps[position].source, ApplyStep | GatherStep)
        ]

    def _is_light(self) -> bool:
        """Whether an element costs little more than reading and writing its accumulators."""
        sources = [self._nest.steps[step].source for step in self._steps.cone(self._values())]
        if any(isinstance(source, GatherStep) for source in sources):
            return False
        costs = [by_name(source.operation).cost for source in sources if isinstance(source, ApplyStep)]
        return all(cost == Cost.SIMPLE for cost in costs) and len(costs) + len(self._folds) <= MOST_OPERATIONS

    def _has_an_index(self) -> bool:
        return any(fold.finds_an_index for fold in self._folds)

    def _all_sinks(self) -> list[int]:
        initial = [fold.accumulation.initial for fold in self._folds if fold.accumulation.initial is not None]
        values = self._values()
        return [*values, *initial, *(store.step for _, store in self._epilogue_stores())]

    def _values(self) -> list[int]:
        """Steps that are accumulated, and those that say which of them count."""
        masks = [fold.accumulation.mask for fold in self._folds if fold.accumulation.mask is not None]
        return [fold.accumulation.step for fold in self._folds] + masks

    def _epilogue_stores(self) -> list[tuple[int, Store]]:
        return [
            (position, store)
            for position, (store, phase) in enumerate(zip(self._nest.stores, self._nest.store_phases, strict=True))
            if phase == EPILOGUE
        ]

    def _buffer_sizes(self) -> list[int]:
        """Bytes that each buffer has for a result."""
        sizes = [self._nest.steps[step].dtype.itemsize for step in self._held]
        sizes += [fold.dtype.itemsize for fold in [*self._folds, *self._hopeful]]
        return sizes + [np.dtype("i8").itemsize for fold in self._folds if fold.finds_an_index]

    def _arrays(self, fold: FoldText) -> list[str]:
        lines = [f"{c_type(fold.dtype)} {fold.acc}[{self._stretch + PADDING}];"]
        if fold.finds_an_index:
            lines.append(f"pf_i8 {fold.index}[{self._stretch + 2 * PADDING}];")
        if fold in self._hopeful:
            lines.append(f"{c_type(fold.dtype)} {fold.nan}[{self._stretch + 2 * PADDING}];")
        return lines

    def _loaded(self, sinks: Sequence[int], known: Sequence[int] = ()) -> set[int]:
        return {
            self._steps.load_position(source.load)
            for position in self._steps.cone(sinks, known)
            if isinstance(source := self._nest.steps[position].source, LoadStep | GatherStep)
        }

    def _row_pointers(self) -> list[str]:
        """``q<n>``: where each operand's row begins; ``d<n>``: its stride in the innermost loop."""
        outer = self._layout.outer_rank
        indices = ["outer"] if outer == 1 else [f"x{axis}" for axis in range(outer)]
        lines = []
        for position, (operand, _, is_stored) in enumerate(self._steps.operands()):
            address = (
                f"operands[{operand}]{self._geometry.offset(position, 0, indices)}{self._geometry.start(position)}"
            )
            lines.append(f"{'' if is_stored else 'const '}char *q{position} = {address};")
            if not self._steps.is_unit(position) and not self._steps.is_still(position):
                lines.append(f"const pf_i8 d{position} = {self._geometry.stride(position, outer)};")
        return lines

    def _still_values(self, sinks: Sequence[int]) -> list[str]:
        """Declarations of what is the same for a whole row of results."""
        lines = []
        for position in self._steps.cone(sinks):
            if position in self._moves or self._is_of_row(position) or self._steps.is_opaque(position):
                continue
            lines += self._declaration(position, "q")
        return lines

    def _declaration(self, position: int, pointer: str) -> list[str]:
        if position in self._moves:
            return self._steps.declaration(position)
        return self._steps.still_value(position, pointer)

    def _pointer(self, place: int, offset: str) -> list[str]:
        return self._steps.pointer(place, f"q{place}{offset}{self._column_offset(place)}")

    def _element_pointers(self, index: str) -> list[str]:
        """Pointers to the stretch of one reduced element; ``index``: its place along the innermost reduced axis."""
        values = self._values()
        scans = {fold.accumulation.scan_store for fold in self._folds if fold.accumulation.scan_store is not None}
        indices = [*(f"y{axis}" for axis in range(self._geometry.row - 1)), index]
        lines = []
        for place in sorted(self._loaded(values, self._held) | scans):
            offset = self._geometry.offset(place, self._geometry.kept, indices)
            lines += self._steps.pointer(place, f"q{place}{offset}{self._column_offset(place)}")
        return lines

    def _column_offset(self, place: int) -> str:
        if self._steps.is_still(place):
            return ""
        if self._steps.is_unit(place):
            return f" + column * (pf_i8)sizeof({c_type(self._steps.operands()[place][1])})"
        return f" + column * d{place}"
