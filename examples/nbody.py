"""Bodies that attract each other: one leapfrog step of all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def accelerations(position: Any, mass: Any, softening: float) -> Any:
    """Of ``n`` bodies at ``position`` (n, 3) with ``mass`` (n,): (n, 3)."""
    dx = position[:, 0] - position[:, 0][:, None]
    dy = position[:, 1] - position[:, 1][:, None]
    dz = position[:, 2] - position[:, 2][:, None]
    inverse = (dx**2 + dy**2 + dz**2 + softening**2) ** -1.5
    ax = (dx * inverse * mass).sum(axis=1)
    ay = (dy * inverse * mass).sum(axis=1)
    az = (dz * inverse * mass).sum(axis=1)
    return np.stack([ax, ay, az], axis=1)


@pyfuse.fuse
def leapfrog(position: Any, velocity: Any, mass: Any, dt: float) -> tuple[Any, Any]:
    """Half a kick, a drift, half a kick, in place."""
    velocity += 0.5 * dt * accelerations(position, mass, 0.01)
    position += dt * velocity
    velocity += 0.5 * dt * accelerations(position, mass, 0.01)
    return position, velocity


def arguments(size: int) -> tuple[Any, ...]:
    """So many bodies that they make about ``size`` pairs."""
    count = max(4, round(size**0.5))
    chance = np.random.default_rng(1)
    return chance.normal(size=(count, 3)), chance.normal(size=(count, 3)) * 0.1, chance.random(count) / count, 0.01


functions = (leapfrog,)
