"""Vertical mixing of an ocean model: diffusion of temperature down each water column, implicit, above the sea floor."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def solve_tridiagonal(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Thomas's algorithm along the last axis: ``a`` below, ``b`` on, ``c`` above the diagonal, ``d`` the right side."""
    levels = d.shape[-1]
    cp, dp = np.zeros_like(d), np.zeros_like(d)
    cp[..., 0] = c[..., 0] / b[..., 0]
    dp[..., 0] = d[..., 0] / b[..., 0]
    for k in range(1, levels):
        norm = 1.0 / (b[..., k] - a[..., k] * cp[..., k - 1])
        cp[..., k] = c[..., k] * norm
        dp[..., k] = (d[..., k] - a[..., k] * dp[..., k - 1]) * norm
    out = np.zeros_like(d)
    out[..., levels - 1] = dp[..., levels - 1]
    for k in range(levels - 2, -1, -1):
        out[..., k] = dp[..., k] - cp[..., k] * out[..., k + 1]
    return out


@pyfuse.fuse
def mix(temperature: Any, kappa: Any, mask: Any, dt: float, dz: float) -> Any:
    """One implicit step for ``temperature`` (x, y, z) with diffusivity ``kappa``; ``mask`` is 1 in water."""
    delta = dt / dz**2 * kappa[:, :, :-1] * mask[:, :, 1:] * mask[:, :, :-1]
    a, c = np.zeros_like(temperature), np.zeros_like(temperature)
    a[:, :, 1:] = -delta
    c[:, :, :-1] = -delta
    b = 1.0 - a - c
    solved = solve_tridiagonal(a, b, c, temperature)
    return np.where(mask > 0, solved, temperature)


def arguments(size: int) -> tuple[Any, ...]:
    """About ``size`` cells, 20 levels deep."""
    side = max(2, round((size / 20) ** 0.5))
    chance = np.random.default_rng(5)
    depth = chance.integers(5, 21, (side, side, 1))
    mask = (np.arange(20) < depth).astype(float)
    return chance.normal(10.0, 2.0, (side, side, 20)) * mask, chance.random((side, side, 20)), mask, 0.5, 1.0


functions = (mix,)
