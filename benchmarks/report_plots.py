"""Pictures of the side-by-side report (matplotlib): time against size for each workload, and a roofline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")  # no display

import matplotlib.pyplot as plt

from benchmarks.comparison import NUMPY, PYFUSE, TIMED, Comparison
from benchmarks.report import Report, best_peer, outcome_of, sizes_of, where

matplotlib.rcParams["svg.hashsalt"] = "pyfuse"  # the same picture of the same numbers
matplotlib.rcParams["svg.fonttype"] = "none"  # words stay words
_STYLES = {NUMPY: {"color": "black", "linestyle": "--"}, PYFUSE: {"color": "crimson", "linewidth": 2.5}}


def draw_plots(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write an SVG file for each workload, and ``roofline.svg`` where bandwidth was measured.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys(case.workload for case in report.comparisons)
    files = [_draw_workload(report, name, folder / f"{name}.svg") for name in names]
    if report.streaming and report.comparisons:
        files.append(_draw_roofline(report, folder / "roofline.svg"))
    return tuple(files)


def _draw_workload(report: Report, name: str, file: Path) -> Path:
    """One panel for each dtype."""
    cases = where(report, lambda case: case.workload == name)
    dtypes = list(dict.fromkeys(case.dtype for case in cases))
    figure, panels = plt.subplots(1, len(dtypes), figsize=(6.5 * len(dtypes), 4.5), squeeze=False)
    for panel, dtype in zip(panels[0], dtypes, strict=True):
        _draw_times(panel, [case for case in cases if case.dtype == dtype])
        panel.set_title(f"{name}, {dtype}")
    return _save(figure, file)


def _draw_times(panel: Any, cases: Sequence[Comparison]) -> None:
    systems = dict.fromkeys(outcome.system for case in cases for outcome in case.outcomes)
    for system in systems:
        points = [
            (case.size, outcome.us)
            for case in cases
            for outcome in case.outcomes
            if outcome.system == system and outcome.state == TIMED
        ]
        if points:
            panel.plot(*zip(*points, strict=True), marker="o", markersize=3, label=system, **_STYLES.get(system, {}))
    panel.set(xscale="log", yscale="log", xlabel="elements", ylabel="microseconds a call")
    panel.grid(visible=True, which="major", alpha=0.3)
    panel.legend(fontsize=7)


def _draw_roofline(report: Report, file: Path) -> Path:
    """Operations per second against operations per byte at the largest size, under the roof of the streaming loop."""
    largest = max(sizes_of(report))
    cases = where(report, lambda case: case.size == largest and case.operations > 0)
    figure, panel = plt.subplots(figsize=(9, 6))
    for system, style in (
        (NUMPY, {"color": "black"}),
        ("best peer", {"color": "tab:blue"}),
        (PYFUSE, {"color": "crimson"}),
    ):
        points = []
        for case in cases:
            outcome = best_peer(case) if system == "best peer" else outcome_of(case, system)
            if outcome is not None and outcome.us:
                points.append((case.operations / case.bytes_moved, case.operations / outcome.us / 1e3))
        if points:
            panel.scatter(*zip(*points, strict=True), label=system, s=18, **style)
    for case in cases:
        if case.dtype in ("float32", "complex64") and case.workload != "mixed_dtypes":
            continue  # beside its double
        us = outcome_of(case, PYFUSE).us
        if us:
            place = (case.operations / case.bytes_moved, case.operations / us / 1e3)
            panel.annotate(case.workload, place, fontsize=5, xytext=(3, 3), textcoords="offset points")
    intensities = [case.operations / case.bytes_moved for case in cases] or [0.1, 1.0]
    ends = (min(intensities) / 2, max(intensities) * 2)
    for moment, rates in report.streaming.items():
        rate = rates.get(report.streaming_loop)
        if rate:
            panel.plot(ends, [end * rate for end in ends], label=f"{report.streaming_loop} {moment}: {rate:.0f} GB/s")
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="operations per byte that must move",
        ylabel="billions of operations per second",
        title=f"{largest:,} elements",
    )
    panel.grid(visible=True, alpha=0.3)
    panel.legend(fontsize=8)
    return _save(figure, file)


def _save(figure: Any, file: Path) -> Path:
    """Write, without the date, so that equal pictures are equal files."""
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    return file
