"""Arithmetic of what a reduction leaves, a NumPy scalar: as NumPy's scalars compute, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from pyfuse.graph.nodes import Apply
from tests.frontend.examples import COMPLEX, FLOATING, WHOLE, assert_means_for, values_of
from tests.frontend.tracing import assert_means, function_of, refusal, trace


@pytest.mark.parametrize("expression", ["x.sum() / 3", "x.sum() / x.size", "x.max() / x.min()", "1 / x.sum()"])
def test_a_quotient_of_scalars_is_numpys(expression: str) -> None:
    assert_means_for(expression)


@pytest.mark.parametrize("expression", ["x.sum() * 2", "x.sum() + 1", "x.max() // 2", "x.sum() ** 2"])
def test_arithmetic_of_whole_scalars_stays_with_numpy_which_warns_of_overflow(expression: str) -> None:
    for code in WHOLE:
        if code != "b1":
            assert "overflow" in refusal(expression, **values_of(expression, code))


def test_a_product_of_complex_scalars_stays_with_numpy() -> None:
    for code in COMPLEX:
        assert "complex NumPy scalars" in refusal("x.sum() * 2", **values_of("x", code))
        assert_means("x.sum() * v", **values_of("x v", code))


def test_a_power_of_a_scalar_takes_no_shortcut() -> None:
    """sqrt(-0.0) is -0.0, and (-0.0)**0.5 is 0.0: NumPy's scalars take the power, its arrays the root."""
    for code in FLOATING:
        assert "power" in _operations("x.max() ** 0.5", code)
        assert "power" in _operations("x.max() ** 2", code)
        assert "square" in _operations("x.max(axis=0) ** 2", code)
        assert_means("x.max() ** 2", x=np.array([3.0, -1.0], code))


def _operations(expression: str, code: str) -> set[str]:
    graph = trace(function_of(expression, ["x"]), *values_of("x", code).values()).graph
    return {node.operation for node in graph.nodes if isinstance(node, Apply)}
