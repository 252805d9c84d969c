"""Tiles of results that stay in registers: what they give, which kernels have them, what is reported of what."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyfuse.launch import InPlaceStores
from tests.parity.outcome import check_stores, own_stores_are
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler", "every_store_is_worth_it")

COUNT = 1000
KEPT = "kept0["  # in the text of a kernel that has such tiles

# As NumPy begins: where underflow is reported too, tiles go by memory.
USUAL = {"all": "warn", "under": "ignore"}


def accumulate(a, b, c):
    a += b * c


def two(a, b, c):
    a += c
    b *= a


def chain(a, b, c):
    a -= np.sqrt(np.square(b) + abs(-c)) * 2.5


def constants(a, b, c):
    a *= 1e30
    a += b * c


def one_over(a, b, c):
    a += 1 / (b * c)


def largest(a, b, c):
    a += np.minimum(b * c, 5.0)


def signs(a, b, c):
    a += np.sign(b * c)


def bits(a, b, c):
    a ^= (b << 1) * c


def wholes(a, b, c):
    a -= ~b * c


def of_two_sizes(a, b, c):
    a += b * c
    b *= c
    c -= b


def into_half(a, b, c):
    a += (b * c).astype(np.float16)


def rows(dtype: Any = np.float64, offset: int = 0, count: int = COUNT) -> list[Any]:
    """Three arrays, the first ``offset`` elements behind a cache line, the others one and two more."""
    chance = np.random.default_rng(3)
    arrays = []
    for number in range(3):
        memory = np.zeros(count + 256, dtype)
        begin = -memory.ctypes.data % 64 // memory.itemsize + offset + number
        array = memory[begin : begin + count]
        array[...] = (chance.random(count) * (9 if array.dtype.kind in "iu" else 1) + 0.5).astype(dtype)
        arrays.append(array)
    return arrays


def check(
    function: Callable[..., Any], make: Callable[[], list[Any]], modes: Any = None, *, left: bool, kept: bool = True
) -> None:
    """Compare with NumPy, in place, in tiles that are kept or are not; is the call left to NumPy?"""
    fused = check_stores(function, make, modes)
    assert own_stores_are(fused, InPlaceStores) == [True]
    assert (KEPT in fused.source(*make())) == kept
    assert fused.fallback_reasons() == ({"floating-point-report": 3} if left else {})


@pytest.mark.parametrize("offset", [0, 1, 2, 5, 7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", [accumulate, two, chain, constants])
def test_floats(function, dtype, offset) -> None:
    check(function, lambda: rows(dtype, offset), USUAL, left=False)


@pytest.mark.parametrize("count", [0, 2, 7, 31, 32, 33, 64, 65, 100])
def test_short_rows(count) -> None:
    for dtype in (np.float64, np.float32, np.int64):
        check(accumulate, lambda dtype=dtype: rows(dtype, 3, count), USUAL, left=False)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8", "i8"])
@pytest.mark.parametrize("function", [accumulate, two, wholes])
def test_whole_numbers(function, dtype) -> None:
    check(function, lambda: rows(dtype, 1), USUAL, left=False)


@pytest.mark.parametrize(
    ("dtypes", "kept"), [("i8 i2 i2", True), ("i8 i1 i1", False), ("i1 i1 i1", True), ("f8 f4 f4", True)]
)
def test_of_two_sizes(dtypes, kept) -> None:
    """A vector of the smallest elements of a tile is a whole one."""

    def make() -> list[Any]:
        a, b, c = (rows(dtype, 1)[0] for dtype in dtypes.split())
        return [a, b, c]

    check(of_two_sizes, make, USUAL, left=False, kept=kept)


@pytest.mark.parametrize(
    ("function", "dtype", "kept"),
    [
        (accumulate, "f2", False),
        (accumulate, "c16", False),
        (one_over, "f8", False),
        (largest, "f8", False),
        (signs, "f8", False),
        (into_half, "f8", False),
        (bits, "i8", False),
        (wholes, "i8", True),
        (chain, "f4", True),
    ],
)
def test_which_kernels_have_them(function, dtype, kept) -> None:
    check(function, lambda: rows(dtype), USUAL, left=False, kept=kept)


@pytest.mark.parametrize("place", [0, 2, 5, 6, 37, 38, 500, 995, COUNT - 1])
@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ((1.0, 1e200, 1e200), "over"),  # b * c
        ((1.5e308, 1e154, 1e154), "over"),  # a + b * c
        ((-np.inf, np.inf, 1.0), "invalid"),
        ((1.0, 0.0, np.inf), "invalid"),
    ],
)
def test_what_is_reported(values, mode, place) -> None:
    def make() -> list[Any]:
        arrays = rows(offset=2)
        for array, value in zip(arrays, values, strict=True):
            array[place] = value
        return arrays

    check(accumulate, make, {"all": "ignore", mode: "warn"}, left=True)
    check(accumulate, make, {**USUAL, mode: "ignore"}, left=False)


@pytest.mark.parametrize("stride", [1, 3, 50])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinity_and_nan_in_the_data(value, stride) -> None:
    for target in range(3):

        def make(target: int = target) -> list[Any]:
            arrays = rows(np.float32, 1)
            arrays[target][::stride] = value
            return arrays

        check(accumulate, make, USUAL, left=False)


def test_an_error_among_them() -> None:
    def make() -> list[Any]:
        arrays = rows()
        arrays[0][::2] = np.inf
        arrays[1][700] = arrays[2][700] = 1e200
        return arrays

    check(accumulate, make, USUAL, left=True)


@pytest.mark.parametrize("place", [40, 999])
def test_underflow_where_it_is_reported(place) -> None:
    def make() -> list[Any]:
        arrays = rows()
        arrays[1][place] = arrays[2][place] = 1e-200
        return arrays

    check(accumulate, make, {"under": "warn"}, left=True)
    check(accumulate, make, USUAL, left=False)


def test_underflow_beside_what_is_reported() -> None:
    def make() -> list[Any]:
        arrays = rows()
        arrays[1][40] = arrays[2][40] = 1e-200
        arrays[1][900] = arrays[2][900] = 1e200
        return arrays

    for modes in ({"all": "warn"}, USUAL, {"under": "warn", "over": "ignore"}):
        check(accumulate, make, modes, left=True)


def test_each_stored_array_is_looked_at() -> None:
    for target in range(3):

        def make(target: int = target) -> list[Any]:
            arrays = rows()
            arrays[target][123] = 1.7e308
            if target != 1:
                arrays[1][123] = 2.0
            else:
                arrays[0][123] = 2.0
            return arrays

        check(two, make, USUAL, left=True)


def test_a_cast_that_overflows() -> None:
    def make() -> list[Any]:
        arrays = rows()
        arrays[1][300] = 1e200
        return [arrays[0].astype(np.float32), *arrays[1:]]

    check(accumulate, make, USUAL, left=True)


def test_a_signalling_nan() -> None:
    def make() -> list[Any]:
        arrays = rows()
        arrays[1].view(np.uint64)[300] = 0x7FF0000000000001
        return arrays

    check(accumulate, make, USUAL, left=True)


def test_an_error_that_finite_results_hide() -> None:
    def make() -> list[Any]:
        arrays = rows()
        arrays[1][300] = arrays[2][300] = 1e200
        return arrays

    for function in (one_over, largest, signs):
        check(function, make, USUAL, left=True, kept=False)


VALUES = (0.0, -0.0, 1.0, -2.5, 1e160, -1e160, 1e-160, 5e-324, 1.7e308, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("seed", range(12))
def test_random_chains(seed) -> None:
    """Of operations that show errors, on data of which one element in some hundred is special."""
    chance = random.Random(seed)
    text = "b"
    for _ in range(chance.randint(1, 5)):
        one = chance.choice(["-{}", "abs({})", "np.square({})", "np.sqrt({})", "np.conjugate({})", "+{}", "{}"])
        text = f"({one.format(text)} {chance.choice('+-*')} {chance.choice(['a', 'b', 'c', '1e25', '0.5'])})"
    stores = function_from(f"def f(a, b, c):\n    a {chance.choice('+-*')}= {text} - c\n    c *= 2.0\n")
    dtype, offset = chance.choice(["f8", "f4"]), chance.randrange(8)
    for rate in (0.0, 0.001, 0.3):

        def make(rate: float = rate) -> list[Any]:
            numbers = np.random.default_rng(seed)
            arrays = rows(dtype, offset)
            for array in arrays:
                array[...] *= numbers.choice([-1, 1], COUNT)
                with np.errstate(all="ignore"):
                    special = numbers.choice(VALUES, COUNT).astype(dtype)
                np.copyto(array, special, where=numbers.random(COUNT) < rate)
            return arrays

        for modes in (USUAL, {"all": "warn"}):
            fused = check_stores(stores, make, modes)
            assert own_stores_are(fused, InPlaceStores) == [True]
            assert KEPT in fused.source(*make())
