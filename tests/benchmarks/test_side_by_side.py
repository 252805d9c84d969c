"""Does the side-by-side report check answers, mark losses, and keep what was finished?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import compare as command
from benchmarks import comparison as cases_module
from benchmarks import free_cores
from benchmarks import peers as peers_module
from benchmarks.comparison import FAILED, NO_WORDS, NUMPY, PYFUSE, TIMED, WRONG, Comparison, Outcome, compare
from benchmarks.machine import Machine, compiler_command
from benchmarks.peers import Peer, Peers, describe_failure, find_peers
from benchmarks.report import Report, best_peer, geometric_mean, over_best_peer, over_numpy, read_report, write_report
from benchmarks.report_tables import draw_report, draw_row
from benchmarks.report_workloads import report_cases
from benchmarks.rounds import Contender, time_in_rounds
from benchmarks.spread import Spread
from benchmarks.streaming import build_streaming, fastest_triad, gigabytes_per_second

MACHINE = Machine(cpu="a processor", cores=2, system="Linux", python="3.11", numpy="2.4", compiler="cc 12")


def spread(median: float) -> Spread:
    return Spread(first_quartile=median * 0.9, median=median, third_quartile=median * 1.1)


def timed(system: str, us: float, *, numpy_us: float, pyfuse_us: float) -> Outcome:
    return Outcome(
        system=system,
        state=TIMED,
        us=us,
        numpy_over_it=spread(numpy_us / us),
        it_over_pyfuse=spread(us / pyfuse_us),
    )


def comparison(numpy_us: float, pyfuse_us: float, **peers_us: float) -> Comparison:
    times = {NUMPY: numpy_us, PYFUSE: pyfuse_us, **peers_us}
    return Comparison(
        workload="multiply_add",
        dtype="float64",
        size=10,
        rounds=7,
        ran_as="fused",
        reasons=(),
        ulp=0,
        bytes_moved=320,
        operations=20,
        outcomes=(
            *(timed(name, us, numpy_us=numpy_us, pyfuse_us=pyfuse_us) for name, us in times.items()),
            Outcome(system="mute", state=NO_WORDS),
            Outcome(system="liar", state=WRONG, reason="AssertionError: one"),
        ),
    )


def report(*comparisons: Comparison, planned: int | None = None) -> Report:
    return Report(
        machine=MACHINE,
        threads=2,
        seconds=1.0,
        planned=len(comparisons) if planned is None else planned,
        thread_speed_up={"before": 1.9},
        streaming={"before": {"triad": 20.0}},
        streaming_loop="triad",
        peers={"fast": "1.0"},
        missing_peers={"absent": "ModuleNotFoundError: No module named 'absent'"},
        comparisons=comparisons,
    )


# Tables


def test_a_loss_is_bold_and_a_gain_is_not() -> None:
    ahead, behind = comparison(4.0, 1.0, fast=2.0), comparison(1.0, 2.0, fast=1.6, slow=9.0)
    assert "**" not in draw_row(ahead)
    assert "| 4.00 [3.60, 4.40] | fast | 2.00 | 2.00 [1.80, 2.20] |" in draw_row(ahead)
    assert "| **0.50** [0.45, 0.55] | fast | 1.60 | **0.80** [0.72, 0.88] |" in draw_row(behind)


def test_the_best_peer_is_the_fastest_that_was_timed() -> None:
    case = comparison(4.0, 1.0, slow=9.0, fast=2.0)
    peer = best_peer(case)
    assert peer is not None and peer.system == "fast"
    assert (over_numpy(case), over_best_peer(case)) == (4.0, 2.0)
    alone = comparison(4.0, 1.0)
    assert best_peer(alone) is None and over_best_peer(alone) is None
    assert f"| {NO_WORDS} |" in draw_row(alone)


def test_the_page_has_means_losses_and_reasons() -> None:
    page = draw_report(report(comparison(0.8, 0.2, fast=0.4), comparison(1.0, 2.0, fast=1.0)))
    assert geometric_mean([4.0, 0.5]) == pytest.approx(2**0.5)
    assert "| all | 2 | 1.41 | **0.50** | 1 | 1.00 | **0.50** | 1 |" in page
    assert "* multiply_add, float64, 10: 0.50 × fast" in page
    assert "* geometric mean 1.00 × the best peer (wanted: 1.7 ×): **missed**" in page
    assert "* behind NumPy in 1 of 2 cases, in 1 by more than 10% (wanted: none): **missed**" in page
    assert "* a call with three arrays of ten elements: 0.200 us (wanted: 0.25 us): met" in page
    assert "at 1,000,000" not in page, "nothing was measured there"
    assert "* liar, multiply_add, float64 (10; 10) wrong: AssertionError: one" in page
    assert "* absent took no part: ModuleNotFoundError: No module named 'absent'." in page
    assert "Unfinished" not in page


def test_a_share_of_the_bandwidth_below_the_target_is_bold() -> None:
    case = comparison(4.0, 1.0)
    cases = (replace(case, bandwidth_share=spread(0.95)), replace(case, bandwidth_share=spread(0.5)))
    page = draw_report(report(*cases))
    assert "| 95% [86%, 104%] |" in page
    assert "| **50%** [45%, 55%] |" in page
    assert "* 1 of 2 cases in which the memory decides reach 90% of streaming (wanted: all): **missed**" in page


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = report(replace(comparison(4.0, 1.0, fast=2.0), bandwidth_share=spread(0.5)), planned=3)
    write_report(tmp_path / "record.json", written)
    assert read_report(tmp_path / "record.json") == written
    assert list(tmp_path.iterdir()) == [tmp_path / "record.json"]


def test_plots_are_drawn_from_the_record(tmp_path: Path) -> None:
    plots = pytest.importorskip("benchmarks.report_plots", reason="matplotlib is not installed", exc_type=ImportError)
    files = plots.draw_plots(report(comparison(4.0, 1.0, fast=2.0)), tmp_path)
    assert [file.name for file in files] == ["multiply_add.svg", "roofline.svg"]
    assert all("<svg" in file.read_text(encoding="utf-8") for file in files)


# Measuring


def peer(name: str, function: Callable[..., Any] | None) -> Peer:
    return Peer(name=name, function_for=lambda _case: function)


def refuse(*_arguments: Any) -> Any:
    raise RuntimeError("cannot\n  do it\n  at all")


def test_peers_that_cannot_fail_or_lie_are_not_timed_and_not_forgotten() -> None:
    (case,) = report_cases((10,), ["multiply_add"], ["float64"])
    peers = Peers(
        found=(
            peer("right", lambda a, b, c: a * b + c),
            peer("wrong", lambda a, b, c: a * b - c),
            peer("failing", refuse),
            peer("mute", None),
            Peer(name="not compiling", function_for=refuse),
        )
    )
    found = compare(case, peers, 0.001)
    states = {outcome.system: (outcome.state, outcome.reason) for outcome in found.outcomes}
    assert list(states) == [NUMPY, PYFUSE, "right", "wrong", "failing", "mute", "not compiling"]
    assert states["right"] == (TIMED, "")
    assert states["wrong"][0] == WRONG and "of the largest element" in states["wrong"][1]
    assert states["failing"] == states["not compiling"] == (FAILED, "RuntimeError: cannot do it")
    assert states["mute"] == (NO_WORDS, "")
    assert found.ran_as == "fused" and found.rounds >= 3
    assert found.bytes_moved == 4 * 10 * 8


def test_a_peer_that_takes_far_too_long_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "TOO_SLOW_SECONDS", 0.0)
    monkeypatch.setattr(cases_module, "TOO_SLOW_FACTOR", 0.0)
    (case,) = report_cases((10,), ["weighted_sum"], ["float64"])
    found = compare(case, Peers(found=(peer("slow", lambda a, b: 2 * a + 3 * b),)), 0.001)
    assert found.outcomes[-1].state == "too slow"


def test_a_workload_that_stores_is_right_after_many_rounds() -> None:
    (case,) = report_cases((10,), ["accumulate_product"], ["float64"])

    def add_in_place(a: Any, b: Any, c: Any) -> Any:
        a += b * c
        return a

    found = compare(case, Peers(found=(peer("right", add_in_place),)), 0.001)
    assert [outcome.state for outcome in found.outcomes] == [TIMED] * 3


def test_a_round_calls_every_contender_once() -> None:
    calls: list[str] = []
    contenders = [Contender(name=name, function=calls.append, arguments=(name,)) for name in "ab"]
    times = time_in_rounds(contenders, at_least_rounds=5, at_least_seconds=0.0)
    assert {name: len(found) for name, found in times.items()} == {"a": 5, "b": 5}
    assert set(calls) == {"a", "b"}


def test_streaming_moves_what_it_says() -> None:
    if not compiler_command():
        pytest.skip("no C compiler")
    streaming = build_streaming(2, elements=10_000)
    rates = gigabytes_per_second(streaming)
    assert fastest_triad(rates).startswith("triad")
    assert streaming.bytes_moved["triad"] == 3 * 10_000 * 8
    assert all(rate > 0.0 for rate in rates.values())


# The command


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Words of a command that measures two cases in no time."""
    monkeypatch.setattr(command, "thread_speed_up", lambda _threads: 1.0)
    monkeypatch.setattr(command, "build_streaming", _no_compiler)
    words = ["--workloads", "weighted_sum", "--sizes", "10", "--seconds", "0.001", "--threads", "1", "--write"]
    return [*words, str(tmp_path / "compare.json"), "--systems"]


