"""The elementwise functions whose speed is measured, with their inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfuse.demo import black_scholes, great_circle, seawater

Array = NDArray[Any]

SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
ITERATIONS = 20


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A NumPy function to fuse.

    Attributes:
        name: words joined by underscores.
        function: the plain NumPy function of whole arrays.
        make_inputs: from the wanted number of result elements and a dtype to the positional arguments of ``function``.
        dtypes: names of the dtypes to measure; that of the first argument where the arguments differ.
        sizes: numbers of result elements to measure.
        max_ulp: how far an element may be from NumPy's, in units in its last place; 0 where only operations occur that
            are exact to the last bit.
        max_epsilons: how far an element may be from NumPy's besides, in machine epsilons of the largest element of the
            result: for differences of near numbers, whose own last place says little.
        stored_into: positions of the arguments that the function stores into; each system gets copies of its own.
    """

    name: str
    function: Callable[..., Any]
    make_inputs: Callable[[int, str], tuple[Array, ...]]
    dtypes: tuple[str, ...] = ("float64", "float32")
    sizes: tuple[int, ...] = SIZES
    max_ulp: int = 0
    max_epsilons: float = 0.0
    stored_into: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One measurement: a workload, a dtype (its name) and a number of result elements."""

    workload: Workload
    dtype: str
    size: int

    def __str__(self) -> str:
        """For example ``multiply_add-float64-100000``."""
        return f"{self.workload.name}-{self.dtype}-{self.size}"

    def make_inputs(self) -> tuple[Array, ...]:
        """The positional arguments of the workload's function."""
        return self.workload.make_inputs(self.size, self.dtype)


def cases(
    sizes: Iterable[int] = SIZES, names: Iterable[str] | None = None, workloads: Sequence[Workload] | None = None
) -> tuple[Case, ...]:
    """Every workload in every dtype, at those of its sizes that are among ``sizes``.

    Args:
        sizes: numbers of result elements.
        names: names of workloads to keep; None keeps all.
        workloads: what to choose from; None stands for ``WORKLOADS``.

    Raises:
        ValueError: a name is that of no workload.
    """
    listed = WORKLOADS if workloads is None else workloads
    wanted_sizes = tuple(sizes)
    wanted_names = tuple(workload.name for workload in listed) if names is None else tuple(names)
    if unknown := sorted(frozenset(wanted_names) - frozenset(workload.name for workload in listed)):
        raise ValueError(f"no workload is called {unknown[0]!r}")
    return tuple(
        Case(workload=workload, dtype=dtype, size=size)
        for workload in listed
        if workload.name in wanted_names
        for dtype in workload.dtypes
        for size in workload.sizes
        if size in wanted_sizes
    )


# The functions


def multiply_add(a: Array, b: Array, c: Array) -> Any:
    """One product and one sum."""
    return a * b + c


def weighted_sum(a: Array, b: Array) -> Any:
    """Two arrays with Python integers as weights."""
    return 2 * a + 3 * b


def tanh_exp(a: Array, b: Array, c: Array) -> Any:
    """Two transcendental functions."""
    return np.tanh(a * b + c) * np.exp(-a * a)


def integer_mix(a: Array, b: Array) -> Any:
    """Comparison, limits, shifts and bits of integers."""
    return np.where(a > b, np.clip(a, -1000, 1000) << 3, (b >> 2) ^ a)


def quadratic_iteration(z: Array, c: Array) -> Any:
    """The first steps towards a Mandelbrot picture."""
    for _ in range(ITERATIONS):
        z = z * z + c
    return z


def add_transposed(a: Array, b: Array) -> Any:
    """Two operands that disagree about memory order."""
    return a + b.T


def scale_rows_shift_columns(a: Array, row: Array, column: Array) -> Any:
    """A row and a column broadcast over a matrix."""
    return a * row + column


def mixed_dtypes(a: Array, b: Array, c: Array) -> Any:
    """A single precision, an integer and a double precision operand."""
    return a * b + c


# Their inputs


def make_three_vectors(size: int, dtype: str) -> tuple[Array, ...]:
    """Three vectors of standard normal numbers, each of shape (size,)."""
    return _normal((3, size), dtype)


def make_two_vectors(size: int, dtype: str) -> tuple[Array, ...]:
    """Two vectors of standard normal numbers, each of shape (size,)."""
    return _normal((2, size), dtype)


