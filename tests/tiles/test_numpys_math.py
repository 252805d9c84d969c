"""``fuse(math="numpy")``: NumPy's own functions, to the last bit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.graph.ops import OPERATIONS, Exactness, callable_of
from tests.parity.outcome import assert_same

special: Any = pytest.importorskip("scipy.special")

COUNT = 5_000
INEXACT = [name for name, operation in OPERATIONS.items() if operation.exactness is not Exactness.BITS]
CORNERS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1.8e308, 709.8, -745.2, 88.8, 1e22]


def operand(dtype: str, seed: int) -> np.ndarray:
    """Corners, usual numbers, numbers of all magnitudes, random bits."""
    chance = np.random.default_rng(seed)
    kind = np.dtype(f"u{np.dtype(dtype).itemsize}")
    with np.errstate(all="ignore"):
        parts = [
            np.array(CORNERS).astype(dtype),
            chance.uniform(-10, 10, COUNT).astype(dtype),
            np.exp(chance.uniform(-80, 80, COUNT)).astype(dtype),
            chance.integers(0, np.iinfo(kind).max, COUNT, kind).view(dtype),
        ]
    return np.roll(np.concatenate(parts), 7 * seed)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("name", INEXACT)
def test_every_function_has_numpys_bits(name, dtype):
    function: Any = callable_of(OPERATIONS[name])
    is_cast = dtype == "f2" and not any(types.startswith("e") for types in function.types)

    def unary(a):
        return function(a) * 0.5

    def binary(a, b):
        return function(a, b) * 0.5

    original = unary if function.nin == 1 else binary
    fused = pyfuse.fuse(original, math="numpy")
    operands = [operand(dtype, seed) for seed in range(function.nin)]
    with np.errstate(all="ignore"):
        for _ in range(3):
            actual, expected = fused(*operands), original(*operands)
            assert actual.dtype == expected.dtype
            assert actual.tobytes() == expected.tobytes()
    info = fused.cache_info()
    # Half precision that NumPy casts inside of its loop is the original's: tiles have no such cast.
    assert (info.tiled_calls, info.fused_calls, info.fallback_calls) == ((0, 0, 3) if is_cast else (3, 0, 0))


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "tanh", "power"])
@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_functions_have_numpys_bits(name, dtype):
    function = getattr(np, name)
    chance = np.random.default_rng(3)
    a, b = (chance.normal(size=(2, COUNT)) + 1j * chance.normal(size=(2, COUNT))).astype(dtype)

    def called(a, b):
        return (function(a) if function.nin == 1 else function(a, b)) + b

    fused = pyfuse.fuse(called, math="numpy")
    assert fused(a, b).tobytes() == called(a, b).tobytes()
    assert fused.cache_info().fallback_calls == 0


@pytest.mark.usefixtures("c_compiler")
def test_exact_arithmetic_is_a_kernel_as_ever():
    @pyfuse.fuse(math="numpy")
    def arithmetic(a, b):
        return np.sqrt(a * a + b) / 3.0

    a = np.linspace(0.0, 1.0, 100)
    assert_same(arithmetic(a, a), arithmetic.__wrapped__(a, a))
    assert (arithmetic.cache_info().fused_calls, arithmetic.cache_info().tiled_calls) == (1, 0)


def test_what_also_reduces_is_the_originals():
    @pyfuse.fuse(math="numpy")
    def softmax(a):
        e = np.exp(a - a.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    a = np.random.default_rng(0).normal(size=(30, 40))
    for _ in range(3):
        assert_same(softmax(a), softmax.__wrapped__(a))
    assert softmax.fallback_reasons() == {"numpys-math": 3}
    assert "NumPy's own exp is asked for" in softmax.explain()
    with pytest.raises(pyfuse.FuseError, match="numpys-math"):
        pyfuse.fuse(softmax, math="numpy", strict=True)(a)


def test_regions_keep_to_it():
    @pyfuse.fuse(math="numpy")
    def partly(a):
        b = np.exp(a) + 1.0
        c = np.sort(b)
        return np.log(c) - b

    a = np.random.default_rng(0).normal(size=3000)
    for _ in range(3):
        assert partly(a).tobytes() == partly.__wrapped__(a).tobytes()
    regions = partly._executor.drivers.regions()
    assert [region.info().tiled_calls for region in regions] == [3, 3]


def test_who_answers_is_said():
    @pyfuse.fuse(math="numpy")
    def decay(a):
        return np.exp(-a)

    assert "over tiles by NumPy's own loops, because of math='numpy'" in decay.explain(np.ones(3))


def test_another_word_is_an_error():
    with pytest.raises(ValueError, match="math is 'pyfuse' or 'numpy', not 'exact'"):
        pyfuse.fuse(math="exact")(np.exp)


@pyfuse.fuse(math="numpy")
def sent(a):
    return np.exp(a)


def test_it_is_sent_along():
    assert pickle.loads(pickle.dumps(sent))._executor.math == "numpy"
    rebuilt, values = sent._executor, sent.__reduce__()
    assert values == "sent" or values[1][-1] == rebuilt.math


@pytest.mark.usefixtures("c_compiler")
def test_the_usual_math_is_a_kernel():
    usual = pyfuse.fuse(sent.__wrapped__)
    usual(np.ones(3))
    assert (usual.cache_info().fused_calls, usual.cache_info().tiled_calls) == (1, 0)
