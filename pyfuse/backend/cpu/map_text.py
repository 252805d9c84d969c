"""A nest without reductions as C: rows, and in each the innermost loop over elements.

``geometry`` holds the outer extents, for each operand its outer strides and its inner stride, in bytes, the start
of each operand that has one, and how results are written (``Writes``; see ``c_library/memory.c``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pyfuse.array_layout import UNIT, NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.cpu import held_places
from pyfuse.backend.cpu.ahead_text import AheadText
from pyfuse.backend.cpu.inverse_text import InverseText
from pyfuse.backend.cpu.kept_tiles import KeptTiles, can_keep
from pyfuse.backend.cpu.loop_hints import unrolled
from pyfuse.backend.cpu.nest_text import nest_text
from pyfuse.backend.cpu.piece_text import CutBody, cut_body
from pyfuse.backend.cpu.step_text import (
    ARGUMENTS,
    PARAMETERS,
    StepText,
    block,
    hidden_zero,
    next_row,
    row_indices,
    without_unused,
)
from pyfuse.backend.cpu.turned_text import turned_operands, turned_rows
from pyfuse.backend.interface import Writes
from pyfuse.graph.loop_plan import Nest

_SHORT_TILE_BYTES = 512  # as in memory.c: pf_put
_TILE = 128  # elements: short enough for the processor to fill the next tile while one is written


def write_map(
    name: str,
    nest: Nest,
    layout: NestLayout,
    input_count: int,
    stored_truth: str = "pf_b1",
    *,
    overwrites: bool = False,
) -> tuple[str, set[str]]:
    """The text of a nest's functions, and the library functions that it calls.

    Args:
        name: of the nest.
        nest, layout: what to compute, on what.
        input_count: of the kernel.
        stored_truth: the type of a boolean in memory.
        overwrites: as in ``LoopPlan``.
    """
    steps = StepText(nest, layout, input_count, stored_truth)
    moving = {position for position in range(len(nest.steps)) if steps.moves(position)}
    held = held_places.held_gathers(nest, layout, steps)
    needed = sorted(held_places.needed_steps(nest, held)) if held else range(len(nest.steps))
    hoisted = _declared(steps, [position for position in needed if position not in moving], held)
    is_gathered = any(load.gathered for load in nest.loads)
    cut = None if is_gathered else cut_body(nest, steps, sorted(moving))
    inverses = InverseText(nest, steps, set() if cut is not None or overwrites or is_gathered else moving)
    inside = [position for position in needed if position in moving]
    inner = _body(nest, steps, inside, held, inverses) if cut is None else []
    hoisted += inverses.take_before()
    pointers = row_pointers(steps)
    is_careful = any(functions()[call].takes_careful for call in steps.calls)
    if overwrites and can_stream(nest, layout):
        careful = f"{name}_careful" if is_careful else None
        tiles: _Tiles = _OverwritingTiles(nest, layout, steps, cut, input_count + len(nest.stores), careful)
    else:
        tiles = _Tiles(nest, layout, steps, cut)
    turned = turned_operands(steps)
    first, last = ("first", "last") if held or turned else ("inner_begin", "inner_end")
    row = [*tiles.row_starts(pointers), *hoisted, *tiles.loop(inner, first, last)]
    if turned:
        loop = turned_rows(layout, steps, turned, row, tiles.leader)
    else:
        row += next_row(layout.outer_rank)
        every = block("for (pf_i8 outer = outer_begin; outer < outer_end; ++outer)", row)
        loop = [*row_indices(layout.outer_rank), *every]
    rows = [*tiles.declarations(), *loop, *tiles.end()]
    loops = held_places.by_stretches(nest, layout, steps, held, pointers, rows) if held else rows
    body = [*hidden_zero(loops), *steps.gathered_axes(), *inverses.around(loops), "return status;"]
    if is_gathered:
        body = without_unused(body)
    overwriting = isinstance(tiles, _OverwritingTiles)
    # Turned operands take many rows together.
    in_blocks = not overwriting and not turned and not is_gathered
    text = nest_text(name, body, is_careful=is_careful, in_blocks=in_blocks)
    if is_careful and overwriting:
        text = f"static unsigned {name}_careful(\n    {PARAMETERS});\n{text}"
    return text, steps.calls


def row_pointers(steps: StepText) -> list[str]:
    """The address of each operand's row, and the strides of those whose step its text does not know."""
    lines = []
    for position in range(len(steps.operands())):
        if steps.is_turned(position):
            continue
        lines += steps.pointer(position, steps.row_address(position))
        if steps.needs_stride(position):
            lines.append(f"const pf_i8 d{position} = {steps.row_stride(position)};")
    return lines


