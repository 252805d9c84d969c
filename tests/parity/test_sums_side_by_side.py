"""Sums of eight leaves of NumPy's tree at once, and of long rows of columns: every length that makes a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_fused
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

# Stretches of 544 to 1024 numbers may have eight leaves; longer ones are halved until they do.
LENGTHS = [*range(520, 1050), 1088, 1089, 1936, 1937, 2047, 2048, 2049, 3999, 9973, 16384, 16385, 100_000]
ROW_LENGTHS = (100, 300, 543, 544, 552, 559, 600, 967, 968, 969, 976, 1000, 1023, 1024, 1025, 2000)


def _normal(shape: tuple[int, ...], dtype: str, seed: int = 1) -> Any:
    """Numbers whose sum tells in which order they were added."""
    return (np.random.default_rng(seed).normal(size=shape) * 1000).astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_of_every_length_that_may_be_eight_leaves(dtype: str) -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return ((x - y) ** 2).sum(), (x + y).sum()"))
    x, y = _normal((max(LENGTHS),), dtype), _normal((max(LENGTHS),), dtype, 2)
    for length in LENGTHS:
        assert_fused(fused, x[:length], y[-length:])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("length", ROW_LENGTHS)
def test_rows_in_several_passes(length: int, dtype: str) -> None:
    scale = "np.sqrt(x.var(axis=-1, keepdims=True) + 1)"
    fused = pyfuse.fuse(function_from(f"def f(x, g):\n    return (x - x.mean(axis=-1, keepdims=True)) / {scale} * g"))
    assert_fused(fused, _normal((37, length), dtype), _normal((length,), dtype, 2))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_a_pass_by_leaves_stores_beside(dtype: str) -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    d = x - y\n    return d, (d * d).sum(axis=1), d.max(axis=1)"))
    for length in ROW_LENGTHS:
        assert_fused(fused, _normal((5, length), dtype), _normal((5, length), dtype, 2))


def test_infinities_and_nan_in_any_leaf() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return (x * 2).sum()"))
    for value in (np.inf, -np.inf, np.nan):
        for place in range(0, 1003, 7):
            x = np.ones(1003)
            x[place] = value
            assert_fused(fused, x)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i4"])
def test_sums_of_long_rows_of_columns(dtype: str) -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return x.sum(axis=0), (x * x).sum(axis=0)"))
    table = _normal((73, 9000), dtype)
    for rows in (1, 4, 7, 8, 9, 12, 15, 16, 20, 63, 64, 65, 73):
        for columns in (255, 512, 513, 1024, 1025, 4096, 4097, 9000):
            assert_fused(fused, np.ascontiguousarray(table[:rows, :columns]))
            assert_fused(fused, table[:rows, -columns:])
