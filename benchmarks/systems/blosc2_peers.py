"""The NumPy functions on blosc2's arrays, whose operators make lazy expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import blosc2
import numpy as np

from benchmarks.peers import Peer
from benchmarks.systems.rebinding import rebind
from benchmarks.workloads import Case

# blosc2 4.14.1: prices far from NumPy's, and in single precision the end of the process for damaged memory.
_DANGEROUS = frozenset(("black_scholes",))
# No stores, no error function, and an expression of text that doubles with each iteration.
_NO_WORDS = frozenset(("accumulate_product", "black_scholes_erf", "quadratic_iteration"))


def load(threads: int) -> tuple[tuple[Peer, ...], str]:
    """Arrays stored in chunks without compression; results are NumPy's arrays."""
    blosc2.set_nthreads(threads)
    fact = f"{blosc2.__version__}, {threads} threads, arrays in chunks, not compressed"
    return (Peer(name="blosc2", function_for=_function_for, prepare=_put_in_chunks),), fact


def _function_for(case: Case) -> Callable[..., Any] | None:
    if case.workload.name in _NO_WORDS:
        return None
    if case.workload.name in _DANGEROUS:
        raise RuntimeError("not called: it damages the memory of the process")
    function = rebind(case.workload.function, {"np": _Namespace()})

    def call(*arguments: Any) -> Any:
        result = function(*arguments)
        return tuple(map(_compute, result)) if isinstance(result, tuple) else _compute(result)

    return call


class _Namespace:
    """blosc2's functions, NumPy's where it has none."""

    @staticmethod
    def radians(degrees: Any) -> Any:
        """blosc2 has no such function."""
        return degrees * (np.pi / 180.0)

    def __getattr__(self, name: str) -> Any:
        return getattr(blosc2, name, None) or getattr(np, name)


def _compute(result: Any) -> Any:
    """The values of a lazy expression."""
    return result[()] if hasattr(result, "schunk") or hasattr(result, "compute") else result


def _put_in_chunks(values: Any) -> Any:
    """blosc2's own copy of an array."""
    return blosc2.asarray(np.ascontiguousarray(values), cparams={"clevel": 0})
