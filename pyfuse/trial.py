"""Is a kernel faster than the original? Both are timed once for a form of calls with small arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.host_values import HostArgument, HostCall, HostExpression

CALLS_BEFORE_TRIAL = 16  # as in dispatcher.c: functions that are called now and then are not timed
ROUNDS = 6
# Estimated picoseconds of a kernel on one core from which on nothing is tried: what a call costs beside it is nothing.
MOST_WORK = 100_000_000
MARGIN = 0.95  # of the kernel's time: the original must be so much faster, or the kernel stays
_PLAIN = (int, float, complex, str, bytes, type(None), np.generic)


class Trial:
    """How far one form of calls is: what KnownLaunch is in the extension.

    Attributes:
        calls: answered so far.
        is_tried: both have been timed.
        prefers_plain: the original is to answer.
    """

    __slots__ = ("calls", "is_tried", "prefers_plain")

    def __init__(self) -> None:
        self.calls = 0
        self.is_tried = 0
        self.prefers_plain = 0


def copies_for_trial(arguments: Sequence[Any], targets: Sequence[HostExpression]) -> list[Any] | None:
    """Arguments for the calls that are timed: copies of the arrays where calls store into them.

    Args:
        arguments: of the call at hand.
        targets: what calls store into.

    Returns:
        None where calls store into anything but arrays among the arguments.
    """
    if not targets:
        return list(arguments)
    if not all(isinstance(_root(target), HostArgument) for target in targets):
        return None
    if not all(type(argument) is np.ndarray or isinstance(argument, _PLAIN) for argument in arguments):
        return None
    return [argument.copy("K") if type(argument) is np.ndarray else argument for argument in arguments]


def _root(expression: HostExpression) -> HostExpression:
    """What a view is a view of."""
    while isinstance(expression, HostCall):
        expression = expression.operands[0]
    return expression


def original_is_faster(fused: Callable[..., Any], original: Callable[..., Any], arguments: Sequence[Any]) -> bool:
    """Whether the original answers a call in less time: the best of a few calls in turn.

    Both only compute with arrays, so calling them again changes nothing but those. A call that raises ends the trial.
    """
    clock = time.perf_counter_ns
    best = [1 << 62, 1 << 62]
    try:
        with np.errstate(all="ignore"):
            for _ in range(ROUNDS):
                for number, function in enumerate((fused, original)):
                    begin = clock()
                    function(*arguments)
                    best[number] = min(best[number], clock() - begin)
    except Exception:  # of numbers that differ from call to call: nobody has asked for this one
        return False
    return best[1] < MARGIN * best[0]
