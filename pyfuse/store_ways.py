"""Whether a kernel stores into the caller's arrays itself, and the way of such calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.call_geometry import CallGeometry
from pyfuse.compiler import Specialization
from pyfuse.direct_stores import direct_stores, run_directly
from pyfuse.in_place import in_place_stores, run_in_place
from pyfuse.launch import DirectStores, InPlaceStores, Launch
from pyfuse.runner import Arguments, Run, Runner, make_runner


def own_stores(
    specialization: Specialization,
    geometry: CallGeometry,
    arguments: Arguments,
    inputs: Sequence[np.ndarray],
    are_positions: bool,
) -> DirectStores | InPlaceStores | None:
    """How the kernel of a call stores itself; None where what it makes is copied at the end (docs/decisions/0011).

    Args:
        specialization, geometry, arguments, inputs: of the call.
        are_positions: whether the arguments are those that the function is called with.
    """
    direct = direct_stores(specialization, geometry.plan, arguments, inputs)
    if direct is not None or not are_positions:
        return direct
    return in_place_stores(specialization, geometry, arguments, inputs)


def run_and_store(launch: Launch, otherwise: Callable[[], Launch], example: Arguments) -> Run:
    """The way of a launch whose kernel stores itself.

    Args:
        launch: made for that.
        otherwise: makes that of calls for which it must not.
        example: arguments of such calls.
    """
    way = run_directly if isinstance(launch.own_stores, DirectStores) else run_in_place
    return way(launch, _when_needed(otherwise, example))


def _when_needed(make: Callable[[], Launch], example: Arguments) -> Run:
    """The way of a launch that is made when it is first needed; ``example``: arguments of its calls."""
    made: list[Runner] = []  # it owns what its way passes to the kernel

    def run(arguments: Arguments) -> tuple[Any, int]:
        if not made:
            launch = make()
            made.append(make_runner(launch, launch.prepared.address, example))
        return made[0].run(arguments)

    return run
