"""Reductions as loops written by hand for numba (imported only where numba is installed).

Each is what one would write for this very shape of problem: threads over rows, scalars for sums, one pass over a row
per step so that the compiler may vectorise each, the output allocated inside. Sums have the dtype of the data.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba import prange

from benchmarks.reduction_workloads import EPSILON
from benchmarks.workloads import Array


def sum_squared_differences(a: Array, b: Array) -> Any:
    """Two vectors of one length."""
    total = a.dtype.type(0)
    for i in prange(a.size):
        difference = a[i] - b[i]
        total += difference * difference
    return total


def softmax(x: Array) -> Array:
    """A matrix."""
    rows, columns = x.shape
    result = np.empty_like(x)
    for i in prange(rows):
        peak = x[i, 0]
        for j in range(1, columns):
            peak = max(peak, x[i, j])
        for j in range(columns):
            result[i, j] = math.exp(x[i, j] - peak)
        total = x.dtype.type(0)
        for j in range(columns):
            total += result[i, j]
        for j in range(columns):
            result[i, j] /= total
    return result


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    """A matrix, and vectors as long as its rows."""
    rows, columns = x.shape
    result = np.empty_like(x)
    epsilon = x.dtype.type(EPSILON)
    for i in prange(rows):
        total = x.dtype.type(0)
        for j in range(columns):
            total += x[i, j]
        mean = x.dtype.type(total / columns)
        squares = x.dtype.type(0)
        for j in range(columns):
            difference = x[i, j] - mean
            squares += difference * difference
        scale = x.dtype.type(1.0 / math.sqrt(squares / columns + epsilon))
        for j in range(columns):
            result[i, j] = (x[i, j] - mean) * scale * gamma[j] + beta[j]
    return result


def pairwise_distances(x: Array, y: Array) -> Array:
    """Two sets of points in three dimensions; the dimensions are written out, which is faster than a loop over them."""
    rows, columns = x.shape[0], y.shape[0]
    result = np.empty((rows, columns), x.dtype)
    for i in prange(rows):
        x0, x1, x2 = x[i, 0], x[i, 1], x[i, 2]
        for j in range(columns):
            d0, d1, d2 = x0 - y[j, 0], x1 - y[j, 1], x2 - y[j, 2]
            result[i, j] = math.sqrt(d0 * d0 + d1 * d1 + d2 * d2)
    return result


def sum_leading_axis(x: Array) -> Array:
    """A matrix; each thread adds a band of whole rows, in the order of memory."""
    rows, columns = x.shape
    bands = numba.get_num_threads()
    partial = np.zeros((bands, columns), x.dtype)
    for band in prange(bands):
        for i in range(band * rows // bands, (band + 1) * rows // bands):
            for j in range(columns):
                partial[band, j] += x[i, j]
    result = partial[0].copy()
    for band in range(1, bands):
        for j in range(columns):
            result[j] += partial[band, j]
    return result


REDUCTION_LOOPS = (sum_squared_differences, softmax, layer_norm, pairwise_distances, sum_leading_axis)
