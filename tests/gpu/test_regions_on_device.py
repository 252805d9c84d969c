"""Functions that fuse in part, with arrays on a device: the same regions as on the CPU, each a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.gpu.conftest import Library


def product(x, w, b):
    return np.tanh(x @ w + b) * 2 - 1


def repeated_product(x, w, b):
    for _ in range(3):
        x = np.sqrt(x * x + 1) @ w
        x = x / 3 + b
    return x


def branch(x, w, b):
    y = x * 2 + 1
    if float(y.sum()) > 0:
        return y * b - w
    return y - b


def arguments() -> list[np.ndarray]:
    chance = np.random.default_rng(5)
    return [chance.random((70, 70)), chance.random((70, 70)), chance.random(70)]


def counters(fused: Any) -> tuple[int, ...]:
    info = fused.cache_info()
    return info.kernels, info.fused_calls, info.partly_fused_calls, info.fallback_calls


@pytest.mark.parametrize("function", [product, repeated_product, branch])
@pytest.mark.parametrize("library", ["cupy", "torch"], indirect=True)
def test_regions_are_those_of_the_cpu(function: Any, library: Library) -> None:
    given = arguments()
    on_cpu, on_device = pyfuse.fuse(function), pyfuse.fuse(function)
    moved = [library.to_device(array) for array in given]
    for _ in range(3):
        on_cpu(*given)
        result = on_device(*moved)
        assert type(result) is library.kind
        np.testing.assert_allclose(library.to_host(result), function(*given), rtol=1e-12)
    assert counters(on_device) == counters(on_cpu)
    assert on_device.cache_info().partly_fused_calls == 3
    assert on_device.fallback_reasons() == on_cpu.fallback_reasons()
