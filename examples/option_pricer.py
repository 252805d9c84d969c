"""An option on an average price, by Monte Carlo: random numbers of NumPy's own generator, in NumPy's own order."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


@pyfuse.fuse
def asian_call(seed: int, paths: int, steps: int, spot: float, strike: float, rate: float, vol: float) -> Any:
    """The price of an Asian call over a year, and its standard error."""
    generator = np.random.default_rng(seed)
    dt = 1.0 / steps
    drift = (rate - 0.5 * vol**2) * dt
    price = np.full(paths, spot)
    total = np.zeros(paths)
    for _ in range(steps):
        noise = generator.standard_normal(paths)
        price = price * np.exp(drift + vol * np.sqrt(dt) * noise)
        total = total + price
    payoff = np.exp(-rate) * np.maximum(total / steps - strike, 0.0)
    return np.array([payoff.mean(), payoff.std() / np.sqrt(paths)])


def arguments(size: int) -> tuple[Any, ...]:
    """``size`` paths."""
    return 7, max(2, size), 5, 100.0, 95.0, 0.02, 0.3


functions = (asian_call,)
