"""Arrays on more than one device: each call runs where its arrays are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import pytest

import pyfuse

COUNT = 5000


class Devices(NamedTuple):
    """Two devices, as a library sees them."""

    on: Callable[[int], AbstractContextManager[Any]]  # makes a device the current one
    made: Callable[[np.ndarray, int], Any]
    place: Callable[[Any], int]
    to_host: Callable[[Any], np.ndarray]


def _cupy_devices() -> Devices:
    cupy = pytest.importorskip("cupy")

    def made(array: np.ndarray, number: int) -> Any:
        with cupy.cuda.Device(number):
            return cupy.asarray(array)

    return Devices(cupy.cuda.Device, made, lambda array: int(array.device.id), cupy.asnumpy)


def _torch_devices() -> Devices:
    torch = pytest.importorskip("torch")
    return Devices(
        torch.cuda.device,
        lambda array, number: torch.from_numpy(array).to(f"cuda:{number}"),
        lambda tensor: tensor.device.index,
        lambda tensor: tensor.cpu().numpy(),
    )


@pytest.fixture(params=[_cupy_devices, _torch_devices], ids=["cupy", "torch"])
def devices(request: pytest.FixtureRequest, device: None) -> Devices:  # noqa: ARG001
    import pycuda.driver as driver

    if driver.Device.count() < 2:
        pytest.skip("there is one CUDA device only")
    found: Devices = request.param()
    return found


def program(a, b):
    return np.sqrt(a) * b - a.sum()


def running(a, index):
    return np.cumsum(a)[index]


def arguments() -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(11)
    return chance.random(COUNT), chance.random(COUNT)


def assert_on(devices: Devices, result: Any, number: int) -> None:
    assert devices.place(result) == number
    np.testing.assert_allclose(devices.to_host(result), program(*arguments()), rtol=1e-12)


@pytest.mark.parametrize("current", [0, 1])
def test_a_call_runs_where_its_arrays_are(devices, current) -> None:
    fused = pyfuse.fuse(program, strict=True)
    moved = [[devices.made(array, number) for array in arguments()] for number in (0, 1)]
    with devices.on(current):
        for number in (1, 0, 1, 1, 0, 0):
            assert_on(devices, fused(*moved[number]), number)
    info = fused.cache_info()
    assert (info.fused_calls, info.fallback_calls) == (6, 0)


def test_threads_on_two_devices(devices) -> None:
    fused = pyfuse.fuse(program, strict=True)
    moved = [[devices.made(array, number) for array in arguments()] for number in (0, 1)]

    def calls(number: int) -> None:
        with devices.on(number):
            for _ in range(200):
                result = fused(*moved[number])
            assert_on(devices, result, number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(calls, (0, 1, 0, 1)))
    assert fused.cache_info().fused_calls == 800


def test_reports_and_stores_on_the_second_device(devices) -> None:
    a, index = arguments()[0], np.arange(0, COUNT, 7)
    fused = pyfuse.fuse(running, strict=True)
    with devices.on(0):
        result = fused(devices.made(a, 1), devices.made(index, 1))
    assert devices.place(result) == 1
    np.testing.assert_allclose(devices.to_host(result), running(a, index), rtol=1e-12)


def test_arrays_on_two_devices_are_a_reason(devices) -> None:
    a, b = arguments()
    fused = pyfuse.fuse(program, strict=True)
    with pytest.raises(pyfuse.FuseError, match="several devices"):
        fused(devices.made(a, 0), devices.made(b, 1))
