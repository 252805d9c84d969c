"""Refuse to measure a fused function that is wrong, or that did not fuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import pyfuse
from benchmarks.workloads import Workload
from pyfuse.demo.difference import difference


def fuse_and_check(workload: Workload, arguments: Sequence[Any], *, has_compiler: bool = True) -> Callable[..., Any]:
    """Fuse the workload's function, and call it once.

    Args:
        workload: what to fuse.
        arguments: the positional arguments of the call.
        has_compiler: whether a kernel is to answer; else tiles, whose result must be NumPy's to the last bit.

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
    if not has_compiler:
        workload = replace(workload, max_ulp=0, max_epsilons=0.0)
    near = found.ulp <= workload.max_ulp or found.relative <= workload.max_epsilons * _epsilon(expected)
    assert near, f"{workload.name}: {found.ulp} ULP, {found.relative:.3g} of the largest element from NumPy's result"

    counters = fused.cache_info()
    answered = counters.fused_calls if has_compiler else counters.tiled_calls
    is_fused = answered == 1 and counters.partly_fused_calls == counters.fallback_calls == 0
    assert is_fused, f"{workload.name}: ran as ordinary NumPy: {fused.fallback_reasons()}"
    wanted = int(has_compiler)
    assert counters.kernels == wanted, f"{workload.name}: {counters.kernels} kernels instead of {wanted}"
    return fused


def _epsilon(result: Any) -> float:
    """Machine epsilon of a result's dtype (of its first array when it is a tuple); 0 for integers."""
    dtype = np.asarray(result[0] if isinstance(result, tuple) else result).dtype
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0


# Relative to the largest element, since sums may be taken in another order.
_TOLERANCES = {"float64": 1e-12, "complex128": 1e-12, "float32": 1e-5, "complex64": 1e-5, "float16": 1e-2}
# A single-precision sum of 1e6 terms, one after the other as a loop adds them, was 1.6e-4 from NumPy's (measured).
_PEER_TOLERANCES = {**_TOLERANCES, "float32": 1e-3}


def assert_near(system: str, expected: Any, actual: Any, *, is_same_kind: bool = True) -> None:
    """Refuse an answer that is not NumPy's within the tolerance of its dtype; integers and booleans must be equal.

    Args:
        system: whose answer it is.
        expected: NumPy's answer: an array, a scalar or a tuple of them.
        actual: the answer in question.
        is_same_kind: type and dtype must be NumPy's too; otherwise it is a peer's, and arrays of other libraries and
            Python's numbers will do.

    Raises:
        AssertionError: the answer is another.
    """
    if not is_same_kind:
        expected, actual = _as_arrays(system, expected, actual)
    found = difference(expected, actual)
    assert not found.mismatch, f"{system}: {found.mismatch}"
    results = expected if isinstance(expected, tuple) else (expected,)
    tolerances = _TOLERANCES if is_same_kind else _PEER_TOLERANCES
    tolerance = min(tolerances.get(np.asarray(result).dtype.name, 0.0) for result in results)
    assert found.relative <= tolerance, f"{system}: {found.relative:.3g} of the largest element from NumPy's result"


def _as_arrays(system: str, expected: Any, actual: Any) -> tuple[Any, Any]:
    """Both as arrays of NumPy's dtypes, or as tuples of them where NumPy gives a tuple."""
    if not isinstance(expected, tuple):
        return np.asarray(expected), np.asarray(actual).astype(expected.dtype)
    assert isinstance(actual, tuple | list), f"{system}: one result instead of {len(expected)}"
    assert len(actual) == len(expected), f"{system}: {len(actual)} results instead of {len(expected)}"
    pairs = [_as_arrays(system, wanted, found) for wanted, found in zip(expected, actual, strict=True)]
    return tuple(wanted for wanted, _ in pairs), tuple(found for _, found in pairs)
