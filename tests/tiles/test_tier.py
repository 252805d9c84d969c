"""Tiles answer while a kernel is built, and stay where none can be."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import backend, dispatch
from pyfuse.background import Builders
from pyfuse.diagnostics import Code, refuse
from tests.parity.outcome import assert_same

pytestmark = pytest.mark.skipif(not dispatch.has_tiles(), reason="the tile runner is part of the extension")

COUNT = 300_000  # elements: enough for tiles to be worth it
A, B = np.linspace(-2.0, 3.0, COUNT), np.linspace(1.0, 2.0, COUNT)


def scaled_sum(a, b):
    return a * 2.5 + b


def counts(fused: Any) -> tuple[int, int, int, int]:
    info = fused.cache_info()
    return info.kernels, info.fused_calls, info.tiled_calls, info.fallback_calls


@pytest.mark.usefixtures("c_compiler")
def test_tiles_answer_until_the_kernel_is_there(gate):
    fused = pyfuse.fuse(scaled_sum)
    for _ in range(5):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (0, 0, 5, 0)
    assert fused.explain(A, B).startswith("It is answered over tiles by NumPy's own loops until the kernel is built.")
    assert "5 over tiles by NumPy's own loops," in fused.explain()
    assert fused.fallback_reasons() == {}
    gate.open(fused)
    for _ in range(3):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (1, 3, 5, 0)
    assert "tiles" not in fused.explain(A, B).partition("\n")[0]


@pytest.mark.usefixtures("gate")
def test_the_original_answers_where_there_is_little_to_do():
    fused = pyfuse.fuse(scaled_sum)
    assert_same(fused(A[:50], B[:50]), scaled_sum(A[:50], B[:50]))
    assert counts(fused) == (0, 0, 0, 1)
    assert fused.fallback_reasons() == {"building": 1}


@pytest.mark.parametrize("code", [Code.COMPILER_FAILED, Code.LOAD_FAILED])
def test_tiles_stay_where_there_is_no_kernel(code, gate):
    gate.failure = refuse(code, "of the test")
    fused = pyfuse.fuse(scaled_sum)
    fused(A, B)
    gate.open(fused)
    for size in (COUNT, COUNT, COUNT, 10, 10, 10):  # the extension answers the third of a form
        assert_same(fused(A[:size], B[:size]), scaled_sum(A[:size], B[:size]))
    assert counts(fused) == (0, 0, 7, 0)
    assert "because there is no kernel" in fused.explain(A, B)
    assert "of the test" in fused.explain()
    fused.cache_clear()
    assert counts(fused) == (0, 0, 0, 0)


@pytest.mark.usefixtures("without_compiler")
@pytest.mark.parametrize("how", ["strict", "raise", "warn"])
def test_who_wants_to_know_that_there_is_no_kernel_does(how):
    fused = pyfuse.fuse(scaled_sum, strict=how == "strict")
    with pyfuse.config.set(fallback="quiet" if how == "strict" else how):
        if how == "warn":
            with pytest.warns(pyfuse.PyfuseFallbackWarning, match="no working C compiler"):
                assert_same(fused(A, B), scaled_sum(A, B))
            return
        with pytest.raises(pyfuse.FuseError, match="no working C compiler"):
            fused(A, B)


@pytest.mark.usefixtures("without_compiler")
def test_compile_says_that_there_is_no_compiler_and_calls_go_on():
    fused = pyfuse.fuse(scaled_sum)
    with pytest.raises(pyfuse.FuseError, match="no working C compiler"):
        fused.compile(A, B)
    assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (0, 0, 1, 0)


@pytest.mark.usefixtures("without_compiler")
def test_regions_are_tiled_too():
    @pyfuse.fuse
    def partly(a, b):
        c = a * 2.0 + b
        return np.sort(c) * 3.0 - c

    for _ in range(3):
        assert_same(partly(A, B), partly.__wrapped__(A, B))
    assert partly.cache_info().partly_fused_calls == 3
    assert [region.info().tiled_calls for region in partly._executor.drivers.regions()] == [3, 3]


def test_a_build_waits_until_it_may_begin(monkeypatch):
    monkeypatch.setattr("pyfuse.background.LONGEST_DELAY_SECONDS", 60)
    begun = threading.Event()
    build = Builders().start(begun.set)
    assert not begun.wait(0.1)
    build.begin()
    assert begun.wait(20)


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize("size", [50, COUNT])
def test_an_answered_call_lets_its_build_begin(size, monkeypatch):
    monkeypatch.setattr("pyfuse.background.LONGEST_DELAY_SECONDS", 60)
    monkeypatch.setattr(backend, "noted", lambda *_: None)
    fused = pyfuse.fuse(scaled_sum)
    with pyfuse.config.set(wait=False):
        end = time.monotonic() + 20
        while not fused.cache_info().fused_calls and time.monotonic() < end:
            assert_same(fused(A[:size], B[:size]), scaled_sum(A[:size], B[:size]))
    assert fused.cache_info().fused_calls == 1


@pytest.mark.usefixtures("without_compiler")
def test_calls_of_a_trial_are_not_counted(monkeypatch):
    monkeypatch.setattr("pyfuse.executor.original_is_faster", lambda fused, _, given: [fused(*given)] == 0)
    fused = pyfuse.fuse(scaled_sum)
    with pyfuse.config.set(trials=True):
        for _ in range(40):
            fused(A[:100], B[:100])
    assert counts(fused) == (0, 0, 40, 0)
