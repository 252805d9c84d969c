"""What one call costs with hardly any work in it (run: ``python -m benchmarks.call_cost``).

NumPy, the fused function with the compiled dispatcher, and without it: two processes take turns, round by round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from timeit import Timer
from typing import Any

import numpy as np

import pyfuse
from benchmarks.agreement import assert_near
from pyfuse.backend.cpu import dispatch
from pyfuse.demo.table import draw_table

DEFAULT_ROUNDS = 25
CALLS = 2_000  # of each function in a round: 0.2 to 10 ms
TARGET = 0.25  # us, of the first case with the extension
ELEMENTS = 10

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Case:
    """A function, and the text of a call's arguments: ``x`` and ``y`` are arrays, ``p`` and ``q`` Python's floats."""

    name: str
    function: Callable[..., Any]
    arguments: str


CASES = (
    Case(name="x * y + x", function=lambda a, b, c: a * b + c, arguments="x, y, x"),
    Case(name="x.sum()", function=lambda a: a.sum(), arguments="x"),
    Case(name="x * p + q, two floats", function=lambda a, p, q: a * p + q, arguments="x, p, q"),
    Case(name="x + y, x * y", function=lambda a, b: (a + b, a * b), arguments="x, y"),
    Case(name="sqrt(x*x + y*y)", function=lambda a, b: np.sqrt(a * a + b * b), arguments="x, y"),
    Case(name="(x - mean) / std", function=lambda a: (a - a.mean()) / a.std(), arguments="x"),
    Case(name="x * (p + q), computed", function=lambda a, p, q: a * (p + q), arguments="x, p, q"),
    Case(name="x[1:] - x[:-1], views", function=lambda a: a[1:] - a[:-1], arguments="x"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table.

    Returns:
        The exit status: 0 when the first case meets the target, 1 when not, or where there is no extension.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.call_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, help="rounds of each case (%(default)s)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return _serve()
    if dispatch.extension is None:
        print(f"the call extension is {dispatch.state}")
        return 1
    medians = measure(options.rounds)
    rows = [
        (case.name, *(f"{time:.3f}" for time in times), f"{times[0] / times[1]:.1f}")
        for case, times in zip(CASES, medians, strict=True)
    ]
    header = (f"{ELEMENTS} float64", "NumPy us", "extension", "without", "NumPy / extension")
    print(draw_table(header, rows, text_columns=(0,)))
    is_met = medians[0][1] <= TARGET
    print(f"target for the first: {TARGET} us: {'met' if is_met else 'missed'}")
    return 0 if is_met else 1


def measure(rounds: int) -> list[tuple[float, float, float]]:
    """Microseconds a call of each case (medians): NumPy, with the extension, without."""
    workers = [_start("1"), _start("0")]
    times: list[list[tuple[float, float, float]]] = [[] for _ in CASES]
    for _ in range(rounds):
        for number in range(len(CASES)):
            (numpy, compiled), (_, python) = (_ask(worker, number) for worker in workers)
            times[number].append((numpy, compiled, python))
    for worker in workers:
        worker.communicate()
    return [tuple(map(statistics.median, zip(*found, strict=True))) for found in times]  # type: ignore[misc]


def _start(extension: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, dispatch.VARIABLE: extension}
    command = [sys.executable, "-m", "benchmarks.call_cost", "--worker"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(worker: subprocess.Popen[str], number: int) -> tuple[float, float]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    print(number, file=worker.stdin, flush=True)
    plain, fused = worker.stdout.readline().split()
    return float(plain), float(fused)


def _serve() -> int:
    """Answer each case number on standard input with the microseconds of NumPy's call and of the fused one."""
    values = {"x": np.linspace(0.1, 1.0, ELEMENTS), "y": np.linspace(1.0, 2.0, ELEMENTS), "p": 1.5, "q": 2.5}
    timers = [_timers(case, values) for case in CASES]
    for line in sys.stdin:
        plain, fused = (timer.timeit(CALLS) / CALLS * 1e6 for timer in timers[int(line)])
        print(plain, fused, flush=True)
    return 0


def _timers(case: Case, values: dict[str, Any]) -> tuple[Timer, Timer]:
    fused = pyfuse.fuse(case.function)
    arguments = [values[name] for name in case.arguments.split(", ")]
    for _ in range(2):
        assert_near(case.name, case.function(*arguments), fused(*arguments))
    assert fused.cache_info().fused_calls == 2, fused.explain()
    first, second = (Timer(f"f({case.arguments})", globals={**values, "f": f}) for f in (case.function, fused))
    return first, second


if __name__ == "__main__":
    sys.exit(main())
