"""The record of a side-by-side report, to and from JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.comparison import NUMPY, PYFUSE, TIMED, Comparison, Outcome
from benchmarks.machine import Machine
from benchmarks.spread import Spread


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run, finished or not.

    Attributes:
        machine: what it was taken on.
        threads: most threads of a kernel.
        seconds: of each case, at least.
        planned: number of cases that were to be measured.
        thread_speed_up: how many times the work of one thread all of them did, before and after.
        streaming: gigabytes per second of each streaming loop, before and after.
        streaming_loop: the loop that took part in the rounds; empty where there was no compiler.
        peers: facts, by system.
        missing_peers: why a system took no part.
        refused: cases that were not measured since pyfuse's answer was wrong, in words.
        comparisons: the cases that are finished.
    """

    machine: Machine
    threads: int
    seconds: float
    planned: int
    thread_speed_up: dict[str, float]
    streaming: dict[str, dict[str, float]]
    streaming_loop: str
    peers: dict[str, str]
    missing_peers: dict[str, str]
    refused: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


def write_report(path: Path, report: Report) -> None:
    """Write the record as JSON, with five digits of each number; the file is replaced as a whole, or not at all."""
    write_text(path, json.dumps(_rounded(asdict(report)), indent=1, ensure_ascii=False) + "\n")


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.5g}")
        case dict():
            return {name: _rounded(part) for name, part in value.items()}
        case list() | tuple():
            return [_rounded(part) for part in value]
        case _:
            return value


def write_text(path: Path, text: str) -> None:
    """Write a file, which is replaced as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def read_report(path: Path) -> Report:
    """The record that ``write_report`` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    comparisons = tuple(map(_comparison, found.pop("comparisons")))
    machine, refused = Machine(**found.pop("machine")), tuple(found.pop("refused"))
    return Report(machine=machine, refused=refused, comparisons=comparisons, **found)


def _comparison(found: dict[str, Any]) -> Comparison:
    outcomes = tuple(map(_outcome, found.pop("outcomes")))
    share, reasons = _spread(found.pop("bandwidth_share")), tuple(found.pop("reasons"))
    return Comparison(outcomes=outcomes, bandwidth_share=share, reasons=reasons, **found)


def _outcome(found: dict[str, Any]) -> Outcome:
    ratios = {name: _spread(found.pop(name)) for name in ("numpy_over_it", "it_over_pyfuse")}
    return Outcome(**found, **ratios)


def _spread(found: dict[str, float] | None) -> Spread | None:
    return None if found is None else Spread(**found)


# What is asked of it


def with_comparison(report: Report, comparison: Comparison) -> Report:
    """The report with one more case."""
    return replace(report, comparisons=(*report.comparisons, comparison))


def outcome_of(comparison: Comparison, system: str) -> Outcome:
    """What became of a system in a case.

    Raises:
        StopIteration: it was not asked.
    """
    return next(outcome for outcome in comparison.outcomes if outcome.system == system)


def best_peer(comparison: Comparison) -> Outcome | None:
    """The peer with the shortest median; None when none was timed."""
    peers = [
        outcome
        for outcome in comparison.outcomes
        if outcome.state == TIMED and outcome.us is not None and outcome.system not in (NUMPY, PYFUSE)
    ]
    return min(peers, key=lambda outcome: outcome.us or math.inf, default=None)


def over_numpy(comparison: Comparison) -> float:
    """How many times faster than NumPy pyfuse is."""
    spread = outcome_of(comparison, PYFUSE).numpy_over_it
    assert spread is not None, comparison
    return spread.median


def over_best_peer(comparison: Comparison) -> float | None:
    """How many times faster than the best peer; None when there is none."""
    peer = best_peer(comparison)
    return None if peer is None or peer.it_over_pyfuse is None else peer.it_over_pyfuse.median


def known(values: Iterable[float | None]) -> list[float]:
    """Those that are not None."""
    return [value for value in values if value is not None]


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive numbers; NaN when there are none."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def sizes_of(report: Report) -> list[int]:
    """The sizes measured, smallest first."""
    return sorted({comparison.size for comparison in report.comparisons})


def where(report: Report, condition: Callable[[Comparison], bool]) -> list[Comparison]:
    """The cases for which something holds."""
    return [comparison for comparison in report.comparisons if condition(comparison)]
