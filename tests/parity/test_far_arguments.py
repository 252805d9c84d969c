"""Arguments that ask for a function's careful road: where they stand, and what stands beside them, changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse

SHAPES = [(1,), (31,), (4096,), (4097,), (20_001,), (300, 31), (3, 5000), (2, 3, 4096), (0,), (5, 0)]
FAR = {"float32": 2.0**20, "float64": 2.0**40}


def waves(x: Any, scale: Any) -> Any:
    return np.sin(x) * scale, np.cos(x)


@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("shape", SHAPES)
def test_far_arguments_leave_their_neighbours_alone(shape: tuple[int, ...], dtype: str) -> None:
    random = np.random.default_rng(8)
    x = random.uniform(-100, 100, shape).astype(dtype)
    scale = random.uniform(1, 2, shape).astype(dtype)
    fused = pyfuse.fuse(waves, strict=True)
    near = fused(x, scale)
    far = random.uniform(size=shape) < 2e-4
    far.flat[-1:] = True
    mixed = np.where(far, np.asarray(FAR[dtype], dtype) + x, x)
    found = fused(mixed, scale)
    assert fused.cache_info().fallback_calls == 0
    expected = waves(mixed.astype("f8"), scale.astype("f8"))
    for got, before, exact in zip(found, near, expected, strict=True):
        assert got[~far].tobytes() == before[~far].tobytes()
        np.testing.assert_allclose(got, exact, rtol=0, atol=4 * float(np.finfo(dtype).eps))
