"""Kernels that store into arrays which they read: what they give, when they do, what NumPy reports of the rest."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import in_place
from pyfuse.launch import InPlaceStores
from tests.parity.outcome import check_stores, own_stores_are

pytestmark = pytest.mark.usefixtures("c_compiler", "every_store_is_worth_it")

COUNT = 5000  # several tiles, the last one not whole


def accumulate(a, b, c):
    a += b * c


def returned(a, b, c):
    a += b * c
    return a


def quotient(a, b, c):
    a /= b
    a += c


def two(a, b, c):
    a += c
    b *= a


def scaled(a, b, factor):
    a *= factor
    a -= b


def shape_matters(a, b, c):
    a += b * c if len(a) > 100 else b


def scaled_by_length(a, b, c):
    a += b * c / a.size


def whole_numbers(a, b, c):
    a += (b * c).astype(np.int64)


def long_body(a, b, c):
    x = b + 0.5
    y = c + x
    x = x % y + x // c
    y = y % b + y // x
    x = x % c + x // y
    y = y % x + y // b
    x = x % y + x // c
    y = y % b + y // x
    x = x % c + x // y
    y = y % x + y // b
    a += x % y - y % x


def is_in_place(fused: Any) -> list[bool]:
    """Of each form of calls, whether its kernel stores so."""
    return own_stores_are(fused, InPlaceStores)


def rows(count: int = COUNT, dtype: Any = np.float64) -> list[Any]:
    chance = np.random.default_rng(3)
    return [(chance.random(count) + 0.5).astype(dtype) for _ in range(3)]


@pytest.mark.parametrize("function", [accumulate, quotient, two])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, np.complex128])
@pytest.mark.parametrize("shape", [(COUNT,), (50, 100), (1, COUNT)])
def test_what_is_read_is_stored_into(function, dtype, shape) -> None:
    fused = check_stores(function, lambda: [row.reshape(shape) for row in rows(dtype=dtype)])
    if function is quotient and dtype is np.int32:  # NumPy refuses to divide integers in place
        assert True not in is_in_place(fused)
        return
    assert is_in_place(fused) == [True]
    assert fused.cache_info().fused_calls == 3 and not fused.fallback_reasons()


@pytest.mark.parametrize("layout", [lambda a: np.asfortranarray(a.reshape(50, 100)), lambda a: a.reshape(50, 100).T])
def test_in_the_order_of_memory(layout) -> None:
    assert is_in_place(check_stores(accumulate, lambda: [layout(row) for row in rows()])) == [True]


def test_numbers_and_strided_operands() -> None:
    assert is_in_place(check_stores(scaled, lambda: [rows()[0], rows(2 * COUNT)[1][::2], 0.3])) == [True]
    assert is_in_place(check_stores(accumulate, lambda: [rows()[0], np.array(2.0), rows()[1]])) == [True]


@pytest.mark.parametrize("place", [0, 511, 512, 2600, COUNT - 1])
@pytest.mark.parametrize("value", [1e300, np.inf])
def test_reports_are_numpys(place, value) -> None:
    def make() -> list[Any]:
        a, b, c = rows()
        a[place], b[place], c[place] = -np.inf, value, value
        return [a, b, c]

    fused = check_stores(accumulate, make, {"all": "warn"})
    assert is_in_place(fused) == [True]
    assert fused.fallback_reasons() == {"floating-point-report": 3}


@pytest.mark.parametrize("nan_at", [None, 300, 3500])
@pytest.mark.parametrize("large_at", [0, 2600, COUNT - 1])
def test_what_a_kernel_computes_again_with_care(large_at, nan_at) -> None:
    """Large floats become integers by another road, in the tile that has met one and from there on."""

    def make() -> list[Any]:
        a, b, c = rows()
        b[large_at] = 2.0**60 + 2.0**20
        if nan_at is not None:
            c[nan_at] = np.nan
        return [(100 * a).astype(np.int64), b, c]

    fused = check_stores(whole_numbers, make, {"all": "warn"})
    assert is_in_place(fused) == [True]
    assert fused.fallback_reasons() == ({} if nan_at is None else {"floating-point-report": 3})


@pytest.mark.parametrize("value", [1.5, 0.0])
def test_a_body_in_pieces(value) -> None:
    def make() -> list[Any]:
        a, b, c = rows()
        b[2000] = value
        return [a, b, c]

    fused = check_stores(long_body, make, {"all": "warn"})
    assert "padded" in fused.source(*make())
    assert is_in_place(fused) == [True]
    assert fused.fallback_reasons() == ({} if value else {"floating-point-report": 3})


def test_several_reports_in_their_order() -> None:
    def make() -> list[Any]:
        a, b, c = rows()
        b[1000], b[4000], a[3000], b[3000] = 0.0, 1e-300, 0.0, 0.0
        a[4000] = 1e300
        return [a, b, c]

    fused = check_stores(quotient, make, {"all": "warn"})
    assert is_in_place(fused) == [True]
    with pytest.warns(RuntimeWarning) as caught:
        fused(*make())
    assert {str(warning.message).split(" ")[0] for warning in caught} == {"divide", "invalid", "overflow"}
    assert all(warning.filename == __file__ for warning in caught)


@pytest.mark.parametrize("mode", ["ignore", "print"])
def test_other_modes(mode) -> None:
    def make() -> list[Any]:
        a, b, c = rows()
        b[2000] = c[2000] = 1e300
        return [a, b, c]

    fused = check_stores(accumulate, make, {"over": mode})
    assert fused.cache_info().fused_calls == (3 if mode == "ignore" else 0)


@pytest.mark.parametrize("mode", ["raise", "call"])
def test_not_where_a_report_raises(mode) -> None:
    def make() -> list[Any]:
        a, b, c = rows()
        b[2000] = c[2000] = 1e300
        return [a, b, c]

    def raise_it(kind: str, _: int) -> None:
        raise ValueError(kind)

    fused = pyfuse.fuse(accumulate)
    before = np.seterrcall(raise_it)
    try:
        for _ in range(2):
            a, b, c = make()
            with np.errstate(over=mode), pytest.raises((FloatingPointError, ValueError)):
                fused(a, b, c)
            np.testing.assert_array_equal(a, rows()[0])
    finally:
        np.seterrcall(before)


def test_not_where_warnings_are_errors() -> None:
    fused = pyfuse.fuse(accumulate)
    a, b, c = rows()
    b[2000] = c[2000] = 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            fused(a, b, c)
    np.testing.assert_array_equal(a, rows()[0])


def test_the_extension_sees_a_new_errstate() -> None:
    fused = pyfuse.fuse(accumulate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            fused(*rows())
        a, b, c = rows()
        b[2000] = c[2000] = 1e300
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            fused(a, b, c)
        np.testing.assert_array_equal(a, rows()[0])
        with np.errstate(over="ignore"):
            fused(a, b, c)
        assert np.isinf(a[2000])


def test_operands_that_share_memory() -> None:
    def same() -> list[Any]:
        a, b, _ = rows()
        return [a, a, b]

    def shifted() -> list[Any]:
        whole = rows(COUNT + 1)[0]
        return [whole[1:], whole[:-1], rows()[2]]

    check_stores(accumulate, same)
    check_stores(accumulate, shifted)


def test_read_only_arrays_stay_as_they_are() -> None:
    def make() -> list[Any]:
        a, b, c = rows()
        a.flags.writeable = False
        return [a, b, c]

    check_stores(accumulate, make)


@pytest.mark.parametrize("function", [shape_matters, scaled_by_length])
def test_not_where_extents_matter(function) -> None:
    assert True not in is_in_place(check_stores(function, rows))


def test_by_several_threads() -> None:
    def make() -> list[Any]:
        a, b, c = (row.copy() for row in rows(400_000))
        b[100], b[300_000] = 1e300, 1e300
        c[100], c[300_000] = 1e300, 1e300
        return [a, b, c]

    with pyfuse.config.set(num_threads=2):
        fused = check_stores(accumulate, make, {"all": "warn"})
    assert is_in_place(fused) == [True]
    assert fused.fallback_reasons() == {"floating-point-report": 3}


@pytest.mark.parametrize("parts", [[(0, 10)], [(3, 8), (20, 25), (40, 41)]])
def test_the_rest_by_the_original(parts) -> None:
    a, b, c = rows(50)
    expected, whole = a.copy(), np.zeros(50, bool)
    for begin, end in parts:
        whole[begin:end] = True
    expected[whole] += (b * c)[whole]
    fused = pyfuse.fuse(returned)
    given = rows(50)
    for _ in range(3):
        assert fused(*given) is given[0]
    (runner,) = fused._executor.known_runners((a, b, c))
    left = in_place.LeftInPlace(runner.launch.own_stores, runner.launch.specialization, parts)
    assert left.run_the_rest(returned, (a, b, c)) is a
    np.testing.assert_array_equal(a, expected)
