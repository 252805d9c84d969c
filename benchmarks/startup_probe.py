"""Measure one start-up time of this process, and print it in milliseconds (``startup.py`` runs this file).

Nothing is imported here that ``import numpy`` does not import anyway: what is loaded early would not be counted.
"""

import sys
import time
from typing import Any

import numpy as np

ELEMENTS = 1_000
LARGE = 1_000_000
PATIENCE = 60.0  # seconds until a kernel that is built in the background is given up


def multiply_add(a: Any, b: Any, c: Any) -> Any:
    """The function that is fused."""
    return a * b + c


def multiply_subtract(a: Any, b: Any, c: Any) -> Any:
    """Another function, which no other measurement fuses."""
    return a * b - c


def measure_import() -> float:
    """Seconds that ``import pyfuse`` takes after ``import numpy``."""
    start = time.perf_counter()
    from pyfuse import fuse  # the name too, in case it is loaded on first use

    elapsed = time.perf_counter() - start
    del fuse
    return elapsed


def measure_first_result(function: Any) -> float:
    """Seconds from the decorator to the first result that a kernel computed; the import is over before.

    Raises:
        SystemExit: no kernel computed a result within ``PATIENCE``.
    """
    import pyfuse

    a, b, c = np.arange(3.0 * ELEMENTS).reshape(3, ELEMENTS)
    start = time.perf_counter()
    fused = pyfuse.fuse(function)
    while True:
        result = fused(a, b, c)
        elapsed = time.perf_counter() - start
        if fused.cache_info().fused_calls:
            break
        if elapsed > PATIENCE:
            sys.exit(f"no kernel was used: {fused.fallback_reasons()}")
    assert np.array_equal(result, function(a, b, c))
    return elapsed


def measure_decorator(function: Any) -> float:
    """Seconds that the first ``fuse`` of a process takes."""
    import pyfuse

    start = time.perf_counter()
    pyfuse.fuse(function)
    return time.perf_counter() - start


def measure_first_call(function: Any) -> float:
    """Seconds that the first call takes, whatever answers it."""
    import pyfuse

    a, b, c = np.arange(3.0 * ELEMENTS).reshape(3, ELEMENTS)
    fused = pyfuse.fuse(function)
    start = time.perf_counter()
    result = fused(a, b, c)
    elapsed = time.perf_counter() - start
    assert np.array_equal(result, function(a, b, c))
    return elapsed


def measure_first_large_call(function: Any) -> float:
    """Seconds that the first call of a million elements takes over 1.2 times NumPy's first call."""
    import pyfuse

    a, b, c = np.arange(3.0 * LARGE).reshape(3, LARGE)
    start = time.perf_counter()
    expected = function(a, b, c)
    plain = time.perf_counter() - start
    fused = pyfuse.fuse(function)
    start = time.perf_counter()
    result = fused(a, b, c)
    elapsed = time.perf_counter() - start
    assert np.array_equal(result, expected)
    assert fused.cache_info().tiled_calls == 1
    return elapsed - 1.2 * plain


if __name__ == "__main__":
    measures = {
        "import": measure_import,
        "first-result": lambda: measure_first_result(multiply_add),
        "decorator": lambda: measure_decorator(multiply_add),
        "first-call": lambda: measure_first_call(multiply_subtract),
        "first-large-call": lambda: measure_first_large_call(multiply_subtract),
        "another-kernel": lambda: measure_first_result(multiply_subtract),
    }
    print(1e3 * measures[sys.argv[1]]())
