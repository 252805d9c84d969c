"""NumPy arrays that stand for device arrays: same dtype, shape and strides, so that NumPy itself makes their views.

Two sorts. One has memory of the process behind it, all zeros that take no space: it is what a function is traced with,
and anything may read it. The other has the device array's own address: of it only addresses, shapes and strides are
taken.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from pyfuse.backend.cuda.array_facts import Facts
from pyfuse.graph.nodes import is_bfloat16

_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0)
_ALIGNMENT = 64


class _Interface:
    """What ``np.asarray`` takes an array from."""

    def __init__(self, facts: Facts) -> None:
        self.__array_interface__ = {
            "shape": facts.shape,
            "strides": facts.strides,
            "typestr": "<u2" if is_bfloat16(facts.dtype) else facts.dtype.str,
            "data": (facts.address, False),
            "version": 3,
        }


def at_address(facts: Facts) -> np.ndarray:
    """The array at its device's address. Nothing may read an element of it: that would end the process."""
    found = np.asarray(_Interface(facts))
    return found.view(facts.dtype) if is_bfloat16(facts.dtype) else found


def in_memory(facts: Facts) -> np.ndarray:
    """An array of zeros of the same form, aligned as the device's is."""
    if 0 in facts.shape:
        return np.ndarray(facts.shape, facts.dtype, strides=facts.strides)
    spans = [(extent - 1) * stride for extent, stride in zip(facts.shape, facts.strides, strict=True)]
    first = -sum(span for span in spans if span < 0)
    last = sum(span for span in spans if span > 0) + facts.dtype.itemsize
    start = (facts.address - first) % _ALIGNMENT
    memory = mmap.mmap(
        -1, start + first + last, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE, prot=mmap.PROT_READ
    )
    return np.ndarray(facts.shape, facts.dtype, memory, start + first, facts.strides)


def owner_of(array: np.ndarray) -> Any:
    """What the memory of a stand-in, or of a view of one, was taken from; None for an array with memory of its own."""
    found: Any = array
    while isinstance(found.base, np.ndarray):
        found = found.base
    return found.base
