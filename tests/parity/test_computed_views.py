"""Views of arrays that the function computes: values, sharing of what is returned, reports of elements left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

X = np.random.default_rng(11).normal(size=(6, 8))
ROW = X[0].copy()

FUSED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "neighbours": ("y = x * 2\nreturn y[1:] - y[:-1]", (ROW,)),
    "stencil": (
        "y = x + 1\nreturn y[1:-1, 1:-1] * 4 - y[2:, 1:-1] - y[:-2, 1:-1] - y[1:-1, 2:] - y[1:-1, :-2]",
        (X,),
    ),
    "stencil of a stencil": ("y = x[1:] - x[:-1]\nz = y[1:] * y[:-1]\nreturn z[::2] + z[1::2][: z[::2].size]", (ROW,)),
    "backwards": ("y = x * 2\nreturn y[::-1] + x, y[::-2], y[5:1:-1]", (ROW,)),
    "numbers": ("y = x + 1\nreturn y[0], y[0, 1], y[-1, :], y[..., -2], y[1, ::2] * 2", (X,)),
    "new axes": ("y = x + 1\nreturn y[:, None] * x, y[None, 1:] + 1", (ROW,)),
    "flips": ("y = x * 3\nreturn np.flip(y) + x, np.fliplr(y), np.flipud(y)[0], np.flip(y, (0, 1))", (X,)),
    "row of a sum": ("y = x.sum(axis=1)\nreturn y[0] + y, y[:2] * y[2:4]", (X,)),
    "one row": ("y = x * x\nreturn y.reshape(-1).sum(), y.ravel() + 1", (X,)),
    "blocks": ("return (x * 2).reshape(3, 2, 2, 4).mean(axis=(1, 3))", (X,)),
    "scan of a row": ("return np.cumsum((x * 2).ravel())", (X,)),
    "reshaped reduction": ("return (x.sum(axis=1).reshape(2, -1) + 1).max(axis=0)", (X,)),
    "empty": ("y = x + 1\nreturn y[3:3], y[8:], y * 2", (ROW,)),
    "of a concatenation": ("y = np.concatenate([x, x * 2])\nreturn y[2:10] + y[:8]", (ROW,)),
    "of a scan": ("y = np.cumsum(x)\nreturn y[3:] - y[:-3]", (ROW,)),
}


@pytest.mark.parametrize("name", FUSED)
def test_view_of_a_computed_array_is_fused(name: str) -> None:
    body, arguments = FUSED[name]
    text = "def f(x):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    fused = pyfuse.fuse(function_from(text))
    assert_fused(fused, *arguments)
    assert fused.cache_info().kernels == 1


def test_a_returned_view_shares_the_memory_of_what_it_is_a_view_of() -> None:
    fused = pyfuse.fuse(
        function_from("def f(x):\n    y = x * 2\n    return y, y[1:], np.split(y, 2), y.reshape(2, -1)")
    )
    assert_fused(fused, ROW)
    whole, rest, (first, second), table = fused(ROW)
    for part in (rest, first, second, table):
        assert np.shares_memory(whole, part)
    table[0, 0] = 7.0
    assert whole[0] == first[0] == 7.0


def test_a_view_sees_what_is_stored_into_its_array_later() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    y = x * 2\n    z = y[1:]\n    y += 1\n    return z * 1, z"))
    assert_fused(fused, ROW)


def test_numpy_reports_errors_of_elements_that_a_view_leaves_out() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    y = np.sqrt(x)\n    return y[1:] + 1"))
    arguments = (np.array([-1.0, 1.0, 2.0]),)
    assert_same_outcome(
        observe(fused, arguments, {"all": "warn"}), observe(fused.__wrapped__, arguments, {"all": "warn"})
    )
    assert fused.fallback_reasons() == {"floating-point-report": 1}
    assert_same_outcome(observe(fused, arguments), observe(fused.__wrapped__, arguments))
    assert fused.cache_info().fused_calls == 1


def test_bounds_of_the_call_make_no_new_kernel() -> None:
    fused = pyfuse.fuse(function_from("def f(x, n):\n    y = x * x\n    return y[:n].sum(), y[n:] + 1"))
    for bound in (2, 3, 5, -2):
        assert_fused(fused, ROW, bound)
    assert fused.cache_info().kernels == 1


def test_extents_of_the_call_make_no_new_kernel() -> None:
    fused = pyfuse.fuse(function_from("def f(x, n):\n    return (x + 1).reshape(n, -1).sum(axis=1)"))
    for rows in (2, 4):
        assert_fused(fused, np.arange(64.0), rows)
    assert fused.cache_info().currsize == 1


def test_an_index_out_of_bounds_is_numpys_error() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return (x + 1)[9]"))
    assert observe(fused, (ROW,)).error == observe(fused.__wrapped__, (ROW,)).error
    assert fused.fallback_reasons() == {"scalar-error": 1}


def test_a_shape_that_does_not_fit_is_numpys_error() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return (x + 1).reshape(5, 5)"))
    assert observe(fused, (ROW,)).error == observe(fused.__wrapped__, (ROW,)).error
    assert fused.fallback_reasons() == {"shape-mismatch": 1}


@pytest.mark.parametrize("flat", ["ravel()", "reshape(-1)"])
def test_a_store_after_a_reshape_changes_it_only_where_it_is_a_view(flat: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x):\n    a = x + 1\n    b = a.{flat}\n    a += 5\n    return a, b"))
    for x in (X, np.asfortranarray(X)):
        assert_falls_back(fused, x, reason="unsupported-operation")


def test_an_array_in_another_order_is_reshaped_by_numpy() -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return (x + 1).reshape(-1) * 2"))
    assert_falls_back(fused, np.asfortranarray(X), reason="unsupported-array")
    assert_fused(fused, X)
