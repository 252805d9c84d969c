"""Poisson's equation by conjugate gradients, with the operator as a stencil."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


def laplace(p: Any) -> Any:
    """Minus the Laplacian of ``p`` (n, m), zero around it."""
    around = np.pad(p, 1)
    return 4.0 * p - around[2:, 1:-1] - around[:-2, 1:-1] - around[1:-1, 2:] - around[1:-1, :-2]


@pyfuse.fuse
def solve(b: Any, tolerance: float, limit: int) -> tuple[Any, int]:
    """``x`` with ``laplace(x) == b`` and the number of steps."""
    x = np.zeros_like(b)
    r = b.copy()
    p = r.copy()
    size = (r * r).sum()
    steps = 0
    while size > tolerance and steps < limit:
        q = laplace(p)
        alpha = size / (p * q).sum()
        x += alpha * p
        r -= alpha * q
        before, size = size, (r * r).sum()
        p = r + (size / before) * p
        steps += 1
    return x, steps


def arguments(size: int) -> tuple[Any, ...]:
    """About ``size`` unknowns."""
    side = max(4, round(size**0.5))
    b = np.zeros((side, side))
    b[side // 2, side // 2] = 1.0
    return b, 1e-10, 20


functions = (solve,)
