"""Every ufunc of NumPy: fused for every dtype that NumPy has a loop for, or in a table of what is not, and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.graph.infer import resolve
from pyfuse.graph.ops import NOT_FUSED_UFUNCS, OPERATIONS, Exactness, by_callable
from tests.parity.outcome import assert_fused, assert_same_outcome, observe
from tests.parity.special_values import ALL, REALS, pairs, repeated, special
from tests.parity.text import function_from, returning

UFUNCS = sorted({value.__name__ for value in vars(np).values() if isinstance(value, np.ufunc)})

NOT_FUSED = NOT_FUSED_UFUNCS
NO_HALF = "its float16 loop has two results, which stay with NumPy"
NOT_FUSED_DTYPES: dict[str, dict[str, str]] = {
    "divmod": {"f2": NO_HALF},
    "modf": dict.fromkeys(("?", "i1", "u1", "f2"), NO_HALF),
    "frexp": dict.fromkeys(("?", "i1", "u1", "f2"), NO_HALF),
}
OTHER_OPERAND = {"ldexp": "i4"}  # the dtype of the second operand where it is not that of the first
ULP = 4


def ufunc(name: str) -> np.ufunc:
    return next(value for value in vars(np).values() if isinstance(value, np.ufunc) and value.__name__ == name)


@cache
def looped(name: str) -> tuple[str, ...]:
    """The dtypes that NumPy has a loop for."""
    found = []
    for dtype in ALL if name not in OTHER_OPERAND else REALS:
        try:
            with np.errstate(all="ignore"):
                ufunc(name)(*[operand[:0] for operand in operands(name, dtype)])
        except TypeError:
            continue
        found.append(dtype)
    return tuple(found)


@cache
def operands(name: str, dtype: str) -> tuple[np.ndarray, ...]:
    """Special values, or all pairs of them."""
    if ufunc(name).nin == 1:
        return (special(dtype),)
    first, second = pairs(dtype, OTHER_OPERAND.get(name))
    if name == "power" and second.dtype.kind == "i":
        return first, np.abs(second) & second.dtype.type(63)  # a negative exponent raises: a test of its own
    if name in ("fmax", "fmin") and first.dtype.kind == "f":
        return _of_one_zero(first, second)
    return first, second


def _of_one_zero(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without zeros of opposite signs: which of them NumPy's fmax and fmin take depends on the place in the array."""
    kept = (x != 0) | (y != 0) | (np.signbit(x) == np.signbit(y))
    return x[kept], y[kept]


def fused_dtypes(name: str) -> list[str]:
    return [dtype for dtype in looped(name) if dtype not in NOT_FUSED_DTYPES.get(name, {})]


def representatives(name: str) -> list[str]:
    """Dtypes whose values are compared: all of an exact operation, of others those of distinct loops."""
    operation = by_callable(ufunc(name))
    assert operation is not None
    if operation.exactness is Exactness.BITS:
        return fused_dtypes(name)
    kept: dict[Any, str] = {}
    for dtype in reversed(fused_dtypes(name)):  # floats before the integers that are cast to them
        loop = resolve(operation, [operand.dtype for operand in operands(name, dtype)])[0]
        kept.setdefault(loop, dtype)
    return list(kept.values())


def call_text(name: str, dtype: str) -> tuple[str, list[str]]:
    parameters = [f"{letter}_{dtype.replace('?', 'b1')}" for letter in "xy"[: ufunc(name).nin]]
    return f"np.{name}({', '.join(parameters)})", parameters


FUSED = [name for name in UFUNCS if name not in NOT_FUSED]


@pytest.mark.parametrize("name", FUSED)
def test_ufunc_has_numpys_values_at_special_values(name: str) -> None:
    dtypes = representatives(name)
    texts, parameters = zip(*[call_text(name, dtype) for dtype in dtypes], strict=True)
    arrays = [array for dtype in dtypes for array in operands(name, dtype)]
    length = max(len(array) for array in arrays)
    fused = pyfuse.fuse(returning(list(texts), [word for words in parameters for word in words]))
    operation = by_callable(ufunc(name))
    assert operation is not None
    ulp = 0 if operation.exactness is Exactness.BITS else ULP
    assert_fused(fused, *[repeated(array, length) for array in arrays], ulp=ulp)
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize("name", FUSED)
def test_ufunc_fuses_for_every_dtype_that_has_a_loop(name: str) -> None:
    """Only the text is written here; the values of every C function that it calls are compared above."""
    for dtype in looped(name):
        text, parameters = call_text(name, dtype)
        fused = pyfuse.fuse(returning([text], parameters))
        if dtype in NOT_FUSED_DTYPES.get(name, {}):
            with pytest.raises(pyfuse.FuseError):
                fused.source(*operands(name, dtype))
        else:
            assert "pyfuse_nest_0" in fused.source(*operands(name, dtype))


@pytest.mark.parametrize("name", sorted(NOT_FUSED))
def test_ufunc_that_is_not_fused_says_why(name: str) -> None:
    assert ufunc(name) is not None
    fused = pyfuse.fuse(function_from(f"def call(x, y):\n    return np.{name}(x + 1, y)"))
    with pytest.raises(pyfuse.FuseError, match=NOT_FUSED[name]):
        fused.source(np.ones((2, 2)), np.ones((2, 2)))


def test_every_dtype_exception_is_one() -> None:
    assert all(dtype in looped(name) for name, dtypes in NOT_FUSED_DTYPES.items() for dtype in dtypes)


