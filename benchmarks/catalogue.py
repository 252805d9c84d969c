"""Every workload there is, to choose from by name."""

from __future__ import annotations

from benchmarks.gather_workloads import GATHER_WORKLOADS
from benchmarks.reduction_workloads import REDUCTION_WORKLOADS
from benchmarks.workloads import WORKLOADS

CATALOGUE = (*WORKLOADS, *REDUCTION_WORKLOADS, *GATHER_WORKLOADS)
ELEMENTWISE_NAMES = tuple(workload.name for workload in WORKLOADS)
GATHER_NAMES = tuple(workload.name for workload in GATHER_WORKLOADS)
REDUCTION_NAMES = tuple(workload.name for workload in REDUCTION_WORKLOADS)
