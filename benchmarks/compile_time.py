"""How long a kernel takes that nobody has built before (run: ``python -m benchmarks.compile_time``).

Workloads first, then functions of more and more operations. ``trace`` is from the syntax tree to the graph after its
passes, ``text`` the C text, ``compiler`` the compiler's run, ``all`` from the decorator to the loaded kernel.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pyfuse
import pyfuse.compiler
from benchmarks.command_line import whole_number
from benchmarks.long_functions import long_function, make_inputs
from benchmarks.reduction_workloads import REDUCTION_WORKLOADS
from benchmarks.workloads import WORKLOADS
from pyfuse.backend.cpu import backend, kernel
from pyfuse.demo.table import draw_table

TARGET = 100.0  # ms, the median of workloads
ELEMENTS = 10_000
OPERATIONS = (10, 50, 100, 200, 500, 1_000, 2_000)


@dataclass(frozen=True, kw_only=True)
class CompileTimes:
    """Milliseconds."""

    trace: float
    text: float
    compiler: float
    all: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print two tables.

    Returns:
        The exit status: 0 when the median of the workloads meets the target, 1 otherwise.

    Raises:
        SystemExit: the words are not understood, or help was asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile_time", description=__doc__)
    parser.add_argument("--repeats", type=whole_number, default=5, help="of each, the median is taken (%(default)s)")
    parser.add_argument("--operations", type=whole_number, nargs="*", default=OPERATIONS, help="of long functions")
    parser.add_argument("--only-long", action="store_true", help="no workloads")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, pyfuse.config.set(cache_dir=Path(folder)):
        pyfuse.fuse(long_function(1)).compile(*make_inputs(1))  # the compiler is probed, the runtime built
        median = 0.0 if options.only_long else _show_workloads(Path(folder), options.repeats)
        _show_long(Path(folder), options.operations, options.repeats)
    return 0 if median <= TARGET else 1


def measure(function: Callable[..., Any], inputs: Sequence[Any], folder: Path, repeats: int) -> CompileTimes:
    """The medians of compiling a function so often, each time with no kernel on disk."""
    rounds = []
    for _ in range(repeats):
        for pattern in ("*.so", "plan-*"):
            for path in folder.glob(pattern):
                path.unlink()
        with _watched() as seconds:
            started = time.perf_counter()
            fused = pyfuse.fuse(function)
            fused.compile(*inputs)
            seconds["all"] = time.perf_counter() - started
        assert fused.cache_info().kernels == 1
        rounds.append(seconds)
    return CompileTimes(**{name: 1e3 * statistics.median(one[name] for one in rounds) for name in rounds[0]})


def _show_workloads(folder: Path, repeats: int) -> float:
    """Returns: the median of all."""
    rows, whole = [], []
    for workload in (*WORKLOADS, *REDUCTION_WORKLOADS):
        for dtype in workload.dtypes:
            times = measure(workload.function, workload.make_inputs(ELEMENTS, dtype), folder, repeats)
            whole.append(times.all)
            rows.append((workload.name, dtype, *_cells(times)))
    print(draw_table(("workload", "dtype", "trace ms", "text", "compiler", "all"), rows, text_columns=(0, 1)))
    median = statistics.median(whole)
    print(f"median {median:.0f} ms, most {max(whole):.0f} ms (target: a median of {TARGET:.0f} ms)\n")
    return median


def _show_long(folder: Path, operations: Sequence[int], repeats: int) -> None:
    rows = []
    for count in operations:
        function, inputs = long_function(count), make_inputs(1_000)
        times = measure(function, inputs, folder, repeats)
        with np.errstate(all="ignore"):
            fused = pyfuse.fuse(function)
            assert np.allclose(fused(*inputs), function(*inputs), rtol=0.0, atol=1e-12), count
        assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()
        rows.append((f"{count:,}", *_cells(times), f"{times.all / count:.2f}"))
    header = ("operations", "trace ms", "text", "compiler", "all", "an operation")
    print(draw_table(header, rows, text_columns=()))


def _cells(times: CompileTimes) -> tuple[str, ...]:
    return tuple(f"{value:.1f}" for value in (times.trace, times.text, times.compiler, times.all))


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """Within it, the seconds that stages take are added up."""
    seconds = {"trace": 0.0, "text": 0.0, "compiler": 0.0}

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args)
            finally:
                seconds[stage] += time.perf_counter() - started

        return run

    places: tuple[tuple[str, Any, str], ...] = (
        ("trace", pyfuse.compiler, "specialize"),
        ("text", backend.codegen, "write"),
        ("compiler", kernel, "compile_library"),
    )
    originals = [getattr(module, name) for _, module, name in places]
    try:
        for stage, module, name in places:
            setattr(module, name, timed(stage, getattr(module, name)))
        yield seconds
    finally:
        for (_, module, name), original in zip(places, originals, strict=True):
            setattr(module, name, original)


if __name__ == "__main__":
    sys.exit(main())