def make_integers(size: int, dtype: str) -> tuple[Array, ...]:
    """Two vectors of shape (size,) with whole numbers between -5,000 and 5,000."""
    return tuple(np.random.default_rng(3).integers(-5_000, 5_000, (2, size)).astype(dtype))


def make_quadratic_map(size: int, dtype: str) -> tuple[Array, ...]:
    """Starts at zero and constants of magnitude below a quarter, whose orbits stay bounded; of shape (size,)."""
    random = np.random.default_rng(4)
    constants = random.uniform(0.0, 0.25, size) * np.exp(2j * np.pi * random.uniform(0.0, 1.0, size))
    return np.zeros(size, dtype), constants.astype(dtype)


def make_two_squares(size: int, dtype: str) -> tuple[Array, ...]:
    """Two square matrices of about ``size`` elements."""
    side = math.isqrt(size)
    return _normal((2, side, side), dtype)


def make_matrix_row_column(size: int, dtype: str) -> tuple[Array, ...]:
    """A square matrix of about ``size`` elements, a row of shape (1, side), a column of shape (side, 1)."""
    side = math.isqrt(size)
    (matrix,) = _normal((1, side, side), dtype)
    row, column = _normal((2, side), dtype)
    return matrix, row.reshape(1, side), column.reshape(side, 1)


def make_mixed_vectors(size: int, dtype: str) -> tuple[Array, ...]:
    """Vectors of shape (size,): of ``dtype``, of 32-bit integers, of double precision."""
    a, b, c = _normal((3, size), "float64")
    return a.astype(dtype), (1000.0 * b).astype("int32"), c


def make_options(size: int, dtype: str) -> tuple[Array, ...]:
    """The demonstration's book of ``size`` options."""
    return tuple(values.astype(dtype) for values in black_scholes.make_inputs(size))


def make_places(size: int, dtype: str) -> tuple[Array, ...]:
    """Degrees of two sets of places with about ``size`` pairs, within one eighth of the globe.

    No pair is near its antipode, where the haversine formula turns the last bit into half of the digits.
    """
    side = math.isqrt(size)
    latitudes, longitudes = np.random.default_rng(5).uniform(0.0, 90.0, (2, 2, side)).astype(dtype)
    return (
        latitudes[0].reshape(side, 1),
        longitudes[0].reshape(side, 1),
        latitudes[1].reshape(1, side),
        longitudes[1].reshape(1, side),
    )


def make_ocean(size: int, dtype: str) -> tuple[Array, ...]:
    """The demonstration's ocean of about ``size`` grid points."""
    return tuple(values.astype(dtype) for values in seawater.make_inputs(size))


def _normal(shape: tuple[int, ...], dtype: str) -> tuple[Array, ...]:
    """Standard normal numbers; one array, with memory of its own, for each entry of the first dimension."""
    random = np.random.default_rng(2)
    return tuple(random.standard_normal(shape[1:]).astype(dtype) for _ in range(shape[0]))


# Two functions within 4 units each, and one for the product.
_TWO_FUNCTIONS = 9
# About ten roundings, four transcendental values of 4 units each, and room for a factor of three.
_LONG_FORMULA = 64.0

WORKLOADS = (
    Workload(name="multiply_add", function=multiply_add, make_inputs=make_three_vectors),
    Workload(name="multiply_add_half", function=multiply_add, make_inputs=make_three_vectors, dtypes=("float16",)),
    Workload(name="weighted_sum", function=weighted_sum, make_inputs=make_two_vectors),
    Workload(name="mixed_dtypes", function=mixed_dtypes, make_inputs=make_mixed_vectors, dtypes=("float32",)),
    Workload(name="add_transposed", function=add_transposed, make_inputs=make_two_squares),
    Workload(name="scale_rows_shift_columns", function=scale_rows_shift_columns, make_inputs=make_matrix_row_column),
    Workload(name="integer_mix", function=integer_mix, make_inputs=make_integers, dtypes=("int32",)),
    Workload(
        name="quadratic_iteration",
        function=quadratic_iteration,
        make_inputs=make_quadratic_map,
        dtypes=("complex128", "complex64"),
    ),
    Workload(name="tanh_exp", function=tanh_exp, make_inputs=make_three_vectors, max_ulp=_TWO_FUNCTIONS),
    Workload(name="black_scholes", function=black_scholes.prices, make_inputs=make_options, max_epsilons=_LONG_FORMULA),
    Workload(name="haversine", function=great_circle.distance, make_inputs=make_places, max_epsilons=_LONG_FORMULA),
    Workload(name="sea_water", function=seawater.density, make_inputs=make_ocean),
)
