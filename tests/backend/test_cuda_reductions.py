"""Do the CUDA texts of reductions give NumPy's answers, for every kind of loop, length, dtype and operation?

Computed on the CPU as in ``test_cuda_text``; a block's threads take turns between the points where they meet. Whole
numbers, extremes and indices are NumPy's bits; sums and products of floats are compared with exact ones.
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

# Rows of a warp, of a block, and longer than a block's registers; and columns of few and of many elements.
SHAPES = [(5, 3), (11, 50), (3, 700), (2, 5000), (2, 40_000), (700, 5), (130, 40), (40, 7, 9), (6, 5, 70)]


def sums(x: Any, axis: Any) -> Any:
    return x.sum(axis=axis), (x * 2).max(axis=axis), x.min(axis=axis, keepdims=True)


def indices(x: Any, axis: Any) -> Any:
    return np.argmax(x, axis=axis), np.argmin(x, axis=axis)


def logical(x: Any, axis: Any) -> Any:
    return (x > 0).any(axis=axis), np.all(x > -90, axis=axis), (x > 3).sum(axis=axis)


def axes_of(shape: tuple[int, ...]) -> list[Any]:
    return [None, 0, 1, (0, 1)] if len(shape) == 2 else [None, 0, 1, 2, (0, 2), (1, 2), (0, 1, 2)]


def whole(*shape: int, code: str = "i4", seed: int = 0) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(seed).integers(-100, 100, shape).astype(code)
    return made


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("function", [sums, indices, logical])
def test_whole_numbers_are_reduced_as_numpy_reduces_them(
    function: Callable[..., Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    for code in ("i4", "f8") if len(shape) == 2 else ("i4",):  # sums of whole floats are exact in any order
        x = whole(*shape, code=code)
        for axis in axes_of(shape) if function is not indices else [None, 0, 1]:
            result, expected = run_on_shim(tmp_path, function, x, axis), function(x, axis)
            assert same_bits(result, tuple(map(np.asarray, expected))), (code, axis)


@pytest.mark.parametrize("code", ["i1", "u1", "i2", "u2", "u4", "i8", "u8", "f2", "f4", "b1"])
@pytest.mark.parametrize("shape", [(3, 40), (40, 3), (2, 3000), (100, 20)])
def test_every_dtype_is_reduced(code: str, shape: tuple[int, int], tmp_path: Path) -> None:
    x = whole(*shape, code=code)
    for axis in (None, 0, 1):
        result, expected = run_on_shim(tmp_path, sums if code != "b1" else booleans, x, axis), None
        expected = (sums if code != "b1" else booleans)(x, axis)
        assert same_bits(result, tuple(map(np.asarray, expected))), axis


def booleans(x: Any, axis: Any) -> Any:
    return x.sum(axis=axis), x.max(axis=axis), np.logical_or.reduce(x, axis=axis), x.mean(axis=axis)


def bits(x: Any) -> Any:
    return np.bitwise_and.reduce(x, axis=1), np.bitwise_xor.reduce(x, axis=0), np.bitwise_or.reduce(x, axis=None)


def test_bits_are_reduced(tmp_path: Path) -> None:
    x = whole(70, 90, code="u4")
    assert same_bits(run_on_shim(tmp_path, bits, x), bits(x))


@pytest.mark.parametrize("shape", [(3, 50), (2, 4000), (50, 3), (300, 40)])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_nan_and_infinities_come_through(axis: Any, shape: tuple[int, int], tmp_path: Path) -> None:
    x = whole(*shape, code="f8")
    x[1, 2], x[0, 1], x[2 % shape[0], 0] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        for function in (extremes, indices):
            expected = tuple(map(np.asarray, function(x, axis)))
            assert same_bits(run_on_shim(tmp_path, function, x, axis), expected)


def extremes(x: Any, axis: Any) -> Any:
    return x.max(axis=axis), x.min(axis=axis), np.fmax.reduce(x, axis=axis), np.fmin.reduce(x, axis=axis)


def started(x: Any, start: Any) -> Any:
    return x.sum(axis=1, initial=start), x.max(axis=0, initial=start), x.min(initial=start), x.sum(axis=0, where=x > 0)


def test_initial_values_and_masks_count(tmp_path: Path) -> None:
    for shape in ((3, 50), (100, 70), (2, 3000)):
        x = whole(*shape, code="f8")
        expected = tuple(map(np.asarray, started(x, 60.0)))
        assert same_bits(run_on_shim(tmp_path, started, x, 60.0), expected)


def softmax(x: Any) -> Any:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def normalized(x: Any, weight: Any, bias: Any) -> Any:
    mean = x.mean(axis=-1, keepdims=True)
    spread = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(spread + 1e-5) * weight + bias


def distances(x: Any, y: Any) -> Any:
    steps = x[:, None] - y
    return np.sqrt((steps * steps).sum(axis=-1)), np.abs(steps).sum(axis=(0, 2))


@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("length", [1, 3, 31, 32, 33, 255, 257, 1000, 1025, 4096, 4097, 20_000, 70_000])
def test_rows_of_any_length_are_normalized(length: int, code: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(length)
    x = rng.normal(size=(9 if length < 300 else 2, length)).astype(code)
    weight, bias = rng.normal(size=(2, length)).astype(code)
    bound = 4e-6 if code == "f4" else 1e-14
    if length > 1:  # rows of one element are none: their extent is part of the form
        assert_near(run_on_shim(tmp_path, softmax, x), softmax(x.astype("f8")), bound)
    assert_near(run_on_shim(tmp_path, normalized, x, weight, bias), normalized(x, weight, bias), bound * 8)


def test_rows_that_lie_across_memory_are_normalized(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(60, 50))
    for array in (x.T, x[:, ::-1], x[::2, ::3], np.asfortranarray(x)):
        assert_near(run_on_shim(tmp_path, softmax, array), softmax(array), 1e-14)


def test_distances_are_measured(tmp_path: Path) -> None:
    x, y = np.random.default_rng(2).normal(size=(2, 40, 3))
    for mine, theirs in zip(run_on_shim(tmp_path, distances, x, y[:33]), distances(x, y[:33]), strict=True):
        assert_near(mine, theirs, 1e-14)


def assert_near(result: Any, expected: Any, bound: float) -> None:
    assert result.shape == expected.shape
    scale = np.abs(expected).max()
    assert np.abs(result - expected).max() <= bound * scale


@pytest.mark.parametrize("code", ["f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("shape", [(300_000,), (3, 3000), (3000, 70)])
def test_sums_are_as_near_as_pairwise_ones(code: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """The error in units of the sum of sizes, against that of NumPy's own sum."""
    rng = np.random.default_rng(3)
    x = (rng.normal(size=shape) + (1j * rng.normal(size=shape) if code[0] == "c" else 0)).astype(code)
    axis = len(shape) - 1 if shape[-1] > 100 else 0
    result = run_on_shim(tmp_path, total, x, axis)
    exact = x.astype(np.clongdouble if code[0] == "c" else np.longdouble).sum(axis=axis)
    size = np.abs(x).astype("f8").sum(axis=axis)
    unit = float(np.finfo(x.dtype).eps) / 2
    assert result.dtype == x.dtype
    bound = 1.0 if code == "f2" else 0.2  # float16 is rounded once, as by NumPy
    errors = np.abs(result.astype(exact.dtype) - exact) / (size * unit)
    if code == "f2":
        errors = np.abs(result.astype("f8") - exact) / np.maximum(np.abs(exact), 1e-3) / (2 * unit)
    assert errors.max() <= bound


