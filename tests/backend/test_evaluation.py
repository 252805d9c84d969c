"""Expressions over a call's arguments in the extension: as the steps in Python, also where they raise."""

from __future__ import annotations

import gc
import operator
import threading
import time
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import dispatch
from pyfuse.host_values import Guard, HostArgument, HostCall, HostConstant, HostExpression, evaluation_of
from tests.parity.outcome import assert_same_outcome, observe

if dispatch.extension is None:
    pytest.skip("the compiled dispatcher was not built", allow_module_level=True)

from pyfuse.known_values import rest_of, scalars_of, values_of  # only with the extension


def argument(index: int) -> HostArgument:
    return HostArgument(index=index, text="xyz"[index])


def call(function: Any, *operands: HostExpression) -> HostCall:
    return HostCall(function=function, operands=operands, text="call")


def constant(value: Any) -> HostConstant:
    return HostConstant(value=value, text=repr(value))


X, Y = argument(0), argument(1)
SUM = call(operator.add, X, constant(2))
EXPRESSIONS = [X, SUM, constant(5), call(operator.mul, SUM, SUM), call(max, SUM, Y, constant(1)), call(list)]


def test_values_are_those_of_the_steps_in_python() -> None:
    evaluate = values_of(EXPRESSIONS, 2)
    assert type(evaluate) is dispatch.extension.Evaluation
    assert evaluate((3, 10)) == evaluation_of(EXPRESSIONS)((3, 10)) == [3, 5, 5, 25, 10, []]


def test_an_exception_is_that_of_the_step_and_nothing_leaks() -> None:
    class Thing:
        alive = 0

        def __init__(self, *_: Any) -> None:
            Thing.alive += 1

        def __del__(self) -> None:
            Thing.alive -= 1

    evaluate = values_of([call(Thing), call(operator.truediv, X, Y), call(Thing)], 2)
    with pytest.raises(ZeroDivisionError):
        evaluate((1, 0))
    assert len(evaluate((1, 1))) == 3
    gc.collect()
    assert Thing.alive == 0


def test_guards_hold_or_do_not_and_what_cannot_be_looked_at_does_not() -> None:
    positive = Guard(expression=X, holds_for=lambda value: value > 0, text="x > 0")
    small = Guard(expression=SUM, holds_for=lambda value: value < 10, text="x + 2 < 10")
    holds = rest_of([positive, small], 1)
    assert holds is not None
    assert [holds((value,)) for value in (1, 0, 7, 8, "text")] == [True, False, True, False, False]

    def interrupted(_: Any) -> bool:
        raise KeyboardInterrupt

    asked = rest_of([Guard(expression=X, holds_for=interrupted, text="")], 1)
    assert asked is not None
    with pytest.raises(KeyboardInterrupt):
        asked((1,))


def test_too_many_values_stay_in_python() -> None:
    many = [call(operator.add, X, constant(number)) for number in range(100)]
    evaluate = values_of(many, 1)
    assert type(evaluate) is not dispatch.extension.Evaluation
    assert evaluate((1,)) == [1 + number for number in range(100)]


def test_numbers_of_numpy_are_computed_where_errors_raise() -> None:
    root = call(operator.mul, X, call(np.sqrt, Y))
    places, numbers = scalars_of([root], [np.dtype("f8")], (2.0, 4.0))
    assert places[0][0] is None
    assert type(numbers) is dispatch.extension.Evaluation
    assert numbers((2.0, 4.0)) == [4.0]
    with np.errstate(all="ignore"), pytest.raises(pyfuse.errors.CannotFuse, match="does not fit its place"):
        numbers((2.0, -1.0))
    assert np.geterr()["invalid"] == "warn"


@pyfuse.fuse
def scaled(x, t):
    return x * (np.sqrt(t) * 0.5) + 1.0


@pyfuse.fuse
def stepped(x, n):
    for _ in range(n):
        x = x * 0.5 + 1.0
    return x


@pytest.mark.usefixtures("c_compiler")
def test_calls_with_computed_numbers_stay_in_the_extension() -> None:
    x = np.linspace(0, 1, 50)
    for function, numbers in ((scaled, (4.0, 9.0, -1.0, 2.0)), (stepped, (7, 9, 0, 12))):
        for number in numbers * 3:
            assert_same_outcome(observe(function, (x, number)), observe(function.__wrapped__, (x, number)))
        table = function._executor.table
        before = table.fused
        for _ in range(20):
            function(x, numbers[0])
        assert table.fused >= before + 19  # one may be timed against the original
        assert function.cache_info().kernels == 1, function.explain(x, numbers[0])


@pytest.mark.usefixtures("c_compiler")
def test_threads_compute_numbers_at_once() -> None:
    """One is in the context where errors raise; the others set that state themselves."""
    x = np.linspace(0, 1, 50)
    expected = {t: scaled.__wrapped__(x, t) for t in (1.0, 4.0, 9.0)}
    wrong: list[float] = []
    end = time.monotonic() + 0.5

    def work(t: float) -> None:
        while time.monotonic() < end:
            if not np.array_equal(scaled(x, t), expected[t]):
                wrong.append(t)

    threads = [threading.Thread(target=work, args=(t,)) for t in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert np.geterr()["invalid"] == "warn"
