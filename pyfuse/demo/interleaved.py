"""Time two functions in turn, so that both meet the same state of the machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter_ns
from typing import Any

_TIMER_SAMPLES = 1001


@dataclass(frozen=True, kw_only=True)
class PairedTimes:
    """Durations of single calls, in nanoseconds; entry ``i`` of both belongs to the same moment.

    Attributes:
        first: of the function to compare with.
        second: of the function in question; as many as ``first``.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]

    def ratios(self) -> tuple[float, ...]:
        """First over second for each pair: how many times faster the second function was; below 1 it was slower."""
        return tuple(first / second for first, second in zip(self.first, self.second, strict=True))


def time_in_turn(
    first: Callable[..., Any],
    second: Callable[..., Any],
    arguments: Sequence[Any],
    *,
    at_least_pairs: int,
    at_least_seconds: float = 0.0,
    at_most_pairs: int = 20_000,
) -> PairedTimes:
    """Call two functions in turn and time every call by itself.

    Which of the two goes first in a pair is drawn by lot, the same lots in every run. A result is released outside the
    timed stretch and before the next call, so that both functions find the same heap: with results kept, or with a
    regular order, one of two equal functions met fresh pages in every call and looked up to twice as slow (measured
    with glibc at 8 MB results). The time that an empty measurement takes is subtracted.

    Call both once before, unless the first call is to be among the times.

    Args:
        first: the function to compare with.
        second: the function in question.
        arguments: positional arguments of both.
        at_least_pairs: number of calls of each, at least 1.
        at_least_seconds: go on until so much time (s) has passed.
        at_most_pairs: stop here even when the time has not passed; no fewer than ``at_least_pairs``.
    """
    overhead = timer_cost()
    lots = Random(0)
    functions = (first, second)
    durations: tuple[list[int], list[int]] = ([], [])
    begin = perf_counter_ns()
    for pair in range(max(at_least_pairs, at_most_pairs)):
        if pair >= at_least_pairs and perf_counter_ns() - begin >= at_least_seconds * 1e9:
            break
        for which in lots.choice(((0, 1), (1, 0))):
            function = functions[which]
            start = perf_counter_ns()
            result = function(*arguments)
            stop = perf_counter_ns()
            del result
            durations[which].append(max(1, stop - start - overhead))
    return PairedTimes(first=tuple(durations[0]), second=tuple(durations[1]))


def timer_cost() -> int:
    """Nanoseconds between two readings of the clock with nothing in between (median)."""
    costs = []
    for _ in range(_TIMER_SAMPLES):
        start = perf_counter_ns()
        stop = perf_counter_ns()
        costs.append(stop - start)
    return int(statistics.median(costs))
