"""Functions that do not fuse as a whole: what stands between unfusable statements does, and nobody can tell."""

from __future__ import annotations

import gc
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.errors import FuseError
from pyfuse.fallback import PyfuseFallbackWarning
from pyfuse.region_driver import PATIENCE

pytestmark = pytest.mark.usefixtures("c_compiler")

A, B = np.linspace(-2.0, 3.0, 40), np.linspace(1.0, 2.0, 40)


class Opaque:
    """A callable of which pyfuse knows nothing."""

    def __call__(self, value: Any) -> Any:
        return value


class Refuses:
    """A callable that raises."""

    def __call__(self, value: Any) -> Any:
        raise KeyError(value.shape)


opaque, refuses = Opaque(), Refuses()


@contextmanager
def scaled(factor: float) -> Iterator[float]:
    yield factor


def regions(fused: Any) -> list[Any]:
    """Counters of each region, in the order of the text."""
    (driver,) = fused._executor.drivers.all()
    return [region.executor.info() for region in driver.fused]


def check(fused: Any, *arguments: Any) -> None:
    """Raise AssertionError unless a call is answered in regions, as the original would."""
    before = fused.cache_info()
    expected, actual = fused.__wrapped__(*arguments), fused(*arguments)
    for one, other in zip(np.atleast_2d(actual), np.atleast_2d(expected), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    after = fused.cache_info()
    assert after.partly_fused_calls == before.partly_fused_calls + 1, fused.fallback_reasons()


def in_the_middle(a: Any, b: Any) -> Any:
    x = a + b
    y = x * 2.0
    z = opaque(x)
    return z * y - a


def test_what_stands_around_an_unknown_call_is_fused() -> None:
    fused = pyfuse.fuse(in_the_middle)
    for _ in range(3):
        check(fused, A, B)
    assert [(info.fused_calls, info.fallback_calls, info.kernels) for info in regions(fused)] == [(3, 0, 1), (3, 0, 1)]
    assert (fused.cache_info().kernels, fused.cache_info().fallback_calls) == (2, 0)
    assert fused.fallback_reasons() == {"unknown-call": 3}
    check(fused, A.astype("f4"), B.astype("f4"))
    assert [info.kernels for info in regions(fused)] == [2, 2]


def time_steps(u: Any, steps: int, dt: float) -> Any:
    for step in range(steps):
        v = u * dt + step
        opaque(v)
        u = u - v * dt
    return u


def test_the_body_of_a_loop_is_fused_for_every_number_of_steps() -> None:
    fused = pyfuse.fuse(time_steps)
    for steps, dt in ((3, 0.1), (50, 0.2)):
        check(fused, A, steps, dt)
    assert [(info.fused_calls, info.kernels) for info in regions(fused)] == [(53, 1), (53, 1)]


def until_small(a: Any) -> Any:
    count = 0
    while np.any(np.abs(a) > 0.1):
        a = a * 0.5 + 0.001
        count += 1
    return a * count


def test_a_loop_until_converged() -> None:
    fused = pyfuse.fuse(until_small)
    check(fused, A)
    assert regions(fused)[0].fused_calls > 3
    assert regions(fused)[0].fallback_calls == 0


def several(a: Any) -> Any:
    b = a + 1.0
    b = opaque(b)
    c = b * 2.0 - a
    c = opaque(c)
    d = e = c * c + b
    with scaled(2.0) as factor:
        e = d * factor + a
    try:
        f = e - 1.0
        refuses(f)
    except KeyError:
        f = e * 2.0 + 1.0
    return f + d


def test_later_calls_know_all_statements_that_do_not_fuse() -> None:
    fused = pyfuse.fuse(several)
    for _ in range(4):
        check(fused, A)
    assert [info.partly_fused_calls for info in regions(fused)] == [0] * len(regions(fused))
    assert all(info.fused_calls >= 1 for info in regions(fused)), fused.explain()


def test_exceptions_point_at_the_users_lines() -> None:
    def divides(a: Any) -> Any:
        b = a * 2.0 + 1.0
        opaque(b)
        c = b.reshape(7, 7)
        return c * 2.0

    fused = pyfuse.fuse(divides)
    for _ in range(2):
        with pytest.raises(ValueError, match="reshape") as caught:
            fused(A)
        frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == __file__]
        assert [frame.name for frame in frames][1:] in (["divides"], ["divides", "divides"])
        assert frames[-1].line == "c = b.reshape(7, 7)"


def test_warnings_come_from_the_users_lines() -> None:
    def warns(a: Any) -> Any:
        b = a * 2.0
        warnings.warn("look", stacklevel=1)
        c = b / 0.0
        return c + 1.0

    fused = pyfuse.fuse(warns)
    shown = []
    for function in (warns, fused, fused):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function(A)
        shown.append([(str(entry.message), entry.filename, entry.lineno) for entry in caught])
    assert shown[0] == shown[1] == shown[2]
    assert len(shown[0]) == 2 or len(shown[0]) == 3
    assert fused.cache_info().partly_fused_calls == 2


