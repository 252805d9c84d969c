"""Tiles answer while a kernel is built, and stay where none can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import backend, dispatch
from pyfuse.diagnostics import Code, refuse
from tests.parity.outcome import assert_same

pytestmark = pytest.mark.skipif(not dispatch.has_tiles(), reason="the tile runner is part of the extension")

COUNT = 60_000  # elements: enough for tiles to be worth it
A, B = np.linspace(-2.0, 3.0, COUNT), np.linspace(1.0, 2.0, COUNT)


def scaled_sum(a, b):
    return a * 2.5 + b


def counts(fused: Any) -> tuple[int, int, int, int]:
    info = fused.cache_info()
    return info.kernels, info.fused_calls, info.tiled_calls, info.fallback_calls


class Gate:
    """Builds that wait until they are let through."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.failure: Exception | None = None

    def open(self, fused: Any) -> None:
        """Let all builds through, and wait until none goes on."""
        self.opened.set()
        for entry in fused._executor._cache.entries():
            for build in list(getattr(entry, "builds", {}).values()):
                build.wait(20)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    build = backend.build

    def gated(*given: Any) -> Any:
        assert made.opened.wait(20)
        if made.failure is not None:
            raise made.failure
        return build(*given)

    monkeypatch.setattr(backend, "build", gated)
    monkeypatch.setattr(backend, "is_built", lambda *_: False)
    monkeypatch.setenv("PYFUSE_WAIT", "0")
    yield made
    made.opened.set()


@pytest.mark.usefixtures("c_compiler")
def test_tiles_answer_until_the_kernel_is_there(gate):
    fused = pyfuse.fuse(scaled_sum)
    for _ in range(5):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (0, 0, 5, 0)
    assert fused.fallback_reasons() == {}
    gate.open(fused)
    for _ in range(3):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (1, 3, 5, 0)


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
