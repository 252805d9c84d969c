"""Refuse to measure a fused function that is wrong, or that did not fuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import pyfuse
from benchmarks.workloads import Workload
from pyfuse.demo.difference import difference


def fuse_and_check(workload: Workload, arguments: Sequence[Any]) -> Callable[..., Any]:
    """Fuse the workload's function, and call it once.

    Args:
        workload: what to fuse.
        arguments: the positional arguments of the call.

    Returns:
        The fused function; its kernel is built.

    Raises:
        AssertionError: the result is further from NumPy's than the workload allows, is of another kind, dtype or shape,
            or was not computed by exactly one kernel.
    """
    fused = pyfuse.fuse(workload.function)
    expected = workload.function(*arguments)
    actual = fused(*arguments)

    found = difference(expected, actual)
    assert not found.mismatch, f"{workload.name}: {found.mismatch}"
    near = found.ulp <= workload.max_ulp or found.relative <= workload.max_epsilons * _epsilon(expected)
    assert near, f"{workload.name}: {found.ulp} ULP, {found.relative:.3g} of the largest element from NumPy's result"

    counters = fused.cache_info()
    is_fused = counters.fused_calls == 1 and counters.partly_fused_calls == counters.fallback_calls == 0
    assert is_fused, f"{workload.name}: ran as ordinary NumPy: {fused.fallback_reasons()}"
    assert counters.kernels == 1, f"{workload.name}: {counters.kernels} kernels instead of one"
    return fused


def _epsilon(result: Any) -> float:
    """Machine epsilon of a result's dtype (of its first array when it is a tuple); 0 for integers."""
    dtype = np.asarray(result[0] if isinstance(result, tuple) else result).dtype
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0
