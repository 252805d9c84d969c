"""NumPy, pyfuse and its peers on the same work, in turns (run: ``python -m benchmarks.compare``).

Every answer is checked before it is timed. A peer that cannot say a workload, fails, is wrong or takes far too long is
not timed, and the tables say so; a call of pyfuse that does not fuse is measured all the same. After each case the
record (JSON) and the tables (Markdown) are written, so that a run that is broken off leaves what was finished; plots
follow at the end. The size of a case is its number of result elements, or of those read where there are fewer results.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyfuse
from benchmarks.command_line import add_case_options, thread_setting
from benchmarks.comparison import compare
from benchmarks.free_cores import thread_speed_up
from benchmarks.machine import describe_machine
from benchmarks.peers import SYSTEMS, describe_failure, find_peers
from benchmarks.report import Report, read_report, with_comparison, write_report, write_text
from benchmarks.report_tables import draw_report, draw_row
from benchmarks.report_workloads import EVERY_WORKLOAD, QUICK_SIZES, REPORT_NAMES, REPORT_SIZES, report_cases
from benchmarks.streaming import Streaming, build_streaming, fastest_triad, gigabytes_per_second

RESULTS = Path(__file__).parent / "results" / "compare.json"
SECONDS, QUICK_SECONDS = 2.0, 0.1  # per case


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the record, the tables and the plots.

    Args:
        arguments: the words of the command line; None takes the process's own.

    Returns:
        The exit status: 0, or 1 when an answer of pyfuse was wrong.

    Raises:
        SystemExit: the words are not understood, or help was asked for.
    """
    options = _read(arguments)
    if options.draw:
        report = read_report(options.write)
    else:
        with thread_setting(options.threads):
            report = measure(options)
    _write(options.write, report)
    print(*_draw_pictures(options.write, report), sep="\n")
    for refusal in report.refused:
        print(f"not measured: {refusal}", file=sys.stderr)
    return 1 if report.refused else 0


def measure(options: argparse.Namespace) -> Report:
    """Measure the cases that are asked for; the record and the tables are written after each."""
    threads = pyfuse.config.current().num_threads
    cases = report_cases(options.sizes, options.workloads, options.dtypes)
    peers = find_peers(threads, options.systems)
    report = Report(
        machine=describe_machine(),
        threads=threads,
        seconds=options.seconds,
        planned=len(cases),
        thread_speed_up={"before": thread_speed_up(threads)},
        streaming={},
        streaming_loop="",
        peers=dict(peers.facts),
        missing_peers=dict(peers.missing),
    )
    streaming = _find_streaming(threads)
    if streaming is not None:
        rates = gigabytes_per_second(streaming)
        report = replace(report, streaming={"before": rates}, streaming_loop=fastest_triad(rates))
    for number, case in enumerate(cases, start=1):
        try:
            comparison = compare(case, peers, options.seconds, streaming, report.streaming_loop)
        except AssertionError as refusal:
            report = replace(report, refused=(*report.refused, f"{case}: {refusal}"))
            continue
        report = with_comparison(report, comparison)
        _write(options.write, report)
        print(f"{number}/{len(cases)} {draw_row(comparison)}", flush=True)
    after = {} if streaming is None else {"after": gigabytes_per_second(streaming)}
    return replace(
        report,
        thread_speed_up={**report.thread_speed_up, "after": thread_speed_up(threads)},
        streaming={**report.streaming, **after},
    )


def _find_streaming(threads: int) -> Streaming | None:
    """The streaming loops, or None where they cannot be compiled."""
    try:
        return build_streaming(threads)
    except OSError as reason:
        print(f"no streaming bandwidth: {reason}", file=sys.stderr)
        return None


def _write(record: Path, report: Report) -> None:
    """The record, and the tables beside it."""
    write_report(record, report)
    write_text(record.with_suffix(".md"), draw_report(report))


def _draw_pictures(record: Path, report: Report) -> tuple[str, ...]:
    """Draw the plots beside the record; in words what became of them."""
    try:
        plots = importlib.import_module("benchmarks.report_plots")
    except ImportError as reason:
        return (f"no plots: {describe_failure(reason)}",)
    files = plots.draw_plots(report, record.parent / "plots")
    return (f"{record.with_suffix('.md').name} and {len(files)} plots are in {record.parent.name}/",)


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_case_options(parser, sizes=REPORT_SIZES, names=REPORT_NAMES, seconds=SECONDS, workloads=EVERY_WORKLOAD)
    parser.add_argument("--dtypes", nargs="+", metavar="NAME", help="such as float64 (default: all of each workload)")
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=SYSTEMS, metavar="NAME", help="peers to ask")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"a short look: {QUICK_SECONDS} s a case, sizes {', '.join(f'{size:,}' for size in QUICK_SIZES)}",
    )
    parser.add_argument("--draw", action="store_true", help="measure nothing: draw tables and plots of the record anew")
    parser.add_argument("--write", type=Path, default=RESULTS, metavar="PATH", help="the record (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seconds = QUICK_SECONDS if options.seconds == SECONDS else options.seconds
        options.sizes = QUICK_SIZES if options.sizes is REPORT_SIZES else options.sizes
    return options


if __name__ == "__main__":
    sys.exit(main())
