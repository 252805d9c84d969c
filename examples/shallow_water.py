"""Shallow water on a closed basin: one forward step of height and velocities on a staggered grid, by slices."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def step(h: Any, u: Any, v: Any, dt: float, dx: float, depth: float) -> Any:
    """One step in place: ``h`` (n, m) at the centres, ``u`` (n, m + 1) and ``v`` (n + 1, m) at the faces of cells."""
    gravity = 9.81
    u[:, 1:-1] -= dt * gravity * (h[:, 1:] - h[:, :-1]) / dx
    v[1:-1, :] -= dt * gravity * (h[1:, :] - h[:-1, :]) / dx
    east = np.maximum(u[:, 1:], 0.0) * h + np.minimum(u[:, 1:], 0.0) * np.roll(h, -1, axis=1)
    north = np.maximum(v[1:, :], 0.0) * h + np.minimum(v[1:, :], 0.0) * np.roll(h, -1, axis=0)
    inflow = east - np.roll(east, 1, axis=1) + north - np.roll(north, 1, axis=0)
    h -= dt * (inflow + depth * (u[:, 1:] - u[:, :-1] + v[1:, :] - v[:-1, :])) / dx
    return h


def arguments(size: int) -> tuple[Any, ...]:
    """A basin of about ``size`` cells with a hump of water in it."""
    side = max(4, round(size**0.5))
    x = np.linspace(-1.0, 1.0, side)
    h = 0.1 * np.exp(-20.0 * (x[:, None] ** 2 + x**2))
    return h, np.zeros((side, side + 1)), np.zeros((side + 1, side)), 0.001, 1.0, 10.0


functions = (step,)
