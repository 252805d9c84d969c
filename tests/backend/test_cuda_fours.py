"""Does a full block of float32 take 16 bytes at a time where operands allow it, and only there, with NumPy's answer?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_texts import COMPILER, cuda_source, run_on_shim, same_bits

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")
_FLOATS = 8192


def function(x: Any, y: Any) -> Any:
    return x * y + 1, x - y


def aligned() -> Any:
    """Zeros that begin at a multiple of 64 bytes."""
    space = np.zeros(_FLOATS + 16, "f4")
    return space[-space.ctypes.data % 64 // 4 :][:_FLOATS]


def placed(shape: tuple[int, ...], start: int, gap: int, seed: int) -> Any:
    """Random float32 that begin so many elements behind a multiple of 64 bytes, with a gap behind each row."""
    rows, columns = shape
    made = aligned()[start:][: rows * (columns + gap)].reshape(rows, columns + gap)[:, :columns]
    made[...] = np.random.default_rng(seed).random(shape)
    return made


def takes_fours(*arguments: Any) -> bool:
    """Whether the kernel's text has the lines."""
    return "const four taken_0 = *(const four *)" in cuda_source(function, *arguments).text


@needs_compiler
@pytest.mark.parametrize("gap", [0, 4])
@pytest.mark.parametrize("starts", [(0, 0), (4, 8), (1, 1), (0, 1), (2, 0)])
@pytest.mark.parametrize("shape", [(1, 2048), (1, 2051), (3, 1024), (2, 1028), (5, 8), (3, 3)])
def test_full_blocks_of_aligned_float32_are_taken_16_bytes_at_a_time(
    shape: tuple[int, int], starts: tuple[int, int], gap: int, tmp_path: Path
) -> None:
    x, y = (placed(shape, start, gap, seed) for seed, start in enumerate(starts))
    assert takes_fours(x, y) or (gap and shape == (3, 3))
    for mine, theirs in zip(run_on_shim(tmp_path, function, x, y), function(x, y), strict=True):
        assert same_bits(mine, theirs)


@needs_compiler
@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("start", [0, 1, 2, 4])
@pytest.mark.parametrize("count", [1023, 2046, 2048])
def test_nothing_is_written_around_a_result_wherever_it_lies(
    count: int, start: int, is_wide: bool, tmp_path: Path
) -> None:
    x, y = placed((1, count), 0, 0, 1)[0], placed((1, count), 0, 0, 2)[0]
    results = [placed((1, count), 4 + start, 0, seed)[0] for seed in (3, 4)]
    run_on_shim(tmp_path, function, x, y, is_wide=is_wide, memory=results)
    for result, expected in zip(results, function(x, y), strict=True):
        assert same_bits(result, expected)
        result[...] = 0
        assert not result.base.any()


@needs_compiler
def test_a_value_of_a_row_is_taken_once(tmp_path: Path) -> None:
    x, y = placed((5, 1024), 0, 0, 1), placed((5, 1), 0, 0, 2)
    text = cuda_source(function, x, y).text
    assert text.count("*(const four *)") == 1
    for mine, theirs in zip(run_on_shim(tmp_path, function, x, y), function(x, y), strict=True):
        assert same_bits(mine, theirs)


def test_other_operands_have_the_text_of_single_elements_only() -> None:
    x = placed((4, 1024), 0, 0, 1)
    assert takes_fours(x, x)
    assert not takes_fours(x, x.astype("f8"))
    assert not takes_fours(x.astype("f8"), x.astype("f8"))
    assert not takes_fours(x.astype("i4"), x.astype("i4"))
    assert not takes_fours(x[:, ::2], x[:, ::2])


def test_rows_that_lie_no_multiple_of_16_bytes_apart_are_not_looked_at() -> None:
    x = placed((4, 1024), 0, 0, 1)
    assert not takes_fours(x[:, :1022], x[:, :1022])
    assert not takes_fours(placed((4, 1024), 0, 2, 1), x)

    def stencil(x: Any) -> Any:
        return x[1:-1, 1:-1] + x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]

    for columns in (1024, 1026):  # the rows of what is read, or those of the result
        assert "four" not in cuda_source(stencil, placed((6, columns), 0, 0, 1)).text
