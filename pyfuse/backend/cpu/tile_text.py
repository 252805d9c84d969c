"""One tile of a row, as C: the loop that fills it, which the compiler vectorises, and its reduction by the library.

Where little is computed, a pass that only sums goes by the leaves of NumPy's tree instead: see ``leaf_text``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyfuse.array_layout import UNIT, NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.fold_text import BOOL, FoldText
from pyfuse.backend.cpu.geometry_text import GeometryText
from pyfuse.backend.cpu.inverse_text import InverseText
from pyfuse.backend.cpu.leaf_text import LEAF, may_be_leaves, write_leaf
from pyfuse.backend.cpu.row_values import RowValues
from pyfuse.backend.cpu.step_text import StepText, block, buffer_length, indented
from pyfuse.graph.loop_plan import GatherStep, LoadStep, ReductionNest, operands_of_step

TILE = 1024  # elements: 8 KiB of float64 for each tile, which the first-level cache holds beside the operands


@dataclass(frozen=True)
class _Body:
    """What is computed of each element of a pass: operands, lines before the loop, and lines in it."""

    places: list[int]
    still: list[str]
    moving: list[str]


class TileText:
    """Writes the tiles of one nest; ``r<n>`` is where operand n's row begins, ``start`` and ``count`` are a tile's."""

    def __init__(
        self,
        nest: ReductionNest,
        layout: NestLayout,
        steps: StepText,
        folds: Sequence[FoldText],
        values: RowValues,
        geometry: GeometryText,
    ) -> None:
        self._nest = nest
        self._layout = layout
        self._steps = steps
        self._folds = folds
        self._values = values
        self._geometry = geometry
        self._inverses = InverseText(nest, steps, values.moves)
        # A row of several dimensions is walked in stretches: ``run`` elements from ``at`` in the tile.
        self._at, self._run = ("at + ", "run") if layout.row_rank > 1 else ("", "count")
        self._leaf_phases = {phase for phase in range(nest.phase_count) if self._goes_by_leaves(phase)}

    def length(self, phase: int) -> int:
        """Elements of a tile of a pass."""
        return LEAF if phase in self._leaf_phases else self._buffer_length()

    def looked_after(self, body: Sequence[str]) -> list[str]:
        """The lines of the nest up to its end, with looks at the processor's flags where they are needed."""
        return self._inverses.around(body)

    def kept_rows(self) -> list[str]:
        """Where this row's kept values are, of several rows that go through a pass together."""
        kept = [(step, c_type(self._nest.steps[step].dtype)) for step in sorted(self._values.kept)]
        return [f"{kind} *const row{step} = rows{step} + (outer - block_begin) * row_length;" for step, kind in kept]

    def buffers(self, body: Sequence[str], rows: str | None = None) -> list[str]:
        """Memory for tiles and kept rows around the loops; ``rows``: how many rows go through a pass together."""
        length = self._buffer_length()
        tiled = [fold for fold in self._folds if self._needs_tile(fold)]
        lines = [f"{c_type(fold.tile_dtype)} {fold.tile}[{length}];" for fold in tiled]
        name = "row" if rows is None else "rows"
        kept = [(f"{name}{step}", self._nest.steps[step].dtype) for step in sorted(self._values.kept)]
        for fold in self._folds:
            kept += [(fold.values, fold.dtype), (fold.mask, BOOL)] if fold.is_masked else []
        if not kept:
            return [*lines, *body]
        kept.sort(key=lambda row: -row[1].itemsize)  # so that each is aligned behind the one before
        self._steps.calls |= {"pf_take_memory", "pf_give_memory_back"}
        values = "row_length" if rows is None else f"{rows} * row_length"
        sizes = " + ".join(f"sizeof({c_type(dtype)})" for _, dtype in kept)
        lines.append(f"char *const memory = pf_take_memory((unsigned long)({values}) * ({sizes}) + 64);")
        lines.append("if (!memory) return PF_REPLAY;")
        address = "memory + (64 - (unsigned long)memory % 64)"
        for name, dtype in kept:
            lines.append(f"{c_type(dtype)} *const {name} = ({c_type(dtype)} *)({address});")
            address = f"{name} + {values}"
        return [*lines, *body, "pf_give_memory_back(memory);"]

    def tile(self, phase: int, empty: set[str]) -> list[str]:
        """Fill a tile, then reduce it.

        Args:
            phase: the pass over the row.
            empty: names of accumulators that begin with their first element.
        """
        with self._steps.scope():
            if phase in self._leaf_phases:
                return self._leaf(phase)
            filled = self._filled(phase)
            after: list[str] = []
            for fold in self._folds_of(phase):
                if fold.is_masked:
                    continue  # when its row is there: see ``RowText.pass_over_row``
                if fold.is_scan:
                    after += self._scanned(fold)
                else:
                    values = self._tile_of(fold) or fold.tile
                    after += fold.over_tile(values, "count", "start", fold.acc in empty)
        return [*filled, *after]

    def _folds_of(self, phase: int) -> list[FoldText]:
        return [fold for fold in self._folds if fold.accumulation.phase == phase]

    def _buffer_length(self) -> int:
        return buffer_length([fold.tile_dtype.itemsize for fold in self._folds if self._needs_tile(fold)], TILE)

    def _goes_by_leaves(self, phase: int) -> bool:
        """Whether a pass adds its values as it computes them: see ``leaf_text``."""
        cone = self._steps.cone(self._values.sinks(phase), self._values.ready(phase))
        steps = [position for position in cone if position in self._values.moves]
        if self._layout.row_rank > 1 or not may_be_leaves(self._nest, self._folds_of(phase), steps):
            return False
        places = self._values.read_along_row(phase)
        return all(self._steps.is_unit(place) or self._steps.is_still(place) for place in places)

    def _leaf(self, phase: int) -> list[str]:
        folds = self._folds_of(phase)
        body = self._body(phase, [fold.accumulation.step for fold in folds])
        element = [*body.moving, *self._stored(phase)]
        return self._segments(body.places, [*body.still, *write_leaf(self._steps, folds, element)])

    def _stored(self, phase: int) -> list[str]:
        """What a pass stores, in the loop over elements."""
        stores = self._values.stores(phase)
        return [f"{self._steps.element(place)} = {self._steps.names[store.step]};" for place, store in stores]

    def _tile_of(self, fold: FoldText) -> str | None:
        """Where a tile's values are in memory anyway: a row that is kept, or an operand walked element by element."""
        step = fold.accumulation.step
        if step in self._values.kept:
            return f"(row{step} + start)"
        source = self._nest.steps[fold.accumulation.step].source
        if not isinstance(source, LoadStep) or fold.tile_dtype.kind == "b" or self._layout.row_rank > 1:
            return None
        place = self._steps.load_position(source.load)
        if self._layout.operands[place] != UNIT or not self._values.is_of_row(fold.accumulation.step):
            return None
        return f"((const {c_type(fold.tile_dtype)} *)r{place} + start)"

    def _needs_tile(self, fold: FoldText) -> bool:
        if fold.is_masked or fold.accumulation.phase in self._leaf_phases:
            return False
        return fold.is_scan or self._tile_of(fold) is None

    def _filled(self, phase: int) -> list[str]:
        """The loops that compute a tile's values and what a pass stores."""
        folds = self._folds_of(phase)
        targets = [(f"{fold.tile}[{self._at}i]", fold.accumulation.step) for fold in folds if self._needs_tile(fold)]
        for fold in folds:
            if fold.is_masked:
                assert fold.accumulation.mask is not None
                targets += [
                    (f"{fold.values}[start + {self._at}i]", fold.accumulation.step),
                    (f"{fold.mask}[start + {self._at}i]", fold.accumulation.mask),
                ]
        stores = self._values.stores(phase)
        kept = sorted(self._values.kept_now(phase) & {fold.accumulation.step for fold in folds})
        if not kept and not targets and not stores:
            return []
        body = self._body(phase, [*kept, *(step for _, step in targets)])
        sinks = [f"{target} = {self._steps.names[step]};" for target, step in targets]
        sinks += self._stored(phase)
        inner = ["#pragma GCC ivdep", *block(f"for (pf_i8 i = 0; i < {self._run}; ++i)", [*body.moving, *sinks])]
        return self._segments(body.places, [*body.still, *inner])

    def _body(self, phase: int, values: Sequence[int]) -> _Body:
        """What computes these values and those that a pass stores."""
        stores = self._values.stores(phase)
        ready = self._values.ready(phase)
        wanted = [*values, *(store.step for _, store in stores)]
        still, moving, loaded = [], [], set()
        for position in self._steps.cone(wanted, ready):
            if not self._values.is_of_row(position) or self._steps.is_opaque(position):
                continue
            source = self._nest.steps[position].source
            if isinstance(source, LoadStep | GatherStep):
                loaded.add(self._steps.load_position(source.load))
            division = self._inverses.division(position)
            if division is not None:
                still += self._inverses.take_before()
                moving += division
            elif position in self._values.moves:
                moving += self._steps.declaration(position)
            if position in self._values.moves:
                if position in self._values.kept and self._values.computed[position] == phase:
                    moving.append(f"row{position}[start + {self._at}i] = {self._steps.names[position]};")
            else:
                still += self._steps.still_value(position, "p")
        read = [
            f"const {c_type(self._nest.steps[step].dtype)} {self._steps.names[step]} = row{step}[start + {self._at}i];"
            for step in sorted(ready)
            if step in self._reached(wanted, ready)
        ]
        return _Body(sorted(loaded | {position for position, _ in stores}), still, [*read, *moving])

    def _reached(self, wanted: Sequence[int], ready: set[int]) -> set[int]:
        """Kept rows that the values read."""
        needed = set(wanted)
        for position in self._steps.cone(wanted, ready):
            needed |= set(operands_of_step(self._nest.steps[position]))
        return needed & ready

    def _segments(self, places: Sequence[int], inner: Sequence[str]) -> list[str]:
        """A tile as stretches of the innermost dimension."""
        rank = self._layout.row_rank
        if rank == 1:
            pointers = [line for place in places for line in self._tile_pointer(place)]
            return block("", [*pointers, *inner])
        last = self._geometry.row_extent(rank - 1)
        step = f"y{rank - 1} += run;"
        carry = "++y0;"
        for axis in range(1, rank - 1):
            carry = f"if (++y{axis} == {self._geometry.row_extent(axis)}) {{ y{axis} = 0; {carry} }}"
        lines = [
            f"pf_i8 run = {last} - y{rank - 1}; if (run > count - at) run = count - at;",
            *[line for place in places for line in self._segment_pointer(place)],
            *inner,
            f"at += run; {step} if (y{rank - 1} == {last}) {{ y{rank - 1} = 0; {carry} }}",
        ]
        return block("for (pf_i8 at = 0; at < count;)", lines)

    def _tile_pointer(self, place: int) -> list[str]:
        if self._steps.is_unit(place):
            offset = f" + start * (pf_i8)sizeof({c_type(self._steps.operands()[place][1])})"
        else:
            offset = "" if self._steps.is_still(place) else f" + start * d{place}"
        return self._steps.pointer(place, f"r{place}{offset}")

    def _segment_pointer(self, place: int) -> list[str]:
        indices = [f"y{axis}" for axis in range(self._layout.row_rank)]
        offset = self._geometry.offset(place, self._geometry.kept + self._geometry.lead, indices)
        return self._steps.pointer(place, f"r{place}{offset}")

    def _scanned(self, fold: FoldText) -> list[str]:
        """All partial results of a tile, stored."""
        place = fold.accumulation.scan_store
        assert place is not None
        value = f"{fold.first} ? {fold.tile}[i] : {fold.combined(fold.acc, f'{fold.tile}[i]')}"
        loop = [f"{fold.acc} = {value};", f"{fold.first} = 0;", f"{self._steps.element(place)} = {fold.acc};"]
        return [
            "{",
            *indented(1, [*self._tile_pointer(place), *block("for (pf_i8 i = 0; i < count; ++i)", loop)]),
            "}",
        ]
