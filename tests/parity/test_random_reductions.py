"""Random functions of maps and reductions (``fuzz_reductions.py``): a fixed run, and new ones of hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.fuzz_reductions import StageTally, check, run


def test_most_random_calls_with_reductions_fuse_or_have_a_report_of_numpys() -> None:
    tally = run(30_000, 16, report=_nothing)
    assert not tally.failures, tally.failures[0]
    assert tally.fused > 0.6 * tally.calls, tally.reasons
    assert tally.results > 200
    assert tally.refused.total() < 0.25 * tally.statements, tally.refused
    assert tally.reasons["internal-error"] == 0


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(100_000, 2**31))
def test_random_functions_with_reductions_do_what_numpy_does(seed: int) -> None:
    tally = StageTally()
    check(seed, tally, report=_nothing)
    assert not tally.failures, tally.failures[0]


def _nothing(_message: str) -> None:
    """Failures are in the tally."""
