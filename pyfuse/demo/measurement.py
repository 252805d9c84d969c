"""What happens to one program when it is fused: its answer, its speed, its counters."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from pyfuse.demo.difference import Difference, difference
from pyfuse.demo.interleaved import time_in_turn
from pyfuse.demo.programs import Program


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One program, plain and fused.

    Attributes:
        program: which one.
        elements: number of elements of each result.
        numpy_ms: median time of a call of the plain function, in milliseconds.
        fused_ms: median time of a call of the fused function after the first, in milliseconds.
        ratio: median over pairs of neighbouring calls of plain over fused time; below 1 is slower.
        first_call_ms: time of the first call of the fused function, which reads, writes and builds, in milliseconds.
        difference: between the two results.
        misses: one sentence for each published value that the fused function misses.
        kernels: number of kernels built for the timed calls.
        fallback_reasons: code of each reason why something ran as ordinary NumPy, and how often, check included.
    """

    program: Program
    elements: int
    numpy_ms: float
    fused_ms: float
    ratio: float
    first_call_ms: float
    difference: Difference
    misses: tuple[str, ...]
    kernels: int
    fallback_reasons: tuple[tuple[str, int], ...]

    @property
    def agrees_with_numpy(self) -> bool:
        """Kind, dtype and shape are the same, and the values are within the program's bound."""
        if self.difference.mismatch:
            return False
        if self.program.max_relative == 0.0:
            return self.difference.ulp == 0
        return self.difference.relative <= self.program.max_relative

    @property
    def passed(self) -> bool:
        """The result is plain NumPy's and the published values are met; falling back is no failure."""
        return self.agrees_with_numpy and not self.misses


def measure(program: Program, points: int, repeats: int) -> Measurement:
    """Run one program plain and fused, and compare.

    Args:
        program: what to run.
        points: wanted number of elements of each result.
        repeats: number of timed calls of each kind, at least 1; the first call of the fused function is not among them.
    """
    import pyfuse

    fused = pyfuse.fuse(program.function, wait=True)
    inputs = program.make_inputs(points)

    expected = program.function(*inputs)
    start = perf_counter()
    actual = fused(*inputs)
    first_call = perf_counter() - start
    found = difference(expected, actual)
    elements = _elements(expected)
    del expected, actual

    times = time_in_turn(program.function, fused, inputs, at_least_pairs=repeats, at_most_pairs=repeats)
    kernels = fused.cache_info().kernels
    misses = program.check(fused)
    return Measurement(
        program=program,
        elements=elements,
        numpy_ms=statistics.median(times.first) / 1e6,
        fused_ms=statistics.median(times.second) / 1e6,
        ratio=statistics.median(times.ratios()),
        first_call_ms=first_call * 1e3,
        difference=found,
        misses=misses,
        kernels=kernels,
        fallback_reasons=tuple(sorted((str(code), count) for code, count in fused.fallback_reasons().items())),
    )


def _elements(result: Any) -> int:
    """Number of elements of a result, of its first array when it is a tuple."""
    return int((result[0] if isinstance(result, tuple) else result).size)
