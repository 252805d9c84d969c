"""A picture made sharper by an unsharp mask, its edges repeated around it."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def sharpen(picture: Any, amount: float) -> Any:
    """``picture`` (rows, columns) of uint8, sharpened."""
    p = np.pad(picture.astype(np.float32), 1, mode="edge")
    blurred = (
        p[:-2, :-2] + 2 * p[:-2, 1:-1] + p[:-2, 2:]
        + 2 * p[1:-1, :-2] + 4 * p[1:-1, 1:-1] + 2 * p[1:-1, 2:]
        + p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:]
    ) / 16  # fmt: skip
    sharp = p[1:-1, 1:-1] + amount * (p[1:-1, 1:-1] - blurred)
    return np.clip(np.rint(sharp), 0, 255).astype(np.uint8)


def arguments(size: int) -> tuple[Any, ...]:
    """A picture of about ``size`` pixels."""
    side = max(3, round(size**0.5))
    return np.random.default_rng(4).integers(0, 256, (side, side)).astype(np.uint8), 0.7


functions = (sharpen,)
