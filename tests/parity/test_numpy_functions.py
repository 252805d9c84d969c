"""NumPy's functions beyond ufuncs, and SciPy's special ones: fused, with NumPy's results in every form of call."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import scipy.special

import pyfuse
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.special_values import special
from tests.parity.text import function_from, returning

ULP = 4
LENGTH = len(special("f8"))
RANDOM = np.random.default_rng(0)
VALUES: dict[str, Any] = {
    "x": special("f8"),
    "y": RANDOM.permutation(special("f8")),
    "z": np.resize(special("f4"), LENGTH),
    "h": np.resize(special("f2"), LENGTH),
    "i": np.resize(special("i4")[::-1], LENGTH),
    "b": np.resize(special("i1"), LENGTH),
    "m": np.resize([True, False, False], LENGTH),
    "c": np.resize(RANDOM.permutation(special("c16")), LENGTH),
    "n": np.resize(np.arange(-3, 4, dtype="i4"), LENGTH),
}

FAMILIES: dict[str, str] = {
    "where": """
        np.where(x > 0, x, 1)
        np.where(x > 0, x, i)
        np.where(x, x, y)
        np.where(i, 1, 2.5)
        np.where(m, True, False)
        np.where(m, np.float32(1), 2)
        np.where(z > 0, z, 0)
        np.where(c, c, x)
        np.where(h, m, h)
        np.where(True, x, y)
    """,
    "clip": """
        np.clip(x, 0, 1)
        np.clip(x, None, 1)
        np.clip(x, 0, None)
        np.clip(x, None, None)
        np.clip(x, y, 5)
        np.clip(i, 0, 5)
        np.clip(i, 0.5, 5)
        np.clip(h, 0, 5)
        np.clip(x, a_min=0, a_max=1)
        np.clip(x, min=0, max=1)
        np.clip(x, min=0)
        np.clip(x, max=i)
        np.clip(x)
        x.clip(0, 1)
        x.clip(0)
        x.clip(max=i)
        x.clip(min=y, max=z)
        np.clip(x, 0, 1, out=np.zeros_like(x))
        np.clip(x, 0, 1, np.zeros_like(x))
        x.clip(0, 1, out=np.zeros_like(x))
        np.clip(x, 0, 1, dtype='f4')
        np.clip(m, False, True)
        np.clip(b, -1000, 5)
        np.clip(b, -3, 1000)
        np.clip(b, -1000, 1000)
        np.clip(x, np.nan, 1)
        np.clip(x, 3.0, -3.0)
    """,
    "select": """
        np.select([x > 0, x < -1], [x, y], 7)
        np.select([x > 0, m], [i, x])
        np.select([x > 0, m], [1, 2])
        np.select((x > 0, m), (1.5, y), default=np.nan)
        np.select([m], [True], i)
        np.piecewise(x, [x > 0, x < -1], [1, 2])
        np.piecewise(x, [x > 0, x < -1], [1, 2, 3.5])
        np.piecewise(x, x > 0, [1, 2])
        np.piecewise(i, [m], [7])
        np.heaviside(x, 0.5)
        np.copysign(x, -1.0)
        np.copysign(x, y)
    """,
    "casts": """
        x.astype('f4')
        i.astype(bool)
        i.astype('u1')
        m.astype(int)
        x.astype(float)
        c.astype('c8')
        x.astype('c16')
        h.astype('f8')
        i.astype('f2')
        c.astype(bool)
        x.astype(x.dtype)
        x.astype('f4', copy=False)
        x.astype('f4', casting='same_kind')
        np.astype(x, 'f4')
        np.float32(x)
        np.array(x)
        np.array(x, dtype='f4')
        np.array(i, float)
        np.asarray(x, dtype='f4')
        np.copy(c)
        x.copy()
        np.bool_(x)
    """,
    "new arrays": """
        np.zeros_like(x)
        np.ones_like(x, dtype='i4')
        np.full_like(x, 2.5)
        np.full_like(i, 7)
        np.full_like(x, y)
        np.full_like(z, np.nan)
        np.zeros(x.shape) + x
        np.ones(x.shape, dtype=x.dtype)
        np.ones(len(x)) * x
        np.full(x.shape, 2.0)
        np.full(x.shape, 3, dtype='f4')
        np.full(x.shape, True)
        np.full((2, 1), 1.5) * x
        np.zeros((3, x.size)) + x
        np.zeros(()) + x
    """,
    "replacing": """
        np.nan_to_num(x)
        np.nan_to_num(x, nan=-1.0, posinf=5, neginf=-5)
        np.nan_to_num(x, copy=True)
        np.nan_to_num(h)
        np.nan_to_num(z)
        np.nan_to_num(i)
        np.nan_to_num(m)
        np.nan_to_num(x, nan=y)
    """,
    "tests": """
        np.isclose(x, y)
        np.isclose(x, y, equal_nan=True)
        np.isclose(x, 1.0, rtol=1e-3, atol=1e-2)
        np.isclose(i, 3)
        np.isclose(i, b)
        np.isclose(c, c)
        np.isclose(h, 1.0)
        np.isclose(1.5, x)
        np.isposinf(x)
        np.isneginf(h)
        np.isposinf(i)
        np.isreal(c)
        np.iscomplex(c)
        np.iscomplex(x)
        np.isfinite(z)
        np.signbit(x)
    """,
    "rounding": """
        np.round(x)
        np.round(x, 2)
        np.round(x, -1)
        np.around(x, decimals=3)
        x.round(1)
        x.round(decimals=2)
        np.round(i)
        np.round(i, 1)
        np.round(h, 1)
        np.round(z, 3)
        np.rint(i)
        np.trunc(h)
        np.ceil(i)
        np.floor(m)
    """,
    "parts": """
        np.ldexp(x, n)
        np.ldexp(x, 3)
        np.frexp(x)
        np.modf(x)
        divmod(x, 2.0)
        np.divmod(i, 3)
        divmod(7.5, y)
        np.angle(c)
        np.angle(x)
        np.angle(c, deg=True)
        np.real(c) * 2
        np.imag(c) + x
        np.conj(c)
        c.conj()
        np.gcd(i, 4)
        np.lcm(b, 4)
    """,
    "compositions": """
        np.sinc(x)
        np.sinc(h)
        np.sinc(n)
        np.deg2rad(x)
        np.hypot(x, y)
        np.power(x, 2)
        np.power(x, 0.5)
        np.float_power(x, 2)
        np.e * x + np.pi - np.euler_gamma
        np.finfo(x.dtype).eps * x
        np.pow(x, 3)
        np.concatenate
    """.replace("        np.concatenate\n", ""),
    "scipy": """
        scipy.special.erf(x)
        scipy.special.erfc(x)
        scipy.special.logit(x)
        scipy.special.expit(x)
        scipy.special.xlogy(x, y)
        scipy.special.erf(i)
        scipy.special.erf(z)
        scipy.special.xlogy(i, y)
        scipy.special.xlogy(0.0, y)
    """,
}

# Forms that stay with NumPy: the reason code.
NOT_FUSED = {
    "np.where(m)": "unsupported-operation",
    "np.clip(c, 0, 1)": "unsupported-operation",
    "np.piecewise(x, [m], [np.sin, 1])": "unsupported-operation",
    "np.piecewise(x, [m], [lambda v: v * 2, 0])": "unsupported-operation",
    "np.nan_to_num(c)": "unsupported-operation",
    "np.round(i, -1)": "unsupported-operation",
    "np.round(c, 1)": "unsupported-operation",
    "np.isclose(x, y, rtol=y)": "unsupported-operation",
    "np.zeros_like(x, shape=(3,))": "unsupported-operation",
    "np.array(x, ndmin=2)": "unsupported-operation",
    "np.imag(x)": "unsupported-operation",
    "np.isreal(x)": "unsupported-operation",
    "scipy.special.erf(c)": "unsupported-operation",
    "scipy.special.gamma(x)": "unknown-call",
    "np.sort(x)": "unknown-call",
}

# NumPy (or Python) raises: so must the fused function, with the same words.
RAISING = [
    "np.clip(x, 0)",
    "np.clip(x, a_min=0)",
    "np.clip(x, 0, 1, min=2)",
    "np.clip(x, a_max=1)",
    "np.clip(m, None, None)",
    "np.clip(b, 300, 400)",
    "np.where(m, x)",
    "np.select([x], [y])",
    "np.select([m, m], [y])",
    "np.isposinf(c)",
    "np.select([m], [255], np.zeros_like(m, dtype='u2'))",
    "np.copysign(c, x)",
    "x.astype('f4', casting='safe')",
    "np.full_like(b, 300)",
    "round(x)",
    "np.ldexp(x, y)",
    "x.nonsense",
    "np.nonsense(x)",
    "np.moveaxis(x, 2, 0)",
]


def _arguments(expression: str) -> tuple[list[str], list[Any]]:
    names = [name for name in VALUES if re.search(rf"\b{name}\b(?!=)", expression)]
    return names, [VALUES[name] for name in names]


@pytest.mark.parametrize("family", FAMILIES)
def test_functions_fuse_and_agree(family: str) -> None:
    expressions = [line.strip() for line in FAMILIES[family].strip().splitlines()]
    names, values = _arguments(" ".join(expressions))
    fused = pyfuse.fuse(returning(expressions, names, scipy=scipy))
    assert_fused(fused, *values, ulp=ULP)
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize("expression", NOT_FUSED)
def test_forms_that_stay_with_numpy_say_why(expression: str) -> None:
    names, values = _arguments(expression)
    assert_falls_back(pyfuse.fuse(returning([expression], names, scipy=scipy)), *values, reason=NOT_FUSED[expression])


@pytest.mark.parametrize("expression", RAISING)
def test_mistakes_are_reported_by_numpy(expression: str) -> None:
    names, values = _arguments(expression)
    fused = pyfuse.fuse(function_from(f"def f({', '.join(names)}):\n    return {expression}"))
    expected = observe(fused.__wrapped__, values)
    assert expected.error is not None
    assert_same_outcome(observe(fused, values), expected)
    assert fused.cache_info().fused_calls == 0


def test_a_cast_of_numbers_that_fit_an_integer_fuses() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return x.astype(np.int32), x.astype('u1'), np.int64(x)"))
    assert_fused(fused, np.array([0.0, -0.0, 1.5, 2.999, 100.0, 255.9]))


def test_a_cast_of_numbers_that_do_not_fit_runs_in_numpy() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return (x * 2).astype(np.int32)"))
    for data in ([1e20], [np.nan], [-np.inf]):
        for mode in ("ignore", "warn", "raise"):
            assert_falls_back(fused, np.array(data), reason="floating-point-report", modes={"all": mode})


def test_clip_of_integers_follows_the_bound_of_each_call() -> None:
    fused = pyfuse.fuse(function_from("def f(x, low, high):\n    return np.clip(x, low, high)"))
    x = np.array([-128, -5, 0, 5, 127], "i1")
    for low, high in ((-3, 3), (-1000, 3), (-3, 1000), (-4, 4)):
        assert_fused(fused, x, low, high)


def test_expit_of_float32_is_right_where_scipy_loses_the_tail() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return scipy.special.expit(x)", scipy=scipy))
    assert_fused(fused, np.linspace(-80, 80, 101).astype("f4"), ulp=ULP)
    assert fused(np.array([-100.0], "f4"))[0] == np.float32(scipy.special.expit(-100.0))


def test_gammaln_is_right_where_scipy_overflows() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return scipy.special.gammaln(x)", scipy=scipy))
    assert_fused(
        fused, np.array([1e-300, 1e-3, 0.5, 1.0, 2.0, 3.5, 30.25, 1e5, 1e300, 0.0, -2.0, np.inf, np.nan]), ulp=ULP
    )
    assert fused(np.array([5e-324]))[0] == math.lgamma(5e-324)


def test_where_wraps_a_python_int_that_does_not_fit_as_numpy_does() -> None:
    fused = pyfuse.fuse(function_from("def f(m, b):\n    return np.where(m, b, 300)"))
    assert_falls_back(fused, VALUES["m"], VALUES["b"], reason="scalar-range")


def test_0d_arrays_and_numpy_scalars_come_back_as_numpy_gives_them() -> None:
    fused = pyfuse.fuse(
        function_from(
            """
