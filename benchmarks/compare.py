"""NumPy, pyfuse and its peers on the same work, in turns (run: ``python -m benchmarks.compare``).

A call of pyfuse that does not fuse is measured all the same, and the table says so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pyfuse
from benchmarks.agreement import assert_near
from benchmarks.catalogue import CATALOGUE, REDUCTION_NAMES
from benchmarks.command_line import add_case_options, thread_setting
from benchmarks.free_cores import thread_speed_up
from benchmarks.peers import Peers, find_peers
from benchmarks.record import write_record
from benchmarks.reduction_workloads import REDUCTION_SIZES
from benchmarks.rounds import Contender, time_in_rounds
from benchmarks.spread import Spread, draw_spread, spread_of
from benchmarks.workloads import Case, cases
from pyfuse.cache_info import CacheInfo
from pyfuse.demo.difference import difference

RESULTS = Path(__file__).parent / "results" / "compare.json"
AT_LEAST_ROUNDS = 15
AT_LEAST_SECONDS = 0.5  # per case
NUMPY, PYFUSE = "NumPy", "pyfuse"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The times of one system.

    Attributes:
        system: its name.
        us: median time of a call, in microseconds.
        times_faster: NumPy's time over the system's, round by round.
    """

    system: str
    us: float
    times_faster: Spread


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The outcome of one case.

    Attributes:
        workload: its name.
        dtype: name of the dtype.
        size: number of elements asked for.
        rounds: calls of each system.
        numpy_us: median time of a NumPy call, in microseconds.
        ran_as: how pyfuse ran: ``fused``, ``partly fused``, ``NumPy`` (not fused), or a mixture.
        reasons: why it did not fuse.
        ulp: how far pyfuse's result is from NumPy's, in units in the last place.
        outcomes: of pyfuse and of the peers whose answers were right.
        best_peer: the peer of the shortest median; empty when there is none.
        best_peer_over_pyfuse: its time over pyfuse's, round by round; None when there is none.
    """

    workload: str
    dtype: str
    size: int
    rounds: int
    numpy_us: float
    ran_as: str
    reasons: tuple[str, ...]
    ulp: int
    outcomes: tuple[Outcome, ...]
    best_peer: str
    best_peer_over_pyfuse: Spread | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a Markdown table, and write it as JSON.

    Args:
        arguments: the words of the command line; None takes the process's own.

    Returns:
        The exit status: 0, or 1 when an answer was wrong.

    Raises:
        SystemExit: the words are not understood, or help was asked for.
    """
    options = _read(arguments)
    comparisons: list[Comparison] = []
    failures: list[str] = []
    with thread_setting(options.threads):
        threads = pyfuse.config.current().num_threads
        peers = find_peers(threads)
        speed_ups = [thread_speed_up(threads)]
        print(*_HEADER, sep="\n", flush=True)
        for case in cases(options.sizes, options.workloads, CATALOGUE):
            try:
                comparison, wrong = compare(case, peers, options.seconds)
            except AssertionError as refusal:
                failures.append(f"{case}: {refusal}")
                continue
            failures += wrong
            comparisons.append(comparison)
            print(*draw_rows(comparison), sep="\n", flush=True)
        speed_ups.append(thread_speed_up(threads))
    print(*_draw_notes(peers, threads, speed_ups), sep="\n")
    for failure in failures:
        print(f"not measured: {failure}", file=sys.stderr)
    write_record(
        options.write,
        threads=threads,
        thread_speed_up={"before": speed_ups[0], "after": speed_ups[1]},
        peers=dict(peers.facts),
        missing_peers=dict(peers.missing),
        comparisons=[asdict(comparison) for comparison in comparisons],
    )
    return 1 if failures else 0


