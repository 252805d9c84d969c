"""What ``cache_info()`` of a fused function tells."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pyfuse.diagnostics import Code

if TYPE_CHECKING:
    from pyfuse.backend.cpu._dispatcher import LaunchTable
    from pyfuse.runner import Runner


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
        tiled_calls: calls answered over tiles by NumPy's own loops, where there is no kernel (yet).
    """

    hits: int
    misses: int
    maxsize: int
    currsize: int
    kernels: int
    fused_calls: int
    partly_fused_calls: int
    fallback_calls: int
    tiled_calls: int = 0


class CallCounts:
    """How often one function was called, and by what it was answered: here, or in the extension.

    Attributes:
        misses, kernels: as in ``CacheInfo``.
        fused: calls that kernels answered here.
        tiled: those that tiles did.
        partly: those that a driver did.
        plain: those that the original did because it is faster.
        refused: calls in a row that the original answered because they cannot be fused.
        driven_for: why calls that the extension's driver answers do not fuse as a whole.
        original_for: why the original is that driver.
    """

    def __init__(self, table: LaunchTable | None) -> None:
        self._table = table
        self.driven_for = self.original_for = Code.UNKNOWN_CALL
        self.misses = self.kernels = self.fused = self.tiled = self.partly = self.plain = self.refused = 0

    def clear(self) -> None:
        """Begin again."""
        self.misses = self.kernels = self.fused = self.tiled = self.partly = self.plain = self.refused = 0
        if self._table is not None:
            self._table.fused = self._table.tiled = self._table.partly = self._table.original = self._table.plain = 0

    def fused_calls(self) -> int:
        """Calls that kernels answered."""
        return self.fused + (self._table.fused if self._table is not None else 0)

    def count(self, runner: Runner) -> None:
        """Count a call that a runner answered here."""
        if runner.is_tiled:
            self.tiled += 1
        else:
            self.fused += 1

    def answered(self) -> tuple[int, ...]:
        """What ``restore`` takes."""
        table = self._table
        return (self.fused, self.tiled, *((table.fused, table.tiled) if table is not None else ()))

    def restore(self, answered: tuple[int, ...]) -> None:
        """Have the counters of answered calls say what they said before."""
        self.fused, self.tiled, *in_table = answered
        if self._table is not None:
            self._table.fused, self._table.tiled = in_table

    def tiled_calls(self) -> int:
        """Calls that tiles answered."""
        return self.tiled + (self._table.tiled if self._table is not None else 0)

    def partly_fused_calls(self) -> int:
        """Calls that drivers answered."""
        return self.partly + (self._table.partly if self._table is not None else 0)

    def original_calls(self) -> int:
        """Calls that the original answered without being asked by ``Fallback``."""
        return self.plain + (self._table.plain + self._table.original if self._table is not None else 0)

    def reasons(self) -> Counter[str]:
        """How often each reason led to a call that the extension answered, or to one that the original does faster."""
        counts: Counter[str] = Counter()
        counts[Code.SLOWER.value] += self.plain + (self._table.plain if self._table is not None else 0)
        if self._table is not None:
            counts[self.driven_for.value] += self._table.partly
            counts[self.original_for.value] += self._table.original
        return counts
