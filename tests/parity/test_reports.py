"""Floating-point errors: the same warnings, exceptions, calls and prints as NumPy's; and no replay where none is due."""

# ruff: noqa: E501 - programs on one line
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

KINDS = ("divide", "over", "under", "invalid")
MODES: dict[str, Mapping[str, str]] = {mode: {"all": mode} for mode in ("ignore", "warn", "raise", "call", "print")} | {
    "default": {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
    "only divide": {"all": "ignore", "divide": "raise"},
    "only over": {"all": "ignore", "over": "warn"},
    "only under": {"all": "ignore", "under": "warn"},
    "only invalid": {"all": "ignore", "invalid": "warn"},
}

INF, NAN, BIG, TINY = np.inf, np.nan, 1e308, 1e-308
# expression over x (and y): data of x, data of y, dtype. Each makes NumPy report something.
REPORTING: dict[str, tuple[list[float], list[float], str]] = {
    "x / y": ([1, 2, -3, 0, INF], [0, 1, -0.0, 0, INF], "f8"),
    "x // y": ([1, 2, -3, 0, INF], [0, 1, -0.0, 0, INF], "f8"),
    "x % y": ([1, 2, -3, 0, INF], [0, 1, 2, 0, 3], "f8"),
    "np.fmod(x, y)": ([1, 2], [0, 1], "f8"),
    "np.divmod(x, y)": ([1, 2], [0, 1], "f8"),
    "x // y ": ([7, -8], [0, 3], "i4"),
    "x % y ": ([7, -8], [0, 3], "i8"),
    "np.divmod(x, y) ": ([7, -128], [0, -1], "i1"),
    "x // y  ": ([-128, 5], [-1, 2], "i1"),
    "np.fmod(x, y) ": ([7, 8], [0, 3], "u2"),
    "x / y  ": ([7, 0], [0, 0], "i4"),
    "np.reciprocal(x)": ([0, 2], [], "i4"),
    "1 / x": ([0, 4], [], "f4"),
    "np.reciprocal(x) ": ([0, 4, -0.0], [], "f8"),
    "x * y": ([BIG, TINY, 1], [BIG, TINY, 2], "f8"),
    "x * x": ([1e38, 1e-30], [], "f4"),
    "x * x ": ([1e4, 1e-6, 1], [], "f2"),
    "x + x": ([BIG * 1.5, 1], [], "f8"),
    "x + x ": ([6e4, 1], [], "f2"),
    "x - y": ([INF, 1], [INF, 1], "f8"),
    "x + y": ([INF, -BIG], [-INF, -BIG * 1.5], "f8"),
    "x ** 2": ([1e200, 1e-200], [], "f8"),
    "x ** y": ([0, 1e200, -8.0], [-1, 2, 0.5], "f8"),
    "np.square(x)": ([1e30], [], "f4"),
    "np.sqrt(x)": ([-1, 4], [], "f8"),
    "np.log(x)": ([0, -1, 2], [], "f8"),
    "np.log2(x)": ([0, 2], [], "f4"),
    "np.log10(x)": ([-3, 2], [], "f8"),
    "np.log1p(x)": ([-1, -2, 1], [], "f8"),
    "np.exp(x)": ([1000, -1000, 1], [], "f8"),
    "np.exp(x) ": ([100, -100, 1], [], "f4"),
    "np.exp(x)  ": ([12, 1], [], "f2"),
    "np.exp2(x)": ([2000, 1], [], "f8"),
    "np.isnan(x / y == 0.5)": ([0, 4], [0, 2], "f8"),
    "np.isinf((x / y).astype(bool) & (x > 0))": ([0, 4], [0, 2], "f8"),
    "np.isfinite(x // y)": ([1, 4], [0, 2], "i4"),
    "np.expm1(x)": ([1000, 1], [], "f8"),
    "np.sin(x)": ([INF, 1], [], "f8"),
    "np.cos(x)": ([-INF, 1], [], "f4"),
    "np.tan(x)": ([INF, 1], [], "f8"),
    "np.arcsin(x)": ([2, 0.5], [], "f8"),
    "np.arccos(x)": ([-3, 0.5], [], "f4"),
    "np.arccosh(x)": ([0.5, 2], [], "f8"),
    "np.arctanh(x)": ([1, 2, 0.5], [], "f8"),
    "np.sinh(x)": ([1000, 1], [], "f8"),
    "np.cosh(x)": ([1000, 1], [], "f8"),
    "np.hypot(x, y)": ([BIG * 1.7, 1], [BIG * 1.7, 1], "f8"),
    "np.logaddexp(x, y)": ([INF, 1], [NAN, 1], "f8"),
    "np.ldexp(x, 3000)": ([1.0, 0], [], "f8"),
    "np.nextafter(x, np.inf)": ([1.7976931348623157e308, 1], [], "f8"),
    "np.spacing(x)": ([INF, 1], [], "f8"),
    "np.float_power(x, 400)": ([10, 1], [], "f8"),
    "x.astype('f4')": ([1e300, 1e-300, 1], [], "f8"),
    "x.astype('f2')": ([1e6, 1e-9, 1], [], "f8"),
    "x.astype('f2') ": ([1e6, 1], [], "f4"),
    "x.astype('f2')  ": ([10**6, 1], [], "i8"),
    "x.astype('i4')": ([NAN, 1], [], "f8"),
    "x.astype('u1')": ([1e10, 1], [], "f8"),
    "x.astype('i8')": ([INF, 1], [], "f4"),
    "np.int32(x) ": ([-INF, 1], [], "f2"),
    "x * 1e300 * 1e300": ([1e10, 0], [], "f8"),
    "x * 70000.0": ([2, 1], [], "f2"),
    "(x + 1j) * (x - 1e308j)": ([1e200, 1], [], "f8"),
    "(x + 0j) / (x * 0)": ([1, 2], [], "f8"),
    "np.abs(x * (1 + 1j))": ([1.5e308, 1], [], "f8"),
    "np.heaviside(x, 1) + x / 0.0": ([1, -1], [], "f8"),
    "np.where(x > 0, 1 / x, 0)": ([0, 2], [], "f8"),
    "np.where(x > 0, np.log(x), 0)": ([-1, 2], [], "f8"),
    "np.sinc(x * 1e308 * 100)": ([1, 2], [], "f8"),
    "x / 3 if np.log(x) is None else x + 1": ([0, 2], [], "f8"),
    "np.maximum(x, y) / (x - x)": ([1, 2], [3, NAN], "f8"),
    "np.round(x, 300)": ([1e300, 1], [], "f8"),
    "np.log(np.zeros_like(x)) + x": ([1, 2], [], "f8"),
    "x + 1 / np.zeros(x.shape)": ([1, 2], [], "f8"),
    "np.sqrt(np.full_like(x, -1)) * x": ([1, 2], [], "f4"),
    "(np.full_like(x, 1e300) * 1e300) - x": ([1, 2], [], "f8"),
    "np.log1p((x > 1) - np.inf)": ([1, 2], [], "f8"),
    "np.full_like(x, 1e10).astype('i4') + x": ([1, 2], [], "f8"),
    "x.astype('i4') + 0.5": ([1e10, 1, -0.5], [], "f8"),
    "x.astype('i4').astype('f4')": ([1e10, NAN, -0.5], [], "f4"),
    "x.astype('i4') * 0.5": ([INF, 1, -0.5], [], "f2"),
    "x.astype('i2') + 0.5": ([1e10, 1, -0.5], [], "f8"),
    "x.astype('u4') + 0.5": ([1e10, 1, 0.5], [], "f8"),
    "x.astype('i8') + 0.5": ([1e19, 1, -0.5], [], "f8"),
    "x.astype('u8') + 0.5": ([1e20, 1, 0.5], [], "f4"),
    "(x > 1) / (x > 1)": ([1, 2], [], "f8"),
    "np.log(x > 1)": ([1, 2], [], "f8"),
    "np.log(np.where(x > 1, 1.0, 0.0))": ([1, 2], [], "f8"),
    "1 / np.heaviside(x, 1.0)": ([-1, 2], [], "f8"),
    "np.log(x & 0) + 1": ([1, 2], [], "i4"),
    "x / x + 1": ([0, 1], [], "?"),
    "np.log((x & 1) * 2)": ([1, 2], [], "u8"),
    "np.isclose(x, y)": ([INF, 1], [INF, 1], "f8"),
    "np.add(x, y, out=np.zeros_like(x), where=x > 5)": ([BIG * 1.7, 1], [BIG * 1.7, 1], "f8"),
}

HALF_MAX = 60_000.0
# The same for reductions, scans and pieces; the data are one row. Each makes NumPy report something, by errstate or not.
REPORTING_REDUCTIONS: dict[str, tuple[list[float], str]] = {
    "x.sum()": ([BIG, BIG, 1, 2], "f8"),
    "x.sum() ": ([INF, -INF, 1], "f8"),
    "x.sum()  ": ([HALF_MAX, HALF_MAX, 1], "f2"),
    "x.sum(axis=0)": ([INF, -INF] * 20, "f8"),
    "(x + 1j * x).sum()": ([INF, -INF, 1], "f8"),
    "np.vstack([x, x, x]).sum(axis=0)": ([BIG, 1, BIG], "f8"),
    "np.vstack([x, -x]).sum(axis=0)": ([INF, 1, 2], "f8"),
    "np.vstack([x, x, x]).sum(axis=1)": ([BIG] * 9 + [1], "f8"),
    "np.vstack([x, -x]).sum()": ([INF, 1, 2], "f4"),
    "x.sum(dtype='f4')": ([1e300, 1], "f8"),
    "x.sum(dtype='f4') ": ([1e-300, 1], "f8"),
    "x.sum(dtype='f2')": ([1e6, 1], "f8"),
    "x.mean()": ([BIG, BIG, 1], "f8"),
    "x.mean() ": ([INF, -INF], "f8"),
    "x.mean() * 0.5": ([5e-324, 0.0], "f8"),
    "x[:0].mean()": ([1, 2], "f8"),
    "(x * 2)[x.size:].mean()": ([1, 2], "f8"),
    "np.vstack([x, x])[:0].mean(axis=0)": ([1, 2], "f8"),
    "x[:0].std()": ([1, 2], "f8"),
    "x[:0].max()": ([1, 2], "f8"),
    "np.argmax(x[:0])": ([1, 2], "f8"),
    "x.var(ddof=3)": ([1, 2, 4], "f8"),
    "x.var(ddof=2)": ([1, 2], "f8"),
    "x.std(ddof=5)": ([1, 2, 4], "f8"),
    "x.var(ddof=1)": ([1], "f8"),
    "np.vstack([x, x]).var(axis=0, ddof=2)": ([1, 2, 4], "f8"),
    "np.vstack([x, x]).std(axis=1, ddof=3)": ([1, 2, 4], "f4"),
    "x.var()": ([1e200, 1], "f8"),
    "x.var() ": ([INF, 1], "f8"),
    "x.std()": ([1e-170, 0.0], "f8"),
    "np.cumsum(x)": ([INF, -INF, 1], "f8"),
    "np.cumsum(x) ": ([BIG, BIG, -BIG], "f8"),
    "np.cumprod(x)": ([1e200, 1e200, 0], "f8"),
    "np.cumprod(x) ": ([1e-200, 1e-200], "f8"),
    "np.cumsum(np.vstack([x, x]), axis=0)": ([1, BIG], "f8"),
    "x.prod()": ([1e200, 1e200, 0.0], "f8"),
    "x.prod() ": ([1e-200, 1e-200, 1], "f8"),
    "x.prod()  ": ([0, INF, 1], "f8"),
    "np.vstack([x, x]).prod(axis=0)": ([1e200, 1e-200, INF], "f8"),
    "np.divide.reduce(x)": ([1, 0, 2], "f8"),
    "np.subtract.reduce(x)": ([INF, INF, 2], "f8"),
    "np.nanmax(x)": ([NAN, NAN], "f8"),
    "np.nanmin(np.vstack([x, x]), axis=0)": ([NAN, 1, 2], "f8"),
    "np.nanmax(np.vstack([x, x]), axis=1)": ([NAN, NAN, NAN], "f4"),
    "np.nanmean(x)": ([NAN, NAN], "f8"),
    "np.nanmean(np.vstack([x, x]), axis=0)": ([NAN, 1, 2], "f8"),
    "np.nanstd(x)": ([NAN, NAN], "f8"),
    "np.nanvar(x, ddof=1)": ([1, NAN], "f8"),
    "np.nanargmax(x)": ([NAN, NAN], "f8"),
    "np.nansum(x)": ([BIG, NAN, BIG], "f8"),
    "np.max(1 / x)": ([0, 1, 2], "f8"),
    "np.any(x / x)": ([0, 1], "f8"),
    "np.argmin(np.log(x))": ([-1, 1, 2], "f8"),
    "x / x.sum()": ([0, 0, 0], "f8"),
    "x / np.vstack([x, x]).sum(axis=0)": ([0, 1], "f8"),
    "(x - x.mean()) / x.std()": ([2, 2, 2], "f8"),
    "np.exp(x) / np.exp(x).sum()": ([800, 1], "f8"),
    "np.concatenate([1 / x, x])": ([0, 1], "f8"),
    "np.concatenate([x, x.astype('f4')]).sum()": ([1e300, 1], "f8"),
    "np.split(1 / x, 2)[1] + 0": ([0, 1, 2, 4], "f8"),
    "np.diff(x)": ([INF, INF, 1], "f8"),
    "np.diff(1 / x)": ([0, 1, 2], "f8"),
    "np.linalg.norm(np.vstack([x, x]), axis=1)": ([1e200, 1], "f8"),
    "np.average(x, weights=x)": ([0, 0], "f8"),
    "np.ptp(x)": ([INF, INF], "f8"),
    "(x.sum(), x * 1)[1]": ([BIG, BIG], "f8"),
    "(np.cumsum(x), x * 1)[1]": ([INF, -INF], "f8"),
    "(np.vstack([x, x]).sum(axis=0), x * 1)[1]": ([BIG, 1], "f8"),
    "np.gradient(x)": ([INF, INF, 1, 2], "f8"),
}


@pytest.mark.parametrize("expression", REPORTING_REDUCTIONS)
def test_reports_of_reductions_are_numpys(expression: str) -> None:
    data, dtype = REPORTING_REDUCTIONS[expression]
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {expression.strip()}"))
    x = np.array(data, dtype)
    reported = 0
    for name, modes in MODES.items():
        expected = observe(fused.__wrapped__, [x], modes)
        reported += bool(expected.error or expected.warned or expected.reported or expected.printed)
        try:
            assert_same_outcome(observe(fused, [x], modes), expected, ulp=4)
        except AssertionError as difference:
            raise AssertionError(f"errstate {name}: {difference}") from None
    assert reported, "NumPy reports nothing"
    info = fused.cache_info()
    assert info.fused_calls + info.fallback_calls == len(MODES)
    assert set(fused.fallback_reasons()) <= {"floating-point-report", "empty-reduction", "numpy-raises"}


@pytest.mark.parametrize(
    "expression",
    [
        "x.sum(axis=1), x.mean(axis=0), x.max(axis=1), x.min(axis=0), np.argmax(x, axis=1)",
        "x.max(), x.min(), np.argmin(x), np.any(x), np.all(x, axis=0)",
        "np.cumsum(x, axis=0), np.cumsum(x, axis=1), np.maximum.accumulate(x, axis=1)",
        "np.concatenate([x, -x]), np.nanmax(x, axis=1), np.nansum(x, axis=0), np.fmin.reduce(x)",
        "np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1)",
    ],
)
def test_special_values_alone_are_no_reason_to_reduce_with_numpy(expression: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {expression}"))
    for dtype in ("f4", "f8"):
        x = np.linspace(-3, 3, 200, dtype=dtype).reshape(10, 20)
        x[3, 4:7], x[5, 2] = [NAN, INF, INF], -INF
        assert_fused(fused, x, modes=MODES["default"], ulp=4)


@pytest.mark.parametrize("expression", REPORTING)
def test_reports_are_numpys(expression: str) -> None:
    first, second, dtype = REPORTING[expression]
    arguments = [np.array(data, dtype) for data in (first, second) if data]
    parameters = ", ".join("xy"[: len(arguments)])
    fused = pyfuse.fuse(function_from(f"def f({parameters}):\n    return {expression.strip()}"))
    for name, modes in MODES.items():
        expected = observe(fused.__wrapped__, arguments, modes)
        actual = observe(fused, arguments, modes)
        try:
            assert_same_outcome(actual, expected, ulp=4)
        except AssertionError as difference:
            raise AssertionError(f"errstate {name}: {difference}") from None
    info = fused.cache_info()
    assert info.fused_calls + info.fallback_calls == len(MODES)
    assert set(fused.fallback_reasons()) <= {"floating-point-report", "scalar-range"}


@pytest.mark.parametrize(
    "result", ["y < y", "y > y", "(y == 0) == 0.5", "(y > 1).astype('u1') > 300.0", "0.5 != (y < 0)"]
)
def test_what_the_compiler_knows_beforehand_is_reported_all_the_same(result: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x):\n    y = x / 0\n    return {result}"))
    for modes in MODES.values():
        expected = observe(fused.__wrapped__, (np.zeros(20),), modes)
        assert_same_outcome(observe(fused, (np.zeros(20),), modes), expected)


def test_a_report_is_of_the_line_of_the_user() -> None:
    function = function_from("def f(x):\n    a = x + 1\n    return a / (x - x)")
    fused = pyfuse.fuse(function)
    with pytest.warns(RuntimeWarning) as caught:
        fused(np.array([1.0]))
    assert (caught[0].filename, caught[0].lineno) == (function.__code__.co_filename, 3)


def test_each_operation_reports_once_as_in_numpy() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    a = 1 / x\n    b = 1 / x\n    c = np.log(x)\n    return a, c"))
    modes = MODES["warn"]
    arguments = (np.array([0.0, 1.0]),)
    assert_same_outcome(observe(fused, arguments, modes), observe(fused.__wrapped__, arguments, modes))
    assert len(observe(fused, arguments, modes).warned) == 3


ODD = np.array([NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5, 5e-324, 1e308])

# Expressions over x and y that NumPy reports nothing of, whatever special values the data hold.
QUIET = [
    "x < y, x <= y, x > y, x >= y, x == y, x != y, x < 0, x == np.nan",
    "np.maximum(x, y), np.minimum(x, y), np.clip(x, -1, 1), np.clip(x, y, 2)",
    "np.where(x > 0, x, y), np.where(x, x, -x), np.select([x > 0, x < 0], [x, y])",
    "np.isnan(x), np.isinf(x), np.isfinite(x), np.signbit(x), np.sign(x), np.isposinf(x)",
    "-x, +x, abs(x), np.copysign(x, y), np.floor(x), np.ceil(x), np.trunc(x), np.rint(x), np.round(x)",
    "np.nan_to_num(x), np.heaviside(x, 0.5), np.logical_and(x, y), np.logical_not(x), x.astype(bool)",
    "x + 1, x * 1, x - 0.5, x + 0.25",
    "np.modf(x), np.frexp(x)",
    "x.astype('c16'), x + 0j",
]  # fmt: skip
DEFAULT = MODES["default"]


@pytest.mark.parametrize("expression", QUIET)
def test_special_values_alone_are_no_reason_to_run_numpy(expression: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x, y):\n    return {expression}"))
    for dtype in ("f4", "f8"):
        with np.errstate(all="ignore"):
            x = np.resize(ODD.astype(dtype), 81)
            y = np.repeat(ODD.astype(dtype), 9)
        assert_fused(fused, x, y, modes=DEFAULT)
        assert_fused(fused, x[::-1][::2], y[::2], modes=DEFAULT)


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("np.sqrt(x)", [NAN, INF, 0.0, -0.0, 4.0, 5e-324]),
        ("np.exp(x)", [NAN, -INF, INF, 0.0, 1.0, 700.0]),
        ("np.log(x)", [NAN, INF, 1.0, 5e-324]),
        ("np.log1p(x)", [NAN, INF, 1.0, -0.5, 0.0]),
        ("np.expm1(x)", [NAN, INF, -INF, 1.0, 0.0]),
        ("np.sin(x), np.cos(x), np.tan(x)", [NAN, 0.0, 1.0, 1e6]),
        ("np.sin(x), np.cos(x)", [1e22, -1e300, 1.0]),
        ("np.tanh(x), np.arctan(x)", [NAN, INF, -INF, 0.0, 1.0, 100.0]),
        ("np.arcsin(x), np.arccos(x)", [NAN, 1.0, -1.0, 0.0]),
        ("np.sinh(x), np.cosh(x), np.arcsinh(x)", [NAN, INF, -INF, 0.0, 1.0]),
        ("np.arctan2(x, 1.0), np.hypot(x, 1.0)", [NAN, INF, -INF, 0.0, 1.0]),
        ("x ** 3, x ** 0.25, 2.0 ** x", [NAN, INF, 0.0, 1.0, 3.0]),
        ("np.cbrt(x), np.exp2(x), np.log2(x + 2)", [NAN, INF, 0.0, 1.0]),
        ("x % 3.0, x // 3.0, np.fmod(x, 3.0)", [NAN, 1.0, -7.5, 0.0]),
        ("1 / (1 + np.exp(-x)), np.tanh(x) * x", [-30.0, 0.0, 1.0, 30.0]),
        ("x.astype('i4'), x.astype('u1'), x.astype('i8')", [0.0, -0.0, 1.5, 200.9]),
        ("x.astype('f4'), x.astype('f2')", [NAN, INF, -INF, 0.0, 1.5]),
    ],
)
def test_special_values_that_functions_take_are_no_reason_to_run_numpy(expression: str, data: list[float]) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {expression}"))
    for repeats in (1, 13):
        assert_fused(fused, np.array(data * repeats), ulp=4, modes=DEFAULT)


