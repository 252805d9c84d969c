"""One step of the two recurrent cells of neural networks: products by BLAS, everything else around them fused."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse


def sigmoid(x: Any) -> Any:
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


@pyfuse.fuse
def lstm(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> tuple[Any, Any]:
    """The next ``h`` and ``c`` (batch, units) of inputs ``x`` (batch, features)."""
    units = h.shape[1]
    gates = x @ w + h @ u + b
    i = sigmoid(gates[:, :units])
    f = sigmoid(gates[:, units : 2 * units])
    g = np.tanh(gates[:, 2 * units : 3 * units])
    o = sigmoid(gates[:, 3 * units :])
    c = f * c + i * g
    return o * np.tanh(c), c


@pyfuse.fuse
def gru(x: Any, h: Any, w: Any, u: Any, b: Any) -> Any:
    """The next ``h`` (batch, units) of inputs ``x`` (batch, features)."""
    units = h.shape[1]
    from_x = x @ w + b
    from_h = h @ u
    r = sigmoid(from_x[:, :units] + from_h[:, :units])
    z = sigmoid(from_x[:, units : 2 * units] + from_h[:, units : 2 * units])
    n = np.tanh(from_x[:, 2 * units :] + r * from_h[:, 2 * units :])
    return (1.0 - z) * n + z * h


def _weights(size: int, gates: int) -> tuple[Any, ...]:
    units = 16
    batch = max(2, size // units)
    chance = np.random.default_rng(2)
    x, h = chance.normal(size=(batch, 4)), chance.normal(size=(batch, units))
    w, u = chance.normal(size=(4, gates * units)), chance.normal(size=(units, gates * units))
    return x, h, w, u, chance.normal(size=gates * units)


def arguments(size: int) -> tuple[Any, ...]:
    """A batch whose state has about ``size`` numbers."""
    x, h, w, u, b = _weights(size, 4)
    return x, h, h * 0.5, w, u, b


def gru_arguments(size: int) -> tuple[Any, ...]:
    """The same for the other cell."""
    return _weights(size, 3)


functions = (lstm, gru)
