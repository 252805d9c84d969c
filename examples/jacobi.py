"""Laplace's equation by Jacobi's method, until nothing changes any more."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def solve(u: Any, tolerance: float, limit: int) -> tuple[Any, int]:
    """The potential inside a square whose border is given, and the number of steps taken."""
    change, steps = np.inf, 0
    while change > tolerance and steps < limit:
        new = u.copy()
        new[1:-1, 1:-1] = 0.25 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])
        change = np.max(np.abs(new - u))
        u = new
        steps += 1
    return u, steps


def arguments(size: int) -> tuple[Any, ...]:
    """A square of about ``size`` points with one side at 1."""
    side = max(4, round(size**0.5))
    u = np.zeros((side, side))
    u[0] = 1.0
    return u, 1e-4, 20


functions = (solve,)
