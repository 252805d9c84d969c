"""Sums and means with ``where=``: NumPy adds the sum of each run of elements that count, in its own order."""

from __future__ import annotations

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

SUMS = """\
def f(x, m):
    doubled = x * 2
    return (
        np.sum(x, axis=0, where=m), np.sum(x, axis=1, where=m), np.sum(doubled, where=m),
        np.add.reduce(doubled, axis=-1, where=m[:1], initial=3, keepdims=True), doubled.sum(axis=0, where=m[:, :1]),
    )
"""


def _of_all_sizes(shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of widely differing size, so that the order of a sum shows, and a mask that is true for most."""
    random = np.random.default_rng(9)
    return (random.normal(size=shape) * 10.0 ** random.integers(-3, 3, shape)).astype(dtype), random.random(shape) < 0.8


@pytest.mark.parametrize("shape", [(5, 7), (40, 300), (3, 5000), (2, 20_000), (300, 4)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i4", "?"])
def test_a_sum_of_some_elements_is_numpys(dtype: str, shape: tuple[int, ...]) -> None:
    fused = pyfuse.fuse(function_from(SUMS))
    x, mask = _of_all_sizes(shape, dtype)
    assert_fused(fused, x, mask)
    assert_fused(fused, np.asfortranarray(x), mask)
    assert_fused(fused, x[:, ::2], np.asfortranarray(mask)[:, ::2])


def test_a_cast_sum_of_some_elements_is_cut_in_pieces_as_numpys() -> None:
    fused = pyfuse.fuse(
        function_from("def f(x, m):\n    return np.sum(x, dtype='f8', where=m), x.sum(1, 'f8', where=m)")
    )
    assert_fused(fused, *_of_all_sizes((2, 20_000), "f4"))


def test_a_row_and_its_masked_sum_are_one_nest() -> None:
    fused = pyfuse.fuse(function_from("def f(x, m):\n    return x - np.sum(x, axis=1, where=m, keepdims=True)"))
    arguments = _of_all_sizes((6, 50), "f8")
    assert_fused(fused, *arguments)
    assert "1 loop nest." in fused.explain(*arguments)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c16", "i4", "?"])
def test_a_mean_of_some_elements_is_numpys(dtype: str) -> None:
    fused = pyfuse.fuse(
        function_from(
            "def f(x, m):\n    return np.mean(x, 0, where=m), x.mean(1, where=m, keepdims=True), x.mean(where=m)"
        )
    )
    assert_fused(fused, *_of_all_sizes((40, 30), dtype))


def test_numpy_warns_of_the_mean_of_no_elements() -> None:
    fused = pyfuse.fuse(function_from("def f(x, m):\n    return np.mean(x, axis=1, where=m)"))
    x, mask = _of_all_sizes((4, 9), "f8")
    mask[2] = False
    assert_same_outcome(observe(fused, (x, mask)), observe(fused.__wrapped__, (x, mask)))
    assert observe(fused, (x, mask)).warned
    assert fused.fallback_reasons() == {"floating-point-report": 2}


def test_products_of_some_floating_elements_stay_with_numpy() -> None:
    fused = pyfuse.fuse(function_from("def f(x, m):\n    return np.prod(x, axis=1, where=m)"))
    assert_falls_back(fused, *_of_all_sizes((4, 9), "f8"), reason="unsupported-operation")
