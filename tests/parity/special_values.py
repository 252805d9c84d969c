"""Values at which operations go wrong: limits, signed zeros, NaN, infinities, halves, powers of two."""

from __future__ import annotations

import numpy as np

INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
REALS = ("f2", "f4", "f8")
COMPLEXES = ("c8", "c16")
ALL = ("?", *INTEGERS, *REALS, *COMPLEXES)


def special(dtype: str) -> np.ndarray:
    """A one-dimensional array of special values."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.array([False, True])
    if kind in "iu":
        return _integers(dtype)
    if kind == "f":
        return _reals(dtype)
    return _complexes(dtype)


def pairs(dtype: str, other: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Every special value with every other, as two one-dimensional arrays."""
    first, second = np.meshgrid(special(dtype), special(other or dtype), indexing="ij")
    return first.ravel().copy(), second.ravel().copy()


def repeated(array: np.ndarray, length: int) -> np.ndarray:
    """The array again and again, up to a length."""
    return np.resize(array, length)


def _integers(dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    numbers = {0, 1, 2, 3, 5, 7, 8, 10, 63, 64, 100, limits.max, limits.max - 1, limits.max // 2, limits.max // 3}
    if limits.min:
        numbers |= {-1, -2, -3, -7, -8, -100, limits.min, limits.min + 1, limits.min // 2}
    return np.array(sorted(numbers), dtype)


def _reals(dtype: str) -> np.ndarray:
    limits = np.finfo(dtype)
    one = np.dtype(dtype).type(1)
    numbers = [
        0.0, limits.smallest_subnormal, limits.tiny, limits.eps, 1e-3, 0.1, 0.25, 0.49999, 0.5, 0.75, 1 - limits.epsneg,
        one, one + limits.eps, 1.5, 2.0, 2.5, 3.0, np.pi, 3.5, 7.0, 10.0, 30.25, 100.7, 1000.0, 2.0**10 + 0.5,
        1 / limits.eps, 2 / limits.eps - 1, float(limits.max) ** 0.5, limits.max, np.inf,
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        positive = np.array(numbers, dtype)
    return np.concatenate([positive, -positive, np.array([np.nan], dtype)])


def _complexes(dtype: str) -> np.ndarray:
    limits = np.finfo(dtype)
    parts = [0.0, -0.0, limits.tiny, 0.5, 1.0, -1.0, 2.5, -30.25, limits.max, np.inf, -np.inf, np.nan]
    real, imaginary = np.meshgrid(np.array(parts, limits.dtype), np.array(parts, limits.dtype), indexing="ij")
    result = np.empty(real.size, dtype)
    result.real, result.imag = real.ravel(), imaginary.ravel()
    return result
