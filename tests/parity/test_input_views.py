"""Indexing, and functions that give views, on arrays that the call gives: NumPy makes the view, the kernel reads it."""

# ruff: noqa: E501 - programs on one line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.decorator import FusedFunction
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

X = np.arange(60.0).reshape(5, 4, 3) - 20.0
Y = np.arange(12.0).reshape(4, 3) / 7.0


def fused_of(body: str, parameters: str = "x, y", **names: Any) -> FusedFunction[..., Any]:
    lines = "\n".join("    " + line for line in body.split("\n"))
    return pyfuse.fuse(function_from(f"def f({parameters}):\n{lines}\n", **names))


# name: a body; x is a float64 array of shape (5, 4, 3), y one of shape (4, 3).
BODIES: dict[str, str] = {
    "neighbours": "return x[1:] - x[:-1]",
    "a row": "return x[0] + y, x[-1] * 2",
    "a column": "return x[:, 1] + 1, x[..., 0] * 2, x[:, :, -1] - x[:, :, 0]",
    "numbers and slices": "return x[-1, 1:3] * 2, x[1:4, 0, ::2] + 1",
    "negative steps": "return x[::-1] + x, x[..., ::-2] * 2, x[3:0:-1, ::-1] - 1",
    "steps": "return x[::2] + 1, x[1::2, ::3] * 2, x[:, 1::2, :2] - 1",
    "new axes": "return x[1, None] + 1, x[None, 1:, 0] * 2, x[:, 1, None] + x, x[2, ..., np.newaxis] - 1",
    "one element along an axis": "return x[..., 1:2] * x, x[2:3] + y",
    "whole": "return x[...] + 1, x[:] + 1, x[()] * 2, x[1:, ...] - 1",
    "an index of slices": "k = (slice(1, 3), 0)\nreturn x[k] + 1, x[slice(None, 2)] * 2, x[slice(1, None), ..., 0] - 1",
    "a NumPy number": "return x[np.int64(1)] + 1, x[: np.int8(2)] * 2",
    "of a view": "return x.T[1:] * 2, np.swapaxes(x, 0, 1)[0] + 1, x[1:][:2][0] - 1, x.transpose(1, 2, 0)[0, ::-1] * 3",
    "of a real part": "return x.real[1:] + 1",
    "an element": "return x[0, 0, 1] + y, x[0, 0, 1], x[1][2][0] * x, x[0, 0, 1] + x[0, 0, 2]",
    "an element decides": "return x + 1 if x[0, 0, 0] < 0 else y",
    "an element counts": "return [y * k for k in range(int(x[0, 0, 1] + 22))]",
    "empty": "return x[5:] * 2, x[3:1] + 1, x[:0, 1]",
    "beyond the end": "return x[3:100] + 1, x[-100:2] * 2",
    "facts": "v = x[1:, 0]\nreturn v.shape, v.size, v.ndim, len(v), np.shape(v), v.dtype, v.T + 1, v * v.shape[0]",
    "the view comes back": "return x[1:], x[1:] * 2, x[::-1, 0]",
    "the view comes back twice": "v = x[1:]\nreturn v, v, [v], v.T, v + 1",
    "views are new objects": "return x[1:], x[1:], x + 1",
    "a view of a view comes back": "v = x[1:]\nreturn v, v[1:], v.T[0], v + 1",
    "identity": "v = x[1:]\nreturn x[1:] is x[1:], v is v, v is x, x + 1, v is not v",
    "unused": "x[1:]\nv = x[0]\nreturn x + 1",
    "a loop over numbers": "t = 0\nfor k in range(x.shape[0]):\n    t = t + x[k] * k\nreturn t",
    "reshape": "return x.reshape(-1) * 2, x.reshape(20, 3) + 1, np.reshape(x, (4, 15)) + 1, x.reshape((3, -1), order='F') - 1, x.reshape(x.shape[0], -1) + 1",
    "reshape of what must be copied": "v = x.T.reshape(-1)\nreturn v, v[1:], v.T, v * 2",
    "ravel": "return x.ravel() + 1, np.ravel(x, 'F') * 2, x.T.ravel(), x.ravel()",
    "flatten": "a = x.flatten()\nb = a\na += 1\nreturn a, b, x.flatten('F'), x.T.flatten() * 2, x[1:].flatten()",
    "squeeze": "return x.squeeze() + 1, x.squeeze(), x[:, :1].squeeze(1) * 2, np.squeeze(x[:1]) * y, x[:1, :1].squeeze(axis=(0, 1)), x[:1].squeeze()",
    "squeeze of a result": "a = y[None] * 2\nreturn a.squeeze(), np.squeeze(a, 0) + 1, (x[:1] + 1).squeeze(axis=0)",
    "flip": "return np.flip(x) + 1, np.flip(x, 1), np.flip(x, (0, 2)) * 2, np.fliplr(x) * x, np.flipud(x) + 1",
    "rot90": "return np.rot90(y) * 2, np.rot90(x, k=2, axes=(0, 1)), np.rot90(y, -1) + 1, np.rot90(y, 0)",
    "diagonal": "return np.diagonal(x) + 1, x.diagonal(1, 0, 2), y.diagonal() * 2, np.diagonal(y, offset=-1), np.diag(y) * 3",
    "broadcast_to": "return np.broadcast_to(y, (2, 4, 3)) + 1, np.broadcast_to(y, x.shape), x * np.broadcast_to(y[0], shape=x.shape)",
    "broadcast_arrays": "a, b = np.broadcast_arrays(x, y)\nc = np.broadcast_arrays(x, x)\nreturn a - b, c, c[0] is x, len(c), np.broadcast_arrays(x, 2.0)[1] + 1",
    "at least": "return np.atleast_1d(x), np.atleast_2d(x[0, 0]) + 1, np.atleast_3d(x[0, 0]) * 2, np.atleast_3d(y), np.atleast_2d(x, y), np.atleast_1d(y.T)",
    "at least of a result": "a = x[0, 0] * 2\nreturn np.atleast_1d(a), np.atleast_2d(a), np.atleast_3d(a), np.atleast_3d(y + 1), np.atleast_1d(a, 3.0)",
    "split": "a, b, c = np.split(x, [1, 3])\nreturn a + b[:1], c, np.split(x, 5), [p * 2 for p in np.split(x, 2, axis=1)]",
    "array_split": "return np.array_split(x, 2), sum(p.shape[0] * 1.0 for p in np.array_split(x, 3)) * y",
    "hsplit and its kin": "return np.hsplit(x, 2), np.vsplit(x, 5)[0] + 1, np.dsplit(x, 3), np.hsplit(y, [1])[1] * 2",
    "a part comes back twice": "p = np.split(x, 5)\nq = p\np.append(y)\nreturn p, p[0], q, p[0] + 1",
    "unstack": "return np.unstack(x), np.unstack(y, axis=1)[0] + 1",
    "rollaxis": "return np.rollaxis(x, 2) + 1, np.rollaxis(x, 0, 3) * 2, np.rollaxis(x, 1, 1), np.rollaxis(x + 1, -1, 1), np.rollaxis(x, 1, -1)",
    "functions of views": "return np.flip(x[1:, 0], 0) * 2, x[1:].reshape(2, -1) + 1, np.ravel(x.T)[::2], np.split(x[0], 2)[1].T + 1",
    "a helper takes the view": "def inner(a):\n    return a[1:-1] * 2 + a[2:]\nreturn inner(x), inner(x[:, 1]), inner(x.T)",
    "np.gradient's own pattern": "v = x[:, 0]\nout = (v[2:] - v[:-2]) / 2.0\nreturn out, v[1] - v[0]",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:future versions will not")  # of broadcast_arrays, when a test asks for its flags
@pytest.mark.parametrize("name", BODIES)
def test_views_of_arguments_fuse(name: str) -> None:
    fused = fused_of(BODIES[name])
    assert_fused(fused, X, Y, calls=3)
    assert_fused(fused, np.asfortranarray(X), Y[:, ::-1])
    assert fused.cache_info().misses == 1
    assert fused.fallback_reasons() == {}


def test_rank_0_gives_scalars_by_index() -> None:
    fused = fused_of(
        "return x[()] * 2, x[()], x[...] * 2, x[...], x[None] + 1, x.reshape(1) - 1, x.copy()[()], np.atleast_2d(x)"
    )
    assert_fused(fused, np.array(2.5), None, calls=2)


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "c8", "c16"])
def test_an_element_has_its_dtype(dtype: str) -> None:
    fused = fused_of("return x[1] * y, x[1], x[2] + 1")
    x = np.array([1, 0, 1, 1]).astype(dtype)
    assert_fused(fused, x, np.arange(3, dtype="f4"), calls=2)
    assert_fused(fused, x, np.arange(3, dtype="i2"))


