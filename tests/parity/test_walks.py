"""Are operands with steps of a few elements, and operands in another order than the results', read as NumPy does?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import pyfuse
from pyfuse import launch
from pyfuse.backend.cpu import turned_text
from tests.parity.outcome import assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

SUM = "def f(x, y):\n    return x + y, x * y"
MANY = "def f(x):\n    t = x[0]\n    for i in range(12):\n        t = t + x[i].T * (i + 1)\n    return t"
STEPS = (2, 3, 4, 5, -1, -2, -3)
LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130)


def _filled(shape: tuple[int, ...], dtype: str = "f8") -> np.ndarray:
    return (np.arange(int(np.prod(shape))) % 23 - 7).reshape(shape).astype(dtype)


# --- steps --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "u2", "i1", "b1"])
def test_operands_with_steps(dtype: str) -> None:
    fused = pyfuse.fuse(function_from(SUM))
    for step in STEPS:
        for length in LENGTHS:
            x = _filled((abs(step) * length,), dtype)[::step][:length]
            assert_fused(fused, x, _filled((length,), dtype)[::-1])


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_parts_of_complex_numbers_are_every_second_number(dtype: str) -> None:
    fused = pyfuse.fuse(function_from(SUM))
    for length in LENGTHS:
        z = _filled((length,), dtype) * (1 + 2j)
        assert_fused(fused, z.real, z.imag)
        assert_fused(fused, z[::2], z[::2].copy())


def test_steps_along_the_last_axis_of_several() -> None:
    fused = pyfuse.fuse(function_from(SUM))
    image = _filled((5, 9, 4), "u1")
    assert_fused(fused, image[..., 0], image[..., 3])
    assert_fused(fused, image[:, ::2, 1:4], image[:, ::2, :3][..., ::-1])
    table = _filled((6, 20), "f4")
    assert_fused(fused, table[:, ::2], table[::-1, 1::2])
    assert_fused(fused, table[:, ::3], np.arange(7.0))


def test_what_is_stepped_over_raises_no_flag() -> None:
    program = pyfuse.fuse(function_from("def f(x, y):\n    return x / y, np.sqrt(x)"))
    for length in LENGTHS:
        for step in (2, 3, 4, -1):
            memory = np.full(abs(step) * length, np.inf, "f4")
            memory[::step] = 0  # 0 / 0 and inf * 0 lie between
            x, y = memory[::step][:length], np.full(abs(step) * length, 0, "f4")[::step][:length]
            x[...], y[...] = 2, 4
            assert_fused(program, x, y, modes={"all": "warn"})  # so no flag was up
            y[-1] = 0  # of the last element the kernel must tell
            expected = observe(program.__wrapped__, (x, y), {"all": "warn"})
            assert len(expected.warned) == 1
            assert_same_outcome(observe(program, (x, y), {"all": "warn"}), expected)


# --- turned operands ----------------------------------------------------------------------------------------------

# Around the heights and widths of vectors' blocks, and of what is turned at a time, with what the last part may have
# more; more than 128 bytes, so that the part after the first begins elsewhere.
ROWS = (8, 9, 15, 16, 17, 31, 33, 36, 37, 40, 41, 65, 80, 81, 130, 145)
COLUMNS = (8, 9, 31, 33, 64, 65, 72, 73, 80, 81, 96, 97, 128, 129, 140)
DTYPES = ["f8", "f4", "f2", "i8", "u4", "i2", "u1", "b1", "c8", "c16"]


def _table(rows: int, columns: int, dtype: str, beside: float = np.nan) -> np.ndarray:
    """A table with strides that are multiples of 1024 bytes, and with another number behind the end of each row."""
    itemsize = np.dtype(dtype).itemsize
    memory = np.full((rows, -(-(columns + 1) * itemsize // 1024) * 1024 // itemsize), 1, dtype)
    memory[:, :columns] = (np.arange(rows * columns) % 251 - 7).reshape(rows, columns).astype(dtype)
    if np.dtype(dtype).kind in "fc":
        memory[:, columns:] = beside
    return memory[:, :columns]


def _is_turned(fused: pyfuse.FusedFunction, *arguments: object) -> bool:
    return "pf_turn_" in fused.explain(*arguments)


@pytest.mark.parametrize("dtype", DTYPES)
def test_turned_operands(dtype: str) -> None:
    fused = pyfuse.fuse(function_from(SUM))
    for rows, columns in itertools.product(ROWS, COLUMNS):
        x, y = _table(columns, rows, dtype).T, _filled((rows, columns), dtype)
        assert_fused(fused, x, y)
    assert _is_turned(fused, x, y)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", "c16"])
def test_turned_operands_of_results_that_go_past_the_caches(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "LEAST_STREAMED", 1)
    monkeypatch.setattr(launch, "last_level_cache_bytes", lambda: 1)
    fused = pyfuse.fuse(function_from(SUM))
    for rows, columns in itertools.product((9, 37, 70), (*COLUMNS, 200, 201, 207, 500)):
        x, y = _table(columns, rows, dtype).T, _filled((rows, columns), dtype)
        assert_fused(fused, x, y)
    assert _is_turned(fused, x, y)


@pytest.mark.parametrize("dtype", ["f8", "f4", "u1"])
def test_turned_operands_that_are_far_away(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_text, "CACHED_BYTES", 1)
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return x * y - x, x + y"))  # a text that no test has built
    for rows, columns in itertools.product(ROWS, (8, 33, 64, 97, 140, 300)):
        assert_fused(fused, _table(columns, rows, dtype).T, _filled((rows, columns), dtype))
    large = _filled((1100, 1300), dtype)
    assert_fused(fused, large.T, _filled((1300, 1100), dtype))


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2"])
def test_turned_operands_of_three_dimensions(dtype: str) -> None:
    fused = pyfuse.fuse(function_from(SUM))
    for shape in ((9, 17, 33), (33, 3, 70), (2, 65, 9), (20, 20, 20), (1, 30, 40)):
        for order in itertools.permutations(range(3)):
            inverse = np.argsort(order)
            x = _filled(tuple(shape[axis] for axis in order), dtype).transpose(inverse)
            assert_fused(fused, x, _filled(shape, dtype))
            assert_fused(fused, x[::-1], np.asfortranarray(_filled(shape, dtype)))
            assert_fused(fused, _filled(shape, dtype)[:, ::-1], x[..., ::-1])


def test_turned_operands_beside_others() -> None:
    program = pyfuse.fuse(
        function_from("def f(a, b, c, row, column):\n    return (a + b * row, np.where(c > a, column, c))")
    )
    a, b, c = (_table(50, 70, dtype) for dtype in ("f8", "f4", "f4"))
    row, column = np.arange(70.0), np.arange(50.0).reshape(50, 1)
    assert_fused(program, a, b, c, row, column)
    turned = [np.asfortranarray(array) for array in (b, c)]
    assert_fused(program, a, *turned, row, column)
    assert_fused(program, np.asfortranarray(a), b, c, row, column)
    assert_fused(program, a, turned[0][::-1], turned[1][:, ::-1], row[::2].repeat(2), column)
    assert_fused(program, a[::2], turned[0][::2], turned[1][1::2], row, column[::2])
    many = pyfuse.fuse(function_from(MANY))
    assert_fused(many, _filled((12, 40, 40), "f4"))


def test_turned_operands_that_are_not_aligned() -> None:
    memory = np.zeros(40 * 30 * 4 + 1, "u1")
    x = memory[1:].view("f4").reshape(40, 30)
    x[...] = _filled((40, 30), "f4")
    assert_fused(pyfuse.fuse(function_from(SUM)), x.T, _filled((30, 40), "f4"))


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_what_is_turned_for_nothing_raises_no_flag(dtype: str) -> None:
    program = pyfuse.fuse(function_from("def f(x, y):\n    return np.sqrt(x) / y"))
    for rows, columns in itertools.product((8, 9, 17, 37, 70), (8, 9, 33, 73, 129)):
        x = _table(columns, rows, dtype, -1).T
        x[...] = 2
        y = np.ones((rows, columns), dtype)
        assert_fused(program, x, y, modes={"all": "warn"})  # so no flag was up
        x[-1, -1] = -1  # of the last element the kernel must tell
        expected = observe(program.__wrapped__, (x, y), {"all": "warn"})
        assert len(expected.warned) == 1
        assert_same_outcome(observe(program, (x, y), {"all": "warn"}), expected)


def test_turned_operands_on_several_threads() -> None:
    with pyfuse.config.set(num_threads=3):
        fused = pyfuse.fuse(function_from(SUM))
        for shape in ((1300, 1101), (9, 150_001), (20, 300, 301)):
            x = _filled(shape[::-1], "f4").T
            assert_fused(fused, x, _filled(shape, "f4"), calls=2)
