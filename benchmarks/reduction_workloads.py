"""The reductions whose speed is measured, with their inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.workloads import Array, Workload

REDUCTION_SIZES = (1_000, 100_000, 1_000_000)
EPSILON = 1e-5  # keeps a normalisation from dividing by zero
DIMENSIONS = 3  # of the space in which distances are taken


# Functions of whole arrays


def sum_squared_differences(a: Array, b: Array) -> Any:
    """The squared distance of two vectors."""
    return ((a - b) ** 2).sum()


def strided_sum(x: Array) -> Any:
    """The sum of a view with gaps in both dimensions."""
    return x.sum()


def integer_sum(x: Array) -> Any:
    """The sum of 32-bit integers, which NumPy takes in 64 bits."""
    return x.sum()


def standard_scores(x: Array) -> Any:
    """Mean and deviation of all elements, applied to each."""
    return (x - x.mean()) / x.std()


def extremes(x: Array) -> Any:
    """Three reductions of one array."""
    return x.min(), x.max(), np.ptp(x)


def any_outside(x: Array) -> Any:
    """Is any element out of bounds? No, so that all must be read."""
    return np.any((x < -6.0) | (x > 6.0))


def all_near(a: Array, b: Array) -> Any:
    """Are two vectors near each other? Yes, so that all must be read."""
    return np.all(np.abs(a - b) < 20.0)


# Functions along one axis


def softmax(x: Array) -> Any:
    """Rows of positive numbers with sum one."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def layer_norm(x: Array, gamma: Array, beta: Array) -> Any:
    """Rows with mean zero and variance one, then scaled and shifted by column."""
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta


def rms_norm(x: Array, gamma: Array) -> Any:
    """Rows with mean square one, then scaled by column."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON) * gamma


def log_sum_exp(x: Array) -> Any:
    """The logarithm of each row's sum of exponentials."""
    peak = x.max(axis=1, keepdims=True)
    return np.log(np.exp(x - peak).sum(axis=1)) + peak[:, 0]


def standardise_columns(x: Array) -> Any:
    """Columns with mean zero and deviation one."""
    return (x - x.mean(axis=0)) / x.std(axis=0)


def cosine_similarity(a: Array, b: Array) -> Any:
    """The cosine of the angle between each row of one matrix and that of another."""
    return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


def pairwise_distances(x: Array, y: Array) -> Any:
    """The distance of every point of one set to every point of another."""
    return np.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=-1))


def sum_leading_axis(x: Array) -> Any:
    """The sum of each column."""
    return x.sum(axis=0)


def mean_middle_axis(x: Array) -> Any:
    """The mean over an axis with others around it."""
    return x.mean(axis=1)


def row_max(x: Array) -> Any:
    """The largest element of each row."""
    return x.max(axis=1)


def column_max(x: Array) -> Any:
    """The largest element of each column."""
    return x.max(axis=0)


def row_argmax(x: Array) -> Any:
    """The place of the largest element of each row."""
    return x.argmax(axis=1)


def column_max_with_nan(x: Array) -> Any:
    """The largest element of each column, each of which has a NaN."""
    return x.max(axis=0)


def narrow_argmax(x: Array) -> Any:
    """The place of the largest element of each of a few long columns."""
    return x.argmax(axis=0)


def middle_any(x: Array) -> Any:
    """Whether anything along an axis with a short one after it is not zero."""
    return x.any(axis=1)


def row_norms(x: Array) -> Any:
    """The length of each row."""
    return np.linalg.norm(x, axis=1)


def row_cumulative_sum(x: Array) -> Any:
    """Running sums along each row."""
    return x.cumsum(axis=1)


# Their inputs


def make_vector(size: int, dtype: str) -> tuple[Array, ...]:
    """One vector of standard normal numbers, of shape (size,)."""
    return (_normal((size,), dtype, seed=11),)


def make_two_vectors(size: int, dtype: str) -> tuple[Array, ...]:
    """Two vectors of standard normal numbers, each of shape (size,)."""
    return _normal((size,), dtype, seed=11), _normal((size,), dtype, seed=12)


def make_integer_vector(size: int, dtype: str) -> tuple[Array, ...]:
    """One vector of shape (size,) with whole numbers that do not fit 32 bits when added."""
    return (np.random.default_rng(13).integers(-(2**30), 2**31, size).astype(dtype),)


def make_square(size: int, dtype: str) -> tuple[Array, ...]:
    """One square matrix of about ``size`` elements."""
    side = math.isqrt(size)
    return (_normal((side, side), dtype, seed=11),)


