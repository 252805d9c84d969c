"""A nest whose innermost loop runs along the reduced row, as C: passes over a row, a tile of it at a time.

A tile is filled by a loop over elements that the compiler vectorises, and then reduced by the C library. Where NumPy
sums in pairs, tiles are the nodes of its tree.

Where rows are passed over several times, some of them go through the first pass, then all these through the next: what
a pass begins with, a mean, is there before it is asked for, and additions of different rows need not wait for each
other. The variance of 1,000 rows of 100 float32 takes 23 us for 36, of 316 rows of 316 18 for 22 (Zen 4, one thread).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu import geometry_text
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.nest_text import nest_text
from pyfuse.backend.cpu.row_values import RowValues
from pyfuse.backend.cpu.step_text import (
    StepText,
    block,
    hidden_zero,
    indented,
    next_row,
    row_indices,
    without_unused,
)
from pyfuse.backend.cpu.tile_text import TileText
from pyfuse.graph.loop_plan import EPILOGUE, ReducedStep, ReductionNest
from pyfuse.graph.ops import Fold

MOST_ROWS = 16  # that go through a pass together
BYTES_TOGETHER = 1 << 15  # of their operands and results: they are to stay in the first-level cache

NestText = tuple[str, set[str]]
_UNSPLIT = ("(void)inner_begin; (void)inner_end;",)  # a row is not split


def write_rows(name: str, nest: ReductionNest, layout: NestLayout, input_count: int) -> NestText:
    """The text of a nest that runs whole rows; row number ``outer`` counts the kept dimensions together."""
    text = RowText(nest, layout, input_count)
    body = text.rows_together() if text.takes_rows_together() else text.kept_loop(text.row("0", "row_length"))
    return text.finished(name, [*text.row_length(), *body])


class RowText:
    """Writes the passes of one nest."""

    def __init__(self, nest: ReductionNest, layout: NestLayout, input_count: int) -> None:
        self._nest = nest
        self._layout = layout
        self._steps = StepText(nest, layout, input_count)
        self._folds = [FoldText(number, value, self._steps) for number, value in enumerate(nest.accumulations)]
        self._values = RowValues(nest, self._steps, self._folds)
        self._geometry = geometry_text.of_rows(self._steps, layout)
        self._tiles = TileText(nest, layout, self._steps, self._folds, self._values, self._geometry)
        self._declared: set[int] = set()  # steps that are known for the whole row
        for position, step in enumerate(nest.steps):
            if isinstance(step.source, ReducedStep):
                self._steps.names[position] = self._folds[step.source.accumulation].result

    # --- the frame ------------------------------------------------------------------------------------------------

    def finished(self, name: str, body: Sequence[str]) -> NestText:
        """The functions of a nest with this body."""
        body = [*self._tiles.looked_after(body), "return status;"]
        constants = self._steps.opaque_constants()
        is_careful = any(functions()[call].takes_careful for call in self._steps.calls) or any(
            fold.may_choose_a_zero for fold in self._folds
        )
        lines = without_unused([*_UNSPLIT, *hidden_zero(body), *self._steps.gathered_axes(), *constants, *body])
        return nest_text(name, lines, is_careful=is_careful), self._steps.calls

    def row_length(self) -> list[str]:
        """The number of elements of a row."""
        extents = " * ".join(self._geometry.row_extent(axis) for axis in range(self._layout.row_rank))
        return [f"const pf_i8 row_length = {extents};"]

    def kept_loop(self, row: Sequence[str]) -> list[str]:
        """The loop over rows, and memory for tiles and kept rows around it."""
        rank = self._layout.outer_rank
        loop = block("for (pf_i8 outer = outer_begin; outer < outer_end; ++outer)", [*row, *next_row(rank)])
        return self._tiles.buffers([*row_indices(rank), *loop])

    def pointers(self, indices: Sequence[str]) -> list[str]:
        """``q<n>``: where each operand's row begins; ``d<n>``: its stride along the row."""
        lines = []
        for position, (operand, _, _) in enumerate(self._steps.operands()):
            address = (
                f"operands[{operand}]{self._geometry.offset(position, 0, indices)}{self._geometry.start(position)}"
            )
            lines.append(f"{self._pointer_kind(position)}q{position} = {address};")
            if not self._steps.is_unit(position) and not self._steps.is_still(position):
                last = self._geometry.kept + self._geometry.lead + self._geometry.row - 1
                lines.append(f"const pf_i8 d{position} = {self._geometry.stride(position, last)};")
        return lines

    def chunk(self, fold: FoldText) -> str:
        """The length of NumPy's pieces."""
        chunked = [other for other in self._folds if other.accumulation.form.is_chunked]
        return self._geometry.parameter(chunked.index(fold))

    def part_parameter(self, number: int) -> str:
        """Of a row in parts: their number, that of pieces in a row, the depth in the tree."""
        return self._geometry.parameter(sum(fold.accumulation.form.is_chunked for fold in self._folds) + number)

    # --- a row ----------------------------------------------------------------------------------------------------

    def row(self, begin: str, end: str) -> list[str]:
        """All passes over a row, and what follows them."""
        rank = self._layout.outer_rank
        lines = self.pointers(["outer"] if rank == 1 else [f"x{axis}" for axis in range(rank)])
        for phase in range(self._nest.phase_count):
            lines += self.pass_over_row(phase, begin, end)
        return [*lines, *self.epilogue()]

    def takes_rows_together(self) -> bool:
        """Whether some rows go through a pass before they go through the next."""
        is_plain = not any(fold.is_masked or fold.is_scan for fold in self._folds)
        return is_plain and self._nest.phase_count > 1 and self._layout.outer_rank == 1

    def rows_together(self) -> list[str]:
        """The loop over rows, some at a time, with a loop over these for each pass."""
        sizes = [dtype.itemsize for _, dtype, _ in self._steps.operands()]
        lines = [
            f"pf_i8 rows = {BYTES_TOGETHER // sum(sizes)} / (row_length + 1);",
            f"rows = rows < 1 ? 1 : rows > {MOST_ROWS} ? {MOST_ROWS} : rows;",
        ]
        last = self._nest.phase_count - 1
        passes = []
        for phase in range(self._nest.phase_count):
            self._declared.clear()
            with self._steps.scope():
                row = [*self.pass_over_row(phase, "0", "row_length"), *(self.epilogue() if phase == last else [])]
            if phase < last:
                results = [(fold, f"results_{fold.result}") for fold in self._folds_of(phase)]
                lines += [f"{self._result_type(fold)} {saved}[{MOST_ROWS}];" for fold, saved in results]
                row += [f"{saved}[outer - block_begin] = {fold.result};" for fold, saved in results]
            found = [*self.pointers(["outer"]), *self._earlier_results(phase), *self._tiles.kept_rows()]
            needed = [line for line in found if _is_named(line, row)]
            passes += block("for (pf_i8 outer = block_begin; outer < block_end; ++outer)", [*needed, *row])
        end = "block_end = outer_end - block_begin < rows ? outer_end : block_begin + rows;"
        head = "for (pf_i8 block_begin = outer_begin, block_end; block_begin < outer_end; block_begin = block_end)"
        return [*lines, *self._tiles.buffers(block(head, [end, *passes]), "rows")]

    def _earlier_results(self, phase: int) -> list[str]:
        """What passes before this one have come to."""
        return [
            f"const {self._result_type(fold)} {fold.result} = results_{fold.result}[outer - block_begin];"
            for earlier in range(phase)
            for fold in self._folds_of(earlier)
        ]

    def _folds_of(self, phase: int) -> list[FoldText]:
        return [fold for fold in self._folds if fold.accumulation.phase == phase]

    def _result_type(self, fold: FoldText) -> str:
        return "pf_i8" if fold.finds_an_index else c_type(fold.dtype)

    def epilogue(self) -> list[str]:
        """What is stored once a row."""
        stores = self._values.stores(EPILOGUE)
        lines = self.row_values([store.step for _, store in stores])
        for position, store in stores:
            value = self._steps.names[store.step]
            lines.append(f"{self._steps.element_at(position, f'q{position}')} = {value};")
        return lines

    def row_values(self, sinks: Sequence[int]) -> list[str]:
        """Declarations of what is known for the whole row, and not declared yet."""
        lines = []
        for position in self._steps.cone(sinks):
            if self._values.is_of_row(position) or position in self._declared:
                continue
            self._declared.add(position)
            lines += self._steps.still_value(position, "q")
        return lines

    def pass_over_row(self, phase: int, begin: str, end: str, *, is_part: bool = False) -> list[str]:
        """One pass: accumulators, the loops over lead dimensions, pieces and tiles, and the sums put together."""
        folds = self._folds_of(phase)
        initial = [fold.accumulation.initial for fold in folds if fold.accumulation.initial is not None]
        lines = self.row_values([*self._values.sinks(phase), *initial])
        starts = {fold.acc: self._start(fold, is_part=is_part) for fold in folds}
        for fold in folds:
            lines += fold.declarations(starts[fold.acc])
        empty = {fold.acc for fold in folds if starts[fold.acc] is None}
        chunked = [fold for fold in folds if fold.accumulation.form.is_chunked]
        trees = [fold for fold in folds if fold.is_tree]
        masked = [fold for fold in folds if fold.is_masked]
        ends = [] if is_part else [fold.add_sum(fold.sum) for fold in trees]
        pieces = ("piece", "piece_end") if chunked else (begin, end)
        ends += [fold.add_runs(*pieces) for fold in masked]
        tiles = self._tiles.tile(phase, empty)
        if chunked and not is_part:
            walk = [
                f"const pf_i8 piece_end = {end} - piece < {self.chunk(chunked[0])} ? {end} : "
                f"piece + {self.chunk(chunked[0])};",
                *self._walk(phase, trees, tiles, "piece", "piece_end"),
                *ends,
            ]
            loops = block(f"for (pf_i8 piece = {begin}; piece < {end}; piece += {self.chunk(chunked[0])})", walk)
        else:
            loops = [*self._walk(phase, trees, tiles, begin, end), *ends]
        if self._geometry.lead and not is_part:
            loops = self._lead_loops([*self.lead_pointers(), *self._segment_start(begin), *loops])
        else:
            alias = (
                [] if is_part else [f"{self._pointer_kind(p)}r{p} = q{p};" for p in self._values.read_along_row(phase)]
            )
            loops = ["{", *indented(1, [*alias, *self._segment_start(begin), *loops]), "}"]
        checks = [line for fold in folds for line in fold.check_zeros()]
        return [*lines, *loops, *checks]

    def _start(self, fold: FoldText, *, is_part: bool) -> str | None:
        """What an accumulator begins with; of a part, nothing that must come once only."""
        if fold.fold is Fold.IN_ORDER or fold.is_scan or not is_part:
            return fold.initial_value()
        if fold.is_pairwise:
            return fold.nothing()
        return fold.identity()

    def _pointer_kind(self, position: int) -> str:
        return "char *" if position < len(self._nest.stores) else "const char *"

    def _lead_loops(self, body: Sequence[str]) -> list[str]:
        lines = list(body)
        for axis in reversed(range(self._geometry.lead)):
            extent = self._geometry.extent(self._geometry.kept + axis)
            lines = block(f"for (pf_i8 z{axis} = 0; z{axis} < {extent}; ++z{axis})", lines)
        return lines

    def lead_pointers(self) -> list[str]:
        """``r<n>``: where each operand's row begins at these lead indices."""
        indices = [f"z{axis}" for axis in range(self._geometry.lead)]
        return [
            f"{self._pointer_kind(position)}r{position} = "
            f"q{position}{self._geometry.offset(position, self._geometry.kept, indices)};"
            for position in range(len(self._steps.operands()))
        ]

    def _segment_start(self, begin: str) -> list[str]:
        """``y<n>``: where a row of several dimensions is walked from."""
        rank = self._geometry.row
        if rank < 2:
            return []
        lines = [f"pf_i8 left = {begin};"]
        for axis in reversed(range(1, rank)):
            extent = self._geometry.row_extent(axis)
            lines.append(f"pf_i8 y{axis} = left % {extent}; left /= {extent};")
        return [*lines, "pf_i8 y0 = left;"]

    # --- tiles in NumPy's order ----------------------------------------------------------------------------------

    def _walk(self, phase: int, trees: Sequence[FoldText], tile: Sequence[str], begin: str, end: str) -> list[str]:
        """All tiles of a stretch of a row, from left to right."""
        length = self._tiles.length(phase)
        if not trees:
            lines = [f"const pf_i8 count = {end} - start < {length} ? {end} - start : {length};", *tile]
            return block(f"for (pf_i8 start = {begin}; start < {end}; start += {length})", lines)
        # NumPy halves a stretch, rounding the first half down to a multiple of 8 numbers, until 128 are left; a complex
        # number is two. Nodes of up to a tile are left to the library.
        numbers = 2 if trees[0].dtype.kind == "c" else 1
        half = "size / 2" if numbers == 1 else "size"
        halve = f"pf_i8 half = {half}; half -= half % 8;" + ("" if numbers == 1 else " half /= 2;")
        lines = [
            f"pf_i8 start = {begin}, size = {end if begin == '0' else f'{end} - {begin}'}, rest[64];",
            "int depth = 0; char is_right[64];",
            *[f"{c_type(fold.sum_dtype)} left{fold.sum}[64];" for fold in trees],
        ]
        merge = ["--depth;", *[self._joined(fold) for fold in trees]]
        loop = [
            f"while (size > {length}) {{ {halve} rest[depth] = size - half; is_right[depth++] = 0; size = half; }}",
            "const pf_i8 count = size;",
            *tile,
            "start += size;",
            *block("while (depth && is_right[depth - 1])", merge),
            "if (!depth) break;",
            *[f"left{fold.sum}[depth - 1] = {fold.sum};" for fold in trees],
            "is_right[depth - 1] = 1;",
            "size = rest[depth - 1];",
        ]
        return ["{", *indented(1, [*lines, *block("for (;;)", loop)]), "}"]

    def _joined(self, fold: FoldText) -> str:
        total = self._steps.applied("add", [f"left{fold.sum}[depth]", fold.sum], fold.sum_dtype)
        return f"{fold.sum} = {total};"


def _is_named(declaration: str, lines: Sequence[str]) -> bool:
    """Whether lines name what is declared."""
    name = re.compile(rf"\b{declaration.split(' = ')[0].split()[-1].lstrip('*')}\b")
    return any(name.search(line) for line in lines)
