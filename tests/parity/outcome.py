"""All that a call does: result, kind, layout, identity, exception, warnings; and whether two calls did the same."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np

import pyfuse
from pyfuse.decorator import FusedFunction


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that a caller can see of one call.

    Attributes:
        result: what was returned; None if it raised.
        error: type and message of what was raised.
        warned: category and message of each warning, in order.
        reported: what an ``np.seterrcall`` function was told, in order.
        printed: what went to standard output and error.
        arguments: the argument arrays after the call.
    """

    result: Any
    error: tuple[type, str] | None
    warned: tuple[tuple[type, str], ...]
    reported: tuple[tuple[str, int], ...]
    printed: str
    arguments: tuple[Any, ...]


def observe(function: Callable[..., Any], arguments: Sequence[Any], modes: Mapping[str, str] | None = None) -> Outcome:
    """Call a function and keep all that a caller can see.

    Args:
        function: to call.
        arguments: given as they are; the caller copies them if the function may write.
        modes: for ``np.errstate``; everything is ignored unless given.
    """
    result, error = None, None
    reported: list[tuple[str, int]] = []
    printed = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as caught,
        np.errstate(call=lambda kind, flag: reported.append((kind, flag)), **(modes or {"all": "ignore"})),
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        warnings.simplefilter("always")
        try:
            result = function(*arguments)
        except Exception as raised:
            error = (type(raised), str(raised))
    return Outcome(
        result=result,
        error=error,
        warned=tuple((entry.category, str(entry.message)) for entry in caught),
        reported=tuple(reported),
        printed=printed.getvalue(),
        arguments=tuple(arguments),
    )


def assert_same_outcome(actual: Outcome, expected: Outcome, ulp: int = 0, scale: float = 0.0) -> None:
    """Raise AssertionError with the first difference of two outcomes.

    Args:
        actual: of the fused function.
        expected: of the original, called with the same argument objects.
        ulp: largest distance of floating results in units of the last place; 0 asks for the same bits.
        scale: numbers smaller than this are measured in units of the last place of this: the size of terms that cancel.
    """
    assert actual.error == expected.error, f"raised {actual.error}, the original {expected.error}"
    assert actual.warned == expected.warned, f"warned {actual.warned}, the original {expected.warned}"
    assert actual.reported == expected.reported, f"reported {actual.reported}, the original {expected.reported}"
    assert actual.printed == expected.printed, f"printed {actual.printed!r}, the original {expected.printed!r}"
    assert_same(actual.result, expected.result, ulp, scale)
    assert_same_sharing(actual, expected)


def assert_same(actual: Any, expected: Any, ulp: int = 0, scale: float = 0.0, place: str = "result") -> None:
    """Raise AssertionError unless two results agree in structure, kind, dtype, shape, strides and values."""
    assert type(actual) is type(expected), f"{place} is a {type(actual).__name__}, not a {type(expected).__name__}"
    if isinstance(expected, tuple | list):
        assert len(actual) == len(expected), f"{place} has {len(actual)} items, not {len(expected)}"
        for number, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(one, other, ulp, scale, f"{place}[{number}]")
    elif isinstance(expected, dict):
        assert list(actual) == list(expected), f"{place} has keys {list(actual)}, not {list(expected)}"
        for key in expected:
            assert_same(actual[key], expected[key], ulp, scale, f"{place}[{key!r}]")
    elif isinstance(expected, np.ndarray | np.generic):
        _assert_same_array(actual, expected, ulp, scale, place)
    elif isinstance(expected, float | complex):
        assert repr(actual) == repr(expected), f"{place} is {actual!r}, not {expected!r}"
    else:
        assert actual is expected or actual == expected, f"{place} is {actual!r}, not {expected!r}"


def assert_same_sharing(actual: Outcome, expected: Outcome) -> None:
    """Raise AssertionError unless the same results are the same objects, and views where the original's are."""
    ours, theirs = _arrays(actual.result), _arrays(expected.result)
    given = _arrays(expected.arguments)
    assert [_first_same(array, given) for array in ours] == [_first_same(array, given) for array in theirs], (
        "a result is an argument in one of them only"
    )
    assert [_first_same(array, ours) for array in ours] == [_first_same(array, theirs) for array in theirs], (
        "two results are one object in one of them only"
    )
    assert _shared(ours, given + ours) == _shared(theirs, given + theirs), "memory is shared in one of them only"
    for one, other in zip(ours, theirs, strict=True):
        assert one.flags.writeable == other.flags.writeable, "a result is writeable in one of them only"


def _used_strides(array: Any) -> tuple[int, ...]:
    return tuple(stride for stride, extent in zip(array.strides, array.shape, strict=True) if extent != 1)


