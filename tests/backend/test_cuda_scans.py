"""Do the CUDA texts of scans give NumPy's answers, whosever work a scan is?

Computed on the CPU as in ``test_cuda_reductions``. Whole numbers, extremes and what a thread does alone are NumPy's
bits; sums of floats that threads share are compared with exact ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.cuda.launch_shape import Walk
from pyfuse.errors import CannotFuse
from tests.cuda_compiler import NVCC, nvcc
from tests.cuda_texts import COMPILER, cuda_source, run_on_shim, same_bits

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")

ALONE, SHARED, IN_CHUNKS = [Walk.SINGLE_SCANS], [Walk.SCANS], [Walk.CHUNKS, Walk.JOINED, Walk.CHUNKS]


def flat(x: Any) -> Any:
    return np.cumsum(x * 2)


def raveled(x: Any) -> Any:
    return np.cumsum(x)


def along_rows(x: Any) -> Any:
    return np.cumsum(x, axis=-1)


def along_columns(x: Any) -> Any:
    return np.cumsum(x, axis=0)


def along_middle(x: Any) -> Any:
    return np.cumsum(x, axis=1)


def largest(x: Any) -> Any:
    return np.maximum.accumulate(x, axis=-1), np.minimum.accumulate(x, axis=0)


def products(x: Any) -> Any:
    return np.cumprod(x, axis=0), np.multiply.accumulate(x, axis=1)


def differences(x: Any) -> Any:
    return np.subtract.accumulate(x, axis=0)


def around(x: Any) -> Any:
    """What is scanned is computed, and what follows reads it."""
    centred = x - x.mean(axis=-1, keepdims=True)
    sums = np.cumsum(centred, axis=-1)
    return sums / (1 + np.abs(sums).max(axis=-1, keepdims=True))


def whole(*shape: int, code: str = "i8", seed: int = 0) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(seed).integers(-100, 100, shape).astype(code)
    return made


def walks(function: Callable[..., Any], *arguments: Any) -> list[Walk]:
    """Of the scans; arrays that are raveled may be written before."""
    return [shape.walk for shape in cuda_source(function, *arguments).shapes if shape.walk is not Walk.MAP]


CASES = [
    (flat, (1,), ALONE), (flat, (64,), ALONE), (flat, (65,), SHARED), (flat, (16_383,), SHARED),
    (flat, (16_384,), IN_CHUNKS), (flat, (100_000,), IN_CHUNKS), (flat, (30, 41), SHARED), (flat, (2, 8192), IN_CHUNKS),
    (along_rows, (300, 5), ALONE), (along_rows, (3, 700), SHARED), (along_rows, (3, 20_000), IN_CHUNKS),
    (along_rows, (4, 5, 70), SHARED), (along_rows, (300, 300), SHARED),
    (along_columns, (5, 300), ALONE), (along_columns, (70, 9000), ALONE), (along_columns, (700, 3), SHARED),
    (along_columns, (20_000, 3), IN_CHUNKS), (along_middle, (4, 700, 3), SHARED), (along_middle, (5, 6, 7), ALONE),
    (along_middle, (2, 17_000, 2), IN_CHUNKS),
]  # fmt: skip


@pytest.mark.parametrize(("function", "shape", "expected"), CASES)
def test_whole_numbers_are_scanned_as_numpy_scans_them(
    function: Callable[..., Any], shape: tuple[int, ...], expected: list[Walk], tmp_path: Path
) -> None:
    for code in ("i8", "f4"):  # sums of whole floats are exact in any order
        x = whole(*shape, code=code)
        assert walks(function, x) == expected
        for is_wide in (False, True):
            assert same_bits(run_on_shim(tmp_path, function, x, is_wide=is_wide), function(x))


@pytest.mark.parametrize("code", ["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(20, 30), (90, 100), (17_000, 2)])
def test_every_dtype_is_scanned(code: str, shape: tuple[int, int], tmp_path: Path) -> None:
    x = whole(*shape, code=code) if code != "b1" else whole(*shape) > 95
    if code in ("f2", "f4", "f8"):
        x = np.sign(x).astype(code)
    for function in (along_rows, along_columns) if shape[0] < 1000 else (along_rows,):
        assert same_bits(run_on_shim(tmp_path, function, x), function(x)), function
    assert same_bits(run_on_shim(tmp_path, largest, x), largest(x))
    assert same_bits(run_on_shim(tmp_path, products, x), products(x)) or code == "f2"


@pytest.mark.parametrize("shape", [(300, 40), (3, 700), (20_000, 3)])
def test_nan_and_infinities_come_through(shape: tuple[int, int], tmp_path: Path) -> None:
    x = whole(*shape, code="f8")
    x[1, 2], x[0, 1], x[2, 0] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        for function in (along_rows, along_columns, largest):
            assert same_bits(run_on_shim(tmp_path, function, x), function(x))


def test_negative_zeros_stay(tmp_path: Path) -> None:
    for length in (5, 100, 17_000):
        x = np.full(length, -0.0)
        assert same_bits(run_on_shim(tmp_path, along_rows, x), np.cumsum(x))


def test_what_a_thread_does_alone_has_numpys_bits(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(70, 9000))
    for code in ("f4", "f8", "f2", "c8", "c16"):
        y = x.astype(code)
        assert walks(along_columns, y) == ALONE
        assert same_bits(run_on_shim(tmp_path, along_columns, y), along_columns(y))
    assert same_bits(run_on_shim(tmp_path, differences, x), differences(x))
    assert same_bits(run_on_shim(tmp_path, along_columns, x[::-1, ::-1]), along_columns(x[::-1, ::-1]))


@pytest.mark.parametrize("code", ["f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("shape", [(300_000,), (3, 3000), (3000, 70)])
def test_sums_are_near_the_exact_ones(code: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """The error in units of the sum of sizes: a whole sum as the device's sums are held to, one of few at most two."""
    rng = np.random.default_rng(3)
    x = (rng.normal(size=shape) + (1j * rng.normal(size=shape) if code[0] == "c" else 0)).astype(code)
    function, axis = (along_rows, -1) if shape[-1] > 100 else (along_columns, 0)
    result = run_on_shim(tmp_path, function, x)
    exact = x.astype(np.clongdouble if code[0] == "c" else np.longdouble).cumsum(axis=axis)
    size = np.abs(x).astype("f8").cumsum(axis=axis)
    unit = float(np.finfo(x.dtype).eps) / 2
    assert result.dtype == x.dtype
    errors = np.abs(result.astype(exact.dtype) - exact) / (size * unit)
    assert errors.max() <= 2.0  # of a few elements NumPy's own error is as large
    if code != "f2":
        assert np.take(errors, -1, axis=axis).max() <= 0.2
    assert same_bits(result, run_on_shim(tmp_path, function, x))


