"""What regions cost: a function with one statement that does not fuse, against its pieces fused by hand.

    python -m benchmarks.region_cost

Times are the least of several rounds in turn, in microseconds a call; answers are checked first.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

import pyfuse

LIMIT = 3.0  # microseconds a region more than by hand
ROUNDS = 7


class Opaque:
    """A callable of which pyfuse knows nothing."""

    def __call__(self, value: Any) -> Any:
        return value


opaque = Opaque()


@pyfuse.fuse
def whole(a: Any, b: Any) -> Any:
    """Two regions around a call that does not fuse."""
    x = a + b
    y = np.sqrt(x * x + 1.0) * 2.0
    z = opaque(x)
    w = z * y - a
    return w * w + b


@pyfuse.fuse
def before(a: Any, b: Any) -> Any:
    """The first piece."""
    x = a + b
    return x, np.sqrt(x * x + 1.0) * 2.0


@pyfuse.fuse
def after(a: Any, b: Any, y: Any, z: Any) -> Any:
    """The second."""
    w = z * y - a
    return w * w + b


def by_hand(a: Any, b: Any) -> Any:
    """The pieces, with the call between them."""
    x, y = before(a, b)
    return after(a, b, y, opaque(x))


def least(functions: list[Callable[[], Any]], calls: int) -> list[float]:
    """Microseconds a call of each, the least of the rounds."""
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for number, function in enumerate(functions):
            best[number] = min(best[number], timeit.timeit(function, number=calls) / calls * 1e6)
    return best


def main() -> int:
    """The command line."""
    print("elements   NumPy us  in regions  by hand  more a region")
    worst = 0.0
    for size in (10, 1_000, 100_000):
        a, b = np.random.default_rng(1).random((2, size))
        expected = whole.__wrapped__(a, b)
        for _ in range(40):
            assert np.array_equal(whole(a, b), expected) and np.array_equal(by_hand(a, b), expected)
        plain, regions, hand = least(
            [lambda: whole.__wrapped__(a, b), lambda: whole(a, b), lambda: by_hand(a, b)],
            max(5, 200_000 // (size + 100)),
        )
        more = (regions - hand) / 2
        worst = max(worst, more)
        print(f"{size:8,} {plain:10.2f} {regions:11.2f} {hand:8.2f} {more:14.2f}")
    info = whole.cache_info()
    assert info.fallback_calls == 0 and info.partly_fused_calls > 0, whole.fallback_reasons()
    print(f"limit for a region: {LIMIT} us: {'met' if worst <= LIMIT else 'not met'}")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
