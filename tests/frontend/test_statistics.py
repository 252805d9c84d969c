"""Means, variances and averages: the steps of NumPy's own Python code, of every dtype."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.examples import FLOATING, assert_means_for, values_of
from tests.frontend.tracing import assert_means, evaluated, function_of, refusal, trace, would_replay

FOR_ALL = (
    "np.mean(x)",
    "np.mean(x, axis=0)",
    "np.mean(x, axis=(0, 1), keepdims=True)",
    "np.mean(t, axis=(0, 1))",
    "np.mean(x, dtype=complex, axis=1)",
    "x.mean()",
    "x.mean(1)",
    "np.var(x)",
    "np.var(x, axis=0)",
    "np.var(x, axis=1, ddof=1)",
    "np.var(x, axis=1, correction=1)",
    "np.var(x, ddof=1.5, keepdims=True)",
    "np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True))",
    "np.var(x, axis=0, mean=None)",
    "np.var(x, mean=0.5)",
    "x.var(0, None, None, 1)",
    "np.std(x)",
    "np.std(t, axis=(0, 2))",
    "x.std(axis=1, ddof=1, keepdims=True)",
    "np.std(x, ddof=n)",
    "np.std(x, axis=0, out=np.zeros(5))",
    "np.average(x)",
    "np.average(x, axis=0)",
    "np.average(x, weights=w)",
    "np.average(x, axis=0, weights=w > -9)",
    "np.average(x, axis=1, weights=w, keepdims=True)",
    "np.average(x, axis=0, weights=w[:, 0])",
    "np.average(t, axis=(2, 1), weights=w.T)",
    "np.average(x, axis=1, weights=w, returned=True)",
    "(x - x.mean()) / x.std()",
)

FOR_REAL = (
    "np.mean(x, dtype=np.float32)",
    "np.mean(x, axis=0, dtype=np.int64)",
    "np.mean(x, axis=0, dtype=np.float16)",
    "np.var(x, dtype=np.float32)",
    "np.std(x, axis=0, dtype=np.float64)",
)


@pytest.mark.parametrize("expression", FOR_ALL)
def test_a_statistic_of_every_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression)


@pytest.mark.parametrize("expression", FOR_REAL)
def test_a_statistic_in_a_given_dtype_is_numpys_where_no_imaginary_part_is_dropped(expression: str) -> None:
    assert_means_for(expression, "c")


def test_a_mean_of_halves_is_summed_in_single_precision_and_rounded_as_numpy_rounds() -> None:
    for seed in range(50):
        x = (np.random.default_rng(seed).standard_normal((7, 9)) * 100).astype("f2")
        assert_means("(x.mean(), x.mean(axis=0), x.mean(axis=1, keepdims=True))", x=x)


def test_a_mean_into_an_array_that_exists_has_its_dtype() -> None:
    assert_means_for("np.mean(x, axis=0, out=np.zeros(5, np.float64))", "f2", "c")
    assert_means_for("np.mean(x, axis=0, out=np.zeros(5, x.dtype))", "f2", codes=FLOATING)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("x.var(where=m)", "depends on the mask"),
        ("np.var(x, axis=1, ddof=5)", "no degree of freedom"),
        ("np.std(x, ddof=1, correction=1)", "both given"),
        ("np.var(x, ddof=w)", "no number"),
        ("np.average(x, weights=v)", "does not fit"),
        ("np.average(x, weights=[1, 2, 3, 4], axis=0)", "no array"),
        ("np.average(x, returned=True)", "needs weights"),
    ],
)
def test_what_is_not_repeated_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, "f8"))


def test_a_call_that_leaves_no_degree_of_freedom_breaks_a_guard() -> None:
    traced = trace(function_of("np.var(x, ddof=n)", ["x", "n"]), np.ones(5), 2)
    assert evaluated(traced, np.ones(7), 3) == 0
    with pytest.raises(AssertionError, match="bool"):
        evaluated(traced, np.ones(5), 5)


def test_weights_that_sum_to_zero_ask_for_the_original() -> None:
    traced = trace(function_of("np.average(x, weights=y)", ["x", "y"]), np.ones(2), np.ones(2))
    assert not would_replay(traced, np.ones(2), np.array([1.0, 2.0]))
    assert would_replay(traced, np.ones(2), np.array([1.0, -1.0]))
