"""Which calls of functions with reductions share a kernel, and which must not?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.specialization.test_key import counters

pytestmark = pytest.mark.usefixtures("c_compiler")

CUTS_EVERY_LONG_ROW = np.lib.NumpyVersion(np.__version__) < "2.3.0"


def numbers(*shape: int, dtype: str = "f8") -> np.ndarray:
    """Numbers of such different sizes that another order of adding them gives another sum."""
    values = np.random.default_rng(int(np.prod(shape)))
    return (values.normal(size=shape) * 10.0 ** values.uniform(-4, 4, shape)).astype(dtype)


def row_sums(x: Any) -> Any:
    return x.sum(axis=1)


def column_sums(x: Any) -> Any:
    return x.sum(axis=0)


def total(x: Any) -> Any:
    return x.sum()


def wide_row_sums(x: Any) -> Any:
    return x.sum(axis=1, dtype=np.float64)


def standardised(x: Any) -> Any:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=1, keepdims=True))


def running(x: Any) -> Any:
    return np.cumsum(x, axis=1)


def joined(x: Any, y: Any) -> Any:
    return np.concatenate([x * 2, y])


def test_rows_of_all_numbers_and_lengths_share_a_kernel() -> None:
    shapes = [(2, 8), (3, 9), (100, 127), (5, 1024), (2, 5000), (1000, 20)]
    assert counters(((numbers(*shape),) for shape in shapes), row_sums) == (1, 1)
    assert counters(((numbers(*shape),) for shape in shapes), standardised) == (1, 1)
    assert counters(((numbers(*shape),) for shape in shapes), running) == (1, 1)


def test_columns_of_all_numbers_and_lengths_share_a_kernel() -> None:
    shapes = [(2, 2), (3, 9), (100, 127), (5, 513), (2, 5000), (1000, 20)]
    assert counters(((numbers(*shape),) for shape in shapes), column_sums) == (1, 1)


@pytest.mark.skipif(CUTS_EVERY_LONG_ROW, reason="before NumPy 2.3 rows are cut in pieces even where nothing is cast")
def test_full_sums_in_any_number_of_parts_share_a_kernel() -> None:
    assert counters(((numbers(size),) for size in (2, 7, 1000, 32_767, 32_768, 200_001, 1_500_000)), total) == (1, 1)


def test_c_and_fortran_order_do_not_share_a_kernel() -> None:
    table = numbers(40, 30)
    calls = [(table,), (np.asfortranarray(table),), (table,), (table.T,)]
    for function in (row_sums, column_sums, standardised, running):
        assert counters(calls, function) == (1, 2)


def test_long_and_short_rows_do_not_share_a_kernel() -> None:
    assert counters(((numbers(40, length),) for length in (7, 8, 5, 50, 2)), row_sums) == (1, 2)
    assert counters(((numbers(40, length, dtype="c16"),) for length in (3, 4, 2, 50)), row_sums) == (1, 2)


@pytest.mark.skipif(CUTS_EVERY_LONG_ROW, reason="before NumPy 2.3 rows are cut in pieces even where nothing is cast")
def test_rows_that_numpy_casts_in_pieces_do_not_share_a_kernel_with_shorter_ones() -> None:
    lengths = (100, 8192, 8193, 9000, 20_000, 4096)
    assert counters(((numbers(3, length, dtype="f4"),) for length in lengths), wide_row_sums) == (1, 2)
    assert counters(((numbers(3, length),) for length in lengths), wide_row_sums) == (1, 1), "nothing is cast"


def test_steps_are_no_part_of_the_key_but_their_class_is_of_the_kernel() -> None:
    long = numbers(40, 400)
    views = [long[:, :100], long[:, 7:50], long[:, ::2], long[::3, ::5], long[:, ::-1]]
    assert counters(((view,) for view in views), row_sums) == (1, 2)


def test_pieces_of_all_sizes_share_a_kernel() -> None:
    assert counters(((numbers(first), numbers(second)) for first, second in ((5, 7), (100, 2), (3, 2000))), joined) == (
        1, 1
    )  # fmt: skip


def along(x: Any, axis: Any) -> Any:
    return x.max(axis=axis)


def test_an_axis_is_guarded_and_the_number_of_rows_is_not() -> None:
    tables = numbers(20, 30), numbers(50, 10)
    calls = [(table, axis) for axis in (0, 1, -1, None) for table in tables]
    assert counters(calls, along) == (4, 4)


def split(x: Any, parts: int) -> Any:
    first, *_ = np.split(x * 2, parts)
    return first + 1


def test_a_number_of_pieces_is_guarded_and_their_size_is_not() -> None:
    assert counters(((numbers(size), 2) for size in (8, 20, 3000)), split) == (1, 1)
    assert counters(((numbers(24), parts) for parts in (2, 3, 2, 3)), split)[1] == 2


@pytest.fixture
def buffers() -> Iterator[None]:
    """NumPy's buffer size, put back afterwards."""
    before = np.getbufsize()
    yield
    np.setbufsize(before)


@pytest.mark.usefixtures("buffers")
@pytest.mark.parametrize(
    "sizes",
    [
        (8192, 1024, 8192, 256, 1024),
        (256, 8192, 256),
    ],
)
def test_a_changed_buffer_size_gives_numpys_new_result(sizes: tuple[int, ...]) -> None:
    fused = pyfuse.fuse(wide_row_sums)
    table = numbers(50, 5000, dtype="f4")
    results = []
    for size in sizes:
        np.setbufsize(size)
        for _ in range(2):
            expected, result = wide_row_sums(table), fused(table)
            assert result.tobytes() == expected.tobytes(), size
        results.append(result.tobytes())
    assert len(set(results)) == len(set(sizes)), "the sizes give different sums, or nothing is tested"
    info = fused.cache_info()
    assert (info.misses, info.kernels, info.fused_calls, info.fallback_calls) == (1, 2, 2 * len(sizes), 0)
