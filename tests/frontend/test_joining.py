"""Joining, repeating and splitting: NumPy's values, dtypes and memory orders."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.examples import assert_means_for, numpy_raises, values_of
from tests.frontend.tracing import assert_same, evaluated, function_of, refusal, trace

FOR_ALL = (
    "np.concatenate([v, v])",
    "np.concatenate((x, y))",
    "np.concatenate((x, y + y), axis=-1)",
    "np.concatenate((v, w[0]))",
    "np.concatenate((x, w), axis=None)",
    "np.concatenate((x.T, y.T), axis=1)",
    "np.concatenate((x, y), dtype=complex)",
    "np.concatenate(([0], v))",
    "np.concatenate(([0, 1.5], v, [v.sum()]))",
    "np.concat((v, v))",
    "np.stack((x, y))",
    "np.stack((x, y), axis=-1)",
    "np.stack((x, y), axis=1)",
    "np.stack([v.min(), v.max()])",
    "np.hstack((v, v))",
    "np.hstack((x, y))",
    "np.hstack((v, 1.0))",
    "np.vstack((v, v))",
    "np.vstack((x, y))",
    "np.vstack((x, w[0]))",
    "np.dstack((v, v))",
    "np.dstack((x, y))",
    "np.dstack((t, t))",
    "np.column_stack((v, v))",
    "np.column_stack((x, w[:, 0]))",
    "np.append(v, 1)",
    "np.append(v, [1, 2])",
    "np.append(x, y, axis=0)",
    "np.append(x, y)",
    "np.tile(v, 3)",
    "np.tile(x, 2)",
    "np.tile(x, (2, 3))",
    "np.tile(v, (2, 1))",
    "np.tile(x, (1, 1))",
    "np.tile(x + x, (2, 1, 2))",
    "np.repeat(v, 3)",
    "np.repeat(x, 2, axis=0)",
    "np.repeat(x + x, 2, axis=1)",
    "x.repeat(2, 1)",
    "np.repeat(x, 2)",
    "np.repeat(x.max(), 3)",
    "np.roll(v, 2)",
    "np.roll(v, -3)",
    "np.roll(v, 7)",
    "np.roll(v, n + 1)",
    "np.roll(x, 1, axis=0)",
    "np.roll(x, (1, 2), axis=(0, 1))",
    "np.roll(x, 1, axis=(0, 1))",
    "np.roll(x + x, -1, axis=1)",
    "np.roll(v, (1, 2), axis=(0, 0))",
    "[part + part for part in np.split(v, 7)]",
    "[part + part for part in np.split(x + x, 2)]",
    "[part + part for part in np.array_split(v + v, 3)]",
    "[part + part for part in np.array_split(x + x, [1, -1], axis=1)]",
    "[part + part for part in np.hsplit(x + x, 5)]",
    "[part + part for part in np.hsplit(v + v, 7)]",
    "[part + part for part in np.vsplit(x + x, 2)]",
    "[part + part for part in np.dsplit(t + t, [2])]",
    "[part + part for part in np.unstack(x + x, axis=1)]",
    "[part / 2 for part in np.unstack(v + v)]",
)


@pytest.mark.parametrize("expression", FOR_ALL)
def test_a_joined_array_of_every_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression)


def test_pieces_are_cast_by_the_rule_that_is_given() -> None:
    assert_means_for("np.concatenate((x, y), dtype=np.float32)", "c")
    assert_means_for("np.stack((x, y), dtype=np.int16, casting='unsafe')", "c")


@pytest.mark.parametrize(
    "expression",
    [
        "np.concatenate((x, v))",
        "np.concatenate([v, 1.0])",
        "np.concatenate((x, y), axis=2)",
        "np.concatenate((x, y), dtype=np.int8)",
        "np.stack((x, v))",
        "np.append(v, 1, axis=0)",
        "np.split(v + v, 2)",
        "np.vsplit(v + v, 7)",
        "np.roll(x, (1, 2), axis=(0, 1, 0))",
    ],
)
def test_what_numpy_raises_for_is_left_to_numpy(expression: str) -> None:
    values = values_of(expression, "f8")
    assert numpy_raises(expression, **values)
    assert refusal(expression, **values).startswith("numpy-raises")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("np.concatenate(x)", "no list or tuple"),
        ("np.concatenate(((x + x).T, y), axis=None)", "reshape of a view"),
        ("np.concatenate((v, v), out=np.zeros(14))", "'out='"),
        ("np.repeat(v, [1, 2, 3, 4, 5, 6, 7])", "array or list"),
        ("np.repeat(v, 0)", "1 to 256"),
        ("np.tile(v, 0)", "1 to 256"),
        ("np.roll(x, 1)", "several axes"),
        ("np.roll(v, v.argmax())", "computed distance"),
    ],
)
def test_what_is_not_repeated_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, "f8"))


@pytest.mark.parametrize(
    "expression",
    [
        "np.concatenate((x * 2, x))",
        "np.tile(x + x, 3)",
        "np.repeat(x, 2)",
        "np.roll(x, 3)",
        "np.roll(x * 2, -2)",
        "[part + 1 for part in np.array_split(x * 2, 3)]",
    ],
)
def test_one_specialisation_serves_other_lengths(expression: str) -> None:
    function = function_of(expression, ["x"])
    assert_same(evaluated(trace(function, np.arange(9.0)), np.arange(14.0)), function(np.arange(14.0)))


def test_pieces_of_other_lengths_go_behind_each_other() -> None:
    function = function_of("np.concatenate((x + 1, y, x))", ["x", "y"])
    traced = trace(function, np.arange(3.0), np.arange(4.0))
    assert_same(evaluated(traced, np.arange(5.0), np.arange(2.0)), function(np.arange(5.0), np.arange(2.0)))
