"""Are the functions of doubles that a device has of its own within 2 ULP of the correct result, with NumPy's edges?

The texts are compiled for the CPU; long doubles say what is correct.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_texts import COMPILER, most_ulps, run_on_shim, same_bits

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")

MOST_ULPS = {"log": 1.0, "tanh": 2.0}
EDGES = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 2e-310, 2.0**-1022, 1.7e308, 22.0, 22.1, -1e300]


def function(x: Any) -> Any:
    return np.log(x), np.tanh(x)


def exponents(low: float, high: float) -> np.ndarray:
    return 10.0 ** np.random.default_rng(7).uniform(low, high, 200_000)


@pytest.mark.parametrize(
    "samples",
    [exponents(-300, 300), exponents(-5, 2), exponents(-0.8, 0.8), -exponents(-2, 1)],
    ids=["all sizes", "ordinary", "near one", "negative"],
)
def test_they_are_near_the_correct_result(samples: np.ndarray, tmp_path: Path) -> None:
    mine = run_on_shim(tmp_path, function, samples)
    with np.errstate(invalid="ignore"):
        exact = function(samples.astype(np.longdouble))
    found = {name: most_ulps(*pair) for name, *pair in zip(MOST_ULPS, mine, exact, strict=True)}
    assert all(found[name] <= bound for name, bound in MOST_ULPS.items()), found


def test_a_step_of_the_reduction_is_no_step_of_the_function(tmp_path: Path) -> None:
    """Where tanh takes the next power of two, at odd multiples of ln 2 / 4, and log that of its operand."""
    places = np.concatenate([np.arange(1, 60, 2) * np.log(2) / 4, np.sqrt(0.5) * 2.0 ** np.arange(-9, 9)])
    samples = np.concatenate([places + step * np.spacing(places) for step in range(-50, 51)])
    mine, exact = run_on_shim(tmp_path, function, samples), function(samples.astype(np.longdouble))
    found = {name: most_ulps(*pair) for name, *pair in zip(MOST_ULPS, mine, exact, strict=True)}
    assert all(found[name] <= bound for name, bound in MOST_ULPS.items()), found


def test_the_edges_are_numpys(tmp_path: Path) -> None:
    samples = np.array(EDGES)
    with np.errstate(all="ignore"):
        log, tanh = function(samples)
    mine = run_on_shim(tmp_path, function, samples)
    assert same_bits(mine[1], tanh)
    is_exact = ~np.isfinite(log) | (log == 0)
    assert same_bits(mine[0][is_exact], log[is_exact])
    assert np.allclose(mine[0][~is_exact], log[~is_exact], rtol=3e-16, atol=0)
