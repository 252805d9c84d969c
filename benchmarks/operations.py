"""How many operations a NumPy function asks for, counted while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_MOVES = frozenset((np.positive,))  # no arithmetic


def count_operations(function: Callable[..., Any], arguments: Sequence[Any]) -> int:
    """One for each element of each ufunc's result, and for each element that a reduction takes in.

    An exponential counts like a sum: the number says how much a function does, not how long it takes. What is not a
    ufunc (``where``) is not counted. A complex operation counts once.
    """
    counter = _Counter()
    function(*(counter.watch(argument) for argument in arguments))
    return counter.operations


class _Counter:
    def __init__(self) -> None:
        self.operations = 0

    def watch(self, array: Any) -> Any:
        """A view whose ufuncs are counted."""
        watched = array.view(_Watched)
        watched.counter = self
        return watched


class _Watched(np.ndarray[Any, Any]):
    """An array that counts."""

    counter: _Counter | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.counter = getattr(source, "counter", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **settings: Any) -> Any:
        plain = [_plain(value) for value in inputs]
        if out is not None:
            settings["out"] = tuple(_plain(value) for value in out)
        result = getattr(ufunc, method)(*plain, **settings)
        counter = next((value.counter for value in inputs if isinstance(value, _Watched) and value.counter), None)
        if counter is None:
            return result
        if ufunc not in _MOVES:
            counter.operations += np.size(plain[0]) if method == "reduce" else np.size(result)
        return counter.watch(np.asarray(result)) if out is None else out[0]


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, _Watched) else value
