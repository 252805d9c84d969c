"""Numbers of bfloat16 for tests, and how far two arrays of them are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from ml_dtypes import bfloat16


def random(count: int, seed: int) -> np.ndarray:
    """Ordinary numbers, whole ones, and any bits."""
    rng = np.random.default_rng(seed)
    whole, bits = rng.integers(-9, 9, count), rng.integers(0, 2**16, count).astype("u2")
    return np.concatenate([rng.normal(size=count).astype(bfloat16), whole.astype(bfloat16), bits.view(bfloat16)])


def steps_apart(result: Any, expected: Any) -> int:
    """Between which numbers of the dtype two arrays lie at most; NaNs are equal."""
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    if expected.dtype != bfloat16:
        return 0 if np.array_equal(result, expected, equal_nan=expected.dtype.kind in "fc") else 2**16
    is_nan = np.isnan(expected)
    assert np.array_equal(np.isnan(result), is_nan)
    bits = [np.where(is_nan, 0, array.view("u2")).astype(int) for array in (result, expected)]
    return int(np.abs(bits[0] - bits[1]).max(initial=0))


def gelu(x: Any, y: Any) -> Any:
    return np.maximum(x, 0) * np.tanh(x * 0.5).astype(bfloat16) + y
