"""Elementwise workloads as loops written by hand for numba (imported only where numba is installed).

Each is what one would write for this very shape of problem: threads over elements or rows, what a row has in common
computed once, the output allocated inside. The long formulas are the workloads' own functions, called on numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from benchmarks.report_workloads import DIFFUSION, black_scholes_erf
from benchmarks.workloads import ITERATIONS, Array
from pyfuse.demo.black_scholes import prices
from pyfuse.demo.great_circle import EARTH_RADIUS
from pyfuse.demo.seawater import density

DEGREE = math.pi / 180.0


def multiply_add(a: Array, b: Array, c: Array) -> Array:
    """Three vectors."""
    result = np.empty_like(a)
    for i in prange(a.size):
        result[i] = a[i] * b[i] + c[i]
    return result


def weighted_sum(a: Array, b: Array) -> Array:
    """Two vectors."""
    result = np.empty_like(a)
    for i in prange(a.size):
        result[i] = 2.0 * a[i] + 3.0 * b[i]
    return result


def tanh_exp(a: Array, b: Array, c: Array) -> Array:
    """Three vectors."""
    result = np.empty_like(a)
    for i in prange(a.size):
        result[i] = math.tanh(a[i] * b[i] + c[i]) * math.exp(-a[i] * a[i])
    return result


def black_scholes(spot: Array, strike: Array, years: Array, rate: Array, volatility: Array) -> Any:
    """Five vectors."""
    call, put = np.empty_like(spot), np.empty_like(spot)
    for i in prange(spot.size):
        call[i], put[i] = prices(spot[i], strike[i], years[i], rate[i], volatility[i])
    return call, put


def black_scholes_with_erf(spot: Array, strike: Array, years: Array, rate: Array, volatility: Array) -> Any:
    """Five vectors."""
    call, put = np.empty_like(spot), np.empty_like(spot)
    for i in prange(spot.size):
        call[i], put[i] = black_scholes_erf(spot[i], strike[i], years[i], rate[i], volatility[i])
    return call, put


def stencil(u: Array) -> Array:
    """A field with its frame."""
    rows, columns = u.shape[0] - 2, u.shape[1] - 2
    result = np.empty((rows, columns), u.dtype)
    for i in prange(rows):
        for j in range(columns):
            centre = u[i + 1, j + 1]
            around = u[i + 2, j + 1] + u[i, j + 1] + u[i + 1, j + 2] + u[i + 1, j]
            result[i, j] = centre + DIFFUSION * (around - 4.0 * centre)
    return result


def haversine(from_latitude: Array, from_longitude: Array, to_latitude: Array, to_longitude: Array) -> Array:
    """A column and a row of places."""
    rows, columns = from_latitude.size, to_latitude.size
    result = np.empty((rows, columns), from_latitude.dtype)
    to_phi, to_cosine = np.empty_like(to_latitude[0]), np.empty_like(to_latitude[0])
    for j in range(columns):
        to_phi[j] = to_latitude[0, j] * DEGREE
        to_cosine[j] = math.cos(to_phi[j])
    for i in prange(rows):
        phi = from_latitude[i, 0] * DEGREE
        cosine = math.cos(phi)
        for j in range(columns):
            across = math.sin(0.5 * (to_phi[j] - phi))
            along = math.sin(0.5 * DEGREE * (to_longitude[0, j] - from_longitude[i, 0]))
            half_chord = math.sqrt(across * across + cosine * to_cosine[j] * along * along)
            result[i, j] = 2.0 * EARTH_RADIUS * math.asin(min(half_chord, 1.0))
    return result


def integer_mix(a: Array, b: Array) -> Array:
    """Two vectors."""
    result = np.empty_like(a)
    for i in prange(a.size):
        x, y = a[i], b[i]
        result[i] = min(max(x, -1000), 1000) << 3 if x > y else (y >> 2) ^ x
    return result


def accumulate_product(a: Array, b: Array, c: Array) -> Array:
    """Three vectors, of which the first is stored into."""
    for i in prange(a.size):
        a[i] += b[i] * c[i]
    return a


def strided_product(a: Array, b: Array) -> Array:
    """Two vectors of even length."""
    result = np.empty(a.size // 2, a.dtype)
    for i in prange(result.size):
        result[i] = a[2 * i] * b[2 * i]
    return result


def quadratic_iteration(z: Array, c: Array) -> Array:
    """Two vectors."""
    result = np.empty_like(z)
    for i in prange(z.size):
        value, constant = z[i], c[i]
        for _ in range(ITERATIONS):
            value = value * value + constant
        result[i] = value
    return result


def add_transposed(a: Array, b: Array) -> Array:
    """Two square matrices. Tiles of 8 to 64 rows and columns were slower at most sizes (measured)."""
    side = a.shape[0]
    result = np.empty_like(a)
    for i in prange(side):
        for j in range(side):
            result[i, j] = a[i, j] + b[j, i]
    return result


def scale_rows_shift_columns(a: Array, row: Array, column: Array) -> Array:
    """A matrix, a row and a column."""
    rows, columns = a.shape
    result = np.empty_like(a)
    for i in prange(rows):
        for j in range(columns):
            result[i, j] = a[i, j] * row[0, j] + column[i, 0]
    return result


def mixed_dtypes(a: Array, b: Array, c: Array) -> Array:
    """Three vectors; the result is as wide as the widest."""
    result = np.empty_like(c)
    for i in prange(a.size):
        result[i] = a[i] * b[i] + c[i]
    return result


def sea_water(salinity: Array, temperature: Array, pressure: Array) -> Array:
    """Two fields of times, depths and places, and a number for each depth."""
    depths = pressure.size
    levels = salinity.shape[0] * depths
    result = np.empty_like(salinity)
    salt, heat, out = salinity.reshape(levels, -1), temperature.reshape(levels, -1), result.reshape(levels, -1)
    for level in prange(levels):
        weight = pressure[level % depths, 0, 0]
        for j in range(out.shape[1]):
            out[level, j] = density(salt[level, j], heat[level, j], weight)
    return result


ELEMENTWISE_LOOPS = (
    multiply_add,
    weighted_sum,
    tanh_exp,
    black_scholes,
    stencil,
    haversine,
    integer_mix,
    accumulate_product,
    strided_product,
    quadratic_iteration,
    add_transposed,
    scale_rows_shift_columns,
    mixed_dtypes,
    sea_water,
)
