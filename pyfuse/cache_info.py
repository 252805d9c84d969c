"""What ``cache_info()`` of a fused function tells."""

from __future__ import annotations

from typing import NamedTuple


class CacheInfo(NamedTuple):
    """Counters of one fused function, in the manner of ``functools.lru_cache``.

    Attributes:
        hits: fused calls whose kernel was there already.
        misses: specialisations attempted.
        maxsize: most signatures kept.
        currsize: kernels kept, one for each signature, set of guarded values and layout.
        kernels: kernels loaded since the start or the last clear, those of regions included.
        fused_calls: calls answered by kernels.
        partly_fused_calls: calls of which some statements ran as Python.
        fallback_calls: calls answered by the original.
    """

    hits: int
    misses: int
    maxsize: int
    currsize: int
    kernels: int
    fused_calls: int
    partly_fused_calls: int
    fallback_calls: int
