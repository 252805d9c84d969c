"""Is what a fused function remembers bounded, and is nothing found out twice?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import compiler, executor, runner_table
from pyfuse.kernel_cache import MAX_VARIANTS

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(0.5, 2.0, 12)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gets an entry for every time that a function is traced."""
    names: list[str] = []
    real = compiler.specialize

    def specialize(prepared: Any, *rest: Any) -> Any:
        names.append(prepared.function.__name__)
        return real(prepared, *rest)

    monkeypatch.setattr(executor, "specialize_for_cpu", specialize)
    return names


def shifted(a: Any, by: Any) -> Any:
    return a + by


def test_the_signature_found_or_made_longest_ago_is_forgotten_first(traced: list[str]) -> None:
    fused = pyfuse.fuse(shifted)
    with pyfuse.config.set(max_kernels=2):
        for by in (1, 1.0):
            assert (fused(A, by) == A + by).all()
        fused.explain(A, 1)  # finds the older one
        assert (fused(A, 1j) == A + 1j).all()
        assert (fused.cache_info().currsize, fused.cache_info().maxsize) == (2, 2)
        assert len(traced) == 3
        assert (fused(A, 1) == A + 1).all()
        assert len(traced) == 3, "it was kept"
        assert (fused(A, 1.0) == A + 1.0).all()
        assert len(traced) == 4, "it was forgotten"
    assert (fused.cache_info().currsize, fused.cache_info().fused_calls) == (2, 5)


def test_another_form_of_a_signature_keeps_it_from_being_forgotten(traced: list[str]) -> None:
    fused = pyfuse.fuse(repeated)
    single = A.astype("f4")
    with pyfuse.config.set(max_kernels=2):
        for a, count in ((A, 1), (single, 1), (A, 2), (A.astype("i8"), 1), (A, 1), (A, 2)):
            assert (fused(a, count) == repeated(a, count)).all()
    assert len(traced) == 4
    assert fused.cache_info().fused_calls == 6


def test_an_evicted_kernel_is_not_kept_by_remembered_forms() -> None:
    fused = pyfuse.fuse(shifted)
    with pyfuse.config.set(max_kernels=1):
        fused(A, 1)
        fused(A, 1.0)
        kept = [runner for runners in fused._executor._runners.values() for runner in runners]
    assert len(kept) == 1


def test_remembered_forms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_table, "MAX_RUNNERS", 10)
    fused = pyfuse.fuse(shifted)
    for size in range(2, 60):
        a = np.arange(float(size))
        assert (fused(a, 1.0) == a + 1.0).all()
        assert sum(map(len, fused._executor._runners.values())) <= 10
    assert (fused.cache_info().kernels, fused.cache_info().fused_calls) == (1, 58)


def test_a_refusal_is_found_once(traced: list[str]) -> None:
    def looped(a: np.ndarray) -> np.ndarray:
        total = a
        while total.sum() < 100.0:
            total = total + a
        return total

    fused = pyfuse.fuse(looped)
    for _ in range(5):
        assert (fused(A) == looped(A)).all()
    assert traced == ["looped", "looped"]  # the function, and the region in its loop
    assert sum(fused.fallback_reasons().values()) == fused.cache_info().partly_fused_calls == 5


