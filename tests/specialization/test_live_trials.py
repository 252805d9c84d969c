"""Drivers that are slower than the original: found out on the user's own calls, none of which is made twice."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import live_trial, region_driver
from pyfuse.live_trial import CALLS_BEFORE, PAIRS, LiveTrial, LiveTrials
from tests.parity.outcome import assert_same

pytestmark = pytest.mark.usefixtures("c_compiler")
X = np.linspace(0.0, 1.0, 20)


def run(trial: LiveTrial, times: Any, monkeypatch: pytest.MonkeyPatch, *, calls: int) -> list[str]:
    """Who answered, where the driver takes ``times[0]`` and the original ``times[1]`` ns."""
    now, answered = [0], []

    def call(number: bool) -> str:
        durations = times[number]
        now[0] += durations(len(answered)) if callable(durations) else durations
        answered.append("original" if number else "driver")
        return answered[-1]

    monkeypatch.setattr(live_trial.time, "perf_counter_ns", lambda: now[0])
    for _ in range(calls):
        if trial.is_over:
            break
        is_plain = trial.is_originals_turn()
        assert trial.time(lambda: call(is_plain)) == ("original" if is_plain else "driver")
    return answered


def test_the_faster_one_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = LiveTrial()
    answered = run(trial, (1000, 900), monkeypatch, calls=100)
    assert trial.is_over
    assert trial.prefers_plain
    assert len(answered) == CALLS_BEFORE + 2 * PAIRS
    assert answered.count("original") == PAIRS


@pytest.mark.parametrize("times", [(1000, 1100), (1000, 990), (1000, lambda call: 500 if call % 2 else 3000)])
def test_the_driver_stays_where_the_original_is_not_faster_each_time(
    times: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = LiveTrial()
    run(trial, times, monkeypatch, calls=100)
    assert trial.is_over
    assert not trial.prefers_plain


def test_one_pair_may_be_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for held_up in ((CALLS_BEFORE + 1,), (CALLS_BEFORE + 1, CALLS_BEFORE + 6)):  # calls of the original
        trial = LiveTrial()
        run(trial, (1000, lambda call, slow=held_up: 9000 if call in slow else 900), monkeypatch, calls=100)
        assert trial.prefers_plain == (len(held_up) == 1)


def test_two_slow_calls_of_the_original_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = LiveTrial()
    answered = run(trial, (1000, 2000), monkeypatch, calls=100)
    assert answered.count("original") == 2
    assert not trial.prefers_plain


def test_long_calls_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = LiveTrial()
    answered = run(trial, (10**9, 10**9), monkeypatch, calls=100)
    assert trial.is_over
    assert "original" not in answered


def test_sizes_have_trials_of_their_own() -> None:
    trials = LiveTrials()
    assert trials.of((X, 5)) is trials.of((X + 1, 7))
    assert trials.of((X, 5)) is not trials.of((np.zeros(5000), 5))
    assert trials.of((X, 5)) is not trials.of((X, 5000))


class Opaque:
    """What pyfuse knows nothing of; counts its calls."""

    calls = 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return x


opaque = Opaque()


def halves(x, k):
    y = np.abs(x) * k + 1.0
    z = opaque(y)
    return np.sqrt(z * z + 2.0) - 1.0


def test_a_slow_driver_gives_way_to_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    run_driver = region_driver.RegionDriver.run
    is_slow = True

    def slow(self: Any, args: Any, kwargs: Any) -> Any:
        if is_slow:
            time.sleep(0.002)
        return run_driver(self, args, kwargs)

    monkeypatch.setattr(region_driver.RegionDriver, "run", slow)
    fused = pyfuse.fuse(halves)
    monkeypatch.setenv("PYFUSE_TRIALS", "1")
    expected, calls = halves(X, 2.0), CALLS_BEFORE + 2 * PAIRS + 20
    opaque.calls = 0
    for _ in range(calls):
        assert_same(fused(X, 2.0), expected)
    assert opaque.calls == calls  # none was made twice
    info, reasons = fused.cache_info(), fused.fallback_reasons()
    assert info.partly_fused_calls + info.fallback_calls == calls
    assert reasons["slower-than-numpy"] == info.fallback_calls == PAIRS + 20
    assert fused.explain(X, 2.0).startswith("It is answered by the original")
    is_slow = False
    large = np.zeros(50_000)
    for _ in range(100):
        fused(large, 2.0)
    assert not fused.explain(large, 2.0).startswith("It is answered")


def fails(x, k):
    y = np.exp(x) * k + 1.0
    if k > 2:
        raise ValueError(str(opaque(k)))
    return np.sqrt(y * y + 2.0) - 1.0


def test_calls_that_raise_are_counted() -> None:
    fused = pyfuse.fuse(fails)
    for _ in range(5):
        with pytest.raises(ValueError, match=r"3\.0"):
            fused(X, 3.0)
    assert fused.cache_info().partly_fused_calls == 5


def test_trials_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_trial.LiveTrial, "time", None)
    fused = pyfuse.fuse(halves)
    with pyfuse.config.set(trials=False):
        for _ in range(CALLS_BEFORE + 2 * PAIRS):
            fused(X, 2.0)
    assert fused.cache_info().partly_fused_calls == CALLS_BEFORE + 2 * PAIRS
