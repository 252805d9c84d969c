"""How the arrays of one loop nest lie in memory: dimensions in walking order, merged where every array allows it."""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.records import dataclass

UNIT = "u"  # the innermost stride is one element
BROADCAST = "b"  # the innermost stride is zero
STRIDED = "s"  # any other stride
UNALIGNED = "n"  # suffix: addresses need not be multiples of the element's alignment


@dataclass(frozen=True, kw_only=True)
class NestLayout:
    """The part of a nest's geometry that its kernel text depends on.

    Attributes:
        outer_rank: number of merged dimensions around the innermost one.
        operands: for each operand one of ``UNIT``, ``BROADCAST``, ``STRIDED``, with ``UNALIGNED`` appended where true.
    """

    outer_rank: int
    operands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.outer_rank}:{','.join(self.operands)}"


@dataclass(frozen=True, kw_only=True)
class NestGeometry:
    """The part that is given at launch.

    Attributes:
        layout: what the kernel was written for.
        extents: merged extents, outermost first; the last is the inner loop's. At least one.
        strides: for each operand one stride in bytes for each extent.
    """

    layout: NestLayout
    extents: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]


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
    classes = tuple(
        _stride_class(merged[-1], itemsize) + ("" if aligned else UNALIGNED)
        for merged, itemsize, aligned in zip(merged_strides, itemsizes, is_aligned, strict=True)
    )
    return NestGeometry(
        layout=NestLayout(outer_rank=len(merged_extents) - 1, operands=classes),
        extents=tuple(merged_extents),
        strides=tuple(tuple(merged) for merged in merged_strides),
    )


def _stride_class(stride: int, itemsize: int) -> str:
    if stride == itemsize:
        return UNIT
    return BROADCAST if stride == 0 else STRIDED
