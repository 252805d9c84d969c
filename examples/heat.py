"""Heat in a plate: explicit time steps by slices, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def diffuse(u: Any, steps: int, rate: float) -> Any:
    """``steps`` steps of the heat equation on ``u`` (rows, columns), whose border keeps its temperature."""
    for _ in range(steps):
        u[1:-1, 1:-1] += rate * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1])
    return u


def arguments(size: int) -> tuple[Any, ...]:
    """A plate of about ``size`` cells, hot on one side."""
    side = max(4, round(size**0.5))
    plate = np.zeros((side, side))
    plate[:, 0] = 100.0
    return plate, 10, 0.2


functions = (diffuse,)
