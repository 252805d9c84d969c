"""Do calls read by index arrays on a device, and does an index out of range raise what the arrays' library raises?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cuda.report_words import ReportWords
from tests.cuda_texts import COMPILER, same_bits
from tests.fake_device import FakeArray, FakeDevice

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


def looked_up(table: Any, index: Any) -> Any:
    return table[index] * 2


def stored(out: Any, table: Any, index: Any) -> None:
    out[:] = table[index]


def clipped(table: Any, index: Any) -> Any:
    return np.take(table, index, mode="clip")


class RaisingArray(FakeArray):
    """Its indices may be arrays of its kind."""

    def __getitem__(self, index: Any) -> Any:
        return FakeArray(self.memory[index.memory])


def test_a_table_is_read(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(looked_up, strict=True)
    table = np.arange(40.0)
    for count in (10, 1000, 1000):
        index = np.arange(count) % 80 - 40
        assert same_bits(fused(FakeArray(table), FakeArray(index)).memory, looked_up(table, index))
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 3, 0)
    assert fake_device.calls.orders == [("finish", 0)] * 3  # the report is looked at before a result is handed out
    assert not fake_device.calls.launches  # so the launcher, which waits for nothing, runs none of them


@pytest.mark.parametrize("wrong", [40, -41])
def test_an_index_out_of_range_raises_what_the_original_raises(wrong: int, fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(looked_up)
    table, index = np.arange(40.0), np.arange(40)
    index[7] = wrong
    for _ in range(2):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for axis 0 with size 40"):
            fused(RaisingArray(table), FakeArray(index))
    index[7] = 7
    assert same_bits(fused(RaisingArray(table), FakeArray(index)).memory, table * 2)
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 1, 2)
    assert fused.fallback_reasons() == {"floating-point-report": 2}
    assert len(fake_device.loads) == 1


def test_nothing_is_stored_where_an_index_is_out_of_range(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(stored)
    out, table, index = np.zeros(40), np.arange(40.0), np.arange(40)[::-1].copy()
    fused(FakeArray(out), RaisingArray(table), FakeArray(index))
    assert same_bits(out, table[::-1])
    index[3], out[:] = 99, 5
    with pytest.raises(IndexError):
        fused(FakeArray(out), RaisingArray(table), FakeArray(index))
    assert (out == 5).all()
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 1)


def test_what_cannot_be_out_of_range_is_not_waited_for(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(clipped, strict=True)
    table, index = np.arange(40.0), np.arange(-10, 90)
    for _ in range(3):
        assert same_bits(fused(FakeArray(table), FakeArray(index)).memory, clipped(table, index))
    assert len(fake_device.calls.launches) == 2
    assert ("finish", 0) not in fake_device.calls.orders


TABLE = np.arange(5.0)


def of_its_own(x: Any) -> Any:
    return x + TABLE


def by_a_list(x: Any) -> Any:
    return np.take(x, [2, 1, 0])


@pytest.mark.parametrize("function", [of_its_own, by_a_list])
def test_an_array_of_the_host_is_not_read_by_a_kernel(function: Callable[..., Any], fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(function, strict=True)
    with pytest.raises(pyfuse.FuseError, match="no argument and not on the device"):
        fused(FakeArray(np.ones(5)))
    assert not fake_device.loads


def test_words_are_zero_and_each_is_one_threads() -> None:
    pages = []

    def allocate(size: int) -> int:
        pages.append(np.full(size, 255, "u1"))
        return int(pages[-1].ctypes.data)

    words = ReportWords(allocate)

    def use(number: int) -> bool:
        with words.word() as word:
            was_zero = word.value == 0
            word.value = number
            sys.getswitchinterval()
            return was_zero and word.value == number

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(1, 4000)))
    assert 1 <= len(pages) <= 2
