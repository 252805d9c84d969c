"""The functions with reads by index arrays whose speed is measured, with their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads import Workload

Array = NDArray[Any]

GATHER_SIZES = (1_000, 100_000, 1_000_000)
COLUMNS = 16


def lookup_table(table: Array, image: Array) -> Any:
    return table[image]


def graded_image(table: Array, image: Array) -> Any:
    return table[image] * 0.9 + 0.05


def binned_values(table: Array, x: Array) -> Any:
    return table[np.clip((x * 64 + 128).astype(np.int64), 0, 255)]


def chosen_elements(x: Array, index: Array) -> Any:
    return x[index]


def chosen_rows(table: Array, index: Array) -> Any:
    return table[index]


def chosen_row_sums(table: Array, index: Array) -> Any:
    return table[index].sum(axis=1)


def chosen_pixels(image: Array, rows: Array, columns: Array) -> Any:
    return image[rows, columns] * 2


def sorted_columns(x: Array, order: Array) -> Any:
    return np.take_along_axis(x, order, axis=0)


def turned_channels(image: Array) -> Any:
    return np.take(image, CHANNELS, axis=-1)


CHANNELS = np.array([2, 1, 0])


def make_table_image(size: int, dtype: str) -> tuple[Array, ...]:
    """A table of 256 numbers, and an image of ``size`` bytes."""
    return _uniform(256, dtype), _drawn(size, 256).astype("u1")


def make_table_vector(size: int, dtype: str) -> tuple[Array, ...]:
    """A table of 256 numbers, and ``size`` normal numbers."""
    return _uniform(256, dtype), np.random.default_rng(3).standard_normal(size).astype(dtype)


def make_vector_index(size: int, dtype: str) -> tuple[Array, ...]:
    """Numbers, and as many places among them, in no order."""
    return _uniform(size, dtype), _drawn(size, size)


def make_rows_index(size: int, dtype: str) -> tuple[Array, ...]:
    """A table of 1,000 rows, and which rows make ``size`` elements."""
    return _uniform(1000 * COLUMNS, dtype).reshape(1000, COLUMNS), _drawn(size // COLUMNS, 1000).astype("i4")


def make_image_pairs(size: int, dtype: str) -> tuple[Array, ...]:
    """An image of 300 x 400, and ``size`` places in it."""
    return _uniform(120_000, dtype).reshape(300, 400), _drawn(size, 300), _drawn(size, 400, seed=5)


def make_columns_order(size: int, dtype: str) -> tuple[Array, ...]:
    """Columns, and the order that sorts each of them."""
    x = _uniform(size, dtype).reshape(-1, 10)
    return x, np.argsort(x, axis=0)


def make_channels(size: int, dtype: str) -> tuple[Array, ...]:
    """An image of three channels."""
    return (_uniform(size // 3 * 3, dtype).reshape(-1, 3),)


def _uniform(count: int, dtype: str) -> Array:
    return (np.random.default_rng(2).random(count) * 200).astype(dtype)


def _drawn(count: int, below: int, *, seed: int = 4) -> Array:
    return np.random.default_rng(seed).integers(0, below, count)


def _gather(function: Any, make_inputs: Any, dtypes: tuple[str, ...] = ("float64", "float32")) -> Workload:
    return Workload(
        name=function.__name__, function=function, make_inputs=make_inputs, dtypes=dtypes, sizes=GATHER_SIZES
    )


GATHER_WORKLOADS = (
    _gather(lookup_table, make_table_image, ("float64", "float32", "uint8")),
    _gather(graded_image, make_table_image),
    _gather(binned_values, make_table_vector),
    _gather(chosen_elements, make_vector_index),
    _gather(chosen_rows, make_rows_index),
    _gather(chosen_row_sums, make_rows_index),
    _gather(chosen_pixels, make_image_pairs),
    _gather(sorted_columns, make_columns_order),
    _gather(turned_channels, make_channels, ("float64", "uint8")),
)
