"""How much of the processors a measurement really had: other programs may take their share."""

from __future__ import annotations

import statistics
import threading
import time

import numpy as np

_REPEATS = 7
_STEPS = 50  # about 5 ms
_ELEMENTS = 20_000


def thread_speed_up(threads: int) -> float:
    """How many times the work of one thread so many do in the same time (median of a few trials); ``threads`` at best.

    The work is arithmetic in cache, so that only processors are shared, not memory.
    """
    return statistics.median(threads * _seconds(1) / _seconds(threads) for _ in range(_REPEATS))


def _seconds(threads: int) -> float:
    """Time for each of so many threads to do one portion of work."""
    workers = [threading.Thread(target=_work) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


def _work() -> None:
    """One portion; NumPy lets other threads run meanwhile."""
    values = np.linspace(0.0, 1.0, _ELEMENTS)
    for _ in range(_STEPS):
        np.sin(values)
