"""Reductions that leave NaN out: NumPy's results, and the original wherever it would warn or raise."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tests.frontend.examples import assert_means_for, values_of
from tests.frontend.tracing import assert_means, function_of, refusal, trace, would_replay

FOR_ALL = (
    "np.nansum(x)",
    "np.nansum(x, axis=0)",
    "np.nanmin(x)",
    "np.nanmin(x, axis=0)",
    "np.nanmax(x, axis=1, keepdims=True)",
    "np.nanmax(x, axis=0, out=np.zeros(5, x.dtype))",
    "np.nanargmin(x)",
    "np.nanargmax(x, axis=1)",
    "np.nanargmax(x, axis=1, keepdims=True)",
    "np.nanmean(x)",
    "np.nanmean(x, axis=0)",
    "np.nanmean(x, axis=(0, 1), keepdims=True)",
    "np.nanvar(x)",
    "np.nanvar(x, axis=0)",
    "np.nanvar(x, axis=1, ddof=1)",
    "np.nanvar(x, axis=1, correction=1.5)",
    "np.nanvar(t, axis=(0, 2))",
    "np.nanvar(x, mean=0.5)",
    "np.nanstd(x)",
    "np.nanstd(x, axis=0, ddof=1, keepdims=True)",
    "np.nancumsum(x, axis=0)",
)
FOR_REAL = ("np.nanprod(x, axis=1, keepdims=True)", "np.nancumprod(v)")
WARNING = tuple(
    e for e in FOR_ALL if "cum" not in e and "sum" not in e and "prod" not in e and "t" not in e.split("(")[1]
)


@pytest.mark.parametrize("expression", FOR_ALL)
def test_a_reduction_of_every_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression)


@pytest.mark.parametrize("expression", FOR_REAL)
def test_a_product_of_every_real_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression, "c")


@pytest.mark.parametrize("expression", FOR_ALL + FOR_REAL)
@pytest.mark.parametrize("code", ["f2", "f4", "f8", "c8", "c16"])
def test_nan_is_left_out(expression: str, code: str) -> None:
    values = values_of(expression, code)
    for value in values.values():
        value[np.random.default_rng(1).random(value.shape) < 0.2] = np.nan
    if expression in FOR_REAL and code[0] == "c":
        assert "way of its own" in refusal(expression, **values)
        return
    assert_means(expression, **values)


@pytest.mark.parametrize("expression", WARNING)
def test_where_numpy_warns_or_raises_the_original_is_asked_for(expression: str) -> None:
    values = values_of(expression, "f8")
    function = function_of(expression, list(values))
    traced = trace(function, *values.values())
    assert not would_replay(traced, *values.values())
    values["x"][:] = np.nan
    assert _complains(function, *values.values())
    assert would_replay(traced, *values.values())


def _complains(function: Any, *arguments: Any) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            function(*arguments)
        except ValueError:
            return True
    return bool(caught)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("np.nanmean(x, where=m)", "depends on the mask"),
        ("np.nanmean(x, axis=0, out=np.zeros(5))", "'out='"),
        ("np.nanvar(x, dtype=np.int64)", "must be inexact"),
        ("np.nanargmax(x, axis=(0, 1))", "one axis"),
    ],
)
def test_what_is_not_repeated_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, "f8"))
