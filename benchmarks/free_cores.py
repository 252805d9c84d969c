"""How much of the processors a measurement really had: other programs may take their share."""

from __future__ import annotations

import os
import statistics
import threading
import time

import numpy as np

_REPEATS = 7
_STEPS = 50  # about 5 ms
_ELEMENTS = 20_000
_LOOK_SECONDS = 5e-3  # the system counts at ticks of up to 4 ms
_LOOKS = 6
_IDLE_SHARE = 0.1  # of a look, in which threads may run that are not waiting for more work
_TASKS = "/proc/self/task"


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


def wait_for_idle_threads() -> None:
    """Wait until no other thread of this process runs, 30 ms at most.

    Threads of OpenMP go on for 5 ms (Numba's) to 10 ms (PyTorch's) after their work is done, in case there is more, and
    would take a processor from whoever is called next. Where the system does not say what runs, nothing is waited for.
    """
    before = _nanoseconds_of_others()
    for _ in range(_LOOKS if before is not None else 0):
        start = time.perf_counter_ns()
        time.sleep(_LOOK_SECONDS)
        after = _nanoseconds_of_others()
        if before is None or after is None or after - before < _IDLE_SHARE * (time.perf_counter_ns() - start):
            return
        before = after


def _nanoseconds_of_others() -> int | None:
    """What the other threads have run so far, or None where the system does not say."""
    own, total = str(threading.get_native_id()), 0
    try:
        tasks = [task for task in os.listdir(_TASKS) if task != own]
    except OSError:
        return None
    for task in tasks:
        try:
            with open(f"{_TASKS}/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except (OSError, ValueError, IndexError):  # it has ended
            continue
    return total
