"""How many threads run a nest on a device, and which numbers it is given."""

from __future__ import annotations

import enum
import math
import struct
import sys
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from pyfuse.array_layout import NestGeometry, NestLayout
from pyfuse.backend.cuda.scan_shape import Way, chunk_of, way_of
from pyfuse.backend.interface import KernelSource, NestLaunch
from pyfuse.graph.loop_plan import Load, LoopPlan, Nest, ReductionNest, Store, Style
from pyfuse.records import dataclass

THREADS = 256  # of a block: 128 to 512 are alike where a thread has several elements, fewer are slower
TILE = 32  # elements along each side of a square
LEAST_NUMBERS = 2  # of a geometry: rows, columns
_NARROW_LIMIT = 2**31 - 2**23  # of indices and byte offsets; the rest is for threads beyond the last element
_MOST_BLOCKS = 2**31 - 1
_MOST_IN_A_LAYER = 2**16 - 1
_ADDRESS = 8  # bytes of an address, and what it is aligned to
_SHARED_BYTES = 48 * 1024  # of a block
MOST_PARTS = 4096  # blocks that reduce parts: a few for each place on a device, so that they end together
_WIDE_LOAD = 16  # bytes
NEIGHBOURS = 3  # loads that are taken for parts of one array
_LONGEST = 2**16  # of the lengths that texts are told apart by


class Walk(enum.Enum):
    """What a kernel's threads share."""

    MAP = "elements of a row; where it is short, a block takes several rows"
    ROWS = "the elements of a row that is reduced"
    COLUMNS = "neighbouring results, and the elements of each"
    PARTS = "all elements, of which each block reduces a part"
    WHOLE = "the parts of all blocks: there is one block"
    SINGLE_SCANS = "nothing: each has a scan of its own"
    SCANS = "the elements of a scan: a block has one"
    CHUNKS = "a chunk of a scan"
    JOINED = "the chunks of a scan: a block has them all"
    TILES = "squares of elements: some operands lie along one side of them, others along the other"


@dataclass(frozen=True, kw_only=True)
class NestShape:
    """What the threads of one kernel do.

    Attributes:
        per_thread: elements that a thread takes at a time, as far apart as a block is wide.
        widest: threads of a block along a row, or along neighbouring results; of MAP the most.
        height: rows of threads in a block; of MAP it follows from the rest.
        walk: what they share.
        reduced: of PARTS, the number of merged dimensions that are reduced; of TILES, that of the outer ones; of scans,
            that of those around them.
        follows: whether the kernel runs over the same nest as the one before it.
        reports: whether it takes an address last, where it reports that the original must run.
    """

    per_thread: int
    widest: int
    height: int = 1
    walk: Walk = Walk.MAP
    reduced: int = 0
    follows: bool = False
    reports: bool = False


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
    """Blocks, threads of one along columns and rows, and the numbers that the text reads first.

    Where rows have blocks of their own, they are counted along the second dimension of the grid, which has a limit, and
    then along the third.
    """

    blocks: tuple[int, int, int]
    block: tuple[int, int, int]
    numbers: tuple[int, int]


def threads_of(shape: NestShape) -> int:
    """Most threads of a block."""
    return THREADS if shape.walk is Walk.MAP else shape.widest * shape.height


