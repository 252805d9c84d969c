"""The side-by-side report as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.comparison import FAILED, NO_WORDS, NUMPY, PYFUSE, SLOW, TIMED, WRONG, Comparison, Outcome
from benchmarks.report import (
    Report,
    best_peer,
    geometric_mean,
    known,
    outcome_of,
    over_best_peer,
    over_numpy,
    sizes_of,
    where,
)
from benchmarks.spread import Spread, draw_spread

CALL_COST_TARGET = 0.25  # us of a call with three arrays of ten elements
CALL_COST_CASE = ("multiply_add", "float64", 10)
PEER_TARGET, NUMPY_TARGET, NUMPY_TARGET_SIZE = 1.7, 4.0, 1_000_000
BANDWIDTH_TARGET = 0.9
TIE = 0.9  # a ratio below is more than the machine's own unrest


def draw_report(report: Report) -> str:
    """The whole page."""
    parts = (
        _draw_head(report),
        _draw_summary(report),
        _draw_bandwidth(report),
        _draw_losses(report),
        _draw_cases(report.comparisons),
        _draw_systems(report.comparisons),
        _draw_notes(report),
    )
    return "\n".join(line for part in parts for line in (*part, ""))


def _draw_head(report: Report) -> tuple[str, ...]:
    machine = report.machine
    speed_up = ", ".join(f"{ratio:.2f} {moment}" for moment, ratio in report.thread_speed_up.items())
    finished = len(report.comparisons) + len(report.refused)
    partial = () if finished == report.planned else ("", f"**Unfinished: {finished} of {report.planned} cases.**")
    return (
        "# Side by side",
        "",
        f"{machine.cpu}, {machine.cores} processors, {machine.system}; Python {machine.python}, NumPy {machine.numpy}, "
        f"{machine.compiler or 'no compiler'}. {report.threads} threads, which did so many times the work of one: "
        f"{speed_up}.",
        "",
        "One run: in every case all systems are called in rounds, in an order drawn by lot; short calls many at a "
        "time, after 5 ms of untimed ones. Times are medians; ratios are medians of the ratios of one round, with "
        f"their quartiles. At least {report.seconds:g} s a case. Answers are checked before. "
        "**Bold: pyfuse is behind.** Ratios within 10 % of 1 are ties.",
        *partial,
    )


def _draw_summary(report: Report) -> tuple[str, ...]:
    rows = [
        _summary_row(f"{size:,}", where(report, lambda case, size=size: case.size == size))  # type: ignore[misc]
        for size in sizes_of(report)
    ]
    return (
        "## Summary",
        "",
        "| n | cases | × NumPy, geometric mean | least × NumPy | behind NumPy | × best peer, geometric mean "
        "| least × best peer | behind the best peer |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        *rows,
        _summary_row("all", report.comparisons),
        "",
        *_draw_targets(report),
    )


def _draw_targets(report: Report) -> tuple[str, ...]:
    """What is wanted, and what came out; targets that nothing was measured for are left out."""
    lines = []
    against_peers = known(over_best_peer(case) for case in report.comparisons)
    if against_peers:
        mean = geometric_mean(against_peers)
        lines.append(_target(f"geometric mean {mean:.2f} × the best peer", f"{PEER_TARGET} ×", mean >= PEER_TARGET))
        lines.append(
            _target(f"behind the best peer in {_count_losses(against_peers)}", "none", min(against_peers) >= 1)
        )
    middle = [over_numpy(case) for case in report.comparisons if case.size == NUMPY_TARGET_SIZE]
    if middle:
        mean = geometric_mean(middle)
        what = f"geometric mean {mean:.2f} × NumPy at {NUMPY_TARGET_SIZE:,}"
        lines.append(_target(what, f"{NUMPY_TARGET:g} ×", mean >= NUMPY_TARGET))
    against_numpy = [over_numpy(case) for case in report.comparisons]
    if against_numpy:
        lines.append(_target(f"behind NumPy in {_count_losses(against_numpy)}", "none", min(against_numpy) >= 1))
    shares = [case.bandwidth_share.median for case in report.comparisons if case.bandwidth_share is not None]
    if shares:
        reached = sum(share >= BANDWIDTH_TARGET for share in shares)
        what = f"{reached} of {len(shares)} cases in which the memory decides reach {BANDWIDTH_TARGET:.0%} of streaming"
        lines.append(_target(what, "all", reached == len(shares)))
    for case in where(report, lambda case: (case.workload, case.dtype, case.size) == CALL_COST_CASE):
        us = outcome_of(case, PYFUSE).us or 0.0
        what = f"a call with three arrays of ten elements: {us:.3f} us"
        lines.append(_target(what, f"{CALL_COST_TARGET} us", us <= CALL_COST_TARGET))
    return tuple(lines)


def _target(what: str, wanted: str, is_met: bool) -> str:
    return f"* {what} (wanted: {wanted}): {'met' if is_met else '**missed**'}"


def _count_losses(ratios: Sequence[float]) -> str:
    """For example ``5 of 190 cases, in 2 by more than 10 %``."""
    behind, far_behind = sum(ratio < 1.0 for ratio in ratios), sum(ratio < TIE for ratio in ratios)
    return f"{behind} of {len(ratios)} cases, in {far_behind} by more than {1 - TIE:.0%}"


def _summary_row(name: str, cases: Sequence[Comparison]) -> str:
    """Means and losses of some cases."""
    against_numpy = [over_numpy(case) for case in cases]
    against_peer = known(over_best_peer(case) for case in cases)
    cells = [name, str(len(cases))]
    for ratios in (against_numpy, against_peer):
        least = min(ratios, default=float("nan"))
        cells += [f"{geometric_mean(ratios):.2f}", _bold_below(1.0, least), str(sum(ratio < 1.0 for ratio in ratios))]
    return f"| {' | '.join(cells)} |"


def _bold_below(limit: float, ratio: float) -> str:
    return f"**{ratio:.2f}**" if ratio < limit else f"{ratio:.2f}"


def _draw_bandwidth(report: Report) -> tuple[str, ...]:
    """The rates of the streaming loops, and the share of them that memory-bound cases reach at the largest size."""
    if not report.streaming:
        return ("## Bandwidth", "", "There was no C compiler for the streaming loops.")
    moments = list(report.streaming)
    largest = max(sizes_of(report), default=0)
    cases = where(report, lambda case: case.size == largest and case.bandwidth_share is not None)
    shares = [
        f"| {case.workload} | {case.dtype} | {case.bytes_moved / 1e6:,.1f} | {_share(case.bandwidth_share)} |"
        for case in cases
        if case.bandwidth_share is not None
    ]
    table = (
        "",
        f"Cases in which the memory decides, at {largest:,} elements: what pyfuse moved per second over what "
        f"`{report.streaming_loop}` moved in the same round (wanted: {BANDWIDTH_TARGET:.0%}).",
        "",
        "| workload | dtype | MB moved | share of streaming [quartiles] |",
        "|---|---|---:|---:|",
        *shares,
    )
    return (
        "## Bandwidth",
        "",
        "GB/s of loops in C over arrays of 80 MB each. Bytes that are read and stored count; the read of a line that "
        "is stored to (write-allocate), which `past_caches` stores avoid, does not. For a case: every argument and "
        "every result once.",
        "",
        f"| loop | {' | '.join(moments)} |",
        f"|---|{'---:|' * len(moments)}",
        *(
            f"| {loop} | {' | '.join(f'{report.streaming[moment].get(loop, 0.0):.1f}' for moment in moments)} |"
            for loop in report.streaming[moments[0]]
        ),
        *(table if shares else ()),
    )


def _share(spread: Spread) -> str:
    quartiles = f"[{spread.first_quartile:.0%}, {spread.third_quartile:.0%}]"
    median = f"{spread.median:.0%}"
    return f"{median if spread.median >= BANDWIDTH_TARGET else f'**{median}**'} {quartiles}"


def _draw_losses(report: Report) -> tuple[str, ...]:
    """Where pyfuse is behind, worst first."""
    losses = []
    for case in report.comparisons:
        peer, ratio = best_peer(case), over_best_peer(case)
        if over_numpy(case) < 1.0:
            losses.append((over_numpy(case), case, NUMPY))
        if peer is not None and ratio is not None and ratio < 1.0:
            losses.append((ratio, case, peer.system))
    losses.sort(key=lambda loss: loss[0])
    lines = (
        f"* {case.workload}, {case.dtype}, {case.size:,}: {ratio:.2f} × {system}" for ratio, case, system in losses
    )
    return ("## Behind", "", *(lines if losses else ("Nowhere.",)))


def _draw_cases(comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    return (
        "## Cases",
        "",
        "| workload | dtype | n | NumPy us | pyfuse us | × NumPy [quartiles] | best peer | best peer us "
        "| × best peer [quartiles] | ran as |",
        "|---|---|---:|---:|---:|---:|---|---:|---:|---|",
        *map(draw_row, comparisons),
    )


def draw_row(case: Comparison) -> str:
    """The line of a case; ratios below 1 are bold."""
    ours, peer = outcome_of(case, PYFUSE), best_peer(case)
    assert ours.numpy_over_it is not None, case
    cells = [
        case.workload,
        case.dtype,
        f"{case.size:,}",
        _draw_us(outcome_of(case, NUMPY)),
        _draw_us(ours),
        draw_spread(ours.numpy_over_it),
    ]
    if peer is None or peer.it_over_pyfuse is None:
        cells += [NO_WORDS, "", ""]
    else:
        cells += [peer.system, _draw_us(peer), draw_spread(peer.it_over_pyfuse)]
    reasons = f" ({', '.join(case.reasons)})" if case.reasons else ""
    return f"| {' | '.join((*cells, case.ran_as + reasons))} |"


def _draw_systems(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """The times of all systems."""
    systems = list(dict.fromkeys(outcome.system for case in comparisons for outcome in case.outcomes))
    rows = []
    for case in comparisons:
        by_name = {outcome.system: outcome for outcome in case.outcomes}
        times = [_draw_us(by_name[system]) if system in by_name else "" for system in systems]
        rows.append(f"| {case.workload} | {case.dtype} | {case.size:,} | {' | '.join(times)} |")
    return (
        "## All systems, us",
        "",
        f"{NO_WORDS}: the system cannot say it. {FAILED}, {WRONG}, {SLOW}: not timed; the notes say why.",
        "",
        f"| workload | dtype | n | {' | '.join(systems)} |",
        f"|---|---|---:|{'---:|' * len(systems)}",
        *rows,
    )


def _draw_us(outcome: Outcome) -> str:
    """The time with three digits or more, or what became of the system."""
    if outcome.state != TIMED or outcome.us is None:
        return outcome.state
    digits = 3 if outcome.us < 1 else 2 if outcome.us < 10 else 1 if outcome.us < 100 else 0
    return f"{outcome.us:,.{digits}f}"


def _draw_notes(report: Report) -> tuple[str, ...]:
    """Facts of the systems, and why some were not timed; equal reasons are said once."""
    sizes: dict[tuple[str, str, str, str, str], list[str]] = {}
    for case in report.comparisons:
        for outcome in case.outcomes:
            if outcome.reason:
                key = (outcome.system, case.workload, case.dtype, outcome.state, outcome.reason)
                sizes.setdefault(key, []).append(f"{case.size:,}")
    return (
        "## Notes",
        "",
        *(f"* {system}: {fact}." for system, fact in report.peers.items()),
        *(f"* {system} took no part: {reason}." for system, reason in report.missing_peers.items()),
        *(f"* **Not measured, since pyfuse's answer was wrong:** {refusal}." for refusal in report.refused),
        *(
            f"* {system}, {workload}, {dtype} ({'; '.join(at)}) {state}: {reason}"
            for (system, workload, dtype, state, reason), at in sizes.items()
        ),
    )