@pytest.mark.parametrize("name", sorted(NOT_FUSED_DTYPES))
def test_float16_loops_that_stay_with_numpy_have_numpys_results(name: str) -> None:
    text, parameters = call_text(name, "f2")
    fused = pyfuse.fuse(returning([text], parameters))
    assert_same_outcome(observe(fused, operands(name, "f2")), observe(fused.__wrapped__, operands(name, "f2")))
    assert fused.fallback_reasons() == {"unsupported-operation": 1}


def test_negative_integer_power_raises_as_numpy_does() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return x ** y"))
    arguments = (np.array([2, 3, 1]), np.array([2, -1, -1]))
    assert_same_outcome(observe(fused, arguments), observe(fused.__wrapped__, arguments))
    assert_fused(fused, np.array([2, 3, 1]), np.array([2, 5, 0]))


# --- out=, where=, dtype=, casting= -----------------------------------------------------------------------------------

ONE_RESULT = [name for name in FUSED if ufunc(name).nout == 1 and name not in OTHER_OPERAND and "f8" in looped(name)]
EXACT = [name for name in ONE_RESULT if OPERATIONS[name].exactness is Exactness.BITS]
COMPILED = [EXACT[start : start + 10] for start in range(0, len(EXACT), 10)] + [["exp", "arctan2"]]
INTO_OUT = (
    "{r} = np.zeros_like(x, dtype={dtype}); np.{name}({inputs}, out={r}); "
    "{r} = ({r}, np.{name}({inputs}, out=np.ones_like(x, dtype={dtype}), where=m))"
)


def _statements(names: Sequence[str], line: str) -> str:
    """A function with ``line`` for each ufunc; each leaves its result in a name of its own."""
    body = []
    for number, name in enumerate(names):
        inputs = ", ".join("xy"[: ufunc(name).nin])
        result = ufunc(name).resolve_dtypes((np.dtype("f8"),) * ufunc(name).nin + (None,))[-1].str
        body.append("    " + line.format(r=f"r{number}", name=name, inputs=inputs, dtype=repr(result)))
    results = "".join(f"r{number}, " for number in range(len(names)))
    return "def f(x, y, m):\n" + "\n".join(body) + f"\n    return {results}\n"


def _example() -> tuple[np.ndarray, ...]:
    x, y = _of_one_zero(*pairs("f8"))
    return x, y, np.resize([True, False, True], x.shape)


@pytest.mark.parametrize("names", COMPILED, ids=lambda names: names[0])
def test_out_takes_a_local_array_and_where_keeps_the_rest_of_it(names: list[str]) -> None:
    fused = pyfuse.fuse(function_from(_statements(names, INTO_OUT)))
    assert_fused(fused, *_example(), ulp=ULP)
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize("name", ONE_RESULT)
def test_every_ufunc_fuses_with_out_and_where(name: str) -> None:
    fused = pyfuse.fuse(function_from(_statements([name], INTO_OUT)))
    assert "pyfuse_nest_0" in fused.source(*_example())


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["fmax", "fmin"])
def test_numpy_is_asked_about_zeros_of_opposite_signs(name: str, dtype: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x, y):\n    return np.{name}(x, y), np.{name}.reduce(x, axis=0)"))
    zeros = np.array([[0.0, 0.0], [-0.0, -0.0]], dtype)
    for x, y in ((zeros, zeros[::-1]), (np.resize(zeros, (2, 37)), -np.resize(zeros, (2, 37)))):
        assert_same_outcome(observe(fused, (x, y)), observe(fused.__wrapped__, (x, y)))
    assert fused.fallback_reasons() == {"floating-point-report": 2}
    assert_fused(fused, zeros[:1], zeros[:1])


def test_dtype_and_casting_choose_the_loop() -> None:
    fused = pyfuse.fuse(
        function_from(
            """
def f(x, i, j):
    a = np.add(i, j, dtype=np.float64)
    b = np.multiply(x, x, dtype="f4")
    c = np.divide(i, j, dtype=np.float32, casting="unsafe")
    d = np.sqrt(i, dtype="f8")
    e = np.subtract(i, j, dtype=np.int64, casting="safe")
    g = np.maximum(x, i, casting="no", dtype=None) if False else np.maximum(x, x, casting="no")
    h = np.zeros(x.shape, "i4")
    np.add(i, j, out=h, casting="unsafe")
    k = np.zeros(x.shape, "f8")
    np.add(x, 1, out=(k,))
    n = np.zeros(x.shape, "f4")
    np.multiply(x, 3, n)
    return a, b, c, d, e, g, h, k, n
"""
        )
    )
    i = np.array([1, 2, 3, 2**20, 7], "i4")
    assert_fused(fused, np.linspace(0.1, 9, 5), i, i[::-1].copy())


@pytest.mark.parametrize(
    "call",
    [
        "np.add(x, y, dtype='i4')",
        "np.add(x, y, casting='no')",
        "np.add(x, y, out=np.zeros(3))",
        "np.add(x, y, out=np.zeros_like(y, dtype='i4'))",
        "np.add(x, y, where=y)",
        "np.add(x, y, out=np.zeros_like(x, dtype='u8'), where=x > 0)",
        "np.sin(x, y, x, x)",
        "np.sin()",
        "np.add(x)",
        "np.add(x, y, signature='nonsense')",
        "np.bitwise_and(x, x)",
        "np.add(x, y, dtype='nonsense')",
        "np.add(x, y, spam=1)",
    ],
)
def test_a_call_that_numpy_refuses_is_refused_by_numpy(call: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x, y):\n    return {call}"))
    arguments = (np.arange(5.0), np.arange(5, dtype="f4"))
    expected = observe(fused.__wrapped__, arguments)
    assert expected.error is not None
    assert_same_outcome(observe(fused, arguments), expected)
    assert fused.cache_info().fused_calls == 0