class _Tiles:
    """The loop over a row's elements; in tiles on the stack where results go past the caches, or the body is cut."""

    def __init__(self, nest: Nest, layout: NestLayout, steps: StepText, cut: CutBody | None) -> None:
        self._steps = steps
        self._cut = cut
        self._in_registers: KeptTiles | None = None
        self._head = ["#pragma GCC ivdep", *unrolled(nest)]
        self._length = _TILE if cut is None else cut.length
        self._stored = range(len(nest.stores)) if can_stream(nest, layout) else range(0)
        self._is_streamed = len(self._stored) > 0
        self._ahead = AheadText(layout, steps) if self._is_streamed else None
        starts = len(steps.start_indices())
        self._flag = layout.outer_rank + len(steps.operands()) * (layout.outer_rank + 1) + starts
        if self._is_streamed:
            steps.calls.update(("pf_tile_end", "pf_stream", "pf_stream_ends"))

    @property
    def leader(self) -> int | None:
        """The result by whose cache lines tiles are cut, where they are written past the caches."""
        return self._stored[0] if self._is_streamed else None

    def declarations(self) -> list[str]:
        """Of the tiles, before the rows."""
        lines = [] if self._cut is None else self._cut.declarations
        if not self._is_streamed:
            return lines
        aligned = f"[{self._length}] __attribute__((aligned(64)));"
        tiles = [f"{self._type(place)} tile{place}{aligned}" for place in self._stored]
        return [f"const int in_tiles = geometry[{self._flag}] != 0;", *tiles, *lines]

    def row_starts(self, pointers: Sequence[str]) -> list[str]:
        """The addresses of a row: those of results under names of their own."""
        if not self._is_streamed:
            return list(pointers)
        renamed = [re.sub(r"^(\w+) \*restrict p(\d+) =", r"\1 *r\2 =", line) for line in pointers]
        return [*renamed, *(self._ahead.declarations() if self._ahead is not None else [])]

    def loop(self, body: Sequence[str], first: str, last: str) -> list[str]:
        """A row from its element ``first`` to before ``last``."""
        if not self._is_streamed and self._cut is None:
            return [*self._head, *block(f"for (pf_i8 i = {first}; i < {last}; ++i)", body)]
        if self._cut is None:
            in_tile = [*self._head, *block("for (pf_i8 i = begin; i < end; ++i)", body)]
        else:
            in_tile = self._cut.lines
        kept = [] if self._in_registers is None else self._in_registers.loop(body, last)
        lines = [*kept, *self._tile(in_tile, last)]
        return block(f"for (pf_i8 begin = {first}, end; begin < {last}; begin = end)", lines)

    def _tile(self, lines: Sequence[str], last: str) -> list[str]:
        """From ``begin`` to before ``end``."""
        in_parts = f"{last} - begin > {self._length} ? begin + {self._length} : {last}"
        if not self._is_streamed:
            return [f"end = {in_parts};", *lines]
        leader = self.leader
        size = f"sizeof({self._type(self._stored[0])})"
        whole = last if self._cut is None else in_parts
        return [
            f"end = in_tiles ? pf_tile_end(r{leader} + begin, begin, {last}, {self._tile_length()}, {size}) : {whole};",
            *(
                f"{self._type(place)} *restrict p{place} = in_tiles ? tile{place} - begin : r{place};"
                for place in self._stored
            ),
            *(self._ahead.fetches() if self._ahead is not None else []),
            *lines,
            *self._writes(),
        ]

    def _tile_length(self) -> str:
        """Of tiles on the stack, in elements."""
        return str(self._length)

    def _writes(self) -> list[str]:
        """What is in the tiles."""
        return block("if (in_tiles)", [self._write(place) for place in self._stored])

    def end(self) -> list[str]:
        """After the last row."""
        return [f"if ({self._is_streaming()}) pf_stream_ends();"] if self._is_streamed else []

    def _type(self, place: int) -> str:
        return self._steps.element_type(place)

    def _is_streaming(self) -> str:
        """Whether results of the call are written past the caches, as C text."""
        return "in_tiles"

    def _write(self, place: int) -> str:
        return f"pf_stream(r{place} + begin, tile{place}, (end - begin) * (pf_i8)sizeof({self._type(place)}));"