def _no_compiler(_threads: int) -> Any:
    raise OSError("no C compiler was found")


def test_a_run_that_is_broken_off_leaves_what_was_finished(
    quickly: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(case: Any, *rest: Any) -> Comparison:
        if case.dtype == "float32":
            raise KeyboardInterrupt
        return compare(case, *rest)

    monkeypatch.setattr(command, "compare", break_off)
    with pytest.raises(KeyboardInterrupt):
        command.main(quickly)
    assert [found.dtype for found in read_report(tmp_path / "compare.json").comparisons] == ["float64"]
    assert "**Unfinished: 1 of 2 cases.**" in (tmp_path / "compare.md").read_text(encoding="utf-8")
    assert command.main([*quickly, "--draw"]) == 0, "what is there can be drawn"


def test_without_matplotlib_the_tables_are_written_and_the_package_is_named(
    quickly: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def import_without(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'matplotlib'") if "plots" in name else AssertionError(name)

    monkeypatch.setattr(command.importlib, "import_module", import_without)
    assert command.main(quickly) == 0
    assert "no plots: ModuleNotFoundError: No module named 'matplotlib'" in capsys.readouterr().out
    page = (tmp_path / "compare.md").read_text(encoding="utf-8")
    assert "weighted_sum" in page and "no C compiler" in page and "numba took no part: not asked for" in page


def test_a_wrong_answer_of_pyfuse_fails_the_command(
    quickly: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_single(case: Any, *rest: Any) -> Comparison:
        assert case.dtype == "float64", "0.1 of the largest element from NumPy's result"
        return compare(case, *rest)

    monkeypatch.setattr(command, "compare", refuse_single)
    assert command.main(quickly) == 1
    page = (tmp_path / "compare.md").read_text(encoding="utf-8")
    assert "pyfuse's answer was wrong:** weighted_sum-float32-10: 0.1 of the largest element" in page


def test_systems_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "MODULES", {"absent": "benchmarks.no_such_module", "jax": "unused"})
    peers = find_peers(1, ["absent"])
    assert peers.found == ()
    assert peers.missing == {
        "absent": "ModuleNotFoundError: No module named 'benchmarks.no_such_module'",
        "jax": "not asked for",
    }


def test_a_failure_is_told_in_a_few_words() -> None:
    assert describe_failure(ValueError("")) == "ValueError: no message"
    assert describe_failure(ValueError("first\n\n second\nthird")) == "ValueError: first second"
    assert len(describe_failure(ValueError("word " * 100))) == 200
    told = describe_failure(ValueError("in /opt/some folder/x and /opt/some/file.py, line 3: a/b is and/or"))
    assert told == "ValueError: in some folder/x and file.py, line 3: a/b is and/or"


def test_tuples_of_other_lengths_are_wrong() -> None:
    from benchmarks.agreement import assert_near

    pair = (np.ones(2), np.ones(2))
    assert_near("list", pair, list(pair), is_same_kind=False)
    with pytest.raises(AssertionError, match="3 results instead of 2"):
        assert_near("three", pair, (*pair, np.ones(2)), is_same_kind=False)
    with pytest.raises(AssertionError, match="one result instead of 2"):
        assert_near("one", pair, np.ones(2), is_same_kind=False)


@pytest.mark.parametrize(("looks", "slept"), [([0, 4e6, 8e6, 8e6], 3), ([0, 0], 1), ([None], 0), ([0, None], 1)])
def test_threads_that_still_run_are_waited_for(looks, slept, monkeypatch) -> None:
    """Nanoseconds that they have run by each look."""
    given, sleeps = iter(looks), list[float]()
    monkeypatch.setattr(free_cores, "_nanoseconds_of_others", lambda: next(given))
    monkeypatch.setattr(free_cores.time, "sleep", sleeps.append)
    ticks = iter(range(0, 10**9, 5_000_000))
    monkeypatch.setattr(free_cores.time, "perf_counter_ns", lambda: next(ticks))
    free_cores.wait_for_idle_threads()
    assert len(sleeps) == slept


def test_what_other_threads_have_run_grows() -> None:
    before = free_cores._nanoseconds_of_others()
    if before is None:
        pytest.skip("the system does not say what threads run: there is no /proc")
    worker = threading.Thread(target=lambda: [np.sin(np.linspace(0.0, 1.0, 20_000)) for _ in range(500)])
    worker.start()
    time.sleep(0.05)
    worker.join(0.0)
    assert free_cores._nanoseconds_of_others() > before or not worker.is_alive()
    worker.join()
