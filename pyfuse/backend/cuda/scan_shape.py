"""How threads share the running sums and other scans of a nest."""

from __future__ import annotations

import enum

SCAN_THREADS = 256  # of a block that goes along a scan
SINGLE_THREADS = 64  # of a block in which each thread has a scan of its own: few, so that few scans fill a device
_SHORT = 64  # elements that one thread takes alone
_MANY = 8192  # scans across memory that fill a device with a thread each
_FEW = 256  # scans that do not fill a device with a block each
_LONG = 16384  # elements that are worth the work of many blocks
_MOST_CHUNKS = 1024  # of a scan


class Way(enum.Enum):
    """Whose work a scan is. The extents alone decide, so that every run gives the same bits."""

    THREAD = "one thread's: element after element, as NumPy goes"
    BLOCK = "one block's, from tile to tile"
    BLOCKS = "many blocks': the ends of their chunks first"


def way_of(scans: int, length: int, *, is_across: bool) -> Way:
    """The way for so many scans of a length; ``is_across``: neighbouring threads then read neighbouring elements."""
    if length <= _SHORT or (is_across and scans >= _MANY):
        return Way.THREAD
    return Way.BLOCKS if scans < _FEW and length >= _LONG else Way.BLOCK


def chunk_of(length: int, tile: int) -> int:
    """Elements of a block's chunk of a scan that many blocks share: a multiple of those that it takes at a time."""
    return tile * -(-length // (tile * _MOST_CHUNKS))
