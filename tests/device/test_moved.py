"""Does ``fuse(target="cuda")`` take NumPy arrays to a device, and bring back what the original would have given?"""

from __future__ import annotations

import ctypes
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.cuda_texts import COMPILER, same_bits
from tests.device.test_calls import random, several, shifted, stored, strided
from tests.fake_device import FakeArray, FakeDevice

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


class Allocation:
    """Memory of the fake device; poisoned, as a device's may be."""

    def __init__(self, size: int) -> None:
        self.memory = np.full(size, 0xA5, "u1")

    def __int__(self) -> int:
        return int(self.memory.ctypes.data)


@pytest.fixture
def moving_device(fake_device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """A fake device that NumPy arrays can be copied to."""

    def htod(address: int, array: np.ndarray) -> None:
        assert array.flags.c_contiguous
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def dtoh(array: np.ndarray, address: int) -> None:
        assert array.flags.c_contiguous
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    driver = SimpleNamespace(mem_alloc=Allocation, memcpy_htod=htod, memcpy_dtoh=dtoh, MemoryError=MemoryError)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)  # type: ignore[arg-type]
    return fake_device


def axpy(a: Any, x: Any, y: Any) -> Any:
    return a * x + y


def total(x: Any) -> Any:
    return np.sum(x * x)


def looked_at(x: Any, pair: Any) -> Any:
    return x.T, pair[0] - pair[1], len(x)


X = np.round(random(6, 8) * 8)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (axpy, (2.0, X, X + 1)),
        (axpy, (2.0, X.T, np.asarray(X.T, order="C"))),
        (axpy, (2.0, X[::-1, ::2], X[::-1, 1::2])),
        (axpy, (2.0, X.reshape(2, 4, 6).transpose(1, 0, 2), X.reshape(2, 4, 6).transpose(1, 0, 2))),
        (axpy, (2.0, np.array(3.0), np.array(4.0))),
        (axpy, (2, np.ones((0, 3)), np.ones((0, 3)))),
        (axpy, (2.0, np.broadcast_to(np.arange(4.0), (3, 4)), np.arange(3.0)[:, None])),
        (total, (X,)),
        (several, (X, X[0])),
        (looked_at, (X, [X[0], X[1]])),
    ],
)
def test_numpy_arrays_are_moved_and_numpys_results_come_back(
    function: Any, arguments: Any, moving_device: FakeDevice
) -> None:
    fused = pyfuse.fuse(function, strict=True, target="cuda")
    found, expected = fused(*arguments), function(*arguments)
    if isinstance(expected, dict):
        found, expected = (found["sum"], *found["parts"]), (expected["sum"], *expected["parts"])
    for ours, theirs in zip(
        *(value if isinstance(value, tuple) else (value,) for value in (found, expected)), strict=True
    ):
        assert type(ours) is type(theirs)
        assert same_bits(ours, theirs)
        if isinstance(theirs, np.ndarray):
            assert ours.strides == theirs.strides
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 0)
    assert len(moving_device.starts) == 1


@pytest.mark.parametrize("function", [stored, shifted, strided])
def test_stores_go_into_the_callers_arrays(function: Any, moving_device: FakeDevice) -> None:
    fused = pyfuse.fuse(function, strict=True, target="cuda")
    x, y = np.round(random(100) * 8), np.round(random(100, seed=1) * 8)  # of these, sums are exact in any order
    for call in range(2):
        ours, theirs = (x.copy(), y.copy()), (x.copy(), y.copy())
        found, expected = fused(*ours), function(*theirs)
        assert same_bits(ours, theirs)
        if function is shifted:
            assert found is ours[0]
        if function is strided:
            assert same_bits(found, expected)
            assert np.shares_memory(found[0], ours[1])
        assert fused.cache_info().fused_calls == call + 1
    assert len(moving_device.starts) == 2


def test_arrays_that_share_memory_are_stored_into_in_order(moving_device: FakeDevice) -> None:
    fused = pyfuse.fuse(stored, target="cuda")
    ours, theirs = random(101), random(101)
    found, expected = fused(ours[1:], ours[:-1]), stored(theirs[1:], theirs[:-1])
    assert same_bits((found, ours), (expected, theirs))
    assert moving_device.starts == [0] or not moving_device.starts


def test_explain_says_what_is_moved(moving_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, target="cuda")
    text = fused.explain(2.0, X, X)
    assert text.startswith("Its NumPy arrays are copied to a device at each call, and the results back.")
    assert 'extern "C" __global__' in text
    assert not moving_device.loads
    fused.compile(2.0, X, X)
    assert len(moving_device.loads) == 1
    fused(2.0, X, X)
    assert len(moving_device.loads) == 1


def test_arrays_on_a_device_stay_there(moving_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True, target="cuda")
    x = FakeArray(X)
    assert type(fused(2.0, x, x)) is FakeArray
    assert type(fused(2.0, X, X)) is np.ndarray
    assert fused.cache_info().fused_calls == 2
    assert len(moving_device.loads) == 2  # each has its own specialisation
    with pytest.raises(pyfuse.FuseError, match="a NumPy array stands beside arrays on a device"):
        fused(2.0, x, X)


def test_calls_without_arrays_are_computed_here(moving_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, target="cuda")
    assert fused(2.0, 3.0, 4.0) == 10.0
    assert not moving_device.starts


def test_regions_are_moved_too(moving_device: FakeDevice) -> None:
    fused = pyfuse.fuse(in_two, target="cuda")
    assert same_bits(fused(X), in_two(X))
    assert fused.cache_info().partly_fused_calls == 1
    assert len(moving_device.starts) == 2


LOG: list[Any] = []


def in_two(x: Any) -> Any:
    scaled = x * 2 + 1
    LOG.append(scaled)
    return scaled * scaled - x


def test_a_full_device_has_the_original_run(moving_device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> Any:
        raise MemoryError("out of memory")

    fused = pyfuse.fuse(axpy, target="cuda")
    monkeypatch.setattr(sys.modules["pycuda.driver"], "mem_alloc", full)
    assert same_bits(fused(2.0, X, X), axpy(2.0, X, X))
    assert fused.fallback_reasons() == {"device": 1}
    assert not moving_device.starts


def test_without_a_device_the_original_runs_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pycuda", "pycuda.driver"):
        monkeypatch.setitem(sys.modules, name, None)
    fused = pyfuse.fuse(axpy, target="cuda")
    assert same_bits(fused(2.0, X, X), axpy(2.0, X, X))
    assert fused.fallback_reasons() == {"device": 1}
    assert "pyfuse[cuda]" in fused.explain()


def test_targets_have_names() -> None:
    with pytest.raises(ValueError, match="target is None or 'cuda'"):
        pyfuse.fuse(axpy, target="gpu")


def test_a_target_travels_and_a_stream_does_not() -> None:
    rebuild, given = pyfuse.fuse(lambda x: x + 1, target="cuda").__reduce__()  # type: ignore[misc]
    assert rebuild(*given)._executor.on_device.options.target == "cuda"
    with pytest.raises(TypeError, match="of this process"):
        pickle.dumps(pyfuse.fuse(lambda x: x + 1, stream=7))


def looked_up(table: Any, index: Any) -> Any:
    return table[index] * 2


def test_arrays_that_are_moved_are_read_by_indices(moving_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(looked_up, target="cuda")
    table, index = random(40), np.arange(-40, 40)
    assert same_bits(fused(table, index), looked_up(table, index))
    index[5] = 40
    with pytest.raises(IndexError, match="index 40 is out of bounds for axis 0 with size 40"):
        fused(table, index)
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 1)
