"""A statement of which one part cannot fuse is several: what runs in what order, and what is left alone."""

from __future__ import annotations

import ast
import gc
import weakref
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.frontend.split_statements import OuterNames, extent_of, split_statements
from tests.parity.outcome import assert_same, assert_same_outcome, observe

OUTER = OuterNames(frozenset({"np", "scipy"}))


def split_text(statement: str, *parts: str, around: str = "") -> str | None:
    """A function's body with the expressions of these texts taken apart."""
    text = f"def f(x, w, b):\n    {statement}\n{around}"
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    wanted = {
        extent_of(child)
        for child in ast.walk(node)
        if isinstance(child, ast.expr) and ast.get_source_segment(text, child) in parts
    }
    assert len(wanted) >= len(parts)
    found = split_statements(node, wanted, OUTER)
    return None if found is None else "\n".join(ast.unparse(made) for made in found.node.body)


@pytest.mark.parametrize(
    ("statement", "parts", "expected"),
    [
        ("return np.tanh(x @ w + b)", ["x @ w"], "part_0 = x @ w\nreturn np.tanh(part_0 + b)"),
        ("y = b + x @ w", ["x @ w"], "part_0 = x @ w\ny = b + part_0"),
        (
            "y = x @ w + w @ x + b",
            ["x @ w", "w @ x"],
            "part_0 = x @ w\npart_1 = w @ x\ny = part_0 + part_1 + b",
        ),
        ("y = np.log(x) + x @ w", ["x @ w"], "part_0 = np.log(x)\npart_1 = x @ w\ny = part_0 + part_1"),
        ("y = f(x) + solve(w)", ["solve(w)"], "part_0 = f(x)\npart_1 = solve(w)\ny = part_0 + part_1"),
        ("y = sig(x @ w)", ["x @ w"], "part_0 = x @ w\ny = sig(part_0)"),
        ("y = sig(solve(w))", ["solve(w)"], "part_0 = sig\npart_1 = solve(w)\ny = part_0(part_1)"),
        ("x += x @ w", ["x @ w"], "part_0 = x @ w\nx += part_0"),
        ("y = np.linalg.inv(x * 2 + b)", ["np.linalg.inv(x * 2 + b)"], "part_0 = x * 2 + b\ny = np.linalg.inv(part_0)"),
        (
            "y = np.dot(x * 2 + 1, w) + b",
            ["np.dot(x * 2 + 1, w)"],
            "part_0 = x * 2 + 1\npart_1 = np.dot(part_0, w)\ny = part_1 + b",
        ),
        ("y = w * g(x, key=solve(b))", ["solve(b)"], "part_0 = g\npart_1 = solve(b)\ny = w * part_0(x, key=part_1)"),
        ("y = -x[solve(b)]", ["solve(b)"], "part_0 = solve(b)\ny = -x[part_0]"),
        ("y = (x @ w > 0.5) + 1", ["x @ w"], "part_0 = x @ w\ny = (part_0 > 0.5) + 1"),
    ],
)
def test_what_stands_before_a_part_stays_before_it(statement, parts, expected):
    assert split_text(statement, *parts) == expected


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("y = x @ w", "x @ w"),  # it is all there is
        ("y = (x @ w).T", "x @ w"),  # nothing is left to fuse
        ("y = 1 + (x @ w if b else x)", "x @ w"),  # it may not be evaluated
        ("y = 1 + (b and x @ w)", "x @ w"),
        ("y = 1 + sum(x @ w for w in b)", "x @ w"),
        ("y = 1 + (lambda: x @ w)()", "x @ w"),
        ("y = 0 < (x @ w) < 1", "x @ w"),
        ("y = 1 + g(*b, x @ w)", "x @ w"),
        ("x[0] += 1 + x @ w", "x @ w"),  # x[0] is read first
        ("if x @ w + 1: pass", "x @ w"),
        ("y = 1 + (z := x @ w)", "x @ w"),
    ],
)
def test_what_is_left_alone(statement, part):
    assert split_text(statement, part) is None


def test_names_that_other_functions_change_are_read_when_they_were():
    around = "    def g():\n        nonlocal b\n        b = 2\n    g()\n"
    assert split_text("y = b + solve(g)", "solve(g)", around=around) == (
        "part_0 = b\npart_1 = solve(g)\ny = part_0 + part_1\ndef g():\n    nonlocal b\n    b = 2\ng()"
    )


def test_places_of_statements_stay_different():
    text = "def f(x, w, b):\n    return solve(x)(w) + b\n"
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    inner = [child for child in ast.walk(node) if isinstance(child, ast.Call)]
    found = split_statements(node, {extent_of(call) for call in inner}, OUTER)
    assert found is not None
    places = [(statement.lineno, statement.col_offset) for statement in found.node.body]
    assert len(set(places)) == len(places) == 3


