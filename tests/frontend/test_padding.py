"""``np.pad`` in the modes that are fused, and what it leaves to NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

TABLE = np.arange(30.0).reshape(5, 6)


def fused_of(call: str) -> Any:
    return pyfuse.fuse(function_from(f"import numpy as np\ndef f(x):\n    return {call}"))


@pytest.mark.parametrize(
    "arguments",
    ["1", "2, 'edge'", "((1, 2), (0, 3))", "(1, 2), constant_values=5", "((0, 1), (2, 0)), 'wrap'", "3, mode='wrap'",
     "((1,), (2,))", "0", "[[0, 0], [1, 1]], 'edge'"],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "?", "c16"])
def test_padding(arguments: str, dtype: str) -> None:
    fused = fused_of(f"np.pad(x, {arguments})")
    table = (TABLE % 7 > 3) if dtype == "?" else TABLE.astype(dtype)
    for x in (table, table[::2, 1:], table[:, ::-1]):
        assert_fused(fused, x)


def test_padding_in_one_dimension_and_three() -> None:
    assert_fused(fused_of("np.pad(x * 2, 2, 'edge')[1:-1] + 1"), TABLE[0])
    assert_fused(fused_of("np.pad(x, ((0, 1), (1, 0), (2, 2)), 'wrap')"), np.arange(60.0).reshape(3, 4, 5))


def test_a_stencil_of_a_padded_array_is_one_kernel() -> None:
    fused = fused_of("4 * x - np.pad(x, 1)[2:, 1:-1] - np.pad(x, 1)[:-2, 1:-1]")
    assert_fused(fused, TABLE)
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize(
    "call",
    ["np.pad(x, 1, 'reflect')", "np.pad(x, 9)", "np.pad(x, 7, 'wrap')", "np.pad(x, -1)", "np.pad(x, (1, 2, 3))",
     "np.pad(x.T + 1, 1)", "np.pad(x[::-1] * 2, 1)", "np.pad(x[:, 1:] * 2, 1)",
     "np.pad(x, 1, constant_values=(1, 2))", "np.pad(x, 1.5)", "np.pad(x, 1, 'edge', nothing=1)"],
)  # fmt: skip
def test_other_padding_is_numpys(call: str) -> None:
    fused = fused_of(call)
    assert_same_outcome(observe(fused, (TABLE,)), observe(fused.__wrapped__, (TABLE,)))
    assert fused.cache_info().fused_calls == 0


def test_an_array_in_fortrans_order_is_numpys() -> None:
    fused = fused_of("np.pad(x, 1)")
    for x, calls in ((np.asfortranarray(TABLE), 0), (TABLE, 1), (TABLE.T, 1), (TABLE[:1], 2)):
        assert_same_outcome(observe(fused, (x,)), observe(fused.__wrapped__, (x,)))
        assert fused.cache_info().fused_calls == calls


@pytest.mark.parametrize(
    "call",
    ["np.pad(x * 2 + 1, 1, 'edge')", "np.pad(x.astype('f4') + x[0], ((1, 0), (0, 2)))",
     "np.pad(np.exp(-x * x) * np.arange(6.0), 1, 'wrap')", "np.pad(x + x[:, :1].copy(), 1)"],
)  # fmt: skip
def test_computed_arrays_whose_operands_lie_in_cs_order(call: str) -> None:
    fused = fused_of(call)
    given = (
        TABLE,
        np.ascontiguousarray(TABLE.T)[:5].copy(),
        TABLE.copy(),
        np.asfortranarray(TABLE),
        TABLE.T,
        TABLE[::2, ::-1],
    )
    for x in given:
        for _ in range(2):
            assert_same_outcome(observe(fused, (x,)), observe(fused.__wrapped__, (x,)), ulp=2, scale=1.0)
    kernels = fused.cache_info().kernels
    assert fused.cache_info().fused_calls > 0 or "arange" in call or ":1" in call, fused.explain(TABLE)
    fused(TABLE)
    assert fused.cache_info().kernels == kernels


def test_a_computed_array_is_padded_in_the_kernel_that_makes_it() -> None:
    fused = fused_of("np.pad(x * x + 1, 1, 'edge')[2:, 1:-1] - x")
    assert_fused(fused, TABLE)
    assert fused.cache_info().kernels == 1
