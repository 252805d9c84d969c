"""The workloads of the side-by-side report, from arrays that fit a register to arrays that leave the caches.

The size of a case is its number of result elements; of elements read where there are fewer results (sums). Square
shapes have the side ``isqrt(size)``, so that a size of 10 stands for 9 elements.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import special

from benchmarks.reduction_workloads import REDUCTION_WORKLOADS
from benchmarks.workloads import WORKLOADS, Array, Case, Workload, make_options

REPORT_SIZES = (10, 1_000, 100_000, 1_000_000, 10_000_000)
QUICK_SIZES = (10, 1_000, 100_000)
FLOATS = ("float64", "float32")
DIFFUSION = 0.1  # of a step of the stencil, below the limit of stability

# The functions that only the report has


def black_scholes_erf(spot: Array, strike: Array, years: Array, rate: Array, volatility: Array) -> Any:
    """Call and put of European options, with SciPy's error function."""
    root_years = np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / (volatility * root_years)
    d2 = d1 - volatility * root_years
    near = 0.5 + 0.5 * special.erf(0.7071067811865476 * d1)
    far = 0.5 + 0.5 * special.erf(0.7071067811865476 * d2)
    discounted = strike * np.exp(-rate * years)
    return spot * near - discounted * far, discounted * (1.0 - far) - spot * (1.0 - near)


def stencil(u: Array) -> Any:
    """One step of diffusion: each inner point and its four neighbours."""
    centre = u[1:-1, 1:-1]
    return centre + DIFFUSION * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * centre)


def accumulate_product(a: Array, b: Array, c: Array) -> Any:
    """A product added to an array in place."""
    a += b * c
    return a


def strided_product(a: Array, b: Array) -> Any:
    """Every second element of two vectors."""
    return a[::2] * b[::2]


# Their inputs


def make_field(size: int, dtype: str) -> tuple[Array, ...]:
    """A square field with about ``size`` inner points and a frame of one point."""
    side = math.isqrt(size) + 2
    return (np.random.default_rng(21).standard_normal((side, side)).astype(dtype),)


def make_three_targets(size: int, dtype: str) -> tuple[Array, ...]:
    """An array to store into and two factors, each of shape (size,)."""
    return tuple(np.random.default_rng(seed).standard_normal(size).astype(dtype) for seed in (22, 23, 24))


def make_two_long_vectors(size: int, dtype: str) -> tuple[Array, ...]:
    """Two vectors of shape (2 * size,)."""
    return tuple(np.random.default_rng(seed).standard_normal(2 * size).astype(dtype) for seed in (25, 26))


_KNOWN = {workload.name: workload for workload in (*WORKLOADS, *REDUCTION_WORKLOADS)}

NEW_WORKLOADS = (
    Workload(name="black_scholes_erf", function=black_scholes_erf, make_inputs=make_options, max_epsilons=64.0),
    Workload(name="stencil", function=stencil, make_inputs=make_field),
    Workload(name="accumulate_product", function=accumulate_product, make_inputs=make_three_targets, stored_into=(0,)),
    Workload(name="strided_product", function=strided_product, make_inputs=make_two_long_vectors),
)
_NEW = {workload.name: workload for workload in NEW_WORKLOADS}

REPORT_NAMES = (
    "multiply_add",
    "weighted_sum",
    "tanh_exp",
    "black_scholes_erf",
    "black_scholes",
    "sum_squared_differences",
    "softmax",
    "layer_norm",
    "stencil",
    "haversine",
    "integer_mix",
    "accumulate_product",
    "strided_product",
    "quadratic_iteration",
    "pairwise_distances",
    "add_transposed",
    "scale_rows_shift_columns",
    "sum_leading_axis",
    "mixed_dtypes",
    "sea_water",
)
EVERY_WORKLOAD = (*_KNOWN.values(), *NEW_WORKLOADS)

# So few operations for each byte that at the largest size the memory decides.
MEMORY_BOUND = frozenset(
    (
        "multiply_add",
        "weighted_sum",
        "sum_squared_differences",
        "stencil",
        "integer_mix",
        "accumulate_product",
        "strided_product",
        "add_transposed",
        "scale_rows_shift_columns",
        "sum_leading_axis",
        "mixed_dtypes",
    )
)


def report_cases(
    sizes: Iterable[int] = REPORT_SIZES, names: Iterable[str] = REPORT_NAMES, dtypes: Iterable[str] | None = None
) -> tuple[Case, ...]:
    """Every workload named, in the order named, in its dtypes that are among ``dtypes`` (None: in all), at every size.

    Raises:
        KeyError: a name is that of no workload.
    """
    wanted_sizes = tuple(sizes)
    wanted_dtypes = None if dtypes is None else frozenset(dtypes)
    known = {**_KNOWN, **_NEW}
    return tuple(
        Case(workload=known[name], dtype=dtype, size=size)
        for name in names
        for dtype in known[name].dtypes
        if wanted_dtypes is None or dtype in wanted_dtypes
        for size in wanted_sizes
    )


def own_arguments(workload: Workload, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments for one system: copies of those that are stored into, the others as they are."""
    return tuple(
        argument.copy() if position in workload.stored_into else argument for position, argument in enumerate(arguments)
    )