class _OverwritingTiles(_Tiles):
    """Tiles of a nest whose results may lie where operands are read: written when nothing was met that is reported.

    The first that must not be written is left as it was, with all behind it (in_place.py).
    """

    def __init__(
        self, nest: Nest, layout: NestLayout, steps: StepText, cut: CutBody | None, record: int, careful: str | None
    ) -> None:
        super().__init__(nest, layout, steps, cut)
        self._careful = careful
        self._longest = min(self._length, _SHORT_TILE_BYTES // max(store.dtype.itemsize for store in nest.stores))
        self._address = f"(pf_i8 *)(void *)operands[{record}]"
        steps.calls.update(("pf_is_in_tile", "pf_leaves", "pf_put"))
        if can_keep(nest):
            self._in_registers = KeptTiles(nest, steps, self._address)

    def _tile_length(self) -> str:
        return f"if_clear ? {self._longest} : {self._length}"

    def declarations(self) -> list[str]:
        kept = [] if self._in_registers is None else self._in_registers.declarations()
        return [f"const int if_clear = geometry[{self._flag}] == {Writes.IF_CLEAR:d};", *kept, *super().declarations()]

    def _is_streaming(self) -> str:
        return "in_tiles && !if_clear"

    def _writes(self) -> list[str]:
        lines = [f"pf_is_in_tile(tile{place});" for place in self._stored]
        if self._careful is not None:
            rest = ARGUMENTS.replace("inner_begin", "begin")
            again = f"return (status & ~(unsigned)PF_CAREFUL) | {self._careful}({rest});"
            lines.append(f"if (!careful && status & PF_CAREFUL) {again}")
        lines.append(f"if (pf_leaves({self._address}, status, begin, inner_end)) return status;")
        for place in self._stored:
            size = f"(end - begin) * (pf_i8)sizeof({self._type(place)})"
            lines.append(f"pf_put(r{place} + begin, tile{place}, {size});")
        streamed = super()._writes()
        return [*block("if (if_clear)", lines)[:-1], "} else " + streamed[0], *streamed[1:]]


def can_stream(nest: Nest, layout: NestLayout) -> bool:
    """Whether a nest's text can write its results past the caches: they lie element by element, aligned.

    Reads by index arrays have loops of their own.
    """
    count = len(nest.stores)
    is_dense = count > 0 and all(operand == UNIT for operand in layout.operands[:count])
    return is_dense and not any(load.gathered for load in nest.loads)


def _declared(
    steps: StepText, positions: Sequence[int], held: Collection[int], inverses: InverseText | None = None
) -> list[str]:
    """Declarations of steps; places of ``held`` gathers are known."""
    lines: list[str] = []
    for position in positions:
        if steps.is_opaque(position):
            lines += steps.opaque_constant(position)
        elif position in held:
            lines += held_places.element(steps, position)
        else:
            division = None if inverses is None else inverses.division(position)
            lines += steps.declaration(position) if division is None else division
    return lines


def _body(
    nest: Nest, steps: StepText, positions: Sequence[int], held: Collection[int], inverses: InverseText | None
) -> list[str]:
    """The inner loop's body."""
    lines = _declared(steps, positions, held, inverses)  # which may give names to results
    lines += [f"{steps.element(place)} = {steps.names[store.step]};" for place, store in enumerate(nest.stores)]
    return lines
