"""numba: the NumPy functions as they are, and loops written by hand.

Both divide as NumPy does, without the test for zero that would keep a loop from being vectorised.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

# Threads of OpenMP must sleep between calls: by default they spin for more than 5 ms, on the core that the next system
# in turn needs, and where another process has that core each parallel loop of numba took 8 ms instead of 0.02 (both
# measured, 2 cores). Sleeping costs numba about 15 us a call. Both are read when numba loads its threads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("NUMBA_THREADING_LAYER", "omp")

import numba
import numpy as np

from benchmarks import numba_loops
from benchmarks.numba_reduction_loops import REDUCTION_LOOPS
from benchmarks.peers import Peer
from benchmarks.systems.rebinding import rebind
from benchmarks.workloads import Case

LOOPS: dict[str, Callable[..., Any]] = {
    **{loop.__name__: loop for loop in (*numba_loops.ELEMENTWISE_LOOPS, *REDUCTION_LOOPS)},
    "black_scholes_erf": numba_loops.black_scholes_with_erf,
}

# The workloads' own formulas on numbers: numba's ``where`` would make arrays without dimensions of them.
_OF_NUMBERS = ModuleType("numpy_of_numbers")
_OF_NUMBERS.__dict__.update(vars(np))
_OF_NUMBERS.__dict__["where"] = numba.njit(lambda condition, first, second: first if condition else second)
_SINGLE = frozenset(("float32", "complex64"))


def load(threads: int) -> tuple[tuple[Peer, ...], str]:
    """The functions with one thread and with several; the loops with one, with several, and with licence to reorder."""
    used = min(threads, numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(used)
    fact = (
        f"{numba.__version__}, {used} threads of layer {os.environ['NUMBA_THREADING_LAYER']} "
        f"(OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}), "
        f"SVML {'in use' if numba.config.USING_SVML else 'not there'}"
    )
    kept = _Compiled()
    return (
        Peer(name="numba", function_for=lambda case: kept.unmodified(case, parallel=False)),
        Peer(name="numba parallel", function_for=lambda case: kept.unmodified(case, parallel=True)),
        Peer(name="numba serial loop", function_for=lambda case: kept.loop(case, parallel=False, fastmath=True)),
        Peer(name="numba prange", function_for=lambda case: kept.loop(case, parallel=True, fastmath=False)),
        Peer(name="numba prange fastmath", function_for=lambda case: kept.loop(case, parallel=True, fastmath=True)),
    ), fact


class _Compiled:
    """Compiled functions, kept for the other sizes of a workload."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Callable[..., Any]] = {}

    def unmodified(self, case: Case, *, parallel: bool) -> Callable[..., Any]:
        """The workload's function."""
        return self._compile(case, case.workload.function, parallel=parallel, fastmath=False)

    def loop(self, case: Case, *, parallel: bool, fastmath: bool) -> Callable[..., Any] | None:
        """The loop for the workload, if there is one; literal floats have the precision of the data."""
        written = LOOPS.get(case.workload.name)
        return None if written is None else self._compile(case, written, parallel=parallel, fastmath=fastmath)

    def _compile(
        self, case: Case, function: Callable[..., Any], *, parallel: bool, fastmath: bool
    ) -> Callable[..., Any]:
        key = (function, case.dtype, parallel, fastmath)
        if key not in self._kept:
            is_loop = function is not case.workload.function
            is_single = is_loop and case.dtype in _SINGLE
            copy = rebind(
                function,
                {"special": math, "np": _OF_NUMBERS} if is_loop else {},
                finish_helper=numba.njit(fastmath=fastmath, error_model="numpy"),
                finish_float=np.float32 if is_single else float,
            )
            self._kept[key] = numba.njit(parallel=parallel, fastmath=fastmath, error_model="numpy")(copy)
        return self._kept[key]
