"""How many threads run a nest on a device, and which numbers it is given."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from pyfuse.array_layout import NestGeometry, NestLayout
from pyfuse.backend.interface import KernelSource, NestLaunch
from pyfuse.records import dataclass

THREADS = 256  # of a block: 128 to 512 are alike where a thread has several elements, fewer are slower
LEAST_NUMBERS = 3  # of a geometry: rows, columns, blocks along the columns
_NARROW_LIMIT = 2**31 - 2**16  # of indices and byte offsets; the rest is for threads beyond the last element
_MOST_BLOCKS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class NestShape:
    """What the threads of one nest do.

    Attributes:
        per_thread: columns for each thread, as far apart as a block is wide.
        widest: most threads of a block along the columns; the others take further rows.
    """

    per_thread: int
    widest: int


@dataclass(frozen=True, kw_only=True)
class CudaSource(KernelSource):
    """CUDA text, and how its nests are launched.

    Attributes:
        is_wide: whether indices and strides have 64 bits.
        shapes: of each nest.
    """

    is_wide: bool
    shapes: tuple[NestShape, ...]


class Grid(NamedTuple):
    """Blocks, threads of one along columns and rows, and the numbers that the text reads first."""

    blocks: int
    block: tuple[int, int]
    numbers: tuple[int, int, int]


def grid_of(shape: NestShape, rows: int, columns: int) -> Grid:
    """The threads for so many rows and columns, both at least one.

    Raises:
        OverflowError: a device cannot start so many blocks.
    """
    width = min(shape.widest, _power_of_two(-(-columns // shape.per_thread)))
    height = min(THREADS // width, _power_of_two(rows))
    column_blocks = -(-columns // (width * shape.per_thread))
    blocks = column_blocks * -(-rows // height)
    if blocks > _MOST_BLOCKS:
        raise OverflowError(f"{blocks} blocks of threads")
    return Grid(blocks, (width, height), (rows, columns, column_blocks))


class NestStart(NamedTuple):
    """One launch of a nest: its number, its threads, and its geometry as bytes."""

    number: int
    blocks: int
    block: tuple[int, int]
    geometry: bytes


def nest_starts(source: CudaSource, nests: Sequence[NestLaunch]) -> list[NestStart]:
    """The launches of a kernel's nests, in order; a nest without elements has none.

    Raises:
        OverflowError: as ``grid_of``.
    """
    starts = []
    for number, (shape, nest) in enumerate(zip(source.shapes, nests, strict=True)):
        if nest.outer == 0 or nest.inner == 0:
            continue
        grid = grid_of(shape, nest.outer, nest.inner)
        numbers = (*grid.numbers, *nest.geometry)
        geometry = struct.pack(f"={len(numbers)}{'q' if source.is_wide else 'i'}", *numbers)
        starts.append(NestStart(number, grid.blocks, grid.block, geometry))
    return starts


def number_count(layout: NestLayout, start_count: int) -> int:
    """Of a nest's geometry: rows, columns and column blocks, outer extents, strides of each operand, starts."""
    rank = layout.outer_rank
    return LEAST_NUMBERS + rank + len(layout.operands) * (rank + 1) + start_count


def needs_wide(nests: Sequence[NestGeometry]) -> bool:
    """Whether an index or an offset in bytes does not fit in 32 bits."""
    return any(_reach(nest) >= _NARROW_LIMIT for nest in nests)


def _reach(nest: NestGeometry) -> int:
    """The largest index or offset in bytes of a nest."""
    spans = [
        sum(abs(stride) * max(0, extent - 1) for stride, extent in zip(strides, nest.extents, strict=True))
        for strides in nest.strides
    ]
    rows = 1
    for extent in nest.extents[:-1]:
        rows *= extent
    return max([rows, nest.extents[-1], *spans, *map(abs, nest.starts)])


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below a positive number."""
    return 1 << (number - 1).bit_length()
