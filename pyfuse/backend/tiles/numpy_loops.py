"""Which of NumPy's inner loops computes an operation for given dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from pyfuse.graph.nodes import code_of
from pyfuse.graph.ops import by_name as operation_by_name
from pyfuse.graph.ops import callable_of
from pyfuse.records import dataclass

CASTS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16")  # as in tile_casts.c


@dataclass(frozen=True, kw_only=True)
class UfuncLoop:
    """An inner loop of a ufunc.

    Attributes:
        ufunc: whose.
        number: of the loop, in the order of ``ufunc.types``.
        results: the dtypes that it writes.
        may_raise: whether it may set an exception.
    """

    ufunc: np.ufunc
    number: int
    results: tuple[np.dtype, ...]
    may_raise: bool


def ufunc_loop(operation: str, operands: Sequence[np.dtype]) -> UfuncLoop | None:
    """The loop of an operation on operands of exactly these dtypes, or None where it has none."""
    try:
        ufunc = callable_of(operation_by_name(operation))
    except LookupError:
        return None
    return _loop(ufunc, tuple(operands)) if isinstance(ufunc, np.ufunc) else None


@cache
def _loop(ufunc: np.ufunc, operands: tuple[np.dtype, ...]) -> UfuncLoop | None:
    # The first that fits is the one that NumPy looks up: dtypes that are equal here are of one layout and meaning
    # ('l' and 'q'), whichever letter a loop has them by.
    for number, types in enumerate(ufunc.types):
        before, _, after = types.partition("->")
        if "O" not in types and len(before) == len(operands) and tuple(map(np.dtype, before)) == operands:
            return UfuncLoop(
                ufunc=ufunc,
                number=number,
                results=tuple(map(np.dtype, after)),
                may_raise=_may_raise(ufunc, operands),
            )
    return None


def _may_raise(ufunc: Any, operands: Sequence[np.dtype]) -> bool:
    """Integers to negative powers raise, and SciPy's functions if ``scipy.special.errstate`` asks for it."""
    return (ufunc is np.power and operands[0].kind in "iu") or getattr(np, ufunc.__name__, None) is not ufunc


def cast_numbers(source: np.dtype, target: np.dtype) -> tuple[int, int] | None:
    """What the tile runner knows a cast by; None for casts of half precision, and those that drop an imaginary part."""
    codes = (code_of(source), code_of(target))
    if any(code not in CASTS for code in codes) or (source.kind == "c" and target.kind not in "cb"):
        return None
    return CASTS.index(codes[0]), CASTS.index(codes[1])
