"""Running results and differences of neighbours: NumPy's, of every dtype."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.examples import assert_means_for, values_of
from tests.frontend.tracing import assert_same, evaluated, function_of, refusal, trace

FOR_ALL = (
    "np.cumsum(v)",
    "np.cumsum(x)",
    "np.cumsum(x, axis=0)",
    "np.cumsum(x, 1, dtype=complex)",
    "np.cumsum(x, axis=0, out=np.zeros((4, 5), np.cumsum(x).dtype))",
    "v.cumsum()",
    "np.cumulative_sum(v)",
    "np.cumulative_sum(v, include_initial=True)",
    "np.maximum.accumulate(x, axis=1)",
    "np.add.accumulate(x)",
    "np.logical_or.accumulate(v)",
    "np.diff(v)",
    "np.diff(v, n=2)",
    "np.diff(x, axis=0)",
    "np.diff(x + x, n=3)",
    "np.diff(v, prepend=0)",
    "np.diff(v, append=v[:2], prepend=v[0])",
    "np.diff(x, axis=0, prepend=y)",
)
PRODUCTS = ("np.cumprod(x, axis=-1)", "x.cumprod(axis=0)", "np.cumulative_prod(x, axis=1)")
GRADIENTS = (
    "np.gradient(v)",
    "np.gradient(v, 2)",
    "np.gradient(v[:3])",
    "np.gradient(v[:2])",
    "np.gradient(v, 0.5, edge_order=2)",
    "np.gradient(x)",
    "np.gradient(x, 2.0, axis=0)",
    "np.gradient(x + x, 2.0, 3.0)",
    "np.gradient(t, axis=(0, 2))",
    "np.gradient(x, np.float64(0.3), axis=1, edge_order=2)",
)


@pytest.mark.parametrize("expression", FOR_ALL)
def test_a_running_result_of_every_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression)


@pytest.mark.parametrize("expression", PRODUCTS)
def test_a_running_product_of_every_real_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression, "c")


@pytest.mark.parametrize("expression", GRADIENTS)
def test_a_gradient_of_every_real_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression, "b", "c")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("np.cumsum((x + x).T)", "reshape of a view"),
        ("np.hypot.accumulate(v)", "rounds"),
        ("np.cumprod(v + 1j)", "way of its own"),
        ("np.cumsum(x, axis=2)", "out of bounds"),
        ("np.cumulative_sum(x)", "axis is needed"),
        ("np.cumulative_sum(x, axis=0, include_initial=True)", "several axes"),
        ("np.diff(v, n=-1)", "order -1"),
        ("np.diff(x, prepend=0)", "several axes"),
        ("np.gradient(v, v)", "coordinates"),
        ("np.gradient(v, edge_order=3)", "'edge_order'"),
        ("np.gradient(v[:1])", "too short"),
        ("np.gradient(x, 1, 2, 3)", "do not match the axes"),
    ],
)
def test_what_is_not_repeated_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, "f8"))


@pytest.mark.parametrize("expression", ["np.diff(x + x, n=2)", "np.gradient(x * 2)", "np.diff(x)", "np.gradient(x)"])
def test_one_specialisation_serves_other_lengths(expression: str) -> None:
    function = function_of(expression, ["x"])
    traced = trace(function, np.arange(9.0) ** 2)
    assert_same(evaluated(traced, np.arange(13.0) ** 3), function(np.arange(13.0) ** 3))
