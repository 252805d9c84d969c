"""One case of the side-by-side report: every answer checked, then all systems timed in rounds."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import pyfuse
from benchmarks.agreement import assert_near
from benchmarks.operations import count_operations
from benchmarks.peers import Peer, Peers, describe_failure
from benchmarks.report_workloads import MEMORY_BOUND, own_arguments
from benchmarks.rounds import Contender, time_in_rounds
from benchmarks.spread import Spread, spread_of
from benchmarks.streaming import Streaming
from benchmarks.workloads import Case
from pyfuse.cache_info import CacheInfo
from pyfuse.demo.difference import difference

AT_LEAST_ROUNDS = 7
LONGEST_FACTOR = 20.0  # a case goes on for so many times its seconds at most, however slow a system is
TOO_SLOW_FACTOR, TOO_SLOW_SECONDS = 30.0, 2.0  # a peer that is so many times slower than NumPy, and takes so long
SETTLING_CALLS, SETTLING_SECONDS = 40, 0.3  # untimed calls of pyfuse, in which it may try kernels
STREAMED_SIZE = 10_000_000  # elements from which a case is compared with the streaming loop: beyond all caches
NUMPY, PYFUSE, STREAMING = "NumPy", "pyfuse", "streaming"
TIMED, NO_WORDS, FAILED, WRONG, SLOW = "timed", "–", "failed", "wrong", "too slow"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one system.

    Attributes:
        system: its name.
        state: ``timed``, ``–`` (it has no words for the workload), ``failed``, ``wrong`` or ``too slow``.
        reason: of the state, in words; empty for the first two.
        us: median time of a call, in microseconds; None unless timed, as are the others.
        numpy_over_it: NumPy's time over the system's, round by round.
        it_over_pyfuse: the system's time over pyfuse's, round by round.
    """

    system: str
    state: str
    reason: str = ""
    us: float | None = None
    numpy_over_it: Spread | None = None
    it_over_pyfuse: Spread | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The outcome of one case.

    Attributes:
        workload: its name.
        dtype: name of the dtype.
        size: number of elements asked for.
        rounds: batches of each system.
        ran_as: how pyfuse ran: ``fused``, ``partly fused``, ``NumPy`` (not fused), or a mixture.
        reasons: why it did not fuse.
        ulp: how far pyfuse's result is from NumPy's, in units in the last place.
        bytes_moved: of all arguments and all results, once each.
        operations: that NumPy's function asks for (``benchmarks.operations``).
        outcomes: NumPy, pyfuse, then the peers in the order of tables.
        bandwidth_share: the rate at which pyfuse moved ``bytes_moved`` over that of the streaming loop, round by round;
            None where the memory does not decide.
    """

    workload: str
    dtype: str
    size: int
    rounds: int
    ran_as: str
    reasons: tuple[str, ...]
    ulp: int
    bytes_moved: int
    operations: int
    outcomes: tuple[Outcome, ...]
    bandwidth_share: Spread | None = None


def compare(
    case: Case, peers: Peers, seconds: float, streaming: Streaming | None = None, streaming_loop: str = ""
) -> Comparison:
    """Check every answer against NumPy's, then time all systems in turns.

    Args:
        case: what to measure.
        peers: those that answer rightly take part; of the others it is said why not.
        seconds: go on for so long and for ``AT_LEAST_ROUNDS`` rounds, at most ``LONGEST_FACTOR`` times as long.
        streaming: loops, one of which takes part where the memory decides; None leaves them out.
        streaming_loop: which one.

    Raises:
        AssertionError: pyfuse's answer is wrong.
    """
    workload = case.workload
    function, arguments = workload.function, case.make_inputs()
    start = perf_counter()
    expected = function(*own_arguments(workload, arguments))
    numpy_seconds = perf_counter() - start
    fused = pyfuse.fuse(function)
    actual = fused(*own_arguments(workload, arguments))
    assert_near(PYFUSE, expected, actual)
    ulp = difference(expected, actual).ulp
    bytes_moved = _bytes_of(arguments) + _bytes_of(expected if isinstance(expected, tuple) else (expected,))
    tried = [_try_peer(peer, case, arguments, expected, numpy_seconds) for peer in peers.found]
    del expected, actual  # the timed calls find the heap without them

    ours = own_arguments(workload, arguments)
    _settle(fused, ours)
    contenders = [
        Contender(name=NUMPY, function=function, arguments=own_arguments(workload, arguments)),
        Contender(name=PYFUSE, function=fused, arguments=ours),
        *(rival for rival in tried if isinstance(rival, Contender)),
    ]
    is_streamed = workload.name in MEMORY_BOUND and case.size >= STREAMED_SIZE
    loop = streaming.loops[streaming_loop] if streaming and is_streamed else None
    if loop is not None:
        contenders.append(Contender(name=STREAMING, function=loop, arguments=()))
    before = fused.cache_info()
    times = time_in_rounds(
        contenders,
        at_least_rounds=AT_LEAST_ROUNDS,
        at_least_seconds=seconds,
        at_most_seconds=seconds * LONGEST_FACTOR,
    )
    share = None
    if loop is not None and streaming is not None:
        scale = bytes_moved / streaming.bytes_moved[streaming_loop]
        share = spread_of([scale * time for time in times[STREAMING]], times[PYFUSE])
    return Comparison(
        workload=workload.name,
        dtype=case.dtype,
        size=case.size,
        rounds=len(times[NUMPY]),
        ran_as=_describe_calls(before, fused.cache_info()),
        reasons=tuple(str(reason) for reason in fused.fallback_reasons()),
        ulp=ulp,
        bytes_moved=bytes_moved,
        operations=count_operations(function, own_arguments(workload, arguments)),
        outcomes=(
            _timed(NUMPY, times),
            _timed(PYFUSE, times),
            *(_timed(rival.name, times) if isinstance(rival, Contender) else rival for rival in tried),
        ),
        bandwidth_share=share,
    )


def _try_peer(
    peer: Peer, case: Case, arguments: tuple[Any, ...], expected: Any, numpy_seconds: float
) -> Contender | Outcome:
    """The peer, compiled and found right; or what is wrong with it."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of compilers, about what they could not do better
            function = peer.function_for(case)
            if function is None:
                return Outcome(system=peer.name, state=NO_WORDS)
            prepared = tuple(map(peer.prepare, own_arguments(case.workload, arguments)))
            answer = function(*prepared)
    except Exception as reason:  # compilers of other projects: they may raise anything
        return Outcome(system=peer.name, state=FAILED, reason=describe_failure(reason))
    try:
        assert_near(peer.name, expected, answer, is_same_kind=False)
    except (AssertionError, TypeError, ValueError) as reason:
        return Outcome(system=peer.name, state=WRONG, reason=describe_failure(reason))
    start = perf_counter()
    function(*prepared)
    seconds = perf_counter() - start
    if seconds > max(TOO_SLOW_SECONDS, TOO_SLOW_FACTOR * numpy_seconds):
        return Outcome(system=peer.name, state=SLOW, reason=f"{seconds:.1f} s a call")
    return Contender(name=peer.name, function=function, arguments=prepared)