def make_two_squares(size: int, dtype: str) -> tuple[Array, ...]:
    """Two square matrices of about ``size`` elements each."""
    side = math.isqrt(size)
    return _normal((side, side), dtype, seed=11), _normal((side, side), dtype, seed=12)


def make_square_row(size: int, dtype: str) -> tuple[Array, ...]:
    """A square matrix of about ``size`` elements, and factors for its columns."""
    side = math.isqrt(size)
    return _normal((side, side), dtype, seed=11), _normal((side,), dtype, seed=12)


def make_square_two_rows(size: int, dtype: str) -> tuple[Array, ...]:
    """A square matrix of about ``size`` elements, and factors and shifts for its columns."""
    return (*make_square_row(size, dtype), _normal((math.isqrt(size),), dtype, seed=13))


def make_strided_view(size: int, dtype: str) -> tuple[Array, ...]:
    """Every second element of every second row of a square, about ``size`` elements."""
    side = 2 * math.isqrt(size)
    return (_normal((side, side), dtype, seed=11)[::2, ::2],)


def make_cube(size: int, dtype: str) -> tuple[Array, ...]:
    """A cube of about ``size`` elements."""
    side = round(size ** (1 / 3))
    return (_normal((side, side, side), dtype, seed=11),)


def make_square_with_nan(size: int, dtype: str) -> tuple[Array, ...]:
    """A square matrix of about ``size`` elements with one row of NaN."""
    (square,) = make_square(size, dtype)
    square[len(square) // 2] = np.nan
    return (square,)


def make_four_columns(size: int, dtype: str) -> tuple[Array, ...]:
    """About ``size`` elements in rows of four."""
    return (_normal((size // 4, 4), dtype, seed=11),)


def make_box(size: int, dtype: str) -> tuple[Array, ...]:
    """About ``size`` elements, of which 30 lie side by side."""
    side = math.isqrt(size // 30)
    return (_normal((side, side, 30), dtype, seed=11),)


def make_two_point_sets(size: int, dtype: str) -> tuple[Array, ...]:
    """Two sets of points in space that form about ``size`` pairs."""
    side = math.isqrt(size)
    return _normal((side, DIMENSIONS), dtype, seed=11), _normal((side, DIMENSIONS), dtype, seed=12)


def _normal(shape: tuple[int, ...], dtype: str, *, seed: int) -> Array:
    """Standard normal numbers with memory of their own."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def _reduction(
    function: Any, make_inputs: Any, *, dtypes: tuple[str, ...] = ("float64", "float32"), max_epsilons: float = 0.0
) -> Workload:
    """A workload named like its function, at the sizes of reductions."""
    return Workload(
        name=function.__name__,
        function=function,
        make_inputs=make_inputs,
        dtypes=dtypes,
        sizes=REDUCTION_SIZES,
        max_epsilons=max_epsilons,
    )


# Exponentials within 4 units each, their sum, and a logarithm or quotient; room for a factor of two.
_EXPONENTIALS = 16.0

REDUCTION_WORKLOADS = (
    _reduction(sum_squared_differences, make_two_vectors),
    _reduction(softmax, make_square, max_epsilons=_EXPONENTIALS),
    _reduction(layer_norm, make_square_two_rows),
    _reduction(pairwise_distances, make_two_point_sets),
    _reduction(log_sum_exp, make_square, max_epsilons=_EXPONENTIALS),
    _reduction(rms_norm, make_square_row),
    _reduction(standardise_columns, make_square),
    _reduction(cosine_similarity, make_two_squares),
    _reduction(standard_scores, make_vector),
    _reduction(sum_leading_axis, make_square),
    _reduction(mean_middle_axis, make_cube),
    _reduction(strided_sum, make_strided_view),
    _reduction(row_max, make_square),
    _reduction(column_max, make_square),
    _reduction(column_max_with_nan, make_square_with_nan),
    _reduction(row_argmax, make_square),
    _reduction(narrow_argmax, make_four_columns, dtypes=("float64", "float32", "int32", "complex128")),
    _reduction(middle_any, make_box, dtypes=("float64", "float32", "complex128")),
    _reduction(row_norms, make_square),
    _reduction(row_cumulative_sum, make_square),
    _reduction(extremes, make_vector),
    _reduction(any_outside, make_vector),
    _reduction(all_near, make_two_vectors),
    _reduction(integer_sum, make_integer_vector, dtypes=("int32",)),
)