def ulp_distance(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Distance in units of the last place, element by element; two NaNs are at 0, NaN and a number at the maximum.

    Args:
        actual: real floating array.
        expected: of the same dtype and shape.

    Returns:
        float64: rounded only where it is beyond 2**53.
    """
    integers = np.dtype(f"i{expected.dtype.itemsize}")
    ordered = []
    for array in (actual, expected):
        bits = np.ascontiguousarray(array).view(integers).astype("i8")
        ordered.append(np.where(bits < 0, np.iinfo(integers).min - bits, bits))
    one, other = (np.atleast_1d(numbers).view("u8") for numbers in ordered)  # unsigned: a difference may need 64 bits
    distance = np.where(ordered[0] > ordered[1], one - other, other - one).reshape(expected.shape).astype("f8")
    both_nan = np.isnan(actual) & np.isnan(expected)
    one_nan = np.isnan(actual) ^ np.isnan(expected)
    return np.where(both_nan, 0.0, np.where(one_nan, np.inf, distance))


def _assert_same_array(actual: Any, expected: Any, ulp: int, scale: float, place: str) -> None:
    assert actual.dtype == expected.dtype, f"{place} has dtype {actual.dtype}, not {expected.dtype}"
    assert actual.shape == expected.shape, f"{place} has shape {actual.shape}, not {expected.shape}"
    # The stride of an axis of one element is never used, and NumPy leaves open what it is (ndarray.strides, "Notes").
    ours, theirs = _used_strides(actual), _used_strides(expected)
    assert ours == theirs, f"{place} has strides {actual.strides}, not {expected.strides}"
    one, other = np.atleast_1d(actual), np.atleast_1d(expected)
    if expected.dtype.kind not in "fc":
        wrong = one != other if expected.dtype.kind != "b" else one.view("u1") != other.view("u1")
    elif ulp == 0:
        wrong = ~_same_bits(one, other)
    else:
        wrong = ~_within(one, other, ulp, scale)
    if wrong.any():
        where = np.argwhere(wrong)[0]
        raise AssertionError(
            f"{place}: {int(wrong.sum())} of {wrong.size} elements differ, first at {where.tolist()}:"
            f" {one[tuple(where)]!r}, not {other[tuple(where)]!r} ({expected.dtype})"
        )


def _parts(array: np.ndarray) -> tuple[np.ndarray, ...]:
    return (array.real, array.imag) if array.dtype.kind == "c" else (array,)


def _same_bits(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Equal bits, or both NaN: which NaN is not promised."""
    same = np.ones(actual.shape, bool)
    for one, other in zip(_parts(actual), _parts(expected), strict=True):
        bits = np.dtype(f"u{one.dtype.itemsize}")
        equal = np.ascontiguousarray(one).view(bits) == np.ascontiguousarray(other).view(bits)
        same &= equal | (np.isnan(one) & np.isnan(other))
    return same


def _within(actual: np.ndarray, expected: np.ndarray, ulp: int, scale: float) -> np.ndarray:
    """Within a distance; a zero keeps its sign."""
    near = np.ones(actual.shape, bool)
    for one, other in zip(_parts(actual), _parts(expected), strict=True):
        zeros = (one == 0) & (other == 0)
        near &= np.where(zeros, np.signbit(one) == np.signbit(other), ulp_distance(one, other) <= ulp)
        if scale:
            with np.errstate(all="ignore"):
                near |= np.abs(one - other) <= ulp * np.spacing(one.dtype.type(scale))
    return near


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [array for item in value for array in _arrays(item)] if isinstance(value, tuple | list) else []


def _first_same(array: np.ndarray, arrays: list[np.ndarray]) -> int | None:
    return next((number for number, other in enumerate(arrays) if other is array), None)


def _shared(arrays: list[np.ndarray], others: list[np.ndarray]) -> list[list[bool]]:
    return [[np.may_share_memory(array, other) for other in others] for array in arrays]


def assert_fused(
    fused: FusedFunction[..., Any],
    *arguments: Any,
    ulp: int = 0,
    modes: Mapping[str, str] | None = None,
    calls: int = 1,
) -> None:
    """Raise AssertionError unless a call fuses and does all that the original does.

    Args:
        fused: made by ``pyfuse.fuse``.
        arguments: given to both; neither may write to them.
        ulp: as in ``assert_same_outcome``.
        modes: for ``np.errstate``; everything is ignored unless given.
        calls: how often to call; the later ones take the hot path.
    """
    expected = observe(fused.__wrapped__, arguments, modes)
    for _ in range(calls):
        before = fused.cache_info()
        actual = observe(fused, arguments, modes)
        assert_same_outcome(actual, expected, ulp)
        after = fused.cache_info()
        assert after.fallback_calls == before.fallback_calls, fused.fallback_reasons()
        assert after.fused_calls == before.fused_calls + 1


def assert_falls_back(
    fused: FusedFunction[..., Any], *arguments: Any, reason: str, modes: Mapping[str, str] | None = None
) -> None:
    """Raise AssertionError unless a call runs the original, for this reason, with the original's outcome."""
    expected = observe(fused.__wrapped__, arguments, modes)
    before = fused.fallback_reasons().get(reason, 0)
    actual = observe(fused, arguments, modes)
    assert_same_outcome(actual, expected)
    assert fused.fallback_reasons().get(reason, 0) == before + 1, fused.fallback_reasons()


def check_stores(function: Callable[..., Any], make: Callable[[], list[Any]], modes: Any = None) -> Any:
    """The fused function, called three times and compared with the original in all that a caller can see.

    Args:
        function: that stores into its arguments, and returns none of them.
        make: new arguments.
        modes: as in ``observe``.
    """
    fused = pyfuse.fuse(function)
    for _ in range(3):
        expected, actual = observe(function, make(), modes), observe(fused, make(), modes)
        assert_same_outcome(actual, expected)
        assert_same(actual.arguments, expected.arguments, place="arguments")
    return fused


def own_stores_are(fused: Any, kind: type) -> list[bool]:
    """Of each form of calls, whether its kernel stores itself in a way."""
    runners = [runner for runners in fused._executor._runners.values() for runner in runners]
    return [isinstance(runner.launch.own_stores, kind) for runner in runners if runner.launch is not None]
