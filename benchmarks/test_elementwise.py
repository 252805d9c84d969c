"""Speed of elementwise functions, plain and fused, size by size.

Run with ``python -m pytest benchmarks``, and choose with ``-k "multiply_add and float64"``. The two contenders of a
case run one after the other here; for a ratio to rely on run ``python -m benchmarks.ratios``, which takes turns.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.agreement import fuse_and_check
from benchmarks.workloads import Case, cases

every_case = pytest.mark.parametrize("case", cases(), ids=str)


@every_case
def test_plain(case: Case, benchmark: BenchmarkFixture) -> None:
    """NumPy itself, to compare with."""
    benchmark.group = str(case)
    benchmark(case.workload.function, *case.make_inputs())


@every_case
def test_fused(case: Case, benchmark: BenchmarkFixture) -> None:
    """One kernel with NumPy's answer, which is checked before any time is taken."""
    arguments = case.make_inputs()
    fused = fuse_and_check(case.workload, arguments)
    benchmark.group = str(case)
    benchmark(fused, *arguments)