def grid_of(shape: NestShape, rows: int, columns: int, elements: int = 1) -> Grid:
    """The threads for so many rows and columns, both at least one.

    Args:
        shape: of the kernel.
        rows, columns: of a nest.
        elements: of PARTS, all that are reduced; of TILES, the extent of the last outer dimension; of scans, their
            length.

    Raises:
        OverflowError: a device cannot start so many blocks.
    """
    width, height, row_blocks = shape.widest, shape.height, 1
    match shape.walk:
        case Walk.MAP:
            width = min(width, _power_of_two(-(-columns // shape.per_thread)))
            height = min(THREADS // width, _power_of_two(rows))
            blocks, row_blocks = -(-columns // (width * shape.per_thread)), -(-rows // height)
        case Walk.ROWS:
            blocks = -(-rows // height)
        case Walk.COLUMNS:
            blocks, row_blocks = -(-columns // width), rows
        case Walk.PARTS:
            blocks = part_count(shape, elements)
        case Walk.SINGLE_SCANS:
            rows, columns = rows * columns, 1
            blocks = -(-rows // width)
        case Walk.SCANS | Walk.CHUNKS | Walk.JOINED:
            rows = row_blocks = rows * columns
            columns = chunk_of(elements, width * shape.per_thread)
            blocks = -(-elements // columns) if shape.walk is Walk.CHUNKS else 1
        case Walk.WHOLE:
            rows, blocks = part_count(shape, elements), 1
        case Walk.TILES:
            side = elements  # the extent of the last outer dimension
            row_blocks = -(-side // TILE)
            return Grid((-(-columns // TILE), row_blocks, rows // side), (width, height, 1), (rows, columns))
    layers = -(-row_blocks // _MOST_IN_A_LAYER)
    if blocks > _MOST_BLOCKS or layers > _MOST_IN_A_LAYER:
        raise OverflowError(f"{blocks * row_blocks} blocks of threads")
    return Grid((blocks, min(row_blocks, _MOST_IN_A_LAYER), layers), (width, height, 1), (rows, columns))


class NestStart(NamedTuple):
    """One launch of a nest: its number, its threads, its geometry as bytes, and whether an address comes behind."""

    number: int
    blocks: tuple[int, int, int]
    block: tuple[int, int, int]
    geometry: bytes
    reports: bool = False

    def given(self, packed: bytes, report: int) -> bytes:
        """All parameters of the kernel: operands and scalars as packed, geometry, and where to report to."""
        whole = packed + self.geometry
        if not self.reports:
            return whole
        return whole.ljust(-(-len(whole) // _ADDRESS) * _ADDRESS, b"\0") + report.to_bytes(_ADDRESS, sys.byteorder)


def part_count(shape: NestShape, elements: int) -> int:
    """How many blocks reduce a part of so many elements; the same on every device."""
    return min(MOST_PARTS, -(-elements // (THREADS * shape.per_thread)))


def nest_starts(source: CudaSource, nests: Sequence[NestLaunch]) -> list[NestStart]:
    """The launches of a kernel's nests, in order; a nest without elements has none.

    Raises:
        OverflowError: as ``grid_of``.
    """
    starts: list[NestStart] = []
    places = accumulate(not shape.follows for shape in source.shapes)
    for number, (shape, place) in enumerate(zip(source.shapes, places, strict=True)):
        nest = nests[place - 1]
        if nest.outer == 0 or nest.inner == 0:
            continue
        grid = grid_of(shape, nest.outer, nest.inner, math.prod(nest.geometry[_counted(shape)]))
        numbers = (*grid.numbers, *nest.geometry)
        geometry = struct.pack(f"={len(numbers)}{'q' if source.is_wide else 'i'}", *numbers)
        starts.append(NestStart(number, grid.blocks, grid.block, geometry, shape.reports))
    return starts


def _counted(shape: NestShape) -> slice:
    """Of a geometry: the extents that ``grid_of`` takes as elements."""
    match shape.walk:
        case Walk.TILES:
            return slice(shape.reduced - 1, shape.reduced)
        case Walk.SCANS | Walk.CHUNKS | Walk.JOINED:
            return slice(shape.reduced, shape.reduced + 1)
        case _:
            return slice(shape.reduced)


def number_count(nest: Nest | ReductionNest, layout: NestLayout) -> int:
    """Of a nest's geometry: rows and columns, then as ``launch.nest_launches`` has it."""
    operands: list[Store | Load] = [*nest.stores, *nest.loads]
    starts = sum(bool(operand.offsets) for operand in operands) + 2 * sum(len(load.gathered) for load in nest.loads)
    if isinstance(nest, Nest):
        rank = layout.outer_rank
        return LEAST_NUMBERS + rank + len(operands) * (rank + 1) + starts
    is_across = nest.style is Style.COLUMNS
    rank = layout.outer_rank + is_across + layout.lead_rank + layout.row_rank
    chunked = sum(value.form.is_chunked for value in nest.accumulations)
    parameters = chunked + 3 * (nest.style is Style.PARTS)
    return LEAST_NUMBERS + rank + len(operands) * rank + starts + parameters


class NestTraits(NamedTuple):
    """What of a nest's extents and strides the text depends on, beside its layout.

    Attributes:
        bound: a power of two that is not below the number of elements behind a result, up to a limit.
        is_exact: whether it is that number: a row then fills the threads, and none must look for its end.
        turned: loads that lie along memory in the last outer dimension, where the innermost one lies apart.
        is_even: whether the rows of all operands that are walked lie a multiple of 16 bytes apart. Those of a stencil
            do not: its result has shorter rows than what it reads.
        is_of_parts: whether several loads are parts of wider rows, equally far apart: most often of one array, a few
            elements apart, as a stencil reads them.
        scan: whose work a scan is.
    """

    bound: int = 1
    is_exact: bool = False
    turned: tuple[int, ...] = ()
    is_even: bool = False
    is_of_parts: bool = False
    scan: Way = Way.THREAD


def nest_traits(plan: LoopPlan, nests: Sequence[NestGeometry]) -> tuple[NestTraits, ...]:
    """The traits of each nest."""
    lengths = []
    for nest, laid in zip(plan.nests, nests, strict=True):
        length = 0
        if isinstance(nest, ReductionNest) and nest.style is not Style.PARTS:
            length = math.prod(laid.extents[laid.layout.outer_rank + (nest.style is Style.COLUMNS) :])
        bound = min(_LONGEST, _power_of_two(max(1, length)))
        is_of_parts = isinstance(nest, Nest) and _is_of_parts(nest, laid)
        turned = _turned(nest, laid) if isinstance(nest, Nest) else ()
        lengths.append(NestTraits(bound, bound == length, turned, _is_even(laid), is_of_parts, _way_of(nest, laid)))
    return tuple(lengths)


def is_scan(nest: Nest | ReductionNest) -> bool:
    """Whether every partial result of a nest's reduction is stored; it has no other."""
    return isinstance(nest, ReductionNest) and any(value.scan_store is not None for value in nest.accumulations)


def _way_of(nest: Nest | ReductionNest, laid: NestGeometry) -> Way:
    """See ``NestTraits``."""
    if not isinstance(nest, ReductionNest) or not is_scan(nest):
        return Way.THREAD
    *kept, length = laid.extents
    return way_of(math.prod(kept), length, is_across=nest.style is Style.COLUMNS)


def _turned(nest: Nest, laid: NestGeometry) -> tuple[int, ...]:
    """See ``NestTraits``; none where a tile would be mostly empty."""
    if any(load.gathered for load in nest.loads):
        return ()
    if laid.layout.outer_rank == 0 or min(laid.extents[-2:]) < TILE:
        return ()
    if math.prod(laid.extents[:-2]) > _MOST_IN_A_LAYER or laid.extents[-2] > _MOST_IN_A_LAYER * TILE:
        return ()
    strides = laid.strides[len(nest.stores) :]
    found = [
        number
        for number, (load, steps) in enumerate(zip(nest.loads, strides, strict=True))
        if steps[-2] == load.dtype.itemsize and steps[-1] not in (0, load.dtype.itemsize)
    ]
    square = TILE * (TILE + 1)
    while found and square * sum(nest.loads[number].dtype.itemsize for number in found) > _SHARED_BYTES:
        found.pop()
    return tuple(found)


def _is_even(laid: NestGeometry) -> bool:
    """See ``NestTraits``."""
    rows = [stride for strides in laid.strides if strides[-1] for stride in strides[:-1]]
    return not any(number % _WIDE_LOAD for number in (*rows, *laid.starts))


def _is_of_parts(nest: Nest, laid: NestGeometry) -> bool:
    """See ``NestTraits``."""
    if laid.layout.outer_rank == 0:
        return False
    pitches = [
        strides[:-1]
        for load, strides in zip(nest.loads, laid.strides[len(nest.stores) :], strict=True)
        if strides[-1] == load.dtype.itemsize and abs(strides[-2]) > laid.extents[-1] * strides[-1]
    ]
    return any(pitches.count(pitch) >= NEIGHBOURS for pitch in pitches)


def temporary_sizes(sizes: Sequence[int], plan: LoopPlan) -> tuple[int, ...]:
    """The elements of a plan's temporaries, those of parts as blocks need them."""
    return tuple(
        MOST_PARTS if temporary.dims is None else size for size, temporary in zip(sizes, plan.temporaries, strict=True)
    )


def needs_wide(nests: Sequence[NestGeometry]) -> bool:
    """Whether an index or an offset in bytes does not fit in 32 bits."""
    return any(_reach(nest) >= _NARROW_LIMIT for nest in nests)


def _reach(nest: NestGeometry) -> int:
    """The largest index or offset in bytes of a nest."""
    spans = [
        sum(abs(stride) * max(0, extent - 1) for stride, extent in zip(strides, nest.extents, strict=True))
        for strides in nest.strides
    ]
    return max([math.prod(nest.extents), *spans, *map(abs, nest.starts)])


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below a positive number."""
    return 1 << (number - 1).bit_length()
