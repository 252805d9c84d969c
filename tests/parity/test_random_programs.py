"""Random small programs (``fuzz_programs.py``): a fixed run, and new ones of hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.fuzz_programs import Tally, check, run


def test_most_random_programs_are_fused_in_part() -> None:
    tally = run(0, 120, report=_nothing)
    assert not tally.failures, tally.failures[0]
    assert tally.ways["partly_fused"] > 0.6 * tally.calls, tally.ways
    assert tally.kernels > 60


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(100_000, 2**31))
def test_random_programs_do_what_they_do_unfused(seed: int) -> None:
    tally = Tally()
    check(seed, tally, report=_nothing)
    assert not tally.failures, tally.failures[0]


def _nothing(_message: str) -> None:
    """Failures are in the tally."""
