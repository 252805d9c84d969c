"""Every workload there is, to choose from by name."""

from __future__ import annotations

from benchmarks.reduction_workloads import REDUCTION_WORKLOADS
from benchmarks.workloads import WORKLOADS

CATALOGUE = (*WORKLOADS, *REDUCTION_WORKLOADS)
ELEMENTWISE_NAMES = tuple(workload.name for workload in WORKLOADS)
REDUCTION_NAMES = tuple(workload.name for workload in REDUCTION_WORKLOADS)
