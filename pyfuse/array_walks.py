"""What is known of how a nest walks the operands that it reads, beyond their innermost strides: for faster loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyfuse.array_layout import KNOWN_STEPS, STRIDED, TURNED, NestGeometry, NestLayout

# Bytes of an element up to which a loop that knows the step is faster: gcc then reads whole vectors and picks out of
# them, and leaves the last elements to a loop of single ones. Without, it gathers, or inserts elements of one and two
# bytes one by one. A sum of two arrays, 1,000 and 100,000 elements, one thread (Zen 4), time without over time with:
# step 2 of float32 2.8 and 1.4, of float64 1.05 and 1, of int16 7.5 and 3.7; step 3 of float32 1.9 and 1.1; step 4 of
# int8 7.6 and 4.3, of float32 1.3 and 0.97; step -1 of float64 3 and 1.15. Step -2 gained nothing, nor complex numbers.
_WIDEST_OF_STEP = {2: 8, 3: 4, 4: 2, -1: 8}

# An array that is turned is copied, block by block, into one that the loop walks element by element: see
# ``c_library/turning.c``. Elements of 8 bytes are gathered as fast from the caches, but not where neighbours lie in few
# of a cache's sets, nor from further away.
_LEAST_TURNED = 8  # rows, and elements of a row
_MOST_TURNED = 8  # operands
_WIDEST_FROM_CACHE = 4
_CACHED_BYTES = 1 << 20
_CROWDED_STRIDE = 1 << 10


def with_known_walks(laid: NestGeometry, written: int, dtypes: Sequence[np.dtype]) -> NestGeometry:
    """Name steps, and operands that lie in another memory order, where loops that know of them are faster.

    Args:
        laid: the geometry of a nest without reductions or computed places.
        written: how many operands, the first ones, are written.
        dtypes: of the operands.

    Returns:
        The same, with the dimension along which operands are turned last of the outer ones.
    """
    read = range(written, len(dtypes))
    names = [""] * written + [_step_name(laid.strides[place][-1], dtypes[place]) for place in read]
    candidates = [place for place in read if laid.layout.operands[place].startswith(STRIDED) and not names[place]]
    axis = _turning_axis(laid, candidates, dtypes)
    if axis is not None:
        turned = [place for place in candidates if _turns(laid, place, dtypes[place].itemsize, axis)]
        names = [TURNED if place in turned[:_MOST_TURNED] else name for place, name in enumerate(names)]
        laid = _with_axis_last(laid, axis)
    layouts = [old[:1] + name + old[1:] for old, name in zip(laid.layout.operands, names, strict=True)]
    return replace(laid, layout=replace(laid.layout, operands=tuple(layouts)))


def without_known_walks(layout: NestLayout) -> NestLayout:
    """A layout for a backend that makes nothing of them."""
    known = {*KNOWN_STEPS, TURNED}
    operands = [operand[:1] + operand[2:] if operand[1:2] in known else operand for operand in layout.operands]
    return replace(layout, operands=tuple(operands))


def _step_name(stride: int, dtype: np.dtype) -> str:
    for name, step in KNOWN_STEPS.items():
        if stride == step * dtype.itemsize and dtype.itemsize <= _WIDEST_OF_STEP[step] and dtype.kind != "c":
            return name
    return ""


def _turning_axis(laid: NestGeometry, candidates: Sequence[int], dtypes: Sequence[np.dtype]) -> int | None:
    """The outer dimension along which most bytes are turned."""
    counts = {
        axis: sum(size for place in candidates if _turns(laid, place, size := dtypes[place].itemsize, axis))
        for axis in range(len(laid.extents) - 1)
    }
    best = max(counts, key=lambda axis: counts[axis], default=None)
    return best if best is not None and counts[best] > 0 else None


def _turns(laid: NestGeometry, place: int, itemsize: int, axis: int) -> bool:
    """Whether an operand is to be turned, so that what lies along an outer dimension lies along the innermost one."""
    strides, rows, columns = laid.strides[place], laid.extents[axis], laid.extents[-1]
    if strides[axis] != itemsize or min(rows, columns) < _LEAST_TURNED:
        return False
    is_crowded = strides[-1] % _CROWDED_STRIDE == 0
    return itemsize <= _WIDEST_FROM_CACHE or is_crowded or rows * columns * itemsize >= _CACHED_BYTES


def _with_axis_last(laid: NestGeometry, axis: int) -> NestGeometry:
    """With one of the outer dimensions last of them."""

    def moved(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return (*numbers[:axis], *numbers[axis + 1 : -1], numbers[axis], numbers[-1])

    return replace(laid, extents=moved(laid.extents), strides=tuple(moved(strides) for strides in laid.strides))
