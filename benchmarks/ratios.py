"""Ratios of NumPy to fused time, measured in turns (run: ``python -m benchmarks.ratios``)."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import pyfuse
from benchmarks.agreement import fuse_and_check
from benchmarks.machine import describe_machine
from benchmarks.workloads import SIZES, WORKLOADS, Case, cases
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
    with nullcontext() if options.threads is None else pyfuse.config.set(num_threads=options.threads):
        for case in cases(options.sizes, options.workloads):
            try:
                ratio = measure(case, options.seconds)
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


def measure(case: Case, seconds: float = AT_LEAST_SECONDS) -> Ratio:
    """Check the fused answer, then time NumPy and the kernel in turns.

    Args:
        case: what to measure.
        seconds: go on for so long, and for ``AT_LEAST_PAIRS`` pairs.

    Raises:
        AssertionError: the fused answer is wrong, or was not computed by one kernel.
    """
    arguments = case.make_inputs()
    fused = fuse_and_check(case.workload, arguments)
    times = time_in_turn(
        case.workload.function, fused, arguments, at_least_pairs=AT_LEAST_PAIRS, at_least_seconds=seconds
    )
    first_quartile, median, third_quartile = statistics.quantiles(times.ratios(), n=4, method="inclusive")
    return Ratio(
        workload=case.workload.name,
        dtype=case.dtype,
        size=case.size,
        numpy_us=statistics.median(times.first) / 1e3,
        fused_us=statistics.median(times.second) / 1e3,
        median=median,
        first_quartile=first_quartile,
        third_quartile=third_quartile,
        pairs=len(times.first),
    )


_HEADER = (
    "| workload | dtype | n | NumPy us | fused us | times faster [quartiles] |",
    "|---|---|---:|---:|---:|---:|",
)


def draw_row(ratio: Ratio) -> str:
    """One line of the Markdown table; the ratio is bold when the kernel was slower."""
    median = f"**{ratio.median:.2f}**" if ratio.median < 1.0 else f"{ratio.median:.2f}"
    spread = f"[{ratio.first_quartile:.2f}, {ratio.third_quartile:.2f}]"
    cells = (
        ratio.workload,
        ratio.dtype,
        f"{ratio.size:,}",
        f"{ratio.numpy_us:,.1f}",
        f"{ratio.fused_us:,.1f}",
        f"{median} {spread}",
    )
    return f"| {' | '.join(cells)} |"


def write(path: Path, ratios: Iterable[Ratio], threads: int | None) -> None:
    """Write the ratios with the facts of the machine as JSON; ``threads`` is None where the settings decided."""
    record = {
        "machine": asdict(describe_machine()),
        "threads": pyfuse.config.current().num_threads if threads is None else threads,
        "ratios": [asdict(ratio) for ratio in ratios],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratios", description=__doc__)
    parser.add_argument("--sizes", type=_whole, nargs="+", default=SIZES, help="result elements, such as 1000 or 1e5")
    parser.add_argument("--workloads", nargs="+", choices=[workload.name for workload in WORKLOADS], metavar="NAME")
    parser.add_argument("--threads", type=_whole, help="threads of a kernel (default: as pyfuse is set)")
    parser.add_argument("--seconds", type=float, default=AT_LEAST_SECONDS, help="per case (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} into {RESULTS.parent.name}/")
    return parser.parse_args(arguments)


def _whole(word: str) -> int:
    """A whole number above 0, also written like ``1e5``."""
    number = float(word)
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"{word} is not a whole number above 0")
    return int(number)


if __name__ == "__main__":
    sys.exit(main())
