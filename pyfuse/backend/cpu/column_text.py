"""A nest whose innermost loop runs along the results of reductions, as C: neighbouring results side by side.

This is how NumPy goes along an axis that is not the innermost in memory, and for each result it is a plain fold in the
order of the reduced axes, so that results can be taken in any order: here a stretch of them that stays in cache.
"""

from __future__ import annotations

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu import lane_text
from pyfuse.backend.cpu.column_steps import MANY_ELEMENTS, STRETCH, ColumnSteps
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.nest_text import nest_text
from pyfuse.backend.cpu.step_text import (
    block,
    hidden_zero,
    next_row,
    row_indices,
    without_unused,
)
from pyfuse.graph.loop_plan import ReductionNest
from pyfuse.graph.ops import Fold

# Reduced elements taken between reading an accumulator and writing it, where an element has few operations and no dear
# ones: each would be built several times.
# Sums of 1000 x 1000 float64 along the first axis: 68 us, not 97; of 20,000 x 4: 22 us, not 56.
ROWS = 4
# Of long pieces of rows more are read side by side, as memory comes faster so: sums of 3162 x 3162 float64 along the
# first axis 2.5 ms, not 3.7, of float32 1.1, not 1.8 (with four, but stretches as long, 2.9 and 1.5; one thread). Of
# short ones it loses: of 10,000 x 30 float32 28 us for 24; and so it does in the search for extremes.
MORE_ROWS, LONG_ROW = 8, 4096  # bytes
CHUNK = 64  # reduced elements between two looks for NaN: of float64 256 KiB, read from the second-level cache again

NestText = tuple[str, set[str]]


def write_columns(name: str, nest: ReductionNest, layout: NestLayout, input_count: int) -> NestText:
    """The text of a nest; row number ``outer`` counts the kept dimensions but the innermost, which ``inner`` counts."""
    return _ColumnText(nest, layout, input_count).text(name)


