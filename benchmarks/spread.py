"""The middle half of some ratios."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Quartiles of ratios of one time to another; above 1 the second is the shorter."""

    first_quartile: float
    median: float
    third_quartile: float


def spread_of(first: Iterable[float], second: Iterable[float]) -> Spread:
    """The spread of first over second, entry by entry; both of one length, at least two."""
    ratios = [numerator / denominator for numerator, denominator in zip(first, second, strict=True)]
    first_quartile, median, third_quartile = statistics.quantiles(ratios, n=4, method="inclusive")
    return Spread(first_quartile=first_quartile, median=median, third_quartile=third_quartile)


def draw_spread(spread: Spread, *, marks_losses: bool = True) -> str:
    """For example ``1.42 [1.31, 1.50]``; the median is bold when it is below 1 and losses are marked."""
    median = f"{spread.median:.2f}"
    if marks_losses and spread.median < 1.0:
        median = f"**{median}**"
    return f"{median} [{spread.first_quartile:.2f}, {spread.third_quartile:.2f}]"