@pytest.mark.parametrize("shape", [(40, 50), (3, 700), (2, 17_000)])
def test_what_is_around_a_scan_is_fused(shape: tuple[int, int], tmp_path: Path) -> None:
    x = np.random.default_rng(4).normal(size=shape)
    result, expected = run_on_shim(tmp_path, around, x), around(x)
    assert np.abs(result - expected).max() <= 1e-12


@pytest.mark.parametrize("array", ["turned", "flipped", "skipped"])
def test_arrays_of_any_strides_are_scanned(array: str, tmp_path: Path) -> None:
    x = whole(180, 210)
    made = {"turned": x.T, "flipped": x[:, ::-1], "skipped": x[::2, ::3]}[array]
    for function in (raveled, along_rows, along_columns):
        assert same_bits(run_on_shim(tmp_path, function, made), function(made))


def test_no_block_writes_what_another_one_reads() -> None:
    """The last result of each chunk is there before the others are computed, and stays."""
    ends, joined, rest = cuda_source(flat, whole(100_000)).text.split('extern "C" __global__')[1:]
    assert "if (j == end - 1) " in ends and "if (j < end - 1) " in rest
    assert "if (chunks <= end) " in joined and "const pf_index j = begin - 1;" in rest


def test_a_difference_that_threads_cannot_share_is_refused() -> None:
    with pytest.raises(CannotFuse, match="from element to element"):
        cuda_source(differences, np.ones(1000))


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("code", ["f2", "f4", "f8", "c16"])
@pytest.mark.parametrize("length", [50, 1000, 20_000])
def test_scans_are_compiled_without_spills(length: int, code: str, tmp_path: Path) -> None:
    done = nvcc(tmp_path, cuda_source(along_rows, np.ones((5, length), code)).text, "-Xptxas", "-v")
    assert done.returncode == 0, done.stderr
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
    assert frames and set(frames) == {("0", "0", "0")}
