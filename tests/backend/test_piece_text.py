"""Bodies that are cut into pieces: is each long one cut, are results and reports NumPy's, at any length and layout?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import piece_text
from pyfuse.demo import black_scholes
from tests.parity.fuzz import Tally, run
from tests.parity.text import function_from
from tests.stage_texts import stage_texts

STATEMENTS = (
    "x = x * 0.5 + b",
    "y = np.maximum(x, y) - 0.25",
    "m = x < y",
    "z = np.where(m, x, z * 0.5)",
    "x = np.sqrt(np.abs(z + c)) + (k & 3)",
    "q, r = np.divmod(k + 7, 5)",
    "y = np.clip(y + r, -4.0, 4.0) - q * 0.125",
    "x = np.where(m & flags, x, y)",
)


def long_function(turns: int, result: str = "x, z, m, k") -> Callable[..., Any]:
    """A function whose operations are all exact."""
    lines = ["def f(a, b, c, k, flags):", "    x, y, z, m = a, b, a, flags"]
    lines += [f"    {statement}" for _ in range(turns) for statement in STATEMENTS]
    return function_from("\n".join([*lines, f"    return {result}"]) + "\n")


def arguments(size: int) -> list[np.ndarray]:
    """Doubles, singles, integers of 32 bits and booleans."""
    numbers = np.random.default_rng(size)
    a, b, c = numbers.standard_normal((3, size))
    return [a, b, c.astype("f4"), numbers.integers(-50, 50, size).astype("i4"), numbers.random(size) < 0.5]


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every nest is cut, into pieces of a few operations."""
    monkeypatch.setattr(piece_text, "FEWEST_STEPS", 0)
    monkeypatch.setattr(piece_text, "LONG_BODY", 1)
    monkeypatch.setattr(piece_text, "LONGEST_PIECE", 3)
    yield


def test_a_long_body_is_cut_and_a_short_one_is_not() -> None:
    texts = [stage_texts(long_function(turns), *arguments(9)) for turns in (1, 20)]
    assert "padded" not in str(texts[0]) and "padded" in str(texts[1])


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_black_scholes_is_not_cut(dtype: str) -> None:
    """Its normal distributions share work in one body: it took 1.4 times as long in pieces."""
    inputs = [values.astype(dtype) for values in black_scholes.make_inputs(9)]
    assert "padded" not in str(stage_texts(black_scholes.prices, *inputs))


@pytest.mark.parametrize("size", [1, 7, 8, 64, 127, 128, 129, 1000])
def test_results_are_numpys(size: int) -> None:
    fused = pyfuse.fuse(long_function(20))
    given = arguments(size)
    for actual, expected in zip(fused(*given), fused.__wrapped__(*given), strict=True):
        np.testing.assert_array_equal(actual, expected, strict=True)
    assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()


def test_operands_in_other_orders() -> None:
    fused = pyfuse.fuse(long_function(20, "x"))
    a, b, c, k, flags = arguments(4 * 6 * 150)
    shape = (4, 6, 150)
    given = [
        np.asfortranarray(a.reshape(shape)),
        b.reshape(shape)[::-1, :, ::-1],
        c.reshape(shape)[:, :1, :],
        k[::2][:150],
        flags.reshape(shape)[..., :1],
    ]
    np.testing.assert_array_equal(fused(*given), fused.__wrapped__(*given), strict=True)
    assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()


def test_a_store_into_what_is_read() -> None:
    lines = ["def f(a, b):", *["    a[...] = a * 0.5 + np.maximum(a, b)"] * 100, "    return b"]
    fused = pyfuse.fuse(function_from("\n".join(lines) + "\n"))
    a, b = np.random.default_rng(1).standard_normal((2, 1000))
    expected = a.copy()
    fused.__wrapped__(expected, b)
    fused(a, b)
    np.testing.assert_array_equal(a, expected)
    assert fused.cache_info().fallback_calls == 0, fused.fallback_reasons()


def test_places_behind_the_end_report_nothing() -> None:
    fused = pyfuse.fuse(long_function(20, "x / b, np.log(np.abs(c))"))
    with np.errstate(all="raise"):
        fused(*arguments(131))
    assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()


@pytest.mark.usefixtures("short_pieces")
def test_random_functions_in_short_pieces() -> None:
    tally: Tally = run(30_000, 25, report=lambda _message: None)
    assert not tally.failures, tally.failures[0]
    assert tally.reasons["fused"] > 0.3 * tally.calls, tally.reasons