class _ColumnText(ColumnSteps):
    """Writes the loops of one nest."""

    # --- loops ----------------------------------------------------------------------------------------------------

    def text(self, name: str) -> NestText:
        """The nest's functions."""
        rank = self._layout.outer_rank
        before = [*self._row_pointers(), *self._still_values(self._all_sinks())]
        stretch = [
            "const pf_i8 width = inner_end - column < stretch ? inner_end - column : stretch;",
            *(lane_text.count(self._geometry, self._loaded(self._values())) if self._has_lanes else []),
            *self._held_values(),
            *self._accumulation(),
            *(lane_text.joined(self._folds) if self._has_lanes else []),
            *self._results(),
        ]
        row = [
            *before,
            *block("for (pf_i8 column = inner_begin; column < inner_end; column += stretch)", stretch),
            *next_row(rank),
        ]
        elements = self._geometry.row_extent(self._geometry.row - 1)
        short = min(self._stretch, STRETCH)
        loops = [
            f"const pf_i8 stretch = {elements} < {MANY_ELEMENTS} ? {short} : {self._stretch};",
            *row_indices(rank),
            *block("for (pf_i8 outer = outer_begin; outer < outer_end; ++outer)", row),
            "return status;",
        ]
        arrays = [line for fold in self._folds for line in self._arrays(fold)]
        arrays += [f"{c_type(self._nest.steps[step].dtype)} held{step}[{self._stretch}];" for step in self._held]
        body = without_unused(
            [*hidden_zero(loops), *self._steps.gathered_axes(), *self._steps.opaque_constants(), *arrays, *loops]
        )
        is_careful = any(functions()[call].takes_careful for call in self._steps.calls)
        return nest_text(name, body, is_careful=is_careful), self._steps.calls

    def _accumulation(self) -> list[str]:
        """All reduced elements taken in: in the hope that none is NaN, where that is cheaper.

        NaN then counts as the infinity that wins. Where that turns up, the NaN is looked for among the elements of a
        chunk, which are still in cache, and kept beside the accumulators until the end.
        """
        if not self._hopeful:
            return [*self._accumulators(), *self._row_loops()]
        nothing = [f"{fold.nan}[i] = 0;" for fold in self._hopeful]
        found = [f"{fold.acc}[i] = {fold.first_nan(fold.acc + '[i]', fold.nan + '[i]')};" for fold in self._hopeful]
        return [
            *self._accumulators(),
            *block("for (pf_i8 i = 0; i < width; ++i)", nothing),
            "int is_any_nan = 0;",
            *self._row_loops(),
            *block("if (is_any_nan)", block("for (pf_i8 i = 0; i < width; ++i)", found)),
        ]

    def _nan_search(self, index: str, end: str) -> list[str]:
        """After a chunk of elements that ends before ``end``: the first NaN of each result that may have one."""
        doubts = [
            f"({fold.is_doubtful(f'{fold.acc}[i]')} & ({fold.nan}[i] == {fold.nan}[i]))" for fold in self._hopeful
        ]
        still, moving = self._element(is_first=False, number="number", takes_nan=True)
        loop = ["#pragma GCC ivdep", *block("for (pf_i8 i = 0; i < width; ++i)", moving)]
        rows = [*self._element_pointers("chunk"), *still, *loop]
        return [
            "int is_doubtful = 0;",
            f"for (pf_i8 i = 0; i < width; ++i) is_doubtful |= {' | '.join(doubts)};",
            *block("if (is_doubtful)", ["is_any_nan = 1;", *block(f"for (; chunk < {end}; ++chunk)", rows)]),
            f"chunk = {index};",
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

    def _row_loops(self) -> list[str]:
        """The loops over reduced elements, in each one the loop over the stretch."""
        assert self._geometry.row > 0, "a reduction along no axis is not fused"
        last = self._geometry.row - 1
        index, extent = f"y{last}", self._geometry.row_extent(last)
        body = [f"pf_i8 {index} = 0;"]
        if any(fold.start_value() is None for fold in self._folds):
            first = self._one_row(index, self._lanes, self._turn, is_first=True)
            body += block(f"if (is_first && {extent} > 0)", [*first, "is_first = 0;", f"{index} = {self._turn};"])
        if self._hopeful:
            end = f"const pf_i8 end = {extent} - chunk < {CHUNK} ? {extent} : chunk + {CHUNK};"
            chunk = [end, *self._all_rows(index, "end"), *self._nan_search(index, "end")]
            body = ["pf_i8 chunk = 0;", *body, *block(f"while (chunk < {extent})", chunk)]
        else:
            body += self._all_rows(index, extent)
        for axis in reversed(range(last)):
            outer = self._geometry.row_extent(axis)
            body = block(f"for (pf_i8 y{axis} = 0; y{axis} < {outer}; ++y{axis})", body)
        if self._has_an_index():
            body = ["pf_i8 number = 0;", *body]
        return block("", body)

    def _all_rows(self, index: str, end: str) -> list[str]:
        """The loops over reduced elements from ``index`` on."""
        body = []
        if self._takes_several_rows():
            places = self._loaded(self._values())
            reads_on = all(self._steps.is_unit(place) or self._steps.is_still(place) for place in places)
            if reads_on and not self._hopeful and not self._has_lanes:
                size = max((self._steps.operands()[place][1].itemsize for place in places), default=1)
                if_long = f"width > {LONG_ROW // size} && {index} + {MORE_ROWS} <= {end}"
                body += block(f"for (; {if_long}; {index} += {MORE_ROWS})", self._several_rows(index, MORE_ROWS))
            step = f"{ROWS} * sides" if self._has_lanes else str(ROWS)
            body += block(f"for (; {index} + {step} <= {end}; {index} += {step})", self._several_rows(index, ROWS))
        if self._has_lanes:
            one = self._one_row(index, "taken * width", "taken", is_first=False)
            left = f"const pf_i8 taken = {end} - {index} < sides ? {end} - {index} : sides;"
            return [*body, *block(f"for (; {index} < {end}; {index} += sides)", [left, *one])]
        return [
            *body,
            *block(f"for (; {index} < {end}; ++{index})", self._one_row(index, "width", "1", is_first=False)),
        ]

    def _takes_several_rows(self) -> bool:
        """Whether it pays, and gcc vectorises several.

        It does not where accumulators are stored in between, or are chosen by comparing floating-point numbers twice.
        """
        if any(fold.is_scan or (fold.finds_an_index and fold.dtype.kind in "fc") for fold in self._folds):
            return False
        if any(fold.dtype.kind == "c" and fold.fold is not Fold.PAIRWISE for fold in self._folds):
            return False
        return self._is_light()

    def _one_row(self, index: str, lanes: str, elements: str, *, is_first: bool) -> list[str]:
        still, moving = self._element(is_first=is_first, number="number")
        loop = ["#pragma GCC ivdep", *block(f"for (pf_i8 i = 0; i < {lanes}; ++i)", moving)]
        count = [f"number += {elements};"] if self._has_an_index() else []
        return [*self._element_pointers(index), *still, *loop, *count]

    def _several_rows(self, index: str, count: int) -> list[str]:
        """``count`` elements for each result: gcc unrolls the loop over them, and keeps accumulators in registers."""
        ahead = "k * sides" if self._has_lanes else "k"
        still, moving = self._element(is_first=False, number=f"number + {ahead}")
        pointers = self._element_pointers(f"({index} + {ahead})")
        rows = block(f"for (int k = 0; k < {count}; ++k)", [*pointers, *still, *moving])
        loop = ["#pragma GCC ivdep", *block(f"for (pf_i8 i = 0; i < {self._lanes}; ++i)", rows)]
        return [*loop, *([f"number += {count} * {self._turn};"] if self._has_an_index() else [])]

    def _element(self, *, is_first: bool, number: str, takes_nan: bool = False) -> tuple[list[str], list[str]]:
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
                if not takes_nan:
                    moving += self._taken(fold, is_first=is_first, number=number)
                elif fold in self._hopeful:
                    value, nan = self._steps.names[fold.accumulation.step], f"{fold.nan}[i]"
                    moving.append(f"{nan} = {fold.first_nan(value, nan)};")
        return still, moving

    def _taken(self, fold: FoldText, *, is_first: bool, number: str) -> list[str]:
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
        if fold in self._hopeful:
            return [f"{acc} = {fold.hoped(value, None if is_start else acc)};"]
        lines = [f"{acc} = {value};" if is_start else f"{acc} = {fold.combined(acc, value)};"]
        if fold.is_scan:
            assert fold.accumulation.scan_store is not None
            lines.append(f"{self._steps.element(fold.accumulation.scan_store)} = {acc};")
        return lines

    # --- results --------------------------------------------------------------------------------------------------

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
