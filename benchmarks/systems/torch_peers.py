"""The NumPy functions with ``torch`` in NumPy's place, compiled by ``torch.compile``, on tensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as for numba: threads that spin take the next system's time

import torch

from benchmarks.peers import Peer
from benchmarks.reduction_workloads import EPSILON
from benchmarks.systems.rebinding import rebind
from benchmarks.workloads import Case


def softmax(x: Any) -> Any:
    """As the workload; torch's ``max`` along an axis would return places besides."""
    powers = torch.exp(x - x.amax(dim=-1, keepdim=True))
    return powers / powers.sum(dim=-1, keepdim=True)


def layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
    """As the workload; torch's ``var`` divides by one less unless told."""
    mean = x.mean(dim=-1, keepdim=True)
    variance = x.var(dim=-1, keepdim=True, correction=0)
    return (x - mean) / torch.sqrt(variance + EPSILON) * gamma + beta


class _Namespace:
    """NumPy's names for what torch calls otherwise."""

    radians = staticmethod(torch.deg2rad)

    @staticmethod
    def minimum(values: Any, highest: float) -> Any:
        """torch's own takes tensors only."""
        return torch.clamp(values, max=highest)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


_WRITTEN = {"softmax": softmax, "layer_norm": layer_norm}


def load(threads: int) -> tuple[tuple[Peer, ...], str]:
    """Tensors over the memory of the NumPy arrays; results are tensors."""
    torch.set_num_threads(threads)
    torch._dynamo.config.recompile_limit = 1_000
    return (
        Peer(name="torch", function_for=_compile, prepare=torch.from_numpy),
    ), f"{torch.__version__}, {threads} threads"


def _compile(case: Case) -> Callable[..., Any]:
    """The function of a case for its very shapes, compiled at its first call."""
    torch._dynamo.reset()
    name = case.workload.name
    function = _WRITTEN.get(name) or rebind(case.workload.function, {"np": _Namespace(), "special": torch.special})
    return torch.compile(function, dynamic=False)
