"""Do bfloat16 tensors and arrays run fused on a real device, with NumPy's answers?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.bfloat16_numbers import gelu, random, steps_apart

ml_dtypes = pytest.importorskip("ml_dtypes")


def to_torch(torch: Any, array: np.ndarray) -> Any:
    return torch.from_numpy(array.view("i2")).cuda().view(torch.bfloat16)


def of_torch(torch: Any, tensor: Any) -> np.ndarray:
    assert tensor.is_cuda and tensor.dtype == torch.bfloat16
    made: np.ndarray = tensor.view(torch.int16).cpu().numpy().view(ml_dtypes.bfloat16)
    return made


def arithmetic(x: Any, y: Any) -> Any:
    return (x + y) * y - x / y, np.maximum(x, y) // 2, np.sqrt(abs(x))


def test_tensors_have_numpys_bits(torch: Any) -> None:
    fused = pyfuse.fuse(arithmetic, strict=True)
    for seed, count in ((1, 100_000), (2, 100_000), (3, 77)):
        x, y = random(count, seed), random(count, seed + 10)
        with np.errstate(all="ignore"):
            expected = arithmetic(x, y)
        for mine, theirs in zip(fused(to_torch(torch, x), to_torch(torch, y)), expected, strict=True):
            assert steps_apart(of_torch(torch, mine), theirs) == 0
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 3, 0), fused.fallback_reasons()


def test_functions_are_a_step_from_numpys_at_most(torch: Any) -> None:
    fused = pyfuse.fuse(gelu, strict=True)
    x, y = random(100_000, 1).reshape(300, 1000), random(1000, 2)[:1000]
    for _ in range(3):  # the second goes through the launcher
        result = fused(to_torch(torch, x), to_torch(torch, y))
        with np.errstate(all="ignore"):
            assert steps_apart(of_torch(torch, result), gelu(x, y)) <= 1
    assert fused.cache_info().fused_calls == 3 and fused.cache_info().fallback_calls == 0


def test_strided_tensors_float32_and_views(torch: Any) -> None:
    def mixed(x: Any, y: Any) -> Any:
        return x[:, 1:] * y[:, ::2].astype("f4"), x.T

    x, y = random(1000, 1)[:2000].reshape(20, 100), random(4000, 2)[: 20 * 198].reshape(20, 198)
    fused = pyfuse.fuse(mixed, strict=True)
    product, turned = fused(to_torch(torch, x), to_torch(torch, y))
    assert product.dtype == torch.float32
    with np.errstate(all="ignore"):
        assert np.array_equal(product.cpu().numpy(), mixed(x, y)[0], equal_nan=True)
    assert steps_apart(of_torch(torch, turned.contiguous()), np.ascontiguousarray(x.T)) == 0
    assert fused.cache_info().fused_calls == 1 and fused.cache_info().fallback_calls == 0


def test_arrays_of_cupy_have_numpys_bits(cupy: Any) -> None:
    x, y = random(10_000, 1), random(10_000, 2)
    try:
        given = [cupy.asarray(x), cupy.asarray(y)]
    except (TypeError, ValueError) as error:
        pytest.skip(f"this CuPy has no bfloat16: {error}")
    fused = pyfuse.fuse(arithmetic, strict=True)
    for _ in range(2):
        with np.errstate(all="ignore"):
            expected = arithmetic(x, y)
        for mine, theirs in zip(fused(*given), expected, strict=True):
            assert isinstance(mine, cupy.ndarray)
            assert steps_apart(cupy.asnumpy(mine), theirs) == 0
    assert fused.cache_info().fused_calls == 2 and fused.cache_info().fallback_calls == 0
