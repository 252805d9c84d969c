"""How the arrays of one loop nest lie in memory: dimensions in walking order, merged where every array allows it."""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.records import dataclass

UNIT = "u"  # the innermost stride is one element
BROADCAST = "b"  # the innermost stride is zero
STRIDED = "s"  # any other stride
KNOWN_STEPS = {"2": 2, "3": 3, "4": 4, "r": -1}  # suffixes of STRIDED: elements from one that is read to the next
TURNED = "t"  # suffix of STRIDED: along the next dimension the stride is one element
GATHERED_UNIT = "e"  # suffix: computed places count single elements (along the last axis that indices choose from)
UNALIGNED = "n"  # suffix: addresses need not be multiples of the element's alignment


@dataclass(frozen=True, kw_only=True)
class NestLayout:
    """The part of a nest's geometry that its kernel text depends on.

    Attributes:
        outer_rank: number of merged dimensions around the innermost one; of a nest with reductions, of the
            dimensions that its results have (those that are walked innermost not counted).
        operands: for each operand one of ``UNIT``, ``BROADCAST``, ``STRIDED``, with one of ``KNOWN_STEPS``,
            ``TURNED``, ``GATHERED_UNIT`` and ``UNALIGNED`` appended where true.
        lead_rank, row_rank: of a nest with reductions, number of merged dimensions around a row, and of a row.
    """

    outer_rank: int
    operands: tuple[str, ...]
    lead_rank: int = 0
    row_rank: int = 0

    def __str__(self) -> str:
        ranks = f"{self.outer_rank}/{self.lead_rank}/{self.row_rank}" if self.row_rank else str(self.outer_rank)
        return f"{ranks}:{','.join(self.operands)}"


@dataclass(frozen=True, kw_only=True)
class NestGeometry:
    """The part that is given at launch.

    Attributes:
        layout: what the kernel was written for.
        extents: merged extents, outermost first; the last is the inner loop's. At least one.
        strides: for each operand one stride in bytes for each extent.
        starts: for each operand that does not start at its first element, the bytes to where it does; then for each
            axis along which computed indices choose, its stride in bytes and its extent.
        parameters: of a nest with reductions: length of NumPy's pieces for each accumulation that has them; of a row in
            parts, then their number, that of pieces in a row, and the depth in the tree at which they lie.
    """

    layout: NestLayout
    extents: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...] = ()
    parameters: tuple[int, ...] = ()


def merge_dims(
    extents: Sequence[int], strides: Sequence[Sequence[int]], itemsizes: Sequence[int], is_aligned: Sequence[bool]
) -> NestGeometry:
    """Order dimensions by how the operands walk them, and join those that every operand walks without a gap.

    Args:
        extents: of the nest, outermost first as the arrays' axes are; zero is allowed.
        strides: for each operand, in bytes, one for each extent (0 where it is broadcast). Operands that are written
            come first: their order decides.
        itemsizes: bytes of one element of each operand.
        is_aligned: whether each operand's address and strides suit its element type.

    Source: NumPy guide to the iterator, "external loop" (coalescing) and "controlling iteration order".
    """
    axes = [axis for axis in range(len(extents)) if extents[axis] != 1]
    axes.sort(key=lambda axis: tuple(-abs(operand[axis]) for operand in strides))
    merged_extents, merged_strides = _merged(axes, extents, strides)
    return NestGeometry(
        layout=NestLayout(outer_rank=len(merged_extents) - 1, operands=_classes(merged_strides, itemsizes, is_aligned)),
        extents=merged_extents,
        strides=merged_strides,
    )


def merge_reduction_dims(
    groups: tuple[int, int, int],
    extents: Sequence[int],
    strides: Sequence[Sequence[int]],
    itemsizes: Sequence[int],
    is_aligned: Sequence[bool],
    *,
    is_row_innermost: bool,
) -> NestGeometry:
    """As ``merge_dims``, for a nest with reductions: dimensions are joined inside each of three groups only.

    Args:
        groups: how many of the dimensions are kept, lead and row, in this order; only kept ones may be reordered.
        extents, strides, itemsizes, is_aligned: as in ``merge_dims``. The order of the operand that has most of the
            kept dimensions decides; of several, that of the last, for those that are read come last, and are larger.
        is_row_innermost: whether the innermost loop runs along the row, else along the last kept dimension.

    Returns:
        Merged kept, lead and row dimensions, in this order; a row, and what the innermost loop runs along, has one.
    """
    kept_count, lead_count, _ = groups
    kept = [axis for axis in range(kept_count) if extents[axis] != 1]
    last_first = strides[::-1]
    by_dimensions = sorted(last_first, key=lambda operand: -sum(operand[axis] != 0 for axis in kept))
    kept.sort(key=lambda axis: tuple(-abs(operand[axis]) for operand in by_dimensions))
    parts = [
        _merged(kept, extents, strides),
        _merged(range(kept_count, kept_count + lead_count), extents, strides),
        _merged(range(kept_count + lead_count, len(extents)), extents, strides),
    ]
    if is_row_innermost and not kept:
        parts[0] = ((), tuple(() for _ in strides))
    if not lead_count:
        parts[1] = ((), tuple(() for _ in strides))
    merged_extents = tuple(extent for part, _ in parts for extent in part)
    merged_strides = tuple(
        tuple(stride for _, part in parts for stride in part[operand]) for operand in range(len(strides))
    )
    innermost = parts[2] if is_row_innermost else parts[0]
    return NestGeometry(
        layout=NestLayout(
            outer_rank=len(parts[0][0]) - (not is_row_innermost),
            operands=_classes(innermost[1], itemsizes, is_aligned),
            lead_rank=len(parts[1][0]),
            row_rank=len(parts[2][0]),
        ),
        extents=merged_extents,
        strides=merged_strides,
    )


def _merged(
    axes: Sequence[int], extents: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Extents and strides of ``axes``, neighbours joined where every operand allows it; at least one."""
    merged_extents: list[int] = []
    merged_strides: list[list[int]] = [[] for _ in strides]
    for axis in axes:
        if merged_extents and all(
            merged[-1] == operand[axis] * extents[axis] for merged, operand in zip(merged_strides, strides, strict=True)
        ):
            merged_extents[-1] *= extents[axis]
            for merged, operand in zip(merged_strides, strides, strict=True):
                merged[-1] = operand[axis]
            continue
        merged_extents.append(extents[axis])
        for merged, operand in zip(merged_strides, strides, strict=True):
            merged.append(operand[axis])
    if not merged_extents:
        merged_extents.append(1)
        for merged in merged_strides:
            merged.append(0)
    return tuple(merged_extents), tuple(tuple(merged) for merged in merged_strides)


def _classes(strides: Sequence[Sequence[int]], itemsizes: Sequence[int], is_aligned: Sequence[bool]) -> tuple[str, ...]:
    return tuple(
        _stride_class(operand[-1], itemsize) + ("" if aligned else UNALIGNED)
        for operand, itemsize, aligned in zip(strides, itemsizes, is_aligned, strict=True)
    )


def _stride_class(stride: int, itemsize: int) -> str:
    if stride == itemsize:
        return UNIT
    return BROADCAST if stride == 0 else STRIDED