def f(x, m):
    s = x + 1
    return (np.where(m, x, 1), np.clip(x, 0, 1), np.round(x), np.round(x, 1), x.copy(), np.copy(s), np.array(s),
            np.full_like(x, 2), np.zeros_like(s), np.select([m], [x]), np.isclose(x, 1), x.astype('f4'), s.astype('f4'),
            np.nan_to_num(x), np.float32(x), np.sinc(x), np.positive(x), np.real(x), np.add(x, 1, out=np.zeros(())),
            np.isposinf(x), s.clip(0), s.round(2), s.T, np.angle(s), np.modf(x), np.piecewise(x, [m], [1]))
"""
        )
    )
    assert_fused(fused, np.array(2.25), np.array(True), ulp=ULP)


@pytest.mark.xfail(strict=True, reason="NumPy keeps x's own zero where both bounds stand still along its inner loop")
def test_clip_of_zeros_between_columns_keeps_their_sign() -> None:
    fused = pyfuse.fuse(function_from("def f(x, low, high):\n    return np.clip(x, low, high)"))
    assert_fused(fused, np.zeros((2, 9)), np.full((2, 1), -0.0), np.full((2, 1), 1.0))


def test_clip_of_half_precision_zeros_keeps_their_sign_for_bounds_that_are_arrays() -> None:
    fused = pyfuse.fuse(function_from("def f(x, low, high):\n    return np.clip(x, low, high)"))
    table = np.array([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 6e-8], "f2")
    x, low, high = (column.ravel().copy() for column in np.meshgrid(table, table, table))
    assert_fused(fused, x, low, high)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="NumPy 2.5 warns that np.fix is deprecated")
def test_fix_is_fused() -> None:
    fused = pyfuse.fuse(function_from("def f(x, i):\n    return np.fix(x), np.fix(i)"))
    assert_fused(fused, np.array([-1.5, -0.0, 2.5, np.nan]), np.arange(3))
