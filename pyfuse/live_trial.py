"""Is a driver faster than the original? Calls of the user are answered by both in turn, and timed; none is made twice.

A driver runs the user's statements, which may do anything, so they cannot be run again as a kernel can (``trial``).
What one call costs may differ from the next for reasons of its own: pairs are taken in the order fused, plain, plain,
fused, and the original is preferred only where it was faster in all pairs but one, which something else may have held
up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

CALLS_BEFORE = 24  # answered by the driver first: its regions are built and tried meanwhile
PAIRS = 8
CLEARLY_FASTER = 1.3  # times the driver's time, in two pairs: the original is not tried any further
MARGIN = 0.97  # of the driver's time, in the median pair
LONGEST_CALL_NS = 20_000_000  # of a driver: longer ones are not timed
MOST_CLASSES = 64


class LiveTrial:
    """What is known of calls of one size.

    Attributes:
        is_over: nothing is timed any more.
        prefers_plain: the original is to answer.
    """

    __slots__ = ("_calls", "_times", "is_over", "prefers_plain")

    def __init__(self) -> None:
        self._calls = 0
        self._times: list[tuple[int, int]] = []  # 1: by the original; ns
        self.is_over = self.prefers_plain = False

    def is_originals_turn(self) -> bool:
        """Whether the original answers the next call."""
        return self._calls >= CALLS_BEFORE and len(self._times) % 4 in (1, 2)

    def time(self, call: Callable[[], Any]) -> Any:
        """The result of a call of the one whose turn it is; one that raises is not counted."""
        self._calls += 1
        if self._calls <= CALLS_BEFORE:
            return call()
        is_plain = len(self._times) % 4 in (1, 2)
        begin = time.perf_counter_ns()
        result = call()
        self._note(is_plain, time.perf_counter_ns() - begin)
        return result

    def _note(self, is_plain: bool, duration: int) -> None:
        self._times.append((is_plain, duration))
        if len(self._times) % 2:
            self.is_over = not is_plain and duration > LONGEST_CALL_NS
            return
        pairs = [sorted(self._times[place : place + 2]) for place in range(0, len(self._times), 2)]
        durations = [(fused, plain) for (_, fused), (_, plain) in pairs]
        if len(pairs) == 2 and all(plain > CLEARLY_FASTER * fused for fused, plain in durations):
            self.is_over = True
        if len(pairs) >= PAIRS:
            self.is_over = True
            ratios = sorted(plain / max(fused, 1) for fused, plain in durations)
            self.prefers_plain = ratios[-2] < 1 and ratios[len(ratios) // 2] < MARGIN


class LiveTrials:
    """The trials of one driver, by the size of calls: powers of two of arrays and whole numbers."""

    def __init__(self) -> None:
        self._trials: dict[tuple[int, ...], LiveTrial] = {}

    def of(self, args: Sequence[Any]) -> LiveTrial:
        """The trial of such calls."""
        key = tuple([_size(value) for value in args])
        found = self._trials.get(key)
        if found is None:
            if len(self._trials) >= MOST_CLASSES:
                self._trials = {}
            found = self._trials[key] = LiveTrial()
        return found

    def prefer_plain(self, args: Sequence[Any]) -> bool:
        """Whether the original is to answer such calls, as far as is known."""
        found = self._trials.get(tuple([_size(value) for value in args]))
        return found is not None and found.prefers_plain


def _size(value: Any) -> int:
    if type(value) is np.ndarray:
        return value.size.bit_length()
    return value.bit_length() if type(value) is int else -1
