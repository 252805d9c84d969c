"""Whether arrays, or the elements of one, share memory."""

from __future__ import annotations

import numpy as np

_MOST_WORK = 1000  # of the exact test: two arrays that it cannot tell apart count as sharing memory


def may_overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays share memory; False is certain."""
    if not np.may_share_memory(one, other):
        return False
    try:
        return bool(np.shares_memory(one, other, max_work=_MOST_WORK))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def overlaps_itself(array: np.ndarray) -> bool:
    """Whether two elements of an array may have one place; False is certain."""
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return False
    reach = array.itemsize
    for stride, extent in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (extent - 1)
    return False
