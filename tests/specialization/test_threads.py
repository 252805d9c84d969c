"""Do many threads that call one function build each kernel once, and lose nothing?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.fresh_process import NotedCompiler

pytestmark = pytest.mark.usefixtures("c_compiler")

THREADS = 8
A = np.linspace(0.5, 2.0, 50)


def in_threads(work: Callable[[int], Any]) -> None:
    """Run ``work(number)`` in threads that start together; an exception in any of them fails the test."""
    barrier, errors = threading.Barrier(THREADS), []

    def run(number: int) -> None:
        barrier.wait(30)
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"
    assert not errors, errors


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NotedCompiler:
    noted = NotedCompiler(tmp_path)
    for name, value in noted.variables.items():
        monkeypatch.setenv(name, value)
    return noted


def test_one_new_signature_is_built_once(compiler: NotedCompiler) -> None:
    @pyfuse.fuse
    def once(a: np.ndarray) -> np.ndarray:
        return a * 1.25 - 0.125

    def work(_: int) -> None:
        for _ in range(20):
            assert (once(A) == A * 1.25 - 0.125).all()

    in_threads(work)
    assert len(compiler.kernel_builds()) == 1
    info = once.cache_info()
    assert (info.misses, info.kernels, info.fallback_calls) == (1, 1, 0)
    assert info.fused_calls == 20 * THREADS


def test_different_signatures_in_parallel() -> None:
    codes = ("f8", "f4", "i8", "i4", "i2", "u8", "u4", "c16")

    @pyfuse.fuse
    def own(a: np.ndarray) -> np.ndarray:
        return a * a + a

    def work(number: int) -> None:
        a = np.arange(30).astype(codes[number])
        for _ in range(10):
            result = own(a)
            assert (result == a * a + a).all()
            assert result.dtype == a.dtype

    in_threads(work)
    info = own.cache_info()
    assert (info.misses, info.kernels, info.fused_calls, info.fallback_calls) == (8, 8, 10 * THREADS, 0)


def test_calls_while_the_cache_is_cleared() -> None:
    @pyfuse.fuse
    def cleared(a: np.ndarray, by: Any) -> np.ndarray:
        return a * by

    def work(number: int) -> None:
        for count in range(60):
            if number == 0:
                cleared.cache_clear()
            by = 2.0 if count % 2 else 3
            assert (cleared(A, by) == A * by).all()

    in_threads(work)
    assert cleared.fallback_reasons() == {}
    assert cleared.cache_info().fused_calls > 0


def test_settings_of_one_thread_do_not_reach_another() -> None:
    @pyfuse.fuse
    def local(a: np.ndarray) -> np.ndarray:
        return a + 0.25

    def work(number: int) -> None:
        with pyfuse.config.set(disable=number % 2 == 0):
            for _ in range(25):
                assert (local(A) == A + 0.25).all()

    in_threads(work)
    info = local.cache_info()
    assert (info.fused_calls, info.fallback_calls) == (25 * THREADS // 2, 25 * THREADS // 2)
    assert local.fallback_reasons() == {"disabled": 100}


def test_a_refused_signature_in_parallel() -> None:
    @pyfuse.fuse
    def refused(a: np.ndarray) -> np.ndarray:
        return np.sort(a)

    in_threads(lambda _: [refused(A) for _ in range(10)])
    info = refused.cache_info()
    assert (info.misses, info.fallback_calls, info.fused_calls) == (1, 10 * THREADS, 0)
