"""The NumPy functions with ``jax.numpy`` in NumPy's place, compiled by ``jax.jit``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # read when jax starts

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np

from benchmarks.peers import Peer
from benchmarks.systems.rebinding import rebind
from benchmarks.workloads import Case


def load(_threads: int) -> tuple[tuple[Peer, ...], str]:
    """NumPy arrays in and out, and arrays that are jax's already.

    A store into an argument becomes a new array: jax has no others.
    """
    jax.config.update("jax_enable_x64", True)
    fact = f"{jax.__version__}, as many threads as it takes ({os.cpu_count()} processors)"
    return (
        Peer(name="jax", function_for=lambda case: _compile(case, np.asarray)),
        Peer(
            name="jax, own arrays",
            function_for=lambda case: _compile(case, jax.block_until_ready),
            prepare=_put_on_device,
        ),
    ), fact


def _compile(case: Case, finish: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function of a case, compiled at its first call; each part of its result passes through ``finish``."""
    compiled = jax.jit(rebind(case.workload.function, {"np": jnp, "special": jax.scipy.special}))

    def call(*arguments: Any) -> Any:
        result = compiled(*arguments)
        return tuple(map(finish, result)) if isinstance(result, tuple) else finish(result)

    return call


def _put_on_device(values: Any) -> Any:
    """jax's own copy of an array."""
    return jax.block_until_ready(jnp.array(values))
