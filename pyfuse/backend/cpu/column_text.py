"""A nest whose innermost loop runs along the results of reductions, as C: neighbouring results side by side.

This is how NumPy goes along an axis that is not the innermost in memory, and for each result it is a plain fold in the
order of the reduced axes, so that results can be taken in any order: here a stretch of them that stays in cache.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu import geometry_text, lane_text
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.step_text import (
    StepText,
    block,
    buffer_length,
    hidden_zero,
    nest_text,
    next_row,
    row_indices,
    without_unused,
)
from pyfuse.graph.loop_plan import EPILOGUE, ApplyStep, LoadStep, ReducedStep, ReductionNest, Store
from pyfuse.graph.ops import Cost, Fold, by_name

STRETCH = 512  # results taken together: 4 KiB of float64 for each accumulator
# Elements more for each buffer, so that no two lie a multiple of 4 KiB apart: a processor takes a read of the one for a
# read of what was just written to the other. argmax of 512 columns of float64: 16 us, not 28.
PADDING = 8
# Reduced elements taken between reading an accumulator and writing it, where an element has at most so many operations
# and no dear ones: each would be built several times.
# Sums of 1000 x 1000 float64 along the first axis: 68 us, not 97; of 20,000 x 4: 22 us, not 56.
ROWS = 4
MOST_OPERATIONS = 8

NestText = tuple[str, set[str]]


def write_columns(name: str, nest: ReductionNest, layout: NestLayout, input_count: int) -> NestText:
    """The text of a nest; row number ``outer`` counts the kept dimensions but the innermost, which ``inner`` counts."""
    return _ColumnText(nest, layout, input_count).text(name)


class _ColumnText:
    """Writes the loops of one nest."""

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
            if self._moves_innermost(position):
                self._moves.add(position)
            if isinstance(step.source, ReducedStep):
                self._steps.names[position] = f"result{step.source.accumulation}"
        self._held = self._worth_holding()
        held = [nest.steps[step].dtype.itemsize for step in self._held]
        self._stretch = buffer_length([*held, *(fold.dtype.itemsize for fold in self._folds)], STRETCH)
        self._has_lanes = not self._held and all(lane_text.takes_any_order(fold) for fold in self._folds)
        self._lanes, self._turn = ("lanes", "sides") if self._has_lanes else ("width", "1")

    def _moves_innermost(self, position: int) -> bool:
        match self._nest.steps[position].source:
            case LoadStep(load=load):
                return not self._steps.is_still(self._steps.load_position(load))
            case ApplyStep(operands=operands):
                return any(operand in self._moves for operand in operands)
            case source:
                return isinstance(source, ReducedStep)

    def _is_of_row(self, position: int) -> bool:
        """Whether a step's value depends on the reduced element."""
        return not self._reduced_axes.isdisjoint(self._nest.steps[position].varies_along)

    def _worth_holding(self) -> list[int]:
        """What is computed for each result once, not once more with each reduced element."""
        values = self._steps.cone(self._values())
        readers = [self._nest.steps[position].source for position in values if self._is_of_row(position)]
        read = {operand for source in readers if isinstance(source, ApplyStep) for operand in source.operands}
        return [
            position
            for position in sorted(read)
            if position in self._moves
            and not self._is_of_row(position)
            and isinstance(self._nest.steps[position].source, ApplyStep)
        ]

    # --- loops ----------------------------------------------------------------------------------------------------

    def text(self, name: str) -> NestText:
        """The nest's functions."""
        rank = self._layout.outer_rank
        before = [*self._row_pointers(), *self._still_values(self._all_sinks())]
        stretch = [
            f"const pf_i8 width = inner_end - column < {self._stretch} ? inner_end - column : {self._stretch};",
            *(lane_text.count(self._geometry, self._loaded(self._values())) if self._has_lanes else []),
            *self._held_values(),
            *self._accumulation(),
            *(lane_text.joined(self._folds) if self._has_lanes else []),
            *self._results(),
        ]
        row = [
            *before,
            *block(f"for (pf_i8 column = inner_begin; column < inner_end; column += {self._stretch})", stretch),
            *next_row(rank),
        ]
        loops = [
            *row_indices(rank),
            *block("for (pf_i8 outer = outer_begin; outer < outer_end; ++outer)", row),
            "return status;",
        ]
        arrays = [line for fold in self._folds for line in self._arrays(fold)]
        arrays += [f"{c_type(self._nest.steps[step].dtype)} held{step}[{self._stretch}];" for step in self._held]
        body = without_unused([*hidden_zero(loops), *self._steps.opaque_constants(), *arrays, *loops])
        is_careful = any(functions()[call].takes_careful for call in self._steps.calls)
        return nest_text(name, body, is_careful=is_careful), self._steps.calls

    def _all_sinks(self) -> list[int]:
        initial = [fold.accumulation.initial for fold in self._folds if fold.accumulation.initial is not None]
        values = self._values()
        return [*values, *initial, *(store.step for _, store in self._epilogue_stores())]

    def _values(self) -> list[int]:
        """Steps that are accumulated, and those that say which of them count."""
        masks = [fold.accumulation.mask for fold in self._folds if fold.accumulation.mask is not None]
        return [fold.accumulation.step for fold in self._folds] + masks

    def _arrays(self, fold: FoldText) -> list[str]:
        lines = [f"{c_type(fold.dtype)} {fold.acc}[{self._stretch + PADDING}];"]
        if fold.finds_an_index:
            lines.append(f"pf_i8 {fold.index}[{self._stretch + 2 * PADDING}];")
        return lines

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
        source = self._nest.steps[position].source
        if not isinstance(source, LoadStep) or position in self._moves:
            return self._steps.declaration(position)
        place = self._steps.load_position(source.load)
        return self._steps.declaration(position, self._steps.element_at(place, f"{pointer}{place}"))

    def _accumulation(self) -> list[str]:
        """All reduced elements taken in: in the hope that none is NaN, where that is cheaper, and again if one was."""
        hopeful = [fold for fold in self._folds if fold.has_a_hopeful_form]
        exactly = [*self._accumulators(), *self._row_loops(is_hopeful=False)]
        if not hopeful or any(fold.is_scan for fold in self._folds) or not self._is_light():
            return exactly
        doubts = " | ".join(f"({fold.is_doubtful(f'{fold.acc}[i]')})" for fold in hopeful)
        return [
            *block("", [*self._accumulators(), *self._row_loops(is_hopeful=True)]),
            "int is_doubtful = 0;",
            f"for (pf_i8 i = 0; i < width; ++i) is_doubtful |= {doubts};",
            *block("if (is_doubtful)", exactly),
        ]

    def _accumulators(self) -> list[str]:
        """Every accumulator of the stretch as it is before the first element."""
        lines = []
        for fold in self._folds:
            start = fold.start_value()
            if start is not None:
                lines.append(f"for (pf_i8 i = 0; i < {self._lanes}; ++i) {fold.acc}[i] = {start};")
        if any(fold.start_value() is None for fold in self._folds):
            lines.append("int is_first = 1;")
        return lines

    def _held_values(self) -> list[str]:
        """``held<n>``: the values of a stretch that every reduced element needs."""
        if not self._held:
            return []
        lines = [line for place in sorted(self._loaded(self._held)) for line in self._pointer(place, "")]
        with self._steps.scope():
            inner = [
                line
                for position in self._steps.cone(self._held)
                if position in self._moves
                for line in self._steps.declaration(position)
            ]
            inner += [f"held{position}[i] = {self._steps.names[position]};" for position in self._held]
        return block("", [*lines, "#pragma GCC ivdep", *block("for (pf_i8 i = 0; i < width; ++i)", inner)])

    def _pointer(self, place: int, offset: str) -> list[str]:
        return self._steps.pointer(place, f"q{place}{offset}{self._column_offset(place)}")

    def _row_loops(self, *, is_hopeful: bool) -> list[str]:
        """The loops over reduced elements, in each one the loop over the stretch."""
        assert self._geometry.row > 0, "a reduction along no axis is not fused"
        last = self._geometry.row - 1
        index, extent = f"y{last}", self._geometry.row_extent(last)
        body = [f"pf_i8 {index} = 0;"]
        if any(fold.start_value() is None for fold in self._folds):
            first = self._one_row(index, self._lanes, self._turn, is_first=True, is_hopeful=is_hopeful)
            body += block(f"if (is_first && {extent} > 0)", [*first, "is_first = 0;", f"{index} = {self._turn};"])
        if self._takes_several_rows():
            step = f"{ROWS} * sides" if self._has_lanes else str(ROWS)
            rows = self._several_rows(index, is_hopeful=is_hopeful)
            body += block(f"for (; {index} + {step} <= {extent}; {index} += {step})", rows)
        if self._has_lanes:
            one = self._one_row(index, "taken * width", "taken", is_first=False, is_hopeful=is_hopeful)
            left = f"const pf_i8 taken = {extent} - {index} < sides ? {extent} - {index} : sides;"
            body += block(f"for (; {index} < {extent}; {index} += sides)", [left, *one])
        else:
            one = self._one_row(index, "width", "1", is_first=False, is_hopeful=is_hopeful)
            body += block(f"for (; {index} < {extent}; ++{index})", one)
        for axis in reversed(range(last)):
            outer = self._geometry.row_extent(axis)
            body = block(f"for (pf_i8 y{axis} = 0; y{axis} < {outer}; ++y{axis})", body)
        if self._has_an_index():
            body = ["pf_i8 number = 0;", *body]
        return block("", body)

    def _takes_several_rows(self) -> bool:
        """Whether it pays, and gcc vectorises several.

        It does not where accumulators are stored in between, or are chosen by comparing floating-point numbers twice.
        """
        if any(fold.is_scan or (fold.finds_an_index and fold.dtype.kind in "fc") for fold in self._folds):
            return False
        if any(fold.dtype.kind == "c" and fold.fold is not Fold.PAIRWISE for fold in self._folds):
            return False
        return self._is_light()

    def _is_light(self) -> bool:
        """Whether an element costs little more than reading and writing its accumulators."""
        sources = [self._nest.steps[step].source for step in self._steps.cone(self._values())]
        costs = [by_name(source.operation).cost for source in sources if isinstance(source, ApplyStep)]
        return all(cost == Cost.SIMPLE for cost in costs) and len(costs) + len(self._folds) <= MOST_OPERATIONS

    def _has_an_index(self) -> bool:
        return any(fold.finds_an_index for fold in self._folds)

    def _one_row(self, index: str, lanes: str, elements: str, *, is_first: bool, is_hopeful: bool) -> list[str]:
        still, moving = self._element(is_first=is_first, is_hopeful=is_hopeful, number="number")
        loop = ["#pragma GCC ivdep", *block(f"for (pf_i8 i = 0; i < {lanes}; ++i)", moving)]
        count = [f"number += {elements};"] if self._has_an_index() else []
        return [*self._element_pointers(index), *still, *loop, *count]

    def _several_rows(self, index: str, *, is_hopeful: bool) -> list[str]:
        """``ROWS`` elements for each result: gcc unrolls the loop over them, and keeps accumulators in registers."""
        ahead = "k * sides" if self._has_lanes else "k"
        still, moving = self._element(is_first=False, is_hopeful=is_hopeful, number=f"number + {ahead}")
        pointers = self._element_pointers(f"({index} + {ahead})")
        rows = block(f"for (int k = 0; k < {ROWS}; ++k)", [*pointers, *still, *moving])
        loop = ["#pragma GCC ivdep", *block(f"for (pf_i8 i = 0; i < {self._lanes}; ++i)", rows)]
        return [*loop, *([f"number += {ROWS} * {self._turn};"] if self._has_an_index() else [])]

    def _loaded(self, sinks: Sequence[int], known: Sequence[int] = ()) -> set[int]:
        return {
            self._steps.load_position(source.load)
            for position in self._steps.cone(sinks, known)
            if isinstance(source := self._nest.steps[position].source, LoadStep)
        }

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

    def _element(self, *, is_first: bool, is_hopeful: bool, number: str) -> tuple[list[str], list[str]]:
        """One reduced element taken into the accumulators: what is the same for all results, and the rest."""
        values = self._values()
        still, moving = [], []
        with self._steps.scope():
            for position in self._held:
                kind = c_type(self._nest.steps[position].dtype)
                moving.append(f"const {kind} {self._steps.names[position]} = held{position}[i];")
            for position in self._steps.cone(values, self._held):
                if self._steps.is_opaque(position):
                    continue
                if position in self._moves:
                    moving += self._steps.declaration(position)
                elif self._is_of_row(position):
                    still += self._declaration(position, "p")
            for fold in self._folds:
                moving += self._taken(fold, is_first=is_first, is_hopeful=is_hopeful, number=number)
        return still, moving

    def _taken(self, fold: FoldText, *, is_first: bool, is_hopeful: bool, number: str) -> list[str]:
        value, acc = self._steps.names[fold.accumulation.step], f"{fold.acc}[i]"
        if fold.accumulation.mask is not None:
            value = fold.masked(value, self._steps.names[fold.accumulation.mask])
        is_start = is_first and fold.start_value() is None
        if fold.finds_an_index:
            if is_start:
                return [f"{acc} = {value};", f"{fold.index}[i] = 0;"]
            may_beat = fold.may_beat(value, acc)
            if may_beat is not None:
                better = block(f"if ({fold.beats(value, acc)})", [f"{acc} = {value};", f"{fold.index}[i] = {number};"])
                return block(f"if (__builtin_expect({may_beat}, 0))", better)
            return [
                f"const int is_better{fold.acc} = {fold.beats(value, acc)};",
                f"{acc} = is_better{fold.acc} ? {value} : {acc};",
                f"{fold.index}[i] = is_better{fold.acc} ? {number} : {fold.index}[i];",
            ]
        if is_hopeful and fold.has_a_hopeful_form:
            return [f"{acc} = {fold.hoped(value, None if is_start else acc)};"]
        lines = [f"{acc} = {value};" if is_start else f"{acc} = {fold.combined(acc, value)};"]
        if fold.is_scan:
            assert fold.accumulation.scan_store is not None
            lines.append(f"{self._steps.element(fold.accumulation.scan_store)} = {acc};")
        return lines

    # --- results --------------------------------------------------------------------------------------------------

    def _epilogue_stores(self) -> list[tuple[int, Store]]:
        return [
            (position, store)
            for position, (store, phase) in enumerate(zip(self._nest.stores, self._nest.store_phases, strict=True))
            if phase == EPILOGUE
        ]

    def _results(self) -> list[str]:
        """What is stored of every result of the stretch."""
        stores = self._epilogue_stores()
        sinks = [store.step for _, store in stores]
        if not stores:
            return []
        pointers = []
        for place in sorted(self._loaded(sinks) | {position for position, _ in stores}):
            pointers += self._steps.pointer(place, f"q{place}{self._column_offset(place)}")
        moving = []
        with self._steps.scope():
            for number, fold in enumerate(self._folds):
                moving += self._result(number, fold)
            for position in self._steps.cone(sinks):
                if position in self._moves:
                    moving += self._steps.declaration(position)
            moving += [f"{self._steps.element(p)} = {self._steps.names[store.step]};" for p, store in stores]
        return block("", [*pointers, "#pragma GCC ivdep", *block("for (pf_i8 i = 0; i < width; ++i)", moving)])

    def _result(self, number: int, fold: FoldText) -> list[str]:
        if fold.is_scan:
            return []
        if fold.finds_an_index:
            return [f"const pf_i8 result{number} = {fold.index}[i];"]
        kind, value = c_type(fold.dtype), f"{fold.acc}[i]"
        if fold.accumulation.form.is_short:
            value = fold.combined(str(fold.initial_value()), value)
        return [f"const {kind} result{number} = {value};"]
