"""Do running sums and other scans give NumPy's answers on a real device, the same in every run?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.cuda_texts import same_bits
from tests.gpu.conftest import Library

SHAPES = [(1, 5), (300, 5), (3, 700), (700, 3), (3, 50_000), (50_000, 3), (100, 9000), (2000, 3000), (1, 3_000_000)]


def scans(x: Any) -> Any:
    return np.cumsum(x * 2), np.cumsum(x, axis=0), np.cumsum(x, axis=1), np.maximum.accumulate(x, axis=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("code", ["i2", "i8", "f4", "f8"])
def test_whole_numbers_are_scanned_as_numpy_scans_them(code: str, shape: tuple[int, int], library: Library) -> None:
    x = np.random.default_rng(0).integers(-2, 3, shape).astype(code)  # sums of these are exact in any order
    fused = pyfuse.fuse(scans, strict=True)
    own = library.to_device(x)
    for _ in range(2):
        result = tuple(library.to_host(value) for value in fused(own))
        assert same_bits(result, scans(x))
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (2, 0), fused.explain()


@pytest.mark.parametrize("code", ["f2", "f4", "f8", "c8"])
def test_sums_of_floats_are_near_and_always_the_same(code: str, cupy: Any) -> None:
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(3, 400_000)) + (1j * rng.normal(size=(3, 400_000)) if code == "c8" else 0)).astype(code)
    if code == "f2":
        x = x[:, :10_000]
    fused = pyfuse.fuse(along_rows, strict=True)
    own = cupy.asarray(x)
    first = cupy.asnumpy(fused(own))
    exact = along_rows(x.astype(np.clongdouble if code == "c8" else np.longdouble))
    unit = float(np.finfo(x.dtype).eps) / 2
    assert (np.abs(first - exact) / (np.abs(x).astype("f8").cumsum(axis=1) * unit)).max() <= 2.0
    for _ in range(20):
        assert same_bits(cupy.asnumpy(fused(own)), first)
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (21, 0)


def along_rows(x: Any) -> Any:
    return np.cumsum(x, axis=1)


def test_what_a_thread_does_alone_has_numpys_bits(cupy: Any) -> None:
    x = np.random.default_rng(5).normal(size=(500, 10_000))
    fused = pyfuse.fuse(down, strict=True)
    assert same_bits(tuple(map(cupy.asnumpy, fused(cupy.asarray(x)))), down(x))
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 0)


def down(x: Any) -> Any:
    return np.cumsum(x, axis=0), np.subtract.accumulate(x, axis=0), np.cumprod(x / 8, axis=0)
