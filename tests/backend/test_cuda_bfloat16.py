"""Do kernels of a device compute with bfloat16 what NumPy computes with the dtype of ml_dtypes?

The texts are compiled for the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_dtypes import bfloat16

from pyfuse.errors import CannotFuse
from pyfuse.graph.infer import FUSED_CODES
from tests.bfloat16_numbers import gelu, random, steps_apart
from tests.cuda_compiler import NVCC, nvcc
from tests.cuda_texts import COMPILER, cuda_source, kernels_text, run_on_shim

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")
ALL = np.arange(2**16, dtype="u2").view(bfloat16)


def most_steps(results: Any, expected: Any) -> int:
    return max(steps_apart(mine, theirs) for mine, theirs in zip(results, expected, strict=True))


def arithmetic(x: Any, y: Any) -> Any:
    return x + y, x - y, x * y, x / y, x // y, x % y, np.fmod(x, y), np.square(x) * y + 1, np.hypot(x, y)


def choices(x: Any, y: Any) -> Any:
    least, most = np.minimum(x, y), np.maximum(x, y)
    return np.where(x < y, x, -y), least, most, np.fmin(x, y), np.fmax(x, y), np.copysign(x, y), x >= y, x != y


def of_one(x: Any) -> Any:
    whole = np.rint(x), np.floor(x), np.ceil(x), np.trunc(x)
    return *whole, abs(x), -x, np.sqrt(x), 1 / x, np.reciprocal(x), np.isnan(x), np.isfinite(x), np.signbit(x)


def functions(x: Any) -> Any:
    hyperbolic = np.tanh(x), np.sinh(x), np.cosh(x), np.arctan(x)
    return *hyperbolic, np.exp(x), np.expm1(x), np.log(x), np.log1p(x), np.log2(x), np.sin(x), np.cos(x), np.cbrt(x)


@needs_compiler
@pytest.mark.parametrize("function", [arithmetic, choices])
def test_operations_on_two_arrays_are_numpys(function: Callable[..., Any], tmp_path: Path) -> None:
    x, y = random(40_000, 1), random(40_000, 2)[::-1].copy()
    with np.errstate(all="ignore"):
        assert most_steps(run_on_shim(tmp_path, function, x, y), function(x, y)) == 0


@needs_compiler
@pytest.mark.parametrize(("function", "steps"), [(of_one, 0), (functions, 1)])
def test_operations_on_every_number_are_numpys(function: Callable[..., Any], steps: int, tmp_path: Path) -> None:
    with np.errstate(all="ignore"):
        assert most_steps(run_on_shim(tmp_path, function, ALL), function(ALL)) <= steps


@needs_compiler
@pytest.mark.parametrize("code", sorted(FUSED_CODES))
def test_casts_are_numpys(code: str, tmp_path: Path) -> None:
    def cast(x: Any, y: Any) -> Any:
        return x.astype(code), y.astype(bfloat16)

    small = random(3000, 3)
    with np.errstate(invalid="ignore"):
        small = np.abs(small[np.abs(small) < 100])
    rng = np.random.default_rng(4)
    large = rng.normal(size=small.size) * 1e9
    if code[0] in "iu":
        large = rng.integers(np.iinfo(code).min, np.iinfo(code).max, small.size, code, endpoint=True)
    if code[0] == "c":
        with pytest.raises(CannotFuse, match="imaginary"):
            cuda_source(cast, small, large.astype(code))
        large = large.real
    with np.errstate(all="ignore"):
        given = large if code[0] == "c" else large.astype(code)
        assert most_steps(run_on_shim(tmp_path, cast, small, given), cast(small, given)) == 0


@needs_compiler
@pytest.mark.parametrize("code", ["b1", "i1", "u1", "i2", "i4", "i8", "f4", "f8", "c8"])
def test_other_dtypes_mix_as_numpy_says(code: str, tmp_path: Path) -> None:
    def mixed(x: Any, y: Any) -> Any:
        return x + y, y * x

    x = np.random.default_rng(5).normal(size=500).astype(bfloat16)
    y = np.random.default_rng(6).integers(0, 2, 500).astype(code)
    assert most_steps(run_on_shim(tmp_path, mixed, x, y), mixed(x, y)) == 0


def test_what_is_no_float32_in_it_is_refused() -> None:
    for function in (np.sign, np.spacing, np.frexp):
        with pytest.raises(CannotFuse, match="stays with NumPy"):
            cuda_source(lambda x, of: of(x), ALL, function)
    for reduce in (np.sum, np.max, np.argmax):
        with pytest.raises(CannotFuse):
            cuda_source(lambda x, of: of(x), ALL, reduce)


def test_its_text_reads_as_pinned(golden: Callable[[str, str], None]) -> None:
    x = np.ones((4, 1000), bfloat16)
    golden("cuda_bfloat16", kernels_text(cuda_source(gelu, x, x[0])))


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
def test_it_is_compiled_for_a_device(tmp_path: Path) -> None:
    for function, count in ((gelu, 2), (arithmetic, 2), (choices, 2), (of_one, 1), (functions, 1)):
        done = nvcc(tmp_path, cuda_source(function, *[ALL] * count).text)
        assert done.returncode == 0, done.stderr[:3000]
