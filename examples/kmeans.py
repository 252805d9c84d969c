"""Lloyd's algorithm: one step of k-means."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def lloyd(points: Any, centres: Any) -> tuple[Any, Any]:
    """The nearest of ``centres`` (k, d) to each of ``points`` (n, d), and the centres of those."""
    distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1)
    moved = np.empty_like(centres)
    for k in range(len(centres)):
        chosen = points[nearest == k]
        moved[k] = chosen.mean(axis=0) if len(chosen) else centres[k]
    return nearest, moved


def arguments(size: int) -> tuple[Any, ...]:
    """About ``size`` distances of points in the plane to 8 centres."""
    chance = np.random.default_rng(3)
    return chance.normal(size=(max(8, size // 8), 2)), chance.normal(size=(8, 2))


functions = (lloyd,)
