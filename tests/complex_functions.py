"""Functions of complex numbers at once, arguments for them, and how far results are from the correct ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda_texts import most_ulps

FUNCTIONS = (
    "sqrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh",
    "arccosh", "arctanh",
)  # fmt: skip


def all_at_once(z: Any) -> Any:
    return (
        np.sqrt(z), np.exp(z), np.log(z), np.sin(z), np.cos(z), np.tan(z), np.sinh(z), np.cosh(z), np.tanh(z),
        np.arcsin(z), np.arccos(z), np.arctan(z), np.arcsinh(z), np.arccosh(z), np.arctanh(z),
    )  # fmt: skip


def errors(code: str, z: np.ndarray, compute: Callable[..., Any]) -> dict[str, float]:
    """The largest error of each function in either part, of results that are normal numbers."""
    with np.errstate(all="ignore"):
        exact = all_at_once(z.astype(np.clongdouble))
    found = {}
    tiny, huge = np.finfo(code).tiny, np.finfo(code).max
    for name, mine, theirs in zip(FUNCTIONS, compute(z), exact, strict=True):
        assert mine.dtype == np.dtype(code)
        largest = 0.0
        for ours, correct in ((mine.real, theirs.real), (mine.imag, theirs.imag)):
            is_normal = (np.abs(correct) > tiny) & (np.abs(correct) < huge)
            largest = max(largest, most_ulps(ours[is_normal], correct[is_normal]))
        found[name] = round(largest, 2)
    return found


def samples(code: str) -> np.ndarray:
    """Numbers of all sizes, near the unit circle, and near the axes."""
    rng = np.random.default_rng(1)
    count = 4000
    sizes = 10.0 ** rng.uniform(-6, 2, (2, count))
    plain = rng.normal(size=count) * sizes[0] + 1j * rng.normal(size=count) * sizes[1]
    angles = rng.uniform(-np.pi, np.pi, count)
    circle = np.exp(1j * angles) * (1 + 10.0 ** rng.uniform(-15, -1, count) * rng.choice([-1, 1], count))
    far = rng.uniform(-600, 600, count) + 1j * rng.uniform(-20, 20, count)
    near = (1 + 10.0 ** rng.uniform(-16, -1, count) * rng.choice([-1, 1], count)) * rng.choice([-1, 1], count)
    beside = near + 1j * 10.0 ** rng.uniform(-18, 0, count)  # where the inverse functions branch
    parts = [plain, circle, far if code == "c16" else far / 8, beside, 1j * beside]
    return np.concatenate(parts).astype(code)
