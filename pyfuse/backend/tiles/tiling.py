"""How a nest's elements are cut into tiles, and where each value of a tile lies, in numbers for the tile runner."""

from __future__ import annotations

import math
from dataclasses import replace

from pyfuse.array_layout import UNALIGNED, NestLayout
from pyfuse.backend.interface import NestLaunch
from pyfuse.backend.tiles.program import CAST, LOOP, TileProgram, TileStep
from pyfuse.graph.loop_plan import Load, Nest, Store
from pyfuse.records import dataclass

# Of the widest value of a tile. Half of it costs more calls of loops, twice as much more misses (docs/decisions/0020).
TILE_BYTES = 4096
# Rows of so many elements make tiles of their own where that saves computing anything for each of their elements.
LEAST_ROW = 64
CACHE_LINE = 64

_IN_SCALARS, _IN_CONSTANTS, _IN_SCRATCH = range(3)  # as in tile_runner.c: fixed_kind
_SCALAR_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class TiledNest:
    """A nest of one launch, in numbers.

    Attributes:
        numbers: what ``read_nest`` of tile_runner.c reads.
        constants: bytes that fixed values lie in.
        scratch: bytes that a tile needs.
    """

    numbers: tuple[int, ...]
    constants: bytes
    scratch: int


def tile_nest(
    nest: Nest,
    program: TileProgram,
    layout: NestLayout,
    launch: NestLaunch,
    input_count: int,
    functions: dict[int, int],
    constants_before: int,
) -> TiledNest:
    """Lay out the tiles of a nest.

    Args:
        nest: of the plan.
        program: what is done to a tile.
        layout: which operands are aligned.
        launch: extents, strides and starts.
        input_count: of the kernel, before its outputs.
        functions: for each step, by its position, the number of its loop among the launch's.
        constants_before: bytes of constants of nests before.
    """
    return _Tiling(nest, program, layout, launch, input_count).described(functions, constants_before)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a tile of an operand lies."""

    operand: int
    value: int
    start: int
    size: int
    strides: tuple[int, ...]

    def numbers(self) -> tuple[int, ...]:
        return (self.operand, self.value, self.start, self.size, *self.strides)


class _Tiling:
    def __init__(
        self, nest: Nest, program: TileProgram, layout: NestLayout, launch: NestLaunch, input_count: int
    ) -> None:
        self._nest, self._program, self._input_count = nest, program, input_count
        operands: list[Store | Load] = [*nest.stores, *nest.loads]
        start_count = sum(bool(operand.offsets) for operand in operands)
        rank = (len(launch.geometry) + 1 - start_count) // (len(operands) + 1)
        self._extents = (*launch.geometry[: rank - 1], launch.inner)
        strides = launch.geometry[rank - 1 : rank - 1 + rank * len(operands)]
        self._strides = [strides[rank * number : rank * (number + 1)] for number in range(len(operands))]
        starts = iter(launch.geometry[rank - 1 + rank * len(operands) :])
        self._starts = [next(starts) if operand.offsets else 0 for operand in operands]
        self._is_aligned = [not operand.endswith(UNALIGNED) for operand in layout.operands]
        self._cut, self._rows, self._inner = self._cut_extents()
        self._steps: list[int] = [0] * len(program.values)  # bytes from element to element; 0: one for all
        self._is_single = [value.load is None for value in program.values]
        self._pointed: list[_Place] = []
        self._gathered: list[_Place] = []
        self._scattered: list[_Place] = []
        self._place_loads()
        self._find_single()
        self._place_stores()

    def _cut_extents(self) -> tuple[int, int, tuple[int, ...]]:
        """The dimension that is cut, how many of its elements make a tile, and the extents inside of it."""
        size = max([value.dtype.itemsize for value in self._program.values], default=1)
        most, row, cut = TILE_BYTES // size, 1, len(self._extents) - 1
        stays_in_row = self._extents[cut] >= LEAST_ROW and self._has_row_values()
        while not stays_in_row and cut > 0 and 0 < row * self._extents[cut] <= most:
            row *= self._extents[cut]
            cut -= 1
        return cut, max(1, min(self._extents[cut], most // row)), self._extents[cut + 1 :]

    def _has_row_values(self) -> bool:
        """Whether values are one for a row, and other ones for other rows: then no tile has parts of several."""
        return any(strides[-1] == 0 and any(strides) for strides in self._strides[len(self._nest.stores) :])

    def _tile_stride(self, number: int) -> int | None:
        """Bytes from element to element of an operand's tile; None where no one number says it."""
        strides = self._strides[number][self._cut :]
        for outside, inside, extent in zip(strides[:-1], strides[1:], self._inner, strict=True):
            if outside != inside * extent:
                return None
        return strides[-1]

    def _place_loads(self) -> None:
        for value, facts in enumerate(self._program.values):
            if facts.load is None:
                continue
            number = len(self._nest.stores) + facts.load
            stride = self._tile_stride(number)
            size = facts.dtype.itemsize
            place = _Place(
                operand=self._nest.loads[facts.load].index,
                value=value,
                start=self._starts[number],
                size=size,
                strides=self._strides[number],
            )
            is_fit = stride is not None and self._is_aligned[number]
            (self._pointed if is_fit else self._gathered).append(place)
            self._steps[value] = stride if is_fit and stride is not None else size
            self._is_single[value] = stride == 0 and is_fit

    def _find_single(self) -> None:
        """Values that are one for all elements of a tile are computed once for it."""
        found: list[bool] = []
        while found != self._is_single:  # values of a loop depend on later ones
            found = list(self._is_single)
            for step in self._program.steps:
                is_single = all(self._is_single[operand] for operand in step.operands)
                for result in step.results:
                    self._is_single[result] &= is_single
        for value, facts in enumerate(self._program.values):
            if facts.is_computed:
                self._steps[value] = 0 if self._is_single[value] else facts.dtype.itemsize

    def _place_stores(self) -> None:
        """Results whose tiles lie element after element in the output are written there at once, others moved there."""
        direct: set[int] = set()
        for number, (store, value) in enumerate(zip(self._nest.stores, self._program.stored, strict=True)):
            facts = self._program.values[value]
            size = facts.dtype.itemsize
            place = _Place(
                operand=self._input_count + store.output,
                value=value,
                start=self._starts[number],
                size=size,
                strides=self._strides[number],
            )
            is_direct = facts.is_computed and value not in direct and not self._is_single[value]
            if is_direct and self._tile_stride(number) == size:
                direct.add(value)
                self._pointed.append(place)
            else:
                moved = (*place.strides, self._steps[value])
                self._scattered.append(replace(place, strides=moved))

    def described(self, functions: dict[int, int], constants_before: int) -> TiledNest:
        """All of it in numbers."""
        offsets, scratch = self._scratch_offsets()
        constants = bytearray()
        fixed = []
        for value, facts in enumerate(self._program.values):
            if facts.scalar is not None:
                fixed.append((value, _IN_SCALARS, _SCALAR_BYTES * facts.scalar))
            elif facts.constant is not None:
                fixed.append((value, _IN_CONSTANTS, constants_before + len(constants)))
                constants += facts.constant.ljust(_SCALAR_BYTES, b"\0")
            elif value in offsets:
                fixed.append((value, _IN_SCRATCH, offsets[value]))
        numbers = [
            *(len(self._program.values), self._cut, len(self._inner), self._extents[self._cut], self._rows),
            *self._extents[: self._cut],
            *self._inner,
        ]
        for places in (self._pointed, self._gathered, self._scattered):
            numbers.append(len(places))
            numbers += [number for place in places for number in place.numbers()]
        numbers += [len(fixed), *(number for one in fixed for number in one), len(self._program.steps)]
        for position, step in enumerate(self._program.steps):
            numbers += self._step_numbers(step, functions.get(position, -1))
        numbers += self._loop_numbers()
        return TiledNest(numbers=tuple(numbers), constants=bytes(constants), scratch=scratch)

    def _step_numbers(self, step: TileStep, function: int) -> list[int]:
        is_single = all(self._is_single[value] for value in step.results or step.operands)
        values = (*step.operands, *step.results)
        places = [number for value in values for number in (value, self._stride(value, is_single))]
        return [step.kind, function, is_single, step.size, step.offset, len(step.operands), len(step.results), *places]

    def _loop_numbers(self) -> list[int]:
        loop, count = self._program.loop, len(self._program.steps)
        if loop is None:
            return [count, count, -1, -1, 1, -1]
        return [loop.first, loop.between, loop.start, loop.stop, loop.step, -1 if loop.index is None else loop.index]

    def _stride(self, value: int, is_single: bool) -> int:
        """What a loop is told: for one element, what NumPy tells its loops of arrays of one, and of numbers."""
        facts = self._program.values[value]
        is_number = facts.scalar is not None or facts.constant is not None
        return facts.dtype.itemsize if is_single and not is_number else self._steps[value]

    def _scratch_offsets(self) -> tuple[dict[int, int], int]:
        """Where values lie that are in no array: memory is used again once nobody needs what it holds."""
        steps, values = self._program.steps, self._program.values
        last = {value: len(steps) for value in (place.value for place in self._scattered)}
        for position, step in enumerate(steps):
            for value in (*step.operands, *step.results):
                last[value] = max(last.get(value, 0), position)
        loop = self._program.loop
        if loop is not None:  # what one turn has computed, the next may need
            last = dict.fromkeys(range(len(values)), len(steps))
        elements = self._rows * math.prod(self._inner)
        free: dict[int, list[int]] = {}
        offsets: dict[int, int] = {}
        end = 0

        def place(value: int) -> None:
            nonlocal end
            size = values[value].dtype.itemsize * (1 if self._is_single[value] else elements)
            if idle := free.get(size):
                offsets[value] = idle.pop()
                return
            offsets[value] = end
            end += -(-size // CACHE_LINE) * CACHE_LINE + CACHE_LINE  # not a power of two: tiles share no cache sets

        for gathered in self._gathered:
            place(gathered.value)
        elsewhere = {one.value for one in self._pointed}
        if loop is not None and loop.index is not None:
            place(loop.index)
        for position, step in enumerate(steps):
            for value in step.results:
                if value not in elsewhere and value not in offsets:
                    place(value)
            for value in {*step.operands, *step.results}:
                if value in offsets and last[value] == position:
                    size = values[value].dtype.itemsize * (1 if self._is_single[value] else elements)
                    free.setdefault(size, []).append(offsets[value])
        return offsets, end


def has_loop(step: TileStep) -> bool:
    """Whether a step needs a function."""
    return step.kind in (LOOP, CAST)
