"""Ratios of NumPy to fused time, measured in turns (run: ``python -m benchmarks.ratios``)."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import pyfuse
from benchmarks.agreement import fuse_and_check
from benchmarks.catalogue import CATALOGUE, ELEMENTWISE_NAMES
from benchmarks.command_line import add_case_options, thread_setting, without_compiler
from benchmarks.record import write_record
from benchmarks.spread import Spread, draw_spread, spread_of
from benchmarks.workloads import SIZES, Case, cases
from pyfuse.demo.interleaved import time_in_turn

RESULTS = Path(__file__).parent / "results" / "ratios.json"
AT_LEAST_PAIRS = 15
AT_LEAST_SECONDS = 0.3  # per case


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The outcome of one case.

    Attributes:
        workload: its name.
        dtype: name of the dtype.
        size: number of result elements asked for.
        numpy_us: median time of a NumPy call, in microseconds.
        fused_us: median time of a fused call, in microseconds.
        median: of the ratios of NumPy to fused time of all pairs: times faster; below 1 is slower.
        first_quartile: of the same ratios.
        third_quartile: of the same ratios.
        pairs: number of ratios.
    """

    workload: str
    dtype: str
    size: int
    numpy_us: float
    fused_us: float
    median: float
    first_quartile: float
    third_quartile: float
    pairs: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a Markdown table, and write it as JSON if asked to.

    Args:
        arguments: the words of the command line; None takes the process's own.

    Returns:
        The exit status: 0, or 1 when a case was not measured because its answer was wrong or it did not fuse.

    Raises:
        SystemExit: the words are not understood, or help was asked for.
    """
    options = _read(arguments)
    ratios: list[Ratio] = []
    failures: list[str] = []
    print(*_HEADER, sep="\n", flush=True)
    with thread_setting(options.threads), without_compiler() if options.without_compiler else nullcontext():
        for case in cases(options.sizes, options.workloads, CATALOGUE):
            try:
                ratio = measure(case, options.seconds, has_compiler=not options.without_compiler)
            except AssertionError as refusal:
                failures.append(f"{case}: {refusal}")
                continue
            ratios.append(ratio)
            print(draw_row(ratio), flush=True)
    for failure in failures:
        print(f"not measured: {failure}", file=sys.stderr)
    if options.write:
        write(RESULTS, ratios, options.threads)
    return 1 if failures else 0


def measure(case: Case, seconds: float = AT_LEAST_SECONDS, *, has_compiler: bool = True) -> Ratio:
    """Check the fused answer, then time NumPy and the kernel in turns.

    Args:
        case: what to measure.
        seconds: go on for so long, and for ``AT_LEAST_PAIRS`` pairs.
        has_compiler: as in ``fuse_and_check``.

    Raises:
        AssertionError: the fused answer is wrong, or was not computed by one kernel.
    """
    arguments = case.make_inputs()
    fused = fuse_and_check(case.workload, arguments, has_compiler=has_compiler)
    times = time_in_turn(
        case.workload.function, fused, arguments, at_least_pairs=AT_LEAST_PAIRS, at_least_seconds=seconds
    )
    spread = spread_of(times.first, times.second)
    return Ratio(
        workload=case.workload.name,
        dtype=case.dtype,
        size=case.size,
        numpy_us=statistics.median(times.first) / 1e3,
        fused_us=statistics.median(times.second) / 1e3,
        median=spread.median,
        first_quartile=spread.first_quartile,
        third_quartile=spread.third_quartile,
        pairs=len(times.first),
    )


_HEADER = (
    "| workload | dtype | n | NumPy us | fused us | times faster [quartiles] |",
    "|---|---|---:|---:|---:|---:|",
)


def draw_row(ratio: Ratio) -> str:
    """One line of the Markdown table; the ratio is bold when the kernel was slower."""
    spread = Spread(first_quartile=ratio.first_quartile, median=ratio.median, third_quartile=ratio.third_quartile)
    cells = (
        ratio.workload,
        ratio.dtype,
        f"{ratio.size:,}",
        f"{ratio.numpy_us:,.1f}",
        f"{ratio.fused_us:,.1f}",
        draw_spread(spread),
    )
    return f"| {' | '.join(cells)} |"


def write(path: Path, ratios: Iterable[Ratio], threads: int | None) -> None:
    """Write the ratios with the facts of the machine as JSON; ``threads`` is None where the settings decided."""
    most_threads = pyfuse.config.current().num_threads if threads is None else threads
    write_record(path, threads=most_threads, ratios=[asdict(ratio) for ratio in ratios])


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratios", description=__doc__)
    add_case_options(parser, sizes=SIZES, names=ELEMENTWISE_NAMES, seconds=AT_LEAST_SECONDS)
    parser.add_argument("--without-compiler", action="store_true", help="measure the tiles that then answer")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} into {RESULTS.parent.name}/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
