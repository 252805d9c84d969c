"""How far one NumPy result is from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The largest distance between two results.

    Attributes:
        mismatch: what is unlike besides the values (kind, number, dtype or shape of the arrays), in words; empty when
            nothing is. With a mismatch the numbers below are 0 and mean nothing.
        ulp: units in the last place between the two values of one element, the most of all elements. 0 means the same
            bits, except that any NaN equals any other; ``-0.0`` and ``0.0`` are one apart; a NaN facing a number counts
            as ``NAN_APART``. Integers and booleans: the plain distance.
        relative: largest absolute difference of two elements, divided by the largest finite magnitude in the expected
            array; infinite when an infinity or a NaN faces something else.
    """

    mismatch: str
    ulp: int
    relative: float


NAN_APART = 2**64 - 1


def difference(expected: Any, actual: Any) -> Difference:
    """Compare two results of a function: two arrays or NumPy scalars, or two tuples of them.

    Args:
        expected: the result to trust.
        actual: the result in question.

    Returns:
        The largest differences over all arrays and elements.

    Raises:
        TypeError: an array is neither boolean, integer, floating nor complex, or is a ``longdouble``.
    """
    mismatch = _mismatch(expected, actual)
    if mismatch:
        return Difference(mismatch=mismatch, ulp=0, relative=0.0)
    pairs = list(_pairs(expected, actual))
    return Difference(
        mismatch="",
        ulp=max((_largest_ulp(wanted, found) for wanted, found in pairs), default=0),
        relative=max((_largest_relative(wanted, found) for wanted, found in pairs), default=0.0),
    )


def _mismatch(expected: Any, actual: Any) -> str:
    """The first unlike property of two results in words, or an empty string."""
    if type(expected) is not type(actual):
        return f"type {type(actual).__name__} instead of {type(expected).__name__}"
    if isinstance(expected, tuple) and len(expected) != len(actual):
        return f"{len(actual)} results instead of {len(expected)}"
    for wanted, found in _pairs(expected, actual):
        if wanted.dtype != found.dtype:
            return f"dtype {found.dtype} instead of {wanted.dtype}"
        if wanted.shape != found.shape:
            return f"shape {found.shape} instead of {wanted.shape}"
    return ""


def _pairs(expected: Any, actual: Any) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The arrays of two results of one kind, side by side."""
    if isinstance(expected, tuple):
        yield from ((np.asarray(wanted), np.asarray(found)) for wanted, found in zip(expected, actual, strict=True))
    else:
        yield np.asarray(expected), np.asarray(actual)


def _largest_ulp(expected: NDArray[Any], actual: NDArray[Any]) -> int:
    """Largest distance in units in the last place between two arrays of one dtype and shape."""
    if expected.size == 0:
        return 0
    wanted, found = _real_parts(expected), _real_parts(actual)
    left, right = _place_in_order(wanted), _place_in_order(found)
    distance = np.where(left > right, left - right, right - left)
    if wanted.dtype.kind == "f":
        wanted_nan, found_nan = np.isnan(wanted), np.isnan(found)
        distance[wanted_nan & found_nan] = 0
        distance[wanted_nan ^ found_nan] = NAN_APART
    return int(distance.max())


def _largest_relative(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    """Largest absolute difference over the largest finite magnitude; infinite when infinities or NaNs differ."""
    finite = np.isfinite(expected)
    if not np.array_equal(np.isfinite(actual), finite):
        return float("inf")
    if not np.array_equal(expected[~finite], actual[~finite], equal_nan=True):
        return float("inf")
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    wanted, found = expected[finite].astype(wide), actual[finite].astype(wide)
    distance = float(np.abs(wanted - found).max(initial=0.0))
    if distance == 0.0:
        return 0.0
    magnitude = float(np.abs(wanted).max(initial=0.0))
    return distance / magnitude if magnitude else float("inf")


def _real_parts(values: NDArray[Any]) -> NDArray[Any]:
    """``values`` as a flat array; real and imaginary parts in turn when complex."""
    flat = np.ascontiguousarray(values).ravel()
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _place_in_order(values: NDArray[Any]) -> NDArray[np.uint64]:
    """The position of every number among all numbers of its dtype, so that neighbours are one apart."""
    match values.dtype.kind:
        case "b" | "u":
            return values.astype(np.uint64)
        case "i":
            return values.astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)
        case "f" if values.dtype.itemsize <= 8:
            bits = values.view(f"u{values.dtype.itemsize}").astype(np.uint64)
            sign = np.uint64(1 << (8 * values.dtype.itemsize - 1))
            return np.where(bits & sign, (sign - np.uint64(1)) - (bits - sign), bits | sign)
        case _:
            raise TypeError(f"no distance in units in the last place for dtype {values.dtype}")
