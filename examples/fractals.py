"""The sets of Mandelbrot and Julia: how long each point of the plane stays near."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def mandelbrot(c: Any, steps: int) -> Any:
    """For each complex ``c``, after how many of ``steps`` steps z*z + c has left the circle of radius 2."""
    z = np.zeros_like(c)
    count = np.zeros(c.shape, dtype=np.int32)
    for _ in range(steps):
        inside = z.real * z.real + z.imag * z.imag <= 4.0
        z = np.where(inside, z * z + c, z)
        count += inside
    return count


@pyfuse.fuse
def julia(z: Any, c: complex, steps: int) -> Any:
    """The same for a fixed ``c`` and each ``z`` to begin with."""
    count = np.zeros(z.shape, dtype=np.int32)
    for _ in range(steps):
        inside = np.abs(z) <= 2.0
        z = np.where(inside, z * z + c, z)
        count += inside
    return count


def arguments(size: int) -> tuple[Any, ...]:
    """A piece of the plane of about ``size`` points."""
    side = max(2, round(size**0.5))
    return np.linspace(-2.0, 0.5, side) + 1j * np.linspace(-1.2, 1.2, side)[:, None], 30


def julia_arguments(size: int) -> tuple[Any, ...]:
    """The same, with Julia's constant."""
    plane, steps = arguments(size)
    return plane, -0.8 + 0.156j, steps


functions = (mandelbrot, julia)
