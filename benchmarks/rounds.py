"""Time several functions in rounds, so that all meet the same state of the machine.

``pyfuse.demo.interleaved`` does this for two functions and says why results are released between the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter_ns
from typing import Any

from pyfuse.demo.interleaved import timer_cost


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A function with the arguments of its calls."""

    name: str
    function: Callable[..., Any]
    arguments: Sequence[Any]


def time_in_rounds(
    contenders: Sequence[Contender], *, at_least_rounds: int, at_least_seconds: float, at_most_rounds: int = 20_000
) -> dict[str, tuple[int, ...]]:
    """Call every contender once a round, in an order drawn by lot, and time every call by itself.

    The lots are the same in every run. Call each once before, unless first calls are to be among the times.

    Args:
        contenders: of different names.
        at_least_rounds: at least 1.
        at_least_seconds: go on until so much time (s) has passed.
        at_most_rounds: stop here even when the time has not passed; no fewer than ``at_least_rounds``.

    Returns:
        By name, nanoseconds of each call without the cost of the timer; entry ``i`` of all belongs to the same round.
    """
    overhead = timer_cost()
    lots = Random(0)
    durations: dict[str, list[int]] = {contender.name: [] for contender in contenders}
    order = list(contenders)
    begin = perf_counter_ns()
    for turn in range(max(at_least_rounds, at_most_rounds)):
        if turn >= at_least_rounds and perf_counter_ns() - begin >= at_least_seconds * 1e9:
            break
        lots.shuffle(order)
        for contender in order:
            function, arguments = contender.function, contender.arguments
            start = perf_counter_ns()
            result = function(*arguments)
            stop = perf_counter_ns()
            del result
            durations[contender.name].append(max(1, stop - start - overhead))
    return {name: tuple(values) for name, values in durations.items()}
