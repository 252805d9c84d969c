"""Reductions as ``jax.numpy`` expressions for ``jax.jit`` (imported only where jax is installed)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.reduction_workloads import EPSILON


def sum_squared_differences(a: Any, b: Any) -> Any:
    """Two vectors of one length."""
    return ((a - b) ** 2).sum()


def softmax(x: Any) -> Any:
    """A matrix."""
    powers = jnp.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
    """A matrix, and vectors as long as its rows."""
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + EPSILON) * gamma + beta


def pairwise_distances(x: Any, y: Any) -> Any:
    """Two sets of points."""
    return jnp.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=-1))


_FUNCTIONS = (sum_squared_differences, softmax, layer_norm, pairwise_distances)


def compile_functions(*, returns_numpy: bool) -> dict[str, Callable[..., Any]]:
    """The functions by name of workload; each is compiled at its first call, and waits until its result is there.

    Args:
        returns_numpy: arrays of NumPy are returned instead of jax's.
    """
    finish = np.asarray if returns_numpy else jax.block_until_ready
    return {function.__name__: _finished(jax.jit(function), finish) for function in _FUNCTIONS}


def _finished(function: Callable[..., Any], finish: Callable[[Any], Any]) -> Callable[..., Any]:
    """``function``, with its result passed through ``finish``."""
    return lambda *arguments: finish(function(*arguments))


def put_on_device(values: Any) -> Any:
    """jax's own copy of an array."""
    return jax.block_until_ready(jnp.array(values))
