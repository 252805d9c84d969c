"""Kernels that store into the caller's arrays themselves: when they do, and what is left where NumPy stops."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import direct_stores
from pyfuse.frontend import stores
from pyfuse.launch import DirectStores
from tests.parity.outcome import check_stores, observe, own_stores_are

pytestmark = pytest.mark.usefixtures("c_compiler")


@pytest.fixture(autouse=True)
def every_store_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_stores, "LEAST_BYTES", 0)
    monkeypatch.setattr(stores, "OPERATIONS_A_STORE", 0)


def stencil(u, v):
    v[1:-1, 1:-1] = 0.25 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])


def product(a, b, out):
    out[...] = a * b + a - 2.0


def two(a, b, out):
    out[1:] = a[1:] * b[1:] + 1.0
    b[0] = a[0] - 2.0


def directly(fused: Any) -> list[bool]:
    """Of each form of calls, whether its kernel stores so."""
    return own_stores_are(fused, DirectStores)


def grids() -> list[Any]:
    return [np.random.default_rng(1).random((40, 50)), np.full((40, 50), 7.0)]


def rows() -> list[Any]:
    chance = np.random.default_rng(2)
    return [chance.random(1001), chance.random(1001), np.full(1001, 7.0)]


@pytest.mark.parametrize(("function", "make"), [(stencil, grids), (product, rows), (two, rows)])
def test_kernels_store_where_nothing_is_read(function: Any, make: Any) -> None:
    fused = check_stores(function, make)
    assert directly(fused) == [True]
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 3, 0), fused.fallback_reasons()


@pytest.mark.parametrize("order", ["F", "strided", "transposed"])
def test_arrays_that_lie_otherwise(order: str) -> None:
    def make() -> list[Any]:
        u, v = grids()
        if order == "F":
            return [u, np.asfortranarray(v)]
        return [u, np.full((80, 150), 7.0)[::2, ::3] if order == "strided" else np.full((50, 40), 7.0).T]

    assert directly(check_stores(stencil, make)) == [True]


def same(a, b, _):
    a[...] = a * b + 1.0


def backwards(a, b, out):
    out[::-1] = a * b + 1.0


def result_too(a, b, out):
    c = a * b + 1.0
    out[...] = c
    return c


@pytest.mark.parametrize("function", [same, backwards, result_too])
def test_kernels_that_must_not_store_themselves(function: Any) -> None:
    fused = check_stores(function, rows)
    assert directly(fused) == [False]
    assert fused.cache_info().fused_calls == 3


def test_small_stores_go_through_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_stores, "LEAST_BYTES", 8 * 1001 + 1)
    assert directly(check_stores(product, rows)) == [False]


def test_a_report_is_numpys_and_so_is_what_is_left() -> None:
    def make() -> list[Any]:
        a, b, out = rows()
        a[500] = 1e308
        b[500] = 1e10
        return [a, b, out]

    for modes in ({"all": "warn"}, {"all": "print"}, {"all": "call"}, {"all": "raise"}):
        fused = check_stores(product, make, modes)
        assert fused.cache_info().fused_calls == 0  # the original answered
        assert directly(fused) == [modes["all"] in ("warn", "print")]


def test_nothing_is_stored_where_a_warning_is_an_error() -> None:
    fused = pyfuse.fuse(product)
    a, b, out = rows()
    fused(a, b, out)
    assert directly(fused) == [True]
    a[500], b[500] = 1e308, 1e10
    for category in (RuntimeWarning, Warning):
        out[...] = 7.0
        with warnings.catch_warnings():
            warnings.simplefilter("error", category)
            with pytest.raises(RuntimeWarning, match="overflow encountered in multiply"):
                fused(a, b, out)
        np.testing.assert_array_equal(out, 7.0)


def test_another_call_may_not_be_allowed_to() -> None:
    """Arrays of one form that share memory, a read-only one, and one whose elements share memory."""
    fused = pyfuse.fuse(product)
    fused(*rows())
    assert directly(fused) == [True]
    whole = np.random.default_rng(3).random(3000)
    for shift in (0, 1, 500, -1):
        ours, theirs = whole.copy(), whole.copy()
        for array, function in ((ours, fused), (theirs, product)):
            function(array[100:1101], array[1500:2501], array[100 + shift : 1101 + shift])
        np.testing.assert_array_equal(ours, theirs)
    locked = rows()
    locked[2].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fused(*locked)
    info = fused.cache_info()
    assert info.fused_calls == 5
    assert info.fallback_calls == 1


def test_a_store_of_another_shape_is_numpys_error() -> None:
    fused = pyfuse.fuse(product)
    a, b, _ = rows()
    for shape in (1000, (2, 1001)):
        ours, theirs = np.full(shape, 7.0), np.full(shape, 7.0)
        expected, actual = observe(product, [a, b, theirs]), observe(fused, [a, b, ours])
        assert actual.error == expected.error
        np.testing.assert_array_equal(ours, theirs)
