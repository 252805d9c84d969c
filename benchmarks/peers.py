"""The other systems that the same work is given to, and which of them are not there."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A system to compare with, in one way of using it.

    Attributes:
        name: of the system and the way.
        functions: by name of workload; each takes what ``prepare`` made of the workload's arguments.
        prepare: makes an argument of a NumPy array, outside the timed stretch.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]
    prepare: Callable[[Any], Any] = lambda array: array


@dataclass(frozen=True, kw_only=True)
class Peers:
    """What was found.

    Attributes:
        found: in the order of tables.
        facts: what a reader of their times must know, by name of the system.
        missing: why a system takes no part, by its name.
    """

    found: tuple[Peer, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def find_peers(threads: int) -> Peers:
    """Import the systems that are installed, and set their threads.

    Args:
        threads: most threads of each. jax offers no such setting: it takes the processors that it finds.
    """
    found: list[Peer] = []
    facts: dict[str, str] = {}
    missing: dict[str, str] = {}
    for system, load in (("numba", _load_numba), ("jax", _load_jax)):
        try:
            peers, fact = load(threads)
        except ImportError as absence:
            missing[system] = str(absence)
            continue
        found += peers
        facts[system] = fact
    return Peers(found=tuple(found), facts=facts, missing=missing)


def _load_numba(threads: int) -> tuple[tuple[Peer, ...], str]:
    """Loops written by hand, without and with the licence to reorder.

    Threads of OpenMP must sleep between calls: by default they spin for more than 5 ms, on the core that the next
    system in turn needs, and where another process has that core each parallel loop of numba took 8 ms instead of 0.02
    (both measured, 2 cores). Sleeping costs numba about 15 us a call. ``OMP_WAIT_POLICY`` and
    ``NUMBA_THREADING_LAYER`` in the environment are respected.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when numba loads its threads
    os.environ.setdefault("NUMBA_THREADING_LAYER", "omp")
    numba = importlib.import_module("numba")
    loops = importlib.import_module("benchmarks.numba_loops")
    used = min(threads, numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(used)
    fact = (
        f"{numba.__version__}, {used} threads of layer {os.environ['NUMBA_THREADING_LAYER']} "
        f"(OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}), "
        f"SVML {'in use' if numba.config.USING_SVML else 'not there'}"
    )
    return (
        Peer(name="numba", functions=loops.compile_loops(fastmath=False)),
        Peer(name="numba fastmath", functions=loops.compile_loops(fastmath=True)),
    ), fact


def _load_jax(_threads: int) -> tuple[tuple[Peer, ...], str]:
    """NumPy arrays in and out, and arrays that are jax's already."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    functions = importlib.import_module("benchmarks.jax_functions")
    fact = f"{jax.__version__}, as many threads as it takes ({os.cpu_count()} processors)"
    return (
        Peer(name="jax", functions=functions.compile_functions(returns_numpy=True)),
        Peer(
            name="jax, own arrays",
            functions=functions.compile_functions(returns_numpy=False),
            prepare=functions.put_on_device,
        ),
    ), fact