def _settle(fused: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Call until pyfuse has made up its mind about kernels for small arrays."""
    start = perf_counter()
    for _ in range(SETTLING_CALLS):
        fused(*arguments)
        if perf_counter() - start > SETTLING_SECONDS:
            break


def _timed(name: str, times: dict[str, tuple[float, ...]]) -> Outcome:
    return Outcome(
        system=name,
        state=TIMED,
        us=statistics.median(times[name]) / 1e3,
        numpy_over_it=spread_of(times[NUMPY], times[name]),
        it_over_pyfuse=spread_of(times[name], times[PYFUSE]),
    )


def _bytes_of(arrays: Sequence[Any]) -> int:
    return sum(int(np.asarray(array).nbytes) for array in arrays)


def _describe_calls(before: CacheInfo, after: CacheInfo) -> str:
    """How the calls between two readings of the counters ran."""
    ways = (
        ("fused", after.fused_calls - before.fused_calls),
        ("partly fused", after.partly_fused_calls - before.partly_fused_calls),
        ("NumPy", after.fallback_calls - before.fallback_calls),
    )
    taken = [(way, calls) for way, calls in ways if calls]
    if len(taken) == 1:
        return taken[0][0]
    return ", ".join(f"{calls} calls {way}" for way, calls in taken)