def test_an_ignored_report_does_not_run_numpy() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return 1 / x, np.log(x), x.astype('f4') * x"))
    assert_fused(fused, np.array([0.0, -1.0, 1e200]), modes={"all": "ignore"}, ulp=4)


def test_scalars_that_python_divides_by_zero_raise_as_in_python() -> None:
    fused: Any = pyfuse.fuse(function_from("def f(x, k):\n    return x * (1 / k)"))
    x = np.array([1.0])
    assert_fused(fused, x, 2)
    for number in (0, 0.0):
        assert_same_outcome(observe(fused, (x, number)), observe(fused.__wrapped__, (x, number)))
    assert_same_outcome(
        observe(fused, (x, np.float64(0)), MODES["warn"]), observe(fused.__wrapped__, (x, np.float64(0)), MODES["warn"])
    )


# What comes of the division does not depend on it, or on its sign only: a compiler would leave it out.
INDIFFERENT = (
    "np.copysign(1.0, x / (x & 1))", "np.signbit(x / (x & 1))", "(x / (x & 1)).astype(bool) | True", "(x // (x & 1)) & 0",
    "(x / (x & 1)).astype('i8') * 0", "(x / (x & 1)).astype('i4') | -1", "np.where(True, 1, x // (x & 1))",
    "np.where(True, 1.0, x / (x & 1))", "np.logical_and(False, x / (x & 1) > 2)", "np.abs(x / (x & 1)) >= 0",
)  # fmt: skip


