"""Do the CUDA texts of reads by index arrays give NumPy's bits, and report an index out of range?

Computed on the CPU as in ``test_cuda_reductions``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.cuda.launch_shape import Walk
from tests.cuda_compiler import NVCC, nvcc
from tests.cuda_texts import COMPILER, cuda_source, run_on_shim, same_bits

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


def looked_up(table: Any, index: Any) -> Any:
    return table[index] * 2 + 1


def rows(table: Any, index: Any) -> Any:
    return table[index] - table


def columns(table: Any, index: Any) -> Any:
    return table[:, index] * 2


def pairs(table: Any, index: Any) -> Any:
    return table[index, index[::-1]]


def computed(table: Any, x: Any) -> Any:
    return table[np.clip((x * 40).astype(np.int64), 0, 39)]


def of_computed(x: Any, index: Any) -> Any:
    return (x * x)[index]


def sums_of_rows(table: Any, index: Any) -> Any:
    return table[index].sum(axis=1)


def sums_of_columns(table: Any, index: Any) -> Any:
    return table[index].sum(axis=0)


def sum_of_all(table: Any, index: Any) -> Any:
    return table[index].sum()


def sums_of_axes(table: Any, index: Any) -> Any:
    return table[:, index].sum(axis=(1, 2))


def scanned(table: Any, index: Any) -> Any:
    return np.cumsum(table[index], axis=0)


def alone(table: Any, index: Any) -> Any:
    return np.take(table, index)


def clipped(table: Any, index: Any) -> Any:
    return np.take(table, index, mode="clip")


def wrapped(table: Any, index: Any) -> Any:
    return np.take(table, index, mode="wrap")


def whole(*shape: int, code: str = "f8", seed: int = 0) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(seed).integers(-100, 100, shape).astype(code)
    return made


def indices(extent: int, *shape: int, code: str = "i8", seed: int = 1) -> np.ndarray:
    """Some of them count from the end."""
    low = 0 if code[0] == "u" else -extent
    made: np.ndarray = np.random.default_rng(seed).integers(low, extent, shape).astype(code)
    return made


CASES: list[tuple[Callable[..., Any], tuple[np.ndarray, np.ndarray]]] = [
    (looked_up, (whole(40), indices(40, 1000))),
    (looked_up, (whole(40, code="f4"), indices(40, 30, 70, code="u1"))),
    (looked_up, (whole(40, code="c16"), indices(40, 7, code="i2"))),
    (looked_up, (whole(40) > 0, indices(40, 300, code="i4"))),
    (rows, (whole(40, 50), indices(40, 40))),
    (rows, (whole(40, 3, code="f4"), indices(40, 40, code="i4"))),
    (rows, (whole(50, 40).T, indices(40, 40))),
    (columns, (whole(30, 70), indices(70, 90))),
    (columns, (whole(30, 70)[:, ::-1], indices(70, 90))),
    (columns, (whole(30, 70), indices(70, 5, 6))),
    (pairs, (whole(40, 40), indices(40, 1000))),
    (computed, (whole(40), np.random.default_rng(2).random((20, 30)))),
    (of_computed, (whole(1000), indices(1000, 77))),
    (sums_of_rows, (whole(40, 50), indices(40, 9))),
    (sums_of_rows, (whole(40, 3000), indices(40, 9))),
    (sums_of_rows, (whole(40, 70_000), indices(40, 2))),
    (sums_of_columns, (whole(40, 50), indices(40, 9))),
    (sums_of_columns, (whole(40, 50), indices(40, 900))),
    (sum_of_all, (whole(40), indices(40, 10_000))),
    (sum_of_all, (whole(40, 6), indices(40, 1000))),
    (sums_of_axes, (whole(5, 70, 7), indices(70, 13))),
    (scanned, (whole(40), indices(40, 20_000))),
    (scanned, (whole(40), indices(40, 20))),
    (alone, (whole(40, 7), indices(280, 1000))),
    (clipped, (whole(40), indices(400, 1000))),
    (wrapped, (whole(40), indices(400, 1000))),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_indices_choose_is_read(number: int, tmp_path: Path) -> None:
    function, arguments = CASES[number]
    for is_wide in (False, True):
        result = run_on_shim(tmp_path, function, *arguments, is_wide=is_wide)
        assert same_bits(result, np.asarray(function(*arguments)))
        assert result.strides == np.asarray(function(*arguments)).strides


@pytest.mark.parametrize(
    ("function", "table", "shape"),
    [
        (looked_up, whole(40), (1000,)), (rows, whole(40, 50), (40,)), (columns, whole(3, 40), (90,)),
        (sums_of_rows, whole(40, 3000), (9,)), (sums_of_columns, whole(40, 50), (90,)),
        (sum_of_all, whole(40), (5000,)), (scanned, whole(40), (20_000,)), (scanned, whole(40), (20,)),
    ],
)  # fmt: skip
def test_an_index_out_of_range_is_reported_wherever_it_is(
    function: Callable[..., Any], table: np.ndarray, shape: tuple[int, ...], tmp_path: Path
) -> None:
    for place in (0, shape[0] // 2, shape[0] - 1):
        for wrong in (40, -41, 2**31 + 1, -(2**62)):
            index = indices(40, *shape)
            index[place] = wrong
            with pytest.raises(IndexError):
                function(table, index)
            with pytest.raises(IndexError):
                run_on_shim(tmp_path, function, table, index)
    assert same_bits(run_on_shim(tmp_path, function, table, indices(40, *shape)), function(table, indices(40, *shape)))


def test_what_cannot_be_out_of_range_has_nowhere_to_report() -> None:
    for function, is_reporting in ((looked_up, True), (clipped, False), (wrapped, False)):
        source = cuda_source(function, whole(40), indices(40, 1000))
        assert [shape.reports for shape in source.shapes] == [is_reporting]
        assert ("*report" in source.text) == is_reporting


def test_squares_are_not_turned_where_indices_choose() -> None:
    source = cuda_source(rows, whole(50, 40).T, indices(40, 40))
    assert [shape.walk for shape in source.shapes] == [Walk.MAP]


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("number", range(len(CASES)))
def test_reads_by_indices_are_compiled_without_spills(number: int, tmp_path: Path) -> None:
    function, arguments = CASES[number]
    done = nvcc(tmp_path, cuda_source(function, *arguments).text, "-Xptxas", "-v")
    assert done.returncode == 0, done.stderr
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
    assert frames and set(frames) == {("0", "0", "0")}
