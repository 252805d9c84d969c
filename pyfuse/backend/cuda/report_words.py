"""Words of the host's memory in which kernels report that the original must run."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PAGE = 4096  # bytes that are taken at a time, and kept
_WORD = ctypes.sizeof(ctypes.c_uint)


class ReportWords:
    """Those of one device; may be used by many threads.

    Args:
        allocate: gives the address of so many bytes that host and device reach by it.
    """

    def __init__(self, allocate: Callable[[int], int]) -> None:
        self._allocate = allocate
        self._unused: list[int] = []

    @contextmanager
    def word(self) -> Iterator[ctypes.c_uint]:
        """A word that is zero, until the block ends; what writes to it must have ended before it is read."""
        try:
            address = self._unused.pop()
        except IndexError:
            first = self._allocate(_PAGE)
            address = first + _PAGE - _WORD
            self._unused.extend(range(first, address, _WORD))
        found = ctypes.c_uint.from_address(address)
        found.value = 0
        try:
            yield found
        finally:
            self._unused.append(address)
