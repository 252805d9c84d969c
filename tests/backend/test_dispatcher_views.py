"""What the compiled dispatcher does without Python: views of arguments, unchanged helpers, calls of originals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import known_launch
from pyfuse.backend.cpu import dispatch
from tests.parity.outcome import assert_same

needs_extension = pytest.mark.skipif(dispatch.extension is None, reason=f"the call extension is {dispatch.state}")
pytestmark = [pytest.mark.usefixtures("c_compiler"), needs_extension]

GRID = np.linspace(0.5, 2.0, 42).reshape(6, 7)
LINE = np.linspace(-2.0, 3.0, 20)


def laplacian(u):
    return u[1:-1, 2:] + u[1:-1, :-2] + u[2:, 1:-1] + u[:-2, 1:-1] - 4.0 * u[1:-1, 1:-1]


def turned(u):
    return u[::-1, ::-2].T * 2.0 + u[np.newaxis, :6, 0]


def real_parts(u):
    return u.T[1:] + u.T[:-1]


def of_a_row(u):
    return u[2] * 2.0 + u[-1, ...]


@pytest.fixture
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No launch has its arrays computed by Python at each call."""

    def computed(*_: Any) -> Any:
        raise AssertionError("Python computes the inputs of each call")

    monkeypatch.setattr(known_launch, "_arrays", computed)


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("function", [laplacian, turned, real_parts, of_a_row])
@pytest.mark.parametrize("order", ["C", "F", "reversed", "offset"])
def test_views_of_arguments_are_found_by_their_offsets(function, order):
    u = {
        "C": GRID,
        "F": np.asfortranarray(GRID),
        "reversed": GRID[::-1, ::-1],
        "offset": np.linspace(0.0, 1.0, 80).reshape(8, 10)[1:-1, 1:-2],
    }[order]
    fused = pyfuse.fuse(function)
    for step in range(4):
        v = u + step
        if order == "offset":
            v = np.pad(v, ((1, 1), (1, 2)))[1:-1, 1:-2]
        assert_same(fused(v), function(v))
    assert fused._executor.table.fused >= 2
    assert fused.cache_info().fused_calls == 4


def test_views_that_depend_on_numbers_are_computed_at_each_call():
    @pyfuse.fuse
    def part(u, begin, end):
        return u[begin:end] * 2.0 + 1.0

    for begin, end in ((0, 5), (1, 6), (2, 9), (2, 9), (0, 20), (3, 3)):
        assert_same(part(LINE, begin, end), part.__wrapped__(LINE, begin, end))


def test_indices_that_copy_are_not_taken_for_views():
    @pyfuse.fuse
    def chosen(u):
        return u[[1, 3, 2]] * 2.0 + u[:3]

    for step in range(4):
        assert_same(chosen(LINE + step), chosen.__wrapped__(LINE + step))


# --- helpers ------------------------------------------------------------------------------------------------------


def scaled(x, factor=2.0, *, shift=None):
    return x * factor + (1.0 if shift is None else shift)


def other(x, factor=2.0, *, shift=None):
    return x / factor - (1.0 if shift is None else shift)


@pytest.mark.parametrize("change", ["code", "defaults", "keyword defaults", "keyword default"])
def test_a_helper_that_changes_is_noticed(change):
    def helper(x, factor=2.0, *, shift=None):
        return x * factor + (1.0 if shift is None else shift)

    @pyfuse.fuse
    def calls(x):
        return helper(x) * 0.5

    for _ in range(3):
        assert_same(calls(LINE), calls.__wrapped__(LINE))
    assert calls._executor.table.fused == 2
    if change == "code":
        helper.__code__ = other.__code__
    elif change == "defaults":
        helper.__defaults__ = (3.0,)
    elif change == "keyword defaults":
        helper.__kwdefaults__ = {"shift": 7.0}
    else:
        helper.__kwdefaults__["shift"] = 5.0
    for _ in range(3):
        assert_same(calls(LINE), calls.__wrapped__(LINE))
    assert calls.cache_info().fused_calls == 6


