"""Random loops (``fuzz_loops.py``): a fixed run, and new ones of hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.fuzz_loops import check, run
from tests.parity.fuzz_programs import Tally


def test_most_random_loops_are_fused() -> None:
    tally = run(0, 40, report=_nothing)
    assert not tally.failures, tally.failures[0]
    assert tally.ways["fused"] > 0.5 * tally.calls, tally.ways
    assert tally.kernels > 40


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(100_000, 2**31))
def test_random_loops_do_what_they_do_unfused(seed: int) -> None:
    tally = Tally()
    check(seed, tally, report=_nothing)
    assert not tally.failures, tally.failures[0]


def _nothing(_message: str) -> None:
    """Failures are in the tally."""