def test_a_refusal_is_looked_up_once_for_each_form(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[Any] = []
    real = executor.signature_key

    def signature_key(arguments: Any) -> Any:
        keys.append(arguments)
        return real(arguments)

    monkeypatch.setattr(executor, "signature_key", signature_key)
    fused = pyfuse.fuse(lambda a: np.sort(a) + 1.0)
    fused(A)
    first = len(keys)
    for _ in range(5):
        assert (fused(A) == np.sort(A) + 1.0).all()
    assert len(keys) == first
    assert fused.fallback_reasons() == {"unknown-call": 6}


HELPER_SORTS = True


def sorts_by_global(a: Any) -> Any:
    return np.sort(a) if HELPER_SORTS else a + 1.0


def test_a_refusal_ends_when_what_it_depends_on_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(sorts_by_global)
    for sorts in (True, True, False, True, False):
        monkeypatch.setitem(globals(), "HELPER_SORTS", sorts)
        assert (fused(A[::-1]) == sorts_by_global(A[::-1])).all()
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (2, 3)
    assert fused.cache_info().misses == 2


def test_a_refusal_that_depends_on_a_value_holds_for_that_value_only(traced: list[str]) -> None:
    def maybe(a: np.ndarray, mode: int) -> np.ndarray:
        if mode == 1:
            return np.sort(a)
        return a + 1.0

    fused = pyfuse.fuse(maybe)
    for _ in range(2):
        assert (fused(A, 1) == np.sort(A)).all()
        assert (fused(A, 2) == A + 1.0).all()
    assert len(traced) == 2
    assert (fused.cache_info().fused_calls, fused.cache_info().partly_fused_calls) == (2, 2)


def repeated(a: Any, count: int) -> Any:
    total = a
    for _ in range(count):
        total = (total + a)[::-1]  # not elementwise: unrolled
    return total


def test_too_many_forms_of_one_signature_run_as_python(traced: list[str]) -> None:
    fused = pyfuse.fuse(repeated)
    for count in range(1, MAX_VARIANTS + 4):
        for _ in range(2):
            assert (fused(A, count) == repeated(A, count)).all()
    assert len(traced) == MAX_VARIANTS + 1  # the body of the loop, in the end
    assert fused.fallback_reasons() == {"too-many-variants": 2 * 3}
    assert fused.cache_info().fused_calls == 2 * MAX_VARIANTS
    assert "count" in fused.explain(A, 99)


def test_clearing_forgets_kernels_and_counters(traced: list[str]) -> None:
    fused = pyfuse.fuse(shifted)
    fused(A, 1.0)
    fused.cache_clear()
    assert tuple(fused.cache_info()) == (0, 0, fused.cache_info().maxsize, 0, 0, 0, 0, 0, 0)
    assert fused.fallback_reasons() == {}
    assert (fused(A, 1.0) == A + 1.0).all()
    assert len(traced) == 2


def test_counters_and_their_order() -> None:
    fused = pyfuse.fuse(shifted)
    assert fused.cache_info()._fields == (
        "hits", "misses", "maxsize", "currsize", "kernels", "fused_calls", "partly_fused_calls", "fallback_calls",
        "tiled_calls",
    )  # fmt: skip
    for _ in range(3):
        fused(A, 1.0)
    with pytest.raises(TypeError):
        fused(A)
    assert tuple(fused.cache_info()) == (2, 1, 256, 1, 1, 3, 0, 1, 0)


def test_reasons_that_hold_values_are_bounded() -> None:
    fused = pyfuse.fuse(shifted)
    small = np.arange(5, dtype=np.uint8)
    for number in range(256, 900):
        with pytest.raises(OverflowError):
            fused(small, number)
    assert fused.fallback_reasons() == {"scalar-range": 644}
    assert len(fused._executor.fallback._warned) <= 256


class Layer:
    """Holds arrays that are no arguments."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    @pyfuse.fuse
    def apply(self, a: np.ndarray) -> np.ndarray:
        return a * self.weights + 1.0


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Gets an entry for every launch that is made."""
    made: list[Any] = []
    real = executor.make_launch

    def make_launch(*arguments: Any) -> Any:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(executor, "make_launch", make_launch)
    return made


def test_arrays_that_are_no_arguments_are_looked_at_anew_but_not_laid_out_anew(launches: list[Any]) -> None:
    Layer.apply.cache_clear()
    layer = Layer(A)
    for _ in range(5):
        assert layer.apply(A).tobytes() == (A * A + 1.0).tobytes()
    assert len(launches) == 1
    layer.weights = A * 2.0
    assert layer.apply(A).tobytes() == (A * (A * 2.0) + 1.0).tobytes()
    assert len(launches) == 1
    layer.weights = np.linspace(1.0, 2.0, 24)[::2]
    assert layer.apply(A).tobytes() == (A * layer.weights + 1.0).tobytes()
    assert len(launches) == 2
    layer.weights = A[:5]
    with pytest.raises(ValueError, match="could not be broadcast"):
        layer.apply(A)
    layer.weights = A[:1]
    assert layer.apply(A).tobytes() == (A * A[:1] + 1.0).tobytes()
    layer.weights = A.astype("f4")
    assert layer.apply(A).tobytes() == (A * A.astype("f4") + 1.0).tobytes()
    assert Layer.apply.fallback_reasons() == {"shape-mismatch": 1}
    assert Layer.apply.cache_info().fused_calls == 9


def test_forms_of_arrays_that_are_no_arguments_are_bounded() -> None:
    Layer.apply.cache_clear()
    for step in range(1, 120):
        layer = Layer(np.linspace(0.0, 1.0, 12 * step)[::step])
        assert layer.apply(A).tobytes() == (A * layer.weights + 1.0).tobytes()
        assert sum(map(len, Layer.apply._executor._runners.values())) <= runner_table.MAX_RUNNERS_OF_ONE_FORM
    assert Layer.apply.cache_info().fallback_calls == 0
    assert Layer.apply.cache_info().kernels == 3  # element by element, step 2, any


def test_computed_extents_are_part_of_a_form(launches: list[Any]) -> None:
    @pyfuse.fuse
    def filled(a: np.ndarray, count: int) -> np.ndarray:
        return a[:, None] + np.zeros(count)

    for count in (3, 4, 3, 4):
        assert filled(A, count).tobytes() == (A[:, None] + np.zeros(count)).tobytes()
    assert filled.cache_info().fused_calls == 4, filled.explain()
    assert len(launches) == 2