@pytest.mark.parametrize("expression", INDIFFERENT)
def test_what_does_not_change_the_result_is_reported_all_the_same(expression: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {expression}"))
    x = np.arange(17, dtype="u1")
    assert_same_outcome(observe(fused, [x], MODES["warn"]), observe(fused.__wrapped__, [x], MODES["warn"]))
    assert fused.fallback_reasons() == {"floating-point-report": 1}


# --- of both values of a choice, as NumPy computes both -------------------------------------------------------------


def quotient_or_zero(a, _b, c):
    return np.where(c != 0, a / c, 0.0)


def quotient_or_first(a, b, c):
    return np.where(b > c, a, a / c)


def either_quotient(a, b, c):
    return np.where(b > c, a / b, a / c)


def quotient_where_less(a, b, c):
    return np.where(b < -c, a / c, a * 2)


def product_or_square(a, b, c):
    return np.where(b > c, a + b, (a + c) * 1e30 * 1e9)


@pytest.mark.parametrize(
    "function", [quotient_or_zero, quotient_or_first, either_quotient, quotient_where_less, product_or_square]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [5, 1000])
def test_what_is_not_chosen_is_reported(function, dtype, count) -> None:
    """gcc 12 made masked divisions of these for AVX-512, which report nothing of the elements that are not chosen."""
    a, b, c = (np.random.default_rng(7).random((3, count)) + 0.5).astype(dtype)
    c[count // 2] = 0.0
    fused = pyfuse.fuse(function)
    for _ in range(2):
        expected, actual = observe(function, [a, b, c], {"all": "warn"}), observe(fused, [a, b, c], {"all": "warn"})
        assert_same_outcome(actual, expected)
    is_reported = bool(expected.warned)
    assert fused.fallback_reasons() == ({"floating-point-report": 2} if is_reported else {})
    assert fused.cache_info().kernels == 1