def total(x: Any, axis: Any) -> Any:
    return x.sum(axis=axis)


def test_sums_are_the_same_in_every_run(tmp_path: Path) -> None:
    x = np.random.default_rng(4).normal(size=300_000).astype("f4")
    assert same_bits(run_on_shim(tmp_path, total, x, 0), run_on_shim(tmp_path, total, x, 0))


def product(x: Any) -> Any:
    return x.prod(axis=1), x.prod()


def test_products_are_near(tmp_path: Path) -> None:
    x = 1 + np.random.default_rng(5).normal(size=(40, 300)) / 100
    for mine, theirs in zip(run_on_shim(tmp_path, product, x), product(x), strict=True):
        assert np.allclose(mine, theirs, rtol=1e-11, atol=0)


def differences(x: Any) -> Any:
    return np.subtract.reduce(x, axis=0)


def largest(x: Any) -> Any:
    return x.max(axis=0)


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [(differences, "f8", "from element to element"), (largest, "c16", "complex")],
)
def test_what_threads_cannot_share_is_refused(function: Callable[..., Any], code: str, message: str) -> None:
    with pytest.raises(CannotFuse, match=message):
        cuda_source(function, np.ones((30, 40), code))


def test_a_row_that_fits_in_registers_is_read_once() -> None:
    for length, width, held in ((50, 32, 2), (1000, 128, 8), (4096, 512, 8), (8192, 1024, 8)):
        source = cuda_source(softmax, np.ones((5, length), "f4"))
        (shape,) = source.shapes
        assert (shape.walk, shape.widest, shape.per_thread) == (Walk.ROWS, width, held)
        kernel = source.text[source.text.index('extern "C"') :]
        assert kernel.count("loaded_0[k] = ") == 1
        assert kernel.count("pf_exp_f4(") == 1
    long = cuda_source(softmax, np.ones((5, 100_000), "f4")).text
    assert long[long.index('extern "C"') :].count("loaded_0[k] = ") == 3


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("length", [50, 1000, 4096, 8192, 16_384, 100_000])
def test_rows_are_compiled_without_spills(length: int, code: str, tmp_path: Path) -> None:
    for function, arguments in (
        (softmax, (np.ones((5, length), code),)),
        (normalized, (np.ones((5, length), code), np.ones(length, code), np.ones(length, code))),
    ):
        done = nvcc(tmp_path, cuda_source(function, *arguments).text, "-Xptxas", "-v")
        assert done.returncode == 0, done.stderr
        frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
        assert frames and set(frames) == {("0", "0", "0")}
