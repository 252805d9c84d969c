"""Time several functions in rounds, so that all meet the same state of the machine.

``pyfuse.demo.interleaved`` does this for two functions and says why results are released between the calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter_ns
from timeit import Timer
from typing import Any

from benchmarks.free_cores import wait_for_idle_threads
from pyfuse.demo.interleaved import timer_cost

BATCH_SECONDS = 1e-4  # calls that are shorter are timed many at a time: a thousand times the resolution of the clock
MOST_CALLS = 1_000  # of a batch
# Before calls that are shorter, untimed ones go on for so long that they are those of a loop: a processor that has
# slept while other systems' threads came to rest is itself again, threads are awake, and memory that only this system
# uses is in the caches. A sum of 1e6 float32 on two threads takes 115 us after 1 ms of calls, as on one, and 58 after
# 4; rows of as many are scaled in 237, 157, 117 and 106 in turn after others; in memory that NumPy has just used 153,
# 107. Of 100,000 float32, 2a+3b takes 16.4 us in the first six calls after others, 13.0 later (numba 14.6, 14.3).
SHORT_SECONDS = 2e-3
WARMING_SECONDS = 5e-3
LONG_SECONDS = 0.05  # so long that one look is enough
SHARED_SECONDS = 2e-6  # calls that are shorter use one thread


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A function with the arguments of its calls."""

    name: str
    function: Callable[..., Any]
    arguments: Sequence[Any]


class _Batch:
    """Some calls of one contender, timed together; a single one is timed without the release of its result."""

    def __init__(self, contender: Contender) -> None:
        names = {f"argument{place}": argument for place, argument in enumerate(contender.arguments)}
        scope = {"function": contender.function, **names}
        call = f"function({', '.join(names)})"
        self.name = contender.name
        self._single = Timer(f"result = {call}", timer=perf_counter_ns, globals=scope)
        self._many = Timer(call, timer=perf_counter_ns, globals=scope)
        seconds = self._single.timeit(1) / 1e9
        if seconds < LONG_SECONDS:
            seconds = min(seconds, *(self._single.timeit(1) / 1e9 for _ in range(2)))
        self._calls = min(MOST_CALLS, max(1, math.ceil(BATCH_SECONDS / max(seconds, 1e-9))))
        self._warming_calls = math.ceil(WARMING_SECONDS / max(seconds, 1e-9)) if seconds < SHORT_SECONDS else 0
        self._shares = seconds >= SHARED_SECONDS

    def nanoseconds_per_call(self, overhead: int) -> float:
        """The mean of the batch, at least 1."""
        if self._shares:
            wait_for_idle_threads()
        self._single.timeit(self._warming_calls)
        timer = self._single if self._calls == 1 else self._many
        return max(1.0, (timer.timeit(self._calls) - overhead) / self._calls)


def time_in_rounds(
    contenders: Sequence[Contender],
    *,
    at_least_rounds: int,
    at_least_seconds: float,
    at_most_seconds: float = math.inf,
    at_most_rounds: int = 20_000,
) -> dict[str, tuple[float, ...]]:
    """Time every contender once a round, in an order drawn by lot: one call, or several that are short.

    The lots are the same in every run. Call each before, unless first calls are to be among the times.

    Args:
        contenders: of different names.
        at_least_rounds: at least 1.
        at_least_seconds: go on until so much time (s) has passed.
        at_most_seconds: stop when so much time has passed, once there were three rounds.
        at_most_rounds: stop here even when the time has not passed; no fewer than ``at_least_rounds``.

    Returns:
        By name, nanoseconds of a call without the cost of the timer; entry ``i`` of all belongs to the same round.
    """
    overhead = timer_cost()
    lots = Random(0)
    order = [_Batch(contender) for contender in contenders]
    durations: dict[str, list[float]] = {batch.name: [] for batch in order}
    begin = perf_counter_ns()
    for turn in range(max(at_least_rounds, at_most_rounds)):
        passed = (perf_counter_ns() - begin) / 1e9
        if (turn >= at_least_rounds and passed >= at_least_seconds) or (turn >= 3 and passed >= at_most_seconds):
            break
        lots.shuffle(order)
        for batch in order:
            durations[batch.name].append(batch.nanoseconds_per_call(overhead))
    return {name: tuple(values) for name, values in durations.items()}