def test_defaults_and_keywords_are_the_functions_own() -> None:
    def scaled_by(a: Any, factor: float = 2.0, *, shift: float = 1.0) -> Any:
        b = a * factor
        opaque(b)
        return b + shift

    fused = pyfuse.fuse(scaled_by)
    np.testing.assert_array_equal(fused(A), A * 2.0 + 1.0)
    np.testing.assert_array_equal(fused(A, shift=3.0), A * 2.0 + 3.0)
    scaled_by.__defaults__, scaled_by.__kwdefaults__ = (5.0,), {"shift": 7.0}
    np.testing.assert_array_equal(fused(A), A * 5.0 + 7.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        fused(A, nothing=1)  # type: ignore[call-arg]
    assert fused.cache_info().partly_fused_calls == 3


OFFSET = 1.0


def test_globals_and_closures_are_never_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    factor, calls = 2.0, 0

    def counted(a: Any) -> Any:
        nonlocal calls
        calls += 1
        b = a * factor + OFFSET
        opaque(b)
        return b * b - a

    fused = pyfuse.fuse(counted)
    check(fused, A)
    factor = 3.0
    check(fused, A)
    monkeypatch.setitem(globals(), "OFFSET", 9.0)
    check(fused, A)
    assert calls == 6
    assert all(info.fallback_calls == 0 for info in regions(fused))


def test_new_code_of_the_function_is_read() -> None:
    def first(a: Any) -> Any:
        b = a + 1.0
        opaque(b)
        return b * 2.0

    def second(a: Any) -> Any:
        b = a + 5.0
        opaque(b)
        return b * 3.0

    fused = pyfuse.fuse(first)
    np.testing.assert_array_equal(fused(A), (A + 1.0) * 2.0)
    first.__code__ = second.__code__
    np.testing.assert_array_equal(fused(A), (A + 5.0) * 3.0)
    fused.cache_clear()
    assert fused.cache_info().partly_fused_calls == 0
    np.testing.assert_array_equal(fused(A), (A + 5.0) * 3.0)


def test_recursion_methods_and_threads() -> None:
    class Model:
        rate = 0.5

        @pyfuse.fuse
        def run(self, a: Any, depth: int) -> Any:
            b = a * self.rate + 1.0
            opaque(b)
            if depth:
                b = self.run(b, depth - 1)
            return b * 2.0

    model = Model()
    expected = A
    for _ in range(4):
        expected = expected * 0.5 + 1.0
    expected = expected * 16.0
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                np.testing.assert_array_equal(model.run(A, 3), expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert Model.run.cache_info().partly_fused_calls == 4 * 20 * 4


def test_a_parameter_that_no_kernel_takes_is_used_where_it_is_used() -> None:
    def weighted(a: Any, names: Any) -> Any:
        b = a * 2.0 + 1.0
        count = len(set(names.tolist()))
        return b * count - a

    fused = pyfuse.fuse(weighted)
    check(fused, A, np.array(["x", "y", "x"], dtype=object))
    assert fused.fallback_reasons() == {"unsupported-dtype": 1}
    assert all(info.fused_calls == 1 for info in regions(fused))


def test_a_region_that_never_fuses_is_called_as_plain_python() -> None:
    def odd(a: Any, text: str) -> Any:
        b = a + 1.0
        words = opaque(text)
        c = words + words
        return b, c

    fused = pyfuse.fuse(odd)
    for _ in range(PATIENCE + 3):
        assert fused(A, "x")[1] == "xx"
    (driver,) = fused._executor.drivers.all()
    retired = [region.executor.info().fallback_calls for region in driver.fused if not region.executor.info().kernels]
    assert all(count <= PATIENCE for count in retired)


@pytest.mark.parametrize("word", ["locals()", "eval('b')"])
def test_a_function_that_looks_at_its_own_names_runs_as_it_is(word: str) -> None:
    from tests.parity.text import function_from

    fused = pyfuse.fuse(function_from(f"def f(a):\n    b = a + 1\n    c = {word}\n    return b * 2, c"))
    assert np.array_equal(fused(A)[0], (A + 1) * 2)
    assert (fused.cache_info().partly_fused_calls, fused.cache_info().fallback_calls) == (0, 1)


def test_strict_and_raise_take_no_half_measures() -> None:
    with pytest.raises(FuseError, match="not an array expression"):
        pyfuse.fuse(in_the_middle, strict=True)(A, B)
    with pyfuse.config.set(fallback="raise"), pytest.raises(FuseError, match="not an array expression"):
        pyfuse.fuse(in_the_middle)(A, B)


def test_a_warning_says_once_what_runs_as_python() -> None:
    fused = pyfuse.fuse(in_the_middle)
    with pyfuse.config.set(fallback="warn"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fused(A, B)
        fused(A, B)
    assert [entry.category for entry in caught] == [PyfuseFallbackWarning]
    assert caught[0].filename == __file__


def test_explain_shows_the_driver_and_its_regions(capfd: pytest.CaptureFixture[str]) -> None:
    fused = pyfuse.fuse(in_the_middle)
    before = fused.explain(A, B)
    assert before.startswith("in_the_middle is fused in part for these arguments: 2 regions")
    assert "    x, y = region_0(a, b)\n    z = opaque(x)\n    return region_1(a, y, z)\n" in before
    assert fused.cache_info().kernels == 0
    with pyfuse.config.set(debug="driver"):
        fused(A, B)
    assert "z = opaque(x)" in capfd.readouterr().err
    assert ": 1 fused calls, 0 as ordinary Python" in fused.explain(A, B)
    assert "0 fused calls, 1 in part, 0 as ordinary Python" in fused.explain()


SUBTLE = {
    "finally before a break": "x = a\nfor i in range(3):\n    try:\n        opaque(i)\n        if i == 1: break\n"
    "    finally: x = a * 2 + i\n    x = a\nreturn x",
    "finally before a continue": "x = a\nfor i in range(3):\n    try:\n        opaque(i)\n        if i == 2: continue\n"
    "    finally: x = a * 2 + i\n    x = a\nreturn x",
    "an annotation alone": "opaque(a)\nx = a * 2 + 1\nopaque(a)\nx: float\nreturn x",
    "a loop's target reads": "k = (a * 2).ndim + 3\nd = {}\nfor d[k] in opaque([7, 8]): pass\nreturn d",
    "a parameter's annotation": "opaque(a)\nk = a * 2 + 1\ndef g(x: k): return x\nopaque(a)\n"
    "return g(1), g.__annotations__",
    "nonlocal": "opaque(a)\nx = 1.0\ndef g():\n    nonlocal x\n    x = 5.0\ny = a * 2 + 1\ng()\nreturn y * x",
    "global": "global OFFSET\nOFFSET = 1.0\nopaque(a)\ny = a * 2 + 1\nopaque.set(5.0)\nreturn y * OFFSET",
    "a generator": "x = a * 2 + 1\ny = [a + 1, x * 2]\ng = (v + x for v in y)\nx = x * 2 + 1\nopaque(a)\n"
    "return list(g)",
    "a walrus that raises": "y = None\ntry:\n    opaque(a)\n    z = (y := a * 2 + 1) + a[:3]\n"
    "except ValueError: return y\nreturn z",
    "two targets that raise": "y = None\ntry:\n    opaque(a)\n    y, a[1000] = a * 2 + 1, 4.0\n"
    "except IndexError: return y\nreturn y",
    "del in finally": "x = a * 2 + 1\ntry: opaque(a)\nfinally: del x\na += a * a * a + 1\nreturn x * a + 1",
    "its own name": "opaque(a)\nx = a * 2 + n\nreturn f(x, n - 1) + x if n else x",
    "a frame reader": "x = a * 2 + 1\nopaque.evaluate('x')\nreturn x * 2",
    "an iterator": "it = iter([1.0, 2.0])\nopaque(a)\nreturn a * max(it) + a",
    "a dict that is changed": "import operator\noperator.setitem(STATE, 'k', 2)\nreturn a * 2 + 1, dict(STATE)",
}


@pytest.mark.parametrize("name", SUBTLE)
def test_what_a_driver_must_not_change(name: str) -> None:
    from tests.parity.outcome import assert_same, observe
    from tests.parity.text import function_from

    class Setter(Opaque):
        def set(self, value: Any) -> None:
            namespace["OFFSET"] = value

        def evaluate(self, text: str) -> Any:
            return sys._getframe(1).f_locals[text]

    lines = "".join(f"    {line}\n" for line in SUBTLE[name].splitlines())
    state: dict[str, int] = {}
    plain = function_from(f"def f(a, n=2):\n{lines}", opaque=Setter(), STATE=state)
    namespace = plain.__globals__  # type: ignore[attr-defined]
    fused = pyfuse.fuse(plain)
    for _ in range(3):
        outcomes = []
        for function in (plain, fused):
            state.clear()
            namespace["f"] = function
            outcomes.append(observe(function, (A.copy(),)))
        expected, actual = outcomes
        assert actual.error == expected.error
        assert actual.warned == expected.warned
        assert_same(actual.arguments, expected.arguments, place="arguments")
        assert_same(actual.result, expected.result)


def test_arrays_are_freed_as_by_the_original() -> None:
    fused = pyfuse.fuse(in_the_middle)
    a = A.copy()
    fused(a, B)
    fused(a, B)
    gone = weakref.ref(a)
    del a
    gc.collect()
    assert gone() is None
