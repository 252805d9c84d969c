"""Small kernels are timed against the original once, which answers where it is faster; drivers in the extension."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import executor, trial
from pyfuse.backend.cpu.dispatch import extension
from pyfuse.trial import CALLS_BEFORE_LARGE_TRIAL, CALLS_BEFORE_TRIAL, ROUNDS, original_is_faster

pytestmark = pytest.mark.usefixtures("c_compiler")

A, B = np.linspace(-2.0, 3.0, 8), np.linspace(1.0, 2.0, 8)
MANY = CALLS_BEFORE_TRIAL + 10


@pytest.fixture(autouse=True)
def trials_are_on() -> Iterator[None]:
    with pyfuse.config.set(trials=True):
        yield


def differences(x: Any) -> Any:
    return x[1:] - x[:-1]


def long_chain(x: Any, y: Any) -> Any:
    for _ in range(15):
        x = x * y + 0.25
    return x


def test_the_original_answers_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(monkeypatch, is_faster=True)
    fused = pyfuse.fuse(differences)
    for _ in range(MANY):
        np.testing.assert_array_equal(fused(A), differences(A))
    info = fused.cache_info()
    assert info.fused_calls + info.fallback_calls == MANY
    assert fused.fallback_reasons() == {"slower-than-numpy": info.fallback_calls}
    assert info.fallback_calls > MANY - CALLS_BEFORE_TRIAL - 3
    assert "faster when both were timed" in fused.explain(A)
    fused.cache_clear()
    assert fused.fallback_reasons() == {}


def test_a_kernel_that_saves_much_stays() -> None:
    fused = pyfuse.fuse(long_chain)
    for _ in range(MANY):
        np.testing.assert_array_equal(fused(A, B), long_chain(A, B))
    assert (fused.cache_info().fused_calls, fused.fallback_reasons()) == (MANY, {})


def chosen(monkeypatch: pytest.MonkeyPatch, *, is_faster: bool) -> list[int]:
    """Every trial ends so, whatever the clock says; the list grows by one with each."""
    trials: list[int] = []

    def decide(fused: Callable[..., Any], original: Callable[..., Any], arguments: Sequence[Any]) -> bool:
        original_is_faster(fused, original, arguments)
        trials.append(1)
        return is_faster

    monkeypatch.setattr(executor, "original_is_faster", decide)
    return trials


def update(x: Any, y: Any) -> None:
    x += y * 2.0 - x * 0.5 + y


@pytest.mark.parametrize("is_faster", [True, False])
def test_what_a_call_stores_is_stored_once(is_faster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = chosen(monkeypatch, is_faster=is_faster)
    fused = pyfuse.fuse(update)
    ours, theirs = A.copy(), A.copy()
    for _ in range(MANY):
        fused(ours, B)
        update(theirs, B)
        np.testing.assert_array_equal(ours, theirs)
    info = fused.cache_info()
    assert len(trials) == 1
    assert info.fused_calls == (CALLS_BEFORE_TRIAL if is_faster else MANY)
    assert info.fused_calls + info.fallback_calls == MANY


def test_each_form_is_tried_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = chosen(monkeypatch, is_faster=True)
    fused = pyfuse.fuse(long_chain)
    for size in (8, 9):
        for _ in range(MANY):
            fused(np.ones(size), np.ones(size))
    assert len(trials) == 2
    large = np.ones(3_000_000)
    for _ in range(CALLS_BEFORE_TRIAL + 2):
        fused(large, large)
    assert len(trials) == 2  # what a call costs is nothing beside such a kernel


STATE = np.zeros(8)


def into_a_global(a: Any, b: Any) -> Any:
    STATE[:] += a * b + a * 2.0 - b
    return STATE.copy()


def test_arrays_that_are_no_arguments_are_stored_into_once() -> None:
    fused, expected = pyfuse.fuse(into_a_global), np.zeros(8)
    STATE[:] = 0.0
    for _ in range(MANY):
        expected += A * B + A * 2.0 - B
        np.testing.assert_array_equal(fused(A, B), expected)
    assert fused.cache_info().fused_calls == MANY


def test_an_original_that_raises_ends_the_trial() -> None:
    def call(*_: Any) -> None:
        raise OverflowError("of this number alone")

    assert not original_is_faster(call, call, (A,))


def test_trials_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = chosen(monkeypatch, is_faster=True)
    fused = pyfuse.fuse(differences)
    with pyfuse.config.set(trials=False):
        for _ in range(MANY):
            fused(A)
    strict = pyfuse.fuse(differences, strict=True)
    for _ in range(MANY):
        strict(A)
    assert not trials
    assert fused.cache_info().fused_calls == strict.cache_info().fused_calls == MANY


class Opaque:
    """A callable of which pyfuse knows nothing."""

    def __call__(self, value: Any) -> Any:
        return value


opaque = Opaque()


def in_two(x: Any, y: Any = 2.0, *, z: Any = 1.0) -> Any:
    a = x * y + 1.0
    opaque(a)
    return a * z - x


needs_extension = pytest.mark.skipif(extension is None, reason="the extension is not built, or switched off")


@needs_extension
def test_a_driver_is_called_by_the_extension() -> None:
    fused = pyfuse.fuse(in_two)
    calls: list[Any] = []
    real = executor.Executor.call

    def call(self: Any, args: Any, kwargs: Any) -> Any:
        calls.append(args)
        return real(self, args, kwargs)

    for number in range(40):
        if number == 20:
            executor.Executor.call = call  # type: ignore[method-assign]
        try:
            np.testing.assert_array_equal(fused(A, z=3.0), in_two(A, z=3.0))
        finally:
            executor.Executor.call = real  # type: ignore[method-assign]
    assert not calls
    assert (fused.cache_info().partly_fused_calls, fused.fallback_reasons()) == (40, {"unknown-call": 40})


@needs_extension
def test_a_driver_in_the_extension_is_never_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(x: Any, y: Any = 2.0) -> Any:
        a = x * y + 1.0
        opaque(a)
        return a * 2.0

    def second(x: Any, y: Any = 2.0) -> Any:
        a = x * y + 5.0
        opaque(a)
        return a * 3.0

    fused = pyfuse.fuse(first)
    for _ in range(20):
        fused(A)
    first.__defaults__ = (7.0,)
    np.testing.assert_array_equal(fused(A), (A * 7.0 + 1.0) * 2.0)
    first.__code__ = second.__code__
    np.testing.assert_array_equal(fused(A), (A * 7.0 + 5.0) * 3.0)
    with pyfuse.config.set(disable=True):
        np.testing.assert_array_equal(fused(A), (A * 7.0 + 5.0) * 3.0)
    assert fused.fallback_reasons().get("disabled") == 1
    with pytest.raises(TypeError, match="missing 1 required"):
        fused()
    assert monkeypatch


@needs_extension
def test_a_form_that_fuses_as_a_whole_is_found_again() -> None:
    def maybe(x: Any, flag: Any) -> Any:
        a = x * 2.0 + 1.0
        if flag is not None:
            opaque(a)
        return a * x

    fused = pyfuse.fuse(maybe)
    for _ in range(20):
        fused(A, 1)
    for _ in range(300):
        np.testing.assert_array_equal(fused(A, None), maybe(A, None))
    assert fused.cache_info().fused_calls > 10


def slow_in_the_kernel(x: Any) -> Any:
    return x + 1.0


@pytest.mark.parametrize("is_faster", [True, False])
def test_large_kernels_are_timed_later(is_faster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = chosen(monkeypatch, is_faster=is_faster)
    fused = pyfuse.fuse(slow_in_the_kernel)
    x = np.ones(1_000_000)  # an estimated millisecond
    for _ in range(CALLS_BEFORE_LARGE_TRIAL - 1):
        fused(x)
    assert (trials, fused.cache_info().fallback_calls) == ([], 0)
    for _ in range(5):
        np.testing.assert_array_equal(fused(x), x + 1.0)
    assert len(trials) == 1
    assert fused.cache_info().fallback_calls == (4 if is_faster else 0)


def test_very_large_kernels_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = chosen(monkeypatch, is_faster=True)
    monkeypatch.setattr(trial, "SMALL_WORK", 1)
    monkeypatch.setattr(trial, "MOST_WORK", 2)
    fused = pyfuse.fuse(slow_in_the_kernel)
    for _ in range(CALLS_BEFORE_LARGE_TRIAL + 5):
        fused(A)
    assert trials == []
    assert fused.cache_info().fallback_calls == 0


def test_a_clear_case_is_timed_once() -> None:
    calls: list[str] = []

    def quick() -> None:
        calls.append("kernel")

    def slow() -> None:
        calls.append("original")
        time.sleep(0.01)

    assert not original_is_faster(quick, slow, ())
    assert calls == ["kernel", "original"]
    assert original_is_faster(slow, quick, ())
    assert len(calls) == 2 + 2 * ROUNDS


def turned(x: Any, turns: int) -> Any:
    for _ in range(turns):
        x = x * 0.5 + 1
    return x


def test_a_loop_of_any_number_of_turns_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true of one turn is not of a thousand."""
    trials = chosen(monkeypatch, is_faster=True)
    fused = pyfuse.fuse(turned)
    for _ in range(MANY):
        np.testing.assert_array_equal(fused(A, 1), turned(A, 1))
    assert not trials
    assert fused.cache_info().fused_calls == MANY