STENCIL = "return u[1:-1, 1:-1] + k * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])"


def test_a_stencil_is_one_kernel_for_all_sizes() -> None:
    fused = fused_of(STENCIL, "u, k")
    for shape in ((8, 9), (20, 7), (3, 3), (64, 64)):
        u = np.sin(np.arange(float(np.prod(shape)))).reshape(shape)
        assert_fused(fused, u, 0.1, calls=2)
    assert fused.cache_info().misses == 2  # of shape (3, 3) the inner part has extents of one


def test_equal_views_are_read_once() -> None:
    fused = fused_of(STENCIL, "u, k")
    loads = fused.explain(np.ones((8, 8)), 0.5).count("= load ")
    assert loads == 5
    other = fused_of("return u[k:] * u[k:] + u.T[:, k:].T + u.T[:, k:].T", "u, k")
    assert other.explain(np.ones((8, 8)), 2).count("= load ") == 2


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        ("return x[:n] * 2", [(2,), (3,), (0,), (-1,), (100,), (np.int64(4),)]),
        ("return x[n] + 1", [(0,), (2,), (-1,)]),
        ("return x[n, 1:, 0] * y[1:, 0]", [(0,), (3,), (-2,)]),
        ("return x[a:b:c] + 1", [(0, 4, 1), (1, 5, 2), (4, 0, -1), (None, None, -2), (5, 2, 1)]),
        ("return x[0, a, b] * y, x[0, a, b]", [(0, 1), (3, 2), (-1, -3)]),
        ("s = slice(a, b)\nreturn x[s] - 1, x[:, s] + 1", [(0, 3), (1, 4), (1, 3)]),
        ("return x[:, : len(x) - n] * 2", [(1,), (2,), (3,)]),
        ("return x.reshape(n, -1) + 1", [(2,), (3,), (20,)]),
        ("return x.reshape((-1, n), order='F') + 1", [(2,), (3,), (20,)]),
        ("return np.flip(x, n) + 1, np.rot90(x, n) * 2", [(0,), (1,), (-1,)]),
        ("return np.broadcast_to(y, (n, 4, 3)) * 2", [(2,), (3,), (50,)]),
        ("return np.split(x, [n])[1] * 2", [(2,), (3,)]),
        ("return x[s] * 2", [(slice(1, 3),), (slice(None, None, -1),), (slice(0, 2),)]),
    ],
)  # fmt: skip
def test_numbers_of_the_call_make_no_new_specialisation(body: str, calls: list[tuple[Any, ...]]) -> None:
    names = {1: "s" if "[s]" in body else "n", 2: "a, b", 3: "a, b, c"}[len(calls[0])]
    fused = fused_of(body, f"x, y, {names}")
    for numbers in calls:
        assert_fused(fused, X, Y, *numbers, calls=2)
    kinds = {tuple(type(number) for number in numbers) for numbers in calls}
    assert fused.cache_info().misses == len(kinds)


