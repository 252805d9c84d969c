"""The programs of the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyfuse.demo import black_scholes, great_circle, seawater


@dataclass(frozen=True, kw_only=True)
class Program:
    """A NumPy function with inputs and with values that it must give.

    Attributes:
        name: what the program computes, in a few words.
        function: the plain NumPy function of whole arrays; it knows nothing of pyfuse.
        make_inputs: from the wanted number of result elements to the positional arguments of ``function``.
        check: takes ``function`` or a faster form of it, compares its results with published values, and returns one
            sentence for each miss.
        points: number of result elements of each result that shows the program at its usual size.
        max_relative: largest accepted difference from plain NumPy, as a fraction of the largest magnitude in a result;
            0.0 where only operations occur that are exact to the last bit.
    """

    name: str
    function: Callable[..., Any]
    make_inputs: Callable[[int], tuple[Any, ...]]
    check: Callable[[Callable[..., Any]], tuple[str, ...]]
    points: int
    max_relative: float


# exp and log may be a few units in the last place (1e-15 of their value) from NumPy's; differences of near prices
# enlarge that, and this leaves room for a factor of a thousand.
_EXP_AND_LOG = 1e-12
# The arcsine near 1, of places near the antipode, turns an error e into its root at worst: this is 2 mm on the Earth.
_NEAR_ANTIPODES = 1e-10

PROGRAMS = (
    Program(
        name="sea-water density",
        function=seawater.density,
        make_inputs=seawater.make_inputs,
        check=seawater.check,
        points=500_000,
        max_relative=0.0,
    ),
    Program(
        name="option prices and greeks",
        function=black_scholes.prices_and_greeks,
        make_inputs=black_scholes.make_inputs,
        check=black_scholes.check,
        points=500_000,
        max_relative=_EXP_AND_LOG,
    ),
    Program(
        name="great-circle distances",
        function=great_circle.distance,
        make_inputs=great_circle.make_inputs,
        check=great_circle.check,
        points=1_000_000,
        max_relative=_NEAR_ANTIPODES,
    ),
)
