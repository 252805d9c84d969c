"""Numbers and small stored results, of which the dispatcher makes no arrays: are they what Python hands out?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import dispatch
from pyfuse.decorator import FusedFunction
from tests.backend.test_dispatcher import answered, assert_known
from tests.parity.outcome import assert_same

pytestmark = [
    pytest.mark.usefixtures("c_compiler"),
    pytest.mark.skipif(dispatch.extension is None, reason=f"the call extension is {dispatch.state}"),
]

A = np.linspace(-2.0, 2.0, 12)
HAS_VECTORCALL = 1 << 11  # Py_TPFLAGS_HAVE_VECTORCALL


def test_calls_make_no_tuple() -> None:
    assert FusedFunction.__flags__ & HAS_VECTORCALL


@pytest.mark.parametrize("code", list("?bBhHiIlLqQefdFD"))
@pytest.mark.parametrize("name", ["sum", "max", "any", "argmax"])
def test_one_number(code: str, name: str) -> None:
    array = (np.arange(12) % 5).astype(code)
    reduced = getattr(np, name)
    result = assert_known(pyfuse.fuse(lambda a: reduced(a * a)), array)
    assert isinstance(result, np.generic)


NUMBERS: dict[str, Callable[..., Any]] = {
    "numbers of several dtypes": lambda a: (np.sum(a * a), np.max(a > 0), np.argmin(a + 1), np.sum(a * 1j)),
    "a number and an array": lambda a: [np.sum(a * a), a * a],
    "a number twice": lambda a: (np.sum(a * a),) * 2,
    "a number as NumPy's and as an array": lambda a: (np.sum(a * a), np.sum(a * a, keepdims=True)),
    "a number of Python's": lambda a, by=3.0: (np.sum(a * by), by + 1.5),
    "a whole number of Python's": lambda a, by=3: (np.sum(a * by), by + 1),
    "an array without dimensions": lambda a: np.sum(a * a, keepdims=True)[0] * 1,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_among_results(name: str) -> None:
    fused = pyfuse.fuse(NUMBERS[name])
    first = assert_known(fused, A)
    assert_same(fused(A + 1), NUMBERS[name](A + 1))
    assert_same(first, NUMBERS[name](A))  # a later call has left it alone


def accumulate(a: Any, b: Any) -> Any:
    a += b * b
    return a


LAYOUTS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "a vector": (A, A + 1),
    "no element": (A[:0], A[:0]),
    "rows": (A.reshape(3, 4), A.reshape(3, 4) + 1),
    "columns": (np.asfortranarray(A.reshape(3, 4)), np.asfortranarray(A.reshape(3, 4) + 1)),
    "columns into rows": (A.reshape(3, 4), np.asfortranarray(A.reshape(3, 4) + 1)),
    "rows into columns": (np.asfortranarray(A.reshape(3, 4)), A.reshape(3, 4) + 1),
    "in another order": (np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2), np.ones((3, 2, 4))),
    "every second": (np.arange(24.0)[::2], A),
    "backwards": (np.arange(12.0)[::-1], A),
    "another dtype": (A.astype("f4"), A),
    "as much as is not stored in place": (np.arange(383.0), np.arange(383.0)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_small_stores(name: str) -> None:
    target, addend = LAYOUTS[name]
    fused, stored, expected = pyfuse.fuse(accumulate), copied(target), copied(target)
    for call in range(3):
        before = answered(fused)
        assert fused(stored, addend) is stored
        accumulate(expected, addend)
        assert_same(stored, expected)
        assert answered(fused) == before + (call > 0), fused.fallback_reasons()


def copied(array: np.ndarray) -> np.ndarray:
    """A copy with the same strides."""
    memory = np.zeros(2 * array.size + 2, array.dtype)
    begin = 0 if min(array.strides) >= 0 else array.size
    made = np.lib.stride_tricks.as_strided(memory[begin:], array.shape, array.strides)
    made[...] = array
    return made


def test_a_small_store_beside_what_it_reads() -> None:
    fused, memory, expected = pyfuse.fuse(accumulate), np.arange(20.0), np.arange(20.0)
    for _ in range(3):
        fused(memory[1:11], memory[:10])
        accumulate(expected[1:11], expected[:10])
        assert_same(memory, expected)
    for _ in range(3):
        fused(memory[:10], memory[:10])
        accumulate(expected[:10], expected[:10])
        assert_same(memory, expected)


def test_a_small_store_that_is_reported_leaves_it_to_numpy() -> None:
    fused, target = pyfuse.fuse(accumulate), np.ones(4)
    fused(target, np.ones(4))
    with pytest.warns(RuntimeWarning, match="overflow encountered in multiply"):
        fused(target, np.array([1e200, 1, 1, 1]))
    assert_same(target, np.array([np.inf, 3, 3, 3]))


def test_a_small_store_into_what_is_read_only_is_numpys_error() -> None:
    fused, target = pyfuse.fuse(accumulate), np.ones(4)
    fused(target, np.ones(4))
    target.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fused(target, np.ones(4))
    assert_same(target, np.full(4, 2.0))


def test_a_filter_that_is_exchanged_is_seen() -> None:
    """What is stored in place is so only where no report may raise; filters that were looked at are remembered."""
    fused, ones = pyfuse.fuse(accumulate), np.ones(5000)
    large = np.where(np.arange(5000) == 2000, 1e200, 1.0)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        for _ in range(3):
            fused(ones.copy(), ones)
        assert answered(fused) == 2
        filters: list[Any] = warnings.filters  # type: ignore[assignment]
        filters[0] = ("error", *filters[0][1:])
        target = ones.copy()
        with pytest.raises(RuntimeWarning, match="overflow"):
            fused(target, large)
        assert_same(target, ones)
        filters[0] = ("ignore", *filters[0][1:])
        fused(target, large)
        assert np.isinf(target[2000]) and target[4000] == 2.0
