"""Many numbers divided by one go by its reciprocal: are they rounded as by a division, and reported so?"""

from __future__ import annotations

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_fused, assert_same_outcome, observe
from tests.parity.special_values import special
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

# The divisor of a row is the largest number of its row of d; x is looked at, so that both are in one nest.
DIVIDED = "def f(x, d):\n    return x / np.where(x == 7, d, d).max(axis=1, keepdims=True)"
DIVIDED_MAP = "def f(x, d):\n    return x / d[:, :1]"
BOTH = pytest.mark.parametrize("text", [DIVIDED, DIVIDED_MAP], ids=["rows", "map"])
NORMALISED = """\
def f(x, d):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True)) * d
"""


def _rows(dtype: str, divisors: list[float], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    by = np.array(divisors, dtype)[:, None]
    return np.broadcast_to(values.astype(dtype), (len(divisors), values.size)).copy(), np.repeat(
        by, values.size, axis=1
    )


def _random(dtype: str, count: int, powers: int) -> np.ndarray:
    random = np.random.default_rng(3)
    return (random.normal(size=count) * 2.0 ** random.integers(-powers, powers, count)).astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_it_is_done(dtype: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PYFUSE_DEBUG", "source")
    for text in (DIVIDED, DIVIDED_MAP, NORMALISED):
        pyfuse.fuse(function_from(text), wait=True)(*np.ones((2, 3, 50), dtype).cumsum(axis=2))
        assert f"= pf_divide_by_{dtype}(" in capsys.readouterr().err


@BOTH
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("powers", [1, 30])
def test_quotients_are_rounded_as_by_a_division(text: str, dtype: str, powers: int) -> None:
    fused = pyfuse.fuse(function_from(text))
    divisors = np.abs(_random(dtype, 200, powers)).tolist()
    # All ones and a one at the end of the mantissa are the worst of divisors.
    bits = np.finfo(dtype).nmant
    divisors += [2 - 2.0**-bits, 1 + 2.0**-bits, 1.0, 0.5, 3.0, 10.0]
    for count in (1, 7, 16, 63, 500):
        assert_fused(fused, *_rows(dtype, divisors, _random(dtype, count, powers)))


@BOTH
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_divisors_next_to_quotients(text: str, dtype: str) -> None:
    """Dividends that are a number times the divisor, and their neighbours: quotients next to half a unit."""
    fused, random = pyfuse.fuse(function_from(text)), np.random.default_rng(5)
    divisors = random.uniform(1, 2, 100).astype(dtype)
    products = (divisors[:, None] * random.uniform(1, 2, 300).astype(dtype)).astype(dtype)
    x = np.concatenate([products, np.nextafter(products, np.array(9, dtype))], axis=1)
    assert_fused(fused, x, np.repeat(divisors[:, None], x.shape[1], axis=1))


@BOTH
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "divisor", [3.0, -3.0, -1.0, 1e-30, -1e30, 0.0, -0.0, "inf", "nan", "least", "largest", "subnormal"]
)
def test_special_values(text: str, dtype: str, divisor: float | str) -> None:
    info = np.finfo(dtype)
    named = {"least": info.tiny, "largest": info.max, "subnormal": info.smallest_subnormal * 5}
    number = float(named.get(str(divisor), divisor))
    fused = pyfuse.fuse(function_from(text))
    x, d = _rows(dtype, [number, 2.5], special(dtype))
    for modes in ({"all": "ignore"}, {"all": "warn"}):
        for values in (x, x[:, :3].copy(), np.abs(x), np.zeros_like(x), -np.zeros_like(x)):
            expected = observe(fused.__wrapped__, (values, d[:, : values.shape[1]]), modes)
            found = observe(fused, (values, d[:, : values.shape[1]]), modes)
            assert_same_outcome(found, expected)
    info_after = fused.cache_info()
    assert info_after.kernels == 1, fused.fallback_reasons()


@BOTH
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_zeros_keep_their_sign(text: str, dtype: str) -> None:
    fused = pyfuse.fuse(function_from(text))
    for divisor in (3.0, -3.0):
        x, d = _rows(dtype, [divisor], np.array([0.0, -0.0] * 20))
        assert np.array_equal(np.signbit(fused(x, d)), np.signbit(x / d[:, :1]))
        assert_fused(fused, x, d)


def test_normalised_rows_of_all_lengths() -> None:
    fused = pyfuse.fuse(function_from(NORMALISED))
    for dtype in ("f4", "f8"):
        for rows, columns in ((1, 40), (5, 1), (17, 31), (33, 129), (3, 5000)):
            x = _random(dtype, rows * columns, 3).reshape(rows, columns)
            assert_fused(fused, x, np.ones(columns, dtype), modes={"all": "ignore"})


def test_rows_of_one_value_are_reported_and_others_not() -> None:
    fused = pyfuse.fuse(function_from(NORMALISED))
    x = _random("f8", 600, 3).reshape(20, 30)
    assert_fused(fused, x, np.ones(30))
    x[11] = 2.0
    expected = observe(fused.__wrapped__, (x, np.ones(30)), {"all": "warn"})
    found = observe(fused, (x, np.ones(30)), {"all": "warn"})
    assert expected.warned
    assert_same_outcome(found, expected)


@pytest.mark.parametrize("divisor", [3.0, -3.0, 4.0, 0.1, 1e-310, np.float64(7)])
def test_numbers_of_the_call_and_of_the_text(divisor: float) -> None:
    x = np.concatenate([_random("f8", 500, 30), [0.0, -0.0]])
    assert_fused(pyfuse.fuse(function_from("def f(x, d):\n    return (x - 1) / d")), x, divisor)
    assert_fused(pyfuse.fuse(function_from(f"def f(x):\n    return x / {float(divisor)!r} + x")), x)


def test_underflow_in_another_operation_is_reported_as_ever() -> None:
    fused = pyfuse.fuse(function_from("def f(x, d):\n    return x * x / d"))
    x = np.array([1.0, 1e-200, 2.0] * 10)
    for modes in ({"all": "ignore"}, {"all": "warn"}):
        assert_same_outcome(observe(fused, (x, 3.0), modes), observe(fused.__wrapped__, (x, 3.0), modes))
    assert fused.cache_info().kernels == 1, fused.fallback_reasons()
