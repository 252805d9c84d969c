"""Is a kernel faster than the original? Both are timed once for a form of calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfuse.host_values import HostArgument, HostCall, HostExpression

if TYPE_CHECKING:
    from pyfuse.backend.cpu.dispatch import KnownLaunch

CALLS_BEFORE_TRIAL = 16  # as in dispatcher.c: functions that are called now and then are not timed
ROUNDS = 6
# Estimated picoseconds of a kernel on one core. Up to the first, what a call costs beside it may decide; above, only
# kernels that are slower than NumPy's loops, which are few: they are timed later, and the clear cases once. Kernels
# above the second are not timed at all.
SMALL_WORK = 100_000_000
MOST_WORK = 20_000_000_000
CALLS_BEFORE_LARGE_TRIAL = 80
MARGIN = 0.95  # of the kernel's time: the original must be so much faster, or the kernel stays
CLEARLY_FASTER = 1.3  # times the kernel's time: no need to time the original again
_PLAIN = (int, float, complex, str, bytes, type(None), np.generic)


class Trial:
    """How far one form of calls is: what KnownLaunch is in the extension.

    Attributes:
        calls: answered so far; negative: so many more before those that count.
        is_put_off: the kernel is a large one, so the trial comes later.
        is_tried: both have been timed, or will never be.
        prefers_plain: the original is to answer.
    """

    __slots__ = ("calls", "is_put_off", "is_tried", "prefers_plain")

    def __init__(self) -> None:
        self.calls = 0
        self.is_put_off = 0
        self.is_tried = 0
        self.prefers_plain = 0


def is_due(trial: Trial | KnownLaunch, work: int) -> bool:
    """Whether the next call is to be timed; if not, the trial is put off or called off.

    Args:
        trial: of the calls.
        work: of their kernel, in picoseconds on one core; 0 where nothing is known.
    """
    if trial.calls < CALLS_BEFORE_TRIAL:
        return False
    if work > SMALL_WORK and not trial.is_put_off:
        trial.is_put_off = 1
        trial.calls = 2 * CALLS_BEFORE_TRIAL - CALLS_BEFORE_LARGE_TRIAL
        return False
    trial.is_tried = 1
    return 0 < work <= MOST_WORK


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
                if best[1] > CLEARLY_FASTER * best[0]:
                    return False
    except Exception:  # of numbers that differ from call to call: nobody has asked for this one
        return False
    return best[1] < MARGIN * best[0]