def compare(case: Case, peers: Peers, seconds: float = AT_LEAST_SECONDS) -> tuple[Comparison, tuple[str, ...]]:
    """Check every answer against NumPy's, then time all systems in turns.

    Args:
        case: what to measure.
        peers: those that know the workload take part.
        seconds: go on for so long, and for ``AT_LEAST_ROUNDS`` rounds.

    Returns:
        The outcome, and in words which peers were left out for a wrong answer.

    Raises:
        AssertionError: pyfuse's answer is wrong.
    """
    arguments = case.make_inputs()
    function = case.workload.function
    expected = function(*arguments)
    fused = pyfuse.fuse(function)
    actual = fused(*arguments)
    assert_near(PYFUSE, expected, actual)
    ulp = difference(expected, actual).ulp
    rivals, wrong = _right_peers(case, peers, arguments, expected)
    del expected, actual  # the timed calls find the heap without them

    contenders = (
        Contender(name=NUMPY, function=function, arguments=arguments),
        Contender(name=PYFUSE, function=fused, arguments=arguments),
        *rivals,
    )
    before = fused.cache_info()
    times = time_in_rounds(contenders, at_least_rounds=AT_LEAST_ROUNDS, at_least_seconds=seconds)
    after = fused.cache_info()
    best_peer = min((rival.name for rival in rivals), key=lambda name: statistics.median(times[name]), default="")
    comparison = Comparison(
        workload=case.workload.name,
        dtype=case.dtype,
        size=case.size,
        rounds=len(times[NUMPY]),
        numpy_us=_median_us(times[NUMPY]),
        ran_as=_describe_calls(before, after),
        reasons=tuple(str(reason) for reason in fused.fallback_reasons()),
        ulp=ulp,
        outcomes=tuple(
            Outcome(system=name, us=_median_us(times[name]), times_faster=spread_of(times[NUMPY], times[name]))
            for name in times
            if name != NUMPY
        ),
        best_peer=best_peer,
        best_peer_over_pyfuse=spread_of(times[best_peer], times[PYFUSE]) if best_peer else None,
    )
    return comparison, wrong


def _right_peers(
    case: Case, peers: Peers, arguments: Sequence[Any], expected: Any
) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """The peers that know the workload and answer it rightly, compiled; and in words those that answer wrongly."""
    right, wrong = [], []
    for peer in peers.found:
        if case.workload.name not in peer.functions:
            continue
        function = peer.functions[case.workload.name]
        own_arguments = tuple(peer.prepare(argument) for argument in arguments)
        try:
            assert_near(peer.name, expected, function(*own_arguments), is_same_kind=False)
        except AssertionError as refusal:
            wrong.append(f"{case}: {refusal}")
            continue
        right.append(Contender(name=peer.name, function=function, arguments=own_arguments))
    return tuple(right), tuple(wrong)


def _describe_calls(before: CacheInfo, after: CacheInfo) -> str:
    """How the calls between two readings of the counters ran."""
    ways = (
        ("fused", after.fused_calls - before.fused_calls),
        ("partly fused", after.partly_fused_calls - before.partly_fused_calls),
        ("NumPy", after.fallback_calls - before.fallback_calls),
    )
    taken = [(way, calls) for way, calls in ways if calls]
    if len(taken) == 1:
        return taken[0][0]
    return ", ".join(f"{calls} calls {way}" for way, calls in taken)


def _median_us(nanoseconds: Sequence[int]) -> float:
    """The median in microseconds."""
    return float(np.median(nanoseconds)) / 1e3


_HEADER = (
    "| workload | dtype | n | NumPy us | system | ran as | us | NumPy / system [quartiles] | best peer / pyfuse |",
    "|---|---|---:|---:|---|---|---:|---:|---:|",
)


def draw_rows(comparison: Comparison) -> tuple[str, ...]:
    """One line of the Markdown table for each system; where pyfuse was slower the ratio is bold."""
    return tuple(_draw_row(comparison, outcome) for outcome in comparison.outcomes)


def _draw_row(comparison: Comparison, outcome: Outcome) -> str:
    """The line of one system."""
    is_ours = outcome.system == PYFUSE
    against_peer = ""
    if is_ours and comparison.best_peer_over_pyfuse is not None:
        against_peer = f"{draw_spread(comparison.best_peer_over_pyfuse)} ({comparison.best_peer})"
    cells = (
        comparison.workload,
        comparison.dtype,
        f"{comparison.size:,}",
        f"{comparison.numpy_us:,.1f}",
        outcome.system,
        comparison.ran_as if is_ours else "",
        f"{outcome.us:,.1f}",
        draw_spread(outcome.times_faster, marks_losses=is_ours),
        against_peer,
    )
    return f"| {' | '.join(cells)} |"


def _draw_notes(peers: Peers, threads: int, speed_ups: Sequence[float]) -> tuple[str, ...]:
    """What a reader of the table must know besides."""
    before, after = (f"{speed_up:.2f}" for speed_up in speed_ups)
    return (
        "",
        f"* {threads} threads did {before} times the work of one before the first case, {after} times after the last.",
        *(f"* {system}: {fact}." for system, fact in peers.facts.items()),
        *(f"* {system} is missing: {reason}." for system, reason in peers.missing.items()),
    )


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_case_options(parser, sizes=REDUCTION_SIZES, names=REDUCTION_NAMES, seconds=AT_LEAST_SECONDS)
    parser.add_argument("--write", type=Path, default=RESULTS, metavar="PATH", help="the JSON (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