def test_an_extent_of_one_makes_another_specialisation() -> None:
    fused = fused_of("return x[:n] * y", "x, y, n")
    for n in (3, 2, 1, 4, 1):
        assert_fused(fused, X, Y, n)
    assert fused.cache_info().misses == 2


def test_views_of_different_arrays_or_bounds_are_not_taken_for_one() -> None:
    fused = fused_of("return x[n:] - z[n:], x[n] - x[m], x[:n] * z[:m], x.T[:n] - z.T[:n]", "x, z, n, m")
    assert_fused(fused, X, X * 3, 2, 2)
    assert_fused(fused, X, X - 7, np.int64(3), 3)
    assert_fused(fused_of("return x[n] - x[m], x[n:] * z[m:][0]", "x, z, n, m"), X, X * 3, 2, 3, calls=2)


def test_bounds_that_come_to_need_broadcasting_are_numpys_matter() -> None:
    fused = fused_of("return x[:n] + x[m:]", "x, n, m")
    assert_fused(fused, X, 3, 2)
    assert_falls_back(fused, X, 3, 3, reason="shape-mismatch")
    assert_fused(fused, X, 3, 4)
    assert_fused(fused, X, 2, 3)


def test_list_slices_by_numbers_of_the_call_are_pinned() -> None:
    fused = fused_of("parts = [x, y, x * 2]\nreturn sum(parts[a:b]), parts[s][0] + 1", "x, y, a, b, s")
    for numbers in ((0, 2, slice(1, 3)), (1, 3, slice(1, 3)), (0, 2, slice(1, 3)), (0, 2, slice(0, 1))):
        assert_fused(fused, Y, Y + 1, *numbers)
    assert fused.cache_info().misses == 3