def test_a_helper_without_keyword_defaults_is_settled_by_its_parts():
    def helper(x, factor=2.0):
        return x * factor

    @pyfuse.fuse
    def calls(x):
        return helper(x) + 1.0

    calls(LINE)
    (specialization,) = calls._executor._cache.entries()
    facts, rest = known_launch.facts_and_rest(specialization.guards, 1)
    assert facts is not None
    assert rest is None
    assert {fact[0] for fact in facts} >= {2, 3, 4}  # code, defaults, keyword defaults
    helper.__defaults__ = (4.0,)
    assert_same(calls(LINE), LINE * 4.0 + 1.0)
    helper.__kwdefaults__ = {}
    assert_same(calls(LINE), LINE * 4.0 + 1.0)


# --- originals ----------------------------------------------------------------------------------------------------


def sorts(a):
    return np.sort(a)


def test_calls_for_which_nothing_fuses_reach_the_original_directly():
    fused = pyfuse.fuse(sorts)
    for _ in range(100):
        assert_same(fused(LINE[::-1]), sorts(LINE[::-1]))
    table = fused._executor.table
    assert 60 < table.original < 92, "not the first eight, and one in 32 looks again"
    before = table.original
    for _ in range(2560):
        fused(LINE[::-1])
    assert table.original - before >= 2560 - 512 // 32 - 2560 // 256, "later one in 256"
    info = fused.cache_info()
    assert (info.fused_calls, info.partly_fused_calls, info.fallback_calls) == (0, 0, 2660)
    assert fused.fallback_reasons() == {"unknown-call": 2660}
    fused.cache_clear()
    assert fused.cache_info().fallback_calls == 0
    fused(LINE)
    assert fused.cache_info().fallback_calls == 1


def test_strict_functions_and_settings_go_on_raising():
    strict = pyfuse.fuse(sorts, strict=True)
    for _ in range(30):
        with pytest.raises(pyfuse.FuseError):
            strict(LINE)
    fused = pyfuse.fuse(sorts)
    with pyfuse.config.set(fallback="raise"):
        for _ in range(30):
            with pytest.raises(pyfuse.FuseError):
                fused(LINE)


def test_what_fuses_later_is_found():
    @pyfuse.fuse
    def either(a, how):
        return np.sort(a) if how == "sort" else a * 2.0 + 1.0

    for _ in range(20):
        either(LINE, "sort")
    for _ in range(40):
        assert_same(either(LINE, "scale"), LINE * 2.0 + 1.0)
    info = either.cache_info()
    assert info.fused_calls > 0
    assert info.fused_calls + info.fallback_calls == 60
    before = info.fused_calls
    for _ in range(5):
        either(LINE[:7], "scale")
    assert either.cache_info().fused_calls == before + 5, "one that fused ends it"


def test_another_setting_is_noticed_soon(monkeypatch):
    fused = pyfuse.fuse(sorts)
    for _ in range(20):
        fused(LINE)
    monkeypatch.setenv("PYFUSE_FALLBACK", "raise")
    with pytest.raises(pyfuse.FuseError):
        for _ in range(33):
            fused(LINE)


def test_errors_and_keywords_are_the_originals():
    fused = pyfuse.fuse(sorts)
    for _ in range(40):
        with pytest.raises(np.exceptions.AxisError):
            fused(np.float64(1.0))
    assert_same(fused(a=LINE), sorts(LINE))
    with pytest.raises(TypeError, match="missing 1 required"):
        fused()


# --- what depends on the form of the arguments only ---------------------------------------------------------------


def padded(u):
    around = np.pad(u, 1)
    return around[2:, 1:-1] + around[:-2, 1:-1] - u * 2.0


def rolled(u):
    return np.roll(u, 1, axis=0) + np.roll(u, -1, axis=1) - u


@pytest.mark.parametrize("function", [padded, rolled])
def test_shapes_are_not_computed_again_for_a_form_that_is_known(function):
    fused = pyfuse.fuse(function)
    for _ in range(3):
        assert_same(fused(GRID), function(GRID))
    known = fused._executor._runners
    (runner,) = [runner for runners in known.values() for runner in runners]
    assert known_launch.places_of(runner.launch, (GRID,)) is not None
    facts, rest = known_launch.facts_and_rest(known_launch.checked_guards(runner.launch), 1)
    assert facts is not None
    assert rest is None
    for shape in ((3, 3), (2, 9), (1, 5), (6, 7)):  # other forms, one of them with an axis of one
        u = np.linspace(0.0, 1.0, shape[0] * shape[1]).reshape(shape)
        for _ in range(3):
            assert_same(fused(u), function(u))
