"""Elementwise functions over tiles do what NumPy does: values, layouts, warnings, errors."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import dispatch
from pyfuse.backend.tiles import numpy_loops, tiling
from pyfuse.backend.tiles.self_test import has_numpys_bits
from pyfuse.graph.ops import OPERATIONS, callable_of
from tests.parity import fuzz, fuzz_loops
from tests.parity.outcome import assert_same, assert_same_outcome, observe
from tests.tiles.fuzz import only_tiles

pytestmark = pytest.mark.usefixtures("without_compiler")

CHANCE = np.random.default_rng(5)
A, B = CHANCE.normal(size=(2, 60, 70))
WHOLE = CHANCE.integers(-50, 50, (60, 70))
LONG = CHANCE.normal(size=20_000)


def combined(a, b):
    return np.where(a > b, a * 2.0 - b, abs(b)) + 1


def several(a, b):
    total = a + b
    return total, total > 0, np.sqrt(abs(a)), -a


def rounded(a, b):
    whole, rest = np.divmod(a, 0.75)
    return whole.astype(np.int32), np.floor(b * a).astype("f4") + rest, np.frexp(a + b)


def parts(a, b):
    z = a + 1j * b
    return z.real * 2.0, z.imag, np.conj(z), abs(z)


def in_place(a, b):
    c = a * b
    c += 1.0
    c[...] = np.maximum(c, b)
    return c


def loops_of_one(a, b):
    return np.clip(a, -0.5, 0.5) ** 2, np.isnan(b), np.logical_and(a, b)


FUNCTIONS = [combined, several, rounded, parts, in_place, loops_of_one]
FORMS = {
    "whole": (A, B),
    "one axis": (LONG, LONG[::-1] * 2.0),
    "every other": (LONG[::2], LONG[1::2]),
    "backwards": (A[::-1, ::-1], B),
    "transposed": (A.T, B.T),
    "mixed orders": (A, np.asfortranarray(B)),
    "rows and columns": (A[:, :1], B[0]),
    "one number": (A, np.array(0.3)),
    "a scalar": (A, 0.3),
    "small rows": (A.reshape(-1, 3)[:, :2], B.reshape(-1, 3)[:, 1:]),
    "many axes": (LONG.reshape(10, 20, 5, 20)[:, ::3], LONG[:400].reshape(20, 1, 20)[::3]),
    "single precision": (A.astype("f4"), B),
    "unaligned": (np.frombuffer(b"\0" + LONG.tobytes(), np.uint8)[1:].view("f8"), LONG),
    "whole numbers": (WHOLE, B),
    "ones": (A[:1, :1], B[:1, :1]),
    "no axes": (A[0, 0, ...], B[0, 0, ...]),
    "empty": (A[:0], B[:0]),
}


def fused_and_tiled(function: Any, arguments: Any) -> Any:
    """The result of a call that tiles must have answered."""
    fused = pyfuse.fuse(function)
    with np.errstate(all="ignore"):
        results = [fused(*arguments) for _ in range(3)]
        for result in results:
            assert_same(result, function(*arguments))
    assert (fused.cache_info().tiled_calls, fused.fallback_reasons()) == (3, {})
    return results[0]


@pytest.mark.parametrize("tile_bytes", [64, tiling.TILE_BYTES])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_forms(function, form, tile_bytes, monkeypatch):
    monkeypatch.setattr(tiling, "TILE_BYTES", tile_bytes)
    if form in ("no axes", "empty"):
        fused = pyfuse.fuse(function)
        assert_same_outcome(observe(fused, FORMS[form]), observe(function, FORMS[form]))
        return
    fused_and_tiled(function, FORMS[form])


def test_stores_into_the_callers_arrays():
    @pyfuse.fuse
    def moved(a, b):
        a[1:] = np.sqrt(abs(a[:-1] * 0.5 + b[1:])) - np.floor(b[:-1]) * a[1:]
        return a

    mine, theirs = LONG.copy(), LONG.copy()
    for _ in range(3):
        assert_same(moved(mine, LONG), moved.__wrapped__(theirs, LONG))
        assert_same(mine, theirs)
    assert moved.cache_info().tiled_calls == 3


def test_casts_are_numpys():
    kinds = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"]
    for source in kinds:
        values = np.array([0, 1, 2, 3, 100, 0, 7, 0.5, 126.9] * 30).astype(source)
        for target in kinds:
            if source[0] == "c" and target[0] not in "c?":
                continue

            def cast(a, target=target):
                return a.astype(target)

            fused_and_tiled(cast, (values,))
            fused_and_tiled(cast, (values[::2],))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30, 3e9, -1.0, 200.0, 70000.0, 2.0**63, -(2.0**63) - 5000])
@pytest.mark.parametrize("target", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("source", ["f4", "f8"])
def test_a_float_that_no_integer_holds_is_left_to_numpy(value, target, source):
    def cast(a):
        return a.astype(target)

    a = np.full(100, 1.0, source)
    a[50] = value
    for modes in ({"all": "ignore"}, {"all": "warn"}):
        assert_same_outcome(observe(pyfuse.fuse(cast), (a,), modes), observe(cast, (a,), modes))


@pytest.mark.parametrize("modes", [{"all": "ignore"}, {"all": "warn"}, {"all": "raise"}, {"over": "warn"}])
def test_errors_are_reported_by_numpy(modes):
    def risky(a, b):
        return np.exp(a * 100) / b, np.log(b - 1), a // b

    fused = pyfuse.fuse(risky)
    a, b = np.linspace(-9, 9, 2000), np.linspace(-1, 3, 2000).round(1)
    for dtype in ("f8", "f4", "f2"):
        given = a.astype(dtype), b.astype(dtype)
        assert_same_outcome(observe(fused, given, modes), observe(risky, given, modes))
    reported = fused.fallback_reasons().get("floating-point-report", 0)
    assert (fused.cache_info().tiled_calls, reported) == ((3, 0) if modes == {"all": "ignore"} else (0, 3))


def test_an_exception_of_a_loop_is_numpys():
    powers = pyfuse.fuse(lambda a, b: a**b)
    a, b = np.arange(1, 200), np.arange(1, 200) % 5
    assert_same(powers(a, b), a**b)
    with pytest.raises(ValueError, match="negative integer powers"):
        powers(a, -b)
    assert_same(powers(a, b), a**b)
    assert powers.cache_info().tiled_calls == 2


def test_many_threads_at_once():
    fused = pyfuse.fuse(combined)
    arrays = [(CHANCE.normal(size=50_000), CHANCE.normal(size=50_000)) for _ in range(6)]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if fused(*arrays[number]).tobytes() != combined(*arrays[number]).tobytes():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(arrays))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert fused.cache_info().tiled_calls == 120


def test_every_loop_of_the_table_passes_its_test():
    special = pytest.importorskip("scipy.special")
    assert special
    tested = 0
    for operation in OPERATIONS.values():
        ufunc = callable_of(operation) if operation.callable is not None or operation.name in dir(special) else None
        if not isinstance(ufunc, np.ufunc):
            continue
        for types in ufunc.types:
            before = types.partition("->")[0]
            if set(before) & set("OgGMm"):
                continue
            operands = tuple(map(np.dtype, before))
            loop = numpy_loops.ufunc_loop(operation.name, operands)
            assert loop is not None
            assert has_numpys_bits(loop, operands), (operation.name, types)
            tested += 1
    assert tested > 800


def test_a_loop_that_fails_its_test_is_not_used(monkeypatch):
    monkeypatch.setattr("pyfuse.backend.tiles.kernel.has_numpys_bits", lambda *_: False)
    fused = pyfuse.fuse(combined)
    assert_same(fused(A, B), combined(A, B))
    assert fused.fallback_reasons() == {"no-compiler": 1}


def test_a_wrong_loop_fails_its_test():
    loop = numpy_loops.ufunc_loop("add", (np.dtype("f8"), np.dtype("f8")))
    other = numpy_loops.UfuncLoop(ufunc=np.add, number=loop.number - 1, results=loop.results, may_raise=False)
    assert not has_numpys_bits(other, (np.dtype("f8"), np.dtype("f8")))


@pytest.mark.parametrize("tile_bytes", [48, tiling.TILE_BYTES])
def test_random_functions_have_numpys_bits(tile_bytes):
    with only_tiles(tile_bytes):
        tally = fuzz.run(0, 200, lambda _: None)
    assert not tally.failures, tally.failures[0]
    assert tally.fused > 200


@pytest.mark.parametrize("tile_bytes", [48, tiling.TILE_BYTES])
def test_random_loops_have_numpys_bits(tile_bytes):
    with only_tiles(tile_bytes):
        tally = fuzz_loops.run(480, 60, lambda _: None)
    assert not tally.failures, tally.failures[0]


def test_a_loop_carries_values_from_turn_to_turn():
    def fibonacci(a, turns):
        b, c = a * 0.0, a
        for turn in range(turns):
            b, c = c, b + c * turn
        return b, c

    fused = pyfuse.fuse(fibonacci)
    for turns in (2, 7, 30, 3):
        assert_same(fused(LONG, turns), fibonacci(LONG, turns))
    assert (fused.cache_info().tiled_calls, fused.cache_info().misses) == (4, 1)


def test_a_description_that_is_none_is_refused():
    for description in (b"", b"\1" * 80, b"\xff" * 800):
        with pytest.raises(ValueError, match="not a description"):
            dispatch.tile_launch(
                operand_count=1, nest_count=1, description=description, functions=(), constants=b"", scratch=0,
                may_raise=False, is_long=False,
            )  # fmt: skip