# --- what NumPy refuses -----------------------------------------------------------------------------------------------

ERRORS = {
    "too large": "return x[7] + 1",
    "too negative": "return x[0, -9] + 1",
    "too many": "return x[0, 0, 0, 0] + y",
    "too many slices": "return x[:, :, :, 1:] + y",
    "two ellipses": "return x[..., 0, ...] + 1",
    "a float": "return x[1.5] + 1",
    "a float bound": "return x[: 2.0] + 1",
    "a string": "return x['a'] + 1",
    "step zero": "return x[::0] + 1",
    "reshape": "return x.reshape(7, -1) + 1",
    "split": "return np.split(x, 2)[0] + 1",
    "squeeze": "return x.squeeze(0) + 1",
    "squeeze of a result": "return (x + 1).squeeze(1)",
    "flip": "return np.flip(x, 3) + 1",
    "broadcast_to": "return np.broadcast_to(x, (4, 3)) + 1",
    "rollaxis": "return np.rollaxis(x, 0, 4) + 1",
    "an index of a scalar": "return x[0, 0, 0][0] + y",
    "wrong keyword": "return x.reshape((60,), nonsense=1) + 1",
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_numpys_own(name: str) -> None:
    fused = fused_of(ERRORS[name])
    expected = observe(fused.__wrapped__, (X, Y))
    assert expected.error is not None
    for _ in range(2):
        assert_same_outcome(observe(fused, (X, Y)), expected)
    assert fused.cache_info().fused_calls == 0


@pytest.mark.parametrize(
    "body",
    [
        "return x[n] + 1",
        "return y * x[n, 0, 0]",
        "return y * 2, x[n, 0, 0]",
        "x[n]\nreturn y * 2",
        "a = x[n, 0, 0]\nb = x[0, n, 0]\nreturn y * 2, b, a",
        "x[0, 0, n]\nreturn y * 2",
    ],
)
def test_an_index_that_comes_to_be_out_of_range_raises_numpys_error(body: str) -> None:
    fused = fused_of(body, "x, y, n")
    assert_fused(fused, X, Y, 2)
    before = fused.cache_info()
    for n in (9, -8, 9):
        expected = observe(fused.__wrapped__, (X, Y, n))
        assert expected.error is not None and expected.error[0] is IndexError
        assert_same_outcome(observe(fused, (X, Y, n)), expected)
    assert_fused(fused, X, Y, 1)
    after = fused.cache_info()
    assert after.fallback_calls == 3 and after.fused_calls == before.fused_calls + 1
    assert set(fused.fallback_reasons()) <= {"scalar-error", "scalar-range"}


NOT_FUSED = {
    "mask": ("return x[x > 0]", "unsupported-operation"),
    "mask of the call": ("return x[y > 0] if False else x[m]", "unsupported-operation"),
    "an index list of masks": ("return x[[True, False] * 2][..., 0] + 1", "unsupported-operation"),
    "True": ("return x[True] + 1", "unsupported-operation"),
    "a mask of a result": ("a = x + 1\nreturn a[a > 0] * 2", "unsupported-operation"),
    "reshape of a view of a result": ("return (x + 1).T.reshape(-1)", "unsupported-operation"),
    "rot90 of a result": ("return np.rot90(x + 1)", "unsupported-operation"),
    "a store through an index": ("x[1:] = 0\nreturn x + 1", "argument-store"),
    "an operation through an index": ("x[1:] += 1\nreturn x + 1", "argument-store"),
    "a store into a view": ("v = x[1:]\nv += 1\nreturn x * 2", "argument-store"),
    "a store into a part": ("v = np.split(x, 5)[0]\nv *= 2\nreturn x * 2", "argument-store"),
    "a store into a view of a view": ("v = x[1:].T\nv += 1\nreturn x * 2", "argument-store"),
}


@pytest.mark.parametrize("name", NOT_FUSED)
def test_what_is_not_fused_says_why(name: str) -> None:
    body, reason = NOT_FUSED[name]
    fused = fused_of(body, "x, y, i, m")
    given = [(X.copy(), Y, np.array([0, 2]), X[:, 0, 0] > -10) for _ in range(2)]
    actual, expected = observe(fused, given[0]), observe(fused.__wrapped__, given[1])
    assert np.array_equal(given[0][0], given[1][0])  # what is stored reaches the caller
    assert type(actual.result) is type(expected.result) and np.array_equal(actual.result, expected.result)
    assert fused.fallback_reasons() == {reason: 1}


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_view_that_comes_back_is_one_of_the_callers_array() -> None:
    fused = fused_of("return x[1:], x.reshape(-1), x.T[0], np.split(x, 5)[2], np.broadcast_to(x, (2, 5, 4, 3)), x * 2")
    x = X.copy()
    first, second = fused(x, Y), fused(x, Y)
    assert fused.cache_info().fused_calls == 2
    for one, other in zip(first[:5], second[:5], strict=True):
        assert one is not other and one.base is x and np.shares_memory(one, x)
    assert [view.flags.writeable for view in first] == [True, True, True, True, False, True]
    first[0][0, 0, 0] = 99.0
    assert x[1, 0, 0] == 99.0 and second[1][12] == 99.0 and fused(x, Y)[0][0, 0, 0] == 99.0


def test_what_numpy_copies_is_shared_among_the_results_of_one_call() -> None:
    fused = fused_of("v = x.T.reshape(-1)\nreturn v, v[1:], x + 1")
    whole, rest, _ = fused(X, Y)
    assert fused.cache_info().fused_calls == 1
    assert np.shares_memory(whole, rest) and not np.shares_memory(whole, X)


# --- arrays that are no arguments -------------------------------------------------------------------------------------


class Model:
    """Holds an array, as a simulation does."""

    def __init__(self, grid: np.ndarray) -> None:
        self.grid = grid
        self.start = 1

    def step(self, k: Any) -> Any:
        return self.grid[self.start :] * k + self.grid[0], self.grid[self.start :]


def test_views_of_attributes_follow_the_attribute() -> None:
    fused: Callable[..., Any] = pyfuse.fuse(Model.step)
    model = Model(X)
    assert_fused(fused, model, 2.0, calls=2)  # type: ignore[arg-type]
    for grid, start in ((X * 2, 1), (X[::-1], 2), (X[:4], 2), (X[:, 0], 3)):
        model.grid, model.start = grid, start
        assert_fused(fused, model, 2.0, calls=2)  # type: ignore[arg-type]
    assert fused.cache_info().misses == 2  # type: ignore[attr-defined]


def test_views_of_globals_and_defaults_are_read_at_each_call() -> None:
    table, default = np.arange(6.0), np.arange(8.0)
    fused = fused_of(
        "def inner(v, by=default):\n    return v * by[3] + by[2:]\nreturn inner(x) + table[1] * table[:6]",
        "x",
        table=table,
        default=default,
    )
    x = np.ones(6)
    assert_fused(fused, x, calls=2)
    table[1], default[3] = 50.0, 70.0
    assert_fused(fused, x, calls=2)
    assert fused.cache_info().misses == 1
    fused.__wrapped__.__globals__["table"] = np.arange(10.0, 17.0)  # type: ignore[attr-defined]
    assert_fused(fused, x, calls=2)


HELPER = "def inner(v, by=np.arange(4.0)):\n    return v * by[3] + by[2:]\ndef f(x):\n    return inner(x)\n"


def test_the_default_array_of_a_helper_may_change() -> None:
    function = function_from(HELPER)
    fused = pyfuse.fuse(function)
    assert_fused(fused, np.ones(2), calls=2)
    function.__globals__["inner"].__defaults__[0][:] = 7.0  # type: ignore[attr-defined]
    assert_fused(fused, np.ones(2), calls=2)
    assert fused.cache_info().misses == 1
