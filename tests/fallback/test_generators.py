"""Generator functions: their statements between the yields fuse, and they are generators as ever."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_same

pytestmark = pytest.mark.usefixtures("c_compiler")
X = np.linspace(-1.0, 2.0, 40)


def frames(u, steps):
    for _ in range(steps):
        v = np.abs(u) * 0.5 + 1.0
        u = np.sqrt(v * v + 2.0) - u * 0.25
        yield u
    return u.sum()


def answers(u):
    total = u * 0.0 + 1.0
    try:
        while True:
            factor = yield total
            total = total * factor + u - 1.0
    finally:
        seen.append(total)


def delegates(u):
    doubled = u * 2.0 + 1.0
    last = yield from frames(doubled, 2)
    yield np.abs(doubled) * last + 1.0


def no_turn(u, wanted):
    v = u * 2.0 + 1.0
    if wanted:
        yield v
    return v


def helper(u, n):
    if n > 100:
        yield u


def uses_helper(u, n):
    made = helper(u, n)
    return u * 2.0 + 1.0, made


seen: list[Any] = []


def compare(ours: Iterator[Any], theirs: Iterator[Any]) -> Any:
    """Items and the value that is returned."""
    assert type(ours) is type(theirs)
    assert ours.__name__ == theirs.__name__
    while True:
        ends = []
        for generator in (ours, theirs):
            try:
                ends.append((next(generator), None))
            except StopIteration as stop:
                ends.append((None, stop))
        (item, stop), (other, other_stop) = ends
        assert (stop is None) == (other_stop is None)
        if stop is not None:
            assert_same(stop.value, other_stop.value)
            return
        assert_same(item, other)


@pytest.mark.parametrize("arguments", [(X, 5), (X, 0)])
def test_a_generator_yields_what_the_original_does(arguments: Any) -> None:
    fused = pyfuse.fuse(frames)
    for _ in range(3):
        compare(fused(*arguments), frames(*arguments))
    info = fused.cache_info()
    assert (info.partly_fused_calls, info.fallback_calls) == (3, 0), fused.fallback_reasons()
    assert info.kernels == (2 if arguments[1] else 1)  # the body of the loop, and the sum
    assert "yield u" in fused.explain(X, 5)


def test_values_can_be_sent_and_it_can_be_closed() -> None:
    fused = pyfuse.fuse(answers)
    results = []
    for function in (answers, fused):
        generator = function(X)
        items = [next(generator), generator.send(2.0), generator.send(0.5)]
        with pytest.raises(KeyError):
            generator.throw(KeyError)
        results.append([*items, seen.pop()])
        generator = function(X)
        next(generator)
        generator.close()
        results[-1].append(seen.pop())
    assert_same(results[1], results[0])
    assert fused.cache_info().kernels >= 1


def test_yield_from() -> None:
    fused = pyfuse.fuse(delegates)
    compare(fused(X), delegates(X))
    assert fused.cache_info().kernels >= 1


@pytest.mark.parametrize("wanted", [True, False])
def test_it_is_a_generator_where_no_yield_is_reached(wanted: bool) -> None:
    fused = pyfuse.fuse(no_turn)
    for _ in range(20):
        made = fused(X, wanted)
        assert inspect.isgenerator(made)
        compare(made, no_turn(X, wanted))
    assert fused.cache_info().fused_calls == 0


def test_nothing_runs_before_the_first_item() -> None:
    fused = pyfuse.fuse(frames)
    with pytest.raises(TypeError, match=r"frames\(\) missing 1 required positional argument"):
        fused(X)
    generator = fused("no array", 1)
    with pytest.raises(TypeError):
        next(generator)


def test_a_helper_that_is_a_generator_stays_one() -> None:
    fused = pyfuse.fuse(uses_helper)
    for n in (1, 200):
        result, made = fused(X, n)
        assert_same(result, X * 2.0 + 1.0)
        assert inspect.isgenerator(made)
        assert len(list(made)) == (n > 100)


def test_coroutines_run_as_they_are() -> None:
    async def waits(u):
        return u * 2.0 + 1.0

    fused = pyfuse.fuse(waits)
    coroutine = fused(X)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert_same(stop.value.value, X * 2.0 + 1.0)
    assert fused.fallback_reasons() == {"unsupported-syntax": 1}