# --- as users see it ----------------------------------------------------------------------------------------------

X, B = np.linspace(-1.0, 1.0, 24).reshape(6, 4), np.linspace(0.0, 1.0, 4)
W = np.linspace(0.5, 2.0, 16).reshape(4, 4) + 3.0 * np.eye(4)


def region_counts(fused: Any) -> list[tuple[int, int]]:
    infos = [executor.info() for executor in fused._executor.drivers.regions()]
    return [(info.fused_calls, info.fallback_calls) for info in infos]


def layer(x, w, b):
    return np.maximum(x @ w + b, 0.0) * 2.0


def gates(x, w, b):
    z = x @ w + x @ w.T + b
    return np.sqrt(z * z) - z


def normal_equations(x, w, b):
    y = np.linalg.solve(w.T * 2.0 + np.sqrt(w), b * b + 1.0) * 3.0 - b
    return y * x


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize(("function", "regions"), [(layer, 1), (gates, 1), (normal_equations, 2)])
def test_products_are_surrounded_by_regions(function, regions):
    fused = pyfuse.fuse(function)
    for _ in range(12):
        assert_same(fused(X, W, B), function(X, W, B))
    info = fused.cache_info()
    assert (info.partly_fused_calls, info.fallback_calls) == (12, 0)
    counts = region_counts(fused)
    assert len(counts) == regions
    assert all(fused_calls >= 11 and not plain for fused_calls, plain in counts), counts


def warns_then_raises(x, w, b):
    return np.log(x * 0.0) * 2.0 + np.linalg.solve(w * 0.0, b) * 2.0


@pytest.mark.usefixtures("c_compiler")
def test_warnings_and_errors_come_in_order():
    fused = pyfuse.fuse(warns_then_raises)
    expected = observe(warns_then_raises, (X, W, B), {"all": "warn"})
    assert expected.error is not None
    assert len(expected.warned) == 1
    for _ in range(3):
        assert_same_outcome(observe(fused, (X, W, B), {"all": "warn"}), expected)


@pytest.mark.usefixtures("c_compiler")
def test_a_traceback_points_at_the_users_line():
    fused = pyfuse.fuse(layer)
    fused(X, W, B)
    with pytest.raises(ValueError, match="matmul") as caught:
        fused(X, W[:3], B)
    last = caught.traceback[-1]
    assert last.lineno + 1 == layer.__code__.co_firstlineno + 1
    assert last.path.name == "test_split_statements.py"


@pytest.mark.usefixtures("c_compiler")
def test_products_are_not_kept_longer_than_temporaries():
    kept: list[Any] = []

    class Noted(np.ndarray):
        pass

    def product(x, w):
        made = (x @ w).view(Noted)
        kept.append(weakref.ref(made))
        return made

    @pyfuse.fuse
    def two(x, w):
        y = np.asarray(product(x, w)) * 2.0 + 1.0
        alive = len([one for one in kept if one() is not None])
        return y * 3.0, alive

    alive = []
    for _ in range(5):
        gc.collect()
        expected = two.__wrapped__(X, W)
        found = two(X, W)
        assert_same(found[0], expected[0])
        assert expected[1] == 0
        alive.append(found[1])
    assert alive[1:] == [0, 0, 0, 0]  # the first call finds out, one region inside another


def rebinds() -> Any:
    global scale
    scale = 5.0
    return X


scale = 2.0


def reads_first(x):
    return scale * x + rebinds() * 2.0


@pytest.mark.usefixtures("c_compiler")
def test_a_global_that_the_part_rebinds_is_read_before():
    global scale
    fused = pyfuse.fuse(reads_first)
    for _ in range(4):
        scale = 2.0
        found = fused(X)
        assert scale == 5.0
        scale = 2.0
        assert_same(found, reads_first(X))


def misses_a_global(x):
    return np.maximum(nowhere, np.sqrt(x @ x[:2]))  # noqa: F821


@pytest.mark.usefixtures("c_compiler")
def test_a_global_name_without_a_value_is_missed_in_its_turn():
    fused = pyfuse.fuse(misses_a_global)
    for _ in range(3):
        with pytest.raises(NameError, match="'nowhere'"):
            fused(X)
    assert "part_" in fused.explain(X)


def missing(x, n):
    if n > 1:
        first = second = x
    return abs(X - first[np.floor(second).astype(int) % 3])


@pytest.mark.usefixtures("c_compiler")
def test_of_two_names_without_a_value_the_first_is_missed():
    fused = pyfuse.fuse(missing)
    for _ in range(3):
        with pytest.raises(UnboundLocalError, match="'first'"):
            fused(X, 1)
    assert "part_" in fused.explain(X, 1)
