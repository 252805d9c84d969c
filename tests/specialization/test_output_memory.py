"""Where results lie: memory of dead ones is used again, and large ones are written past the caches."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import launch
from pyfuse.backend.cpu import caches, dispatch
from tests.fresh_process import run_program
from tests.parity.outcome import assert_same

needs_pool = pytest.mark.skipif(dispatch.extension is None, reason=f"the call extension is {dispatch.state}")
pytestmark = pytest.mark.usefixtures("c_compiler")

N = 300_000  # 2.4 MB: more than a huge page, and no multiple of one
A = np.linspace(-1.0, 1.0, N)
LEAST = 1 << 17  # bytes of a result that the pool is for


def idle_bytes() -> int:
    return dispatch.extension.pool_state()[0]


def reuses() -> int:
    return dispatch.extension.pool_state()[1]


def policy_of(array: np.ndarray) -> str:
    return np._core.multiarray.get_handler_name(array)


@pytest.fixture(autouse=True)
def empty_pool() -> Iterator[None]:
    pyfuse.clear_pool()
    yield
    pyfuse.clear_pool()


@pytest.fixture
def half() -> Any:
    """A fused function that the extension answers from its second call on."""

    @pyfuse.fuse
    def half(a):
        return a * 0.5

    half(A)
    half(A)
    assert half.cache_info().fused_calls == 2
    return half


# --- the pool -----------------------------------------------------------------------------------------------------


@needs_pool
@pytest.mark.parametrize("count", [LEAST // 8, 100_000, N])
def test_memory_of_a_dead_result_is_used_again(half, count):
    array = A[:count].copy()
    half(array)
    first = half(array)
    address, before = first.ctypes.data, reuses()
    del first
    assert idle_bytes() >= array.nbytes
    again = half(array)
    assert again.ctypes.data == address
    assert reuses() == before + 1
    assert_same(again, array * 0.5)


@needs_pool
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system has no /proc/self/maps")
def test_results_lie_side_by_side_in_few_mappings(half):
    """The system allows 65,530 mappings."""
    array = A[: LEAST // 8].copy()
    half(array)
    before = len(Path("/proc/self/maps").read_text().splitlines())
    results = [half(array) for _ in range(300)]
    assert {policy_of(result) for result in results} == {"pyfuse_output_pool"}
    assert len(Path("/proc/self/maps").read_text().splitlines()) < before + 30
    assert all((result == array * 0.5).all() for result in results)


@needs_pool
def test_the_python_way_uses_it_too(half):
    before = reuses()
    for _ in range(3):
        result = half._executor.call((A,), {})
        assert policy_of(result) == "pyfuse_output_pool"
        del result
    assert reuses() >= before + 2


@needs_pool
def test_memory_that_a_view_looks_at_is_not_used_again(half):
    view = half(A)[10:20]
    kept = view.copy()
    other = [half(A + 1.0) for _ in range(3)]
    assert not any(np.may_share_memory(view, array) for array in other)
    assert_same(view.copy(), kept)


@needs_pool
def test_results_are_arrays_as_any(half):
    result, plain = half(A), half.__wrapped__(A)
    assert str(result.flags) == str(plain.flags)
    assert result.base is None
    result.resize(2 * N, refcheck=False)
    assert_same(result[:N].copy(), plain)
    assert not result[N:].any()
    result.resize(10, refcheck=False)
    assert_same(result.copy(), plain[:10])


@needs_pool
def test_other_orders_and_several_outputs():
    @pyfuse.fuse
    def parts(a):
        return a + 1.0, a.T * 2.0, (a > 0.0)

    grid = np.asfortranarray(A[:200_000].reshape(400, 500))
    for _ in range(4):
        for result, expected in zip(parts(grid), parts.__wrapped__(grid), strict=True):
            assert_same(result, expected)
    assert reuses() > 0


@needs_pool
def test_small_results_and_a_limit_of_none_are_left_to_numpy(half):
    for count, policy in (LEAST // 8 - 1, "default_allocator"), (LEAST // 8, "pyfuse_output_pool"):
        array = A[:count].copy()
        half(array)
        assert policy_of(half(array)) == policy
    with pyfuse.config.set(pool_limit=0):
        assert policy_of(half(A)) == "default_allocator"
    with pyfuse.config.set(pool_limit=A.nbytes - 1):
        assert policy_of(half(A)) == "default_allocator"
    assert policy_of(half(A)) == "pyfuse_output_pool"


@needs_pool
def test_no_more_than_the_limit_lies_idle(half):
    limit = 3 * A.nbytes
    with pyfuse.config.set(pool_limit=limit):
        results = [half(A) for _ in range(6)]
        del results
        assert 2 * A.nbytes < idle_bytes() <= limit


@needs_pool
def test_many_sizes_do_not_pile_up(half):
    for count in range(N, 2 * N, N // 80):
        half(np.ones(count))
    assert idle_bytes() <= 33 * 2 * A.nbytes


@needs_pool
def test_clear_pool_gives_all_back(half):
    half(A)
    assert pyfuse.clear_pool() >= A.nbytes
    assert idle_bytes() == 0
    assert pyfuse.clear_pool() == 0


@needs_pool
def test_results_count_as_memory_of_numpy(half):
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = half(A)
        assert tracemalloc.get_traced_memory()[0] - before >= result.nbytes
        del result
        assert tracemalloc.get_traced_memory()[0] - before < A.nbytes // 2
    finally:
        tracemalloc.stop()


@needs_pool
def test_threads_never_share_a_result(half):
    wrong: list[float] = []

    def work(factor: float) -> None:
        array = np.full(N, factor)
        for _ in range(30):
            result = half(array)
            if not (result == factor * 0.5).all():
                wrong.append(factor)

    threads = [threading.Thread(target=work, args=(float(number + 1),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@needs_pool
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_computes_on(half):
    results = [half(A) for _ in range(3)]
    del results[1]
    child = os.fork()
    if child == 0:  # only exit codes come back
        ok = all((half(A + shift) == (A + shift) * 0.5).all() for shift in (0.0, 1.0, 2.0))
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert_same(results[1], A * 0.5)


def test_without_memory_numpys_own_error_is_raised(half):
    with pytest.raises(MemoryError):
        half(np.lib.stride_tricks.as_strided(A, (1 << 45,), (0,)))


PEAK = """
import resource, sys
import numpy as np, pyfuse

def f(a, b):
    return np.sqrt(a * a + b * b) + a

g = pyfuse.fuse(f) if sys.argv[1] == "fused" else f
g(np.ones(1000), np.ones(1000))
a, b = np.ones(4_000_000), np.ones(4_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(6):
    r = g(a, b)
if sys.argv[1] == "fused":
    assert g.cache_info().fused_calls == 7, g.cache_info()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(os.name != "posix", reason="this system does not say how much memory was used at most")
def test_no_more_memory_is_used_than_numpy_uses(tmp_path):
    fused, plain = (int(run_program(tmp_path / "peak.py", PEAK, kind).stdout) for kind in ("fused", "plain"))
    assert fused <= plain + 2_048  # KiB


# --- past the caches ----------------------------------------------------------------------------------------------


@pytest.fixture
def decisions(monkeypatch) -> list[bool]:
    """Of each launch that is made, whether it writes past the caches; which are as small as can be."""
    made: list[bool] = []
    decide = launch._goes_past_caches
    monkeypatch.setattr(launch, "last_level_cache_bytes", lambda: 1)
    monkeypatch.setattr(launch, "_goes_past_caches", lambda *nest: made.append(decide(*nest)) or made[-1])
    return made


def lines(a, b):
    return a * b + 0.5


def several(a, b):
    return a + b, a > b, (a - b).astype(np.float32)


def rows(a, b):
    return np.sqrt(a[:, 1:] * b[:, :-1] + 1.0)


def of_short(a, b):
    return (a * 100.0).astype(np.int8) + b.astype(np.int8)


def of_complex(a, b):
    return a * 1j + b


@pytest.mark.parametrize("function", [lines, several, of_short, of_complex])
@pytest.mark.parametrize("count", [1024, 1025, 1151, 4099, 262_147])
def test_results_past_the_caches_are_the_same(decisions, function, count):
    fused = pyfuse.fuse(function)
    a, b = np.linspace(-1.0, 1.0, count), np.linspace(0.5, 3.0, count + 1)[1:]
    for _ in range(2):
        result, expected = fused(a, b), function(a, b)
        assert_same(result, expected)
    assert decisions == [True]
    assert fused.cache_info().fused_calls == 2


@pytest.mark.parametrize("shape", [(7, 1030), (50, 2_001), (3, 1_200)])
def test_rows_that_begin_anywhere(decisions, shape):
    fused = pyfuse.fuse(rows)
    a = np.linspace(-1.0, 1.0, shape[0] * shape[1]).reshape(shape)
    assert_same(fused(a, a[::-1]), rows(a, a[::-1]))
    assert decisions == [True]


def five_points(u):
    return u[1:-1, 1:-1] + 0.1 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1])


def three_arrays(a, b, c):
    return a * b + c


def three_points(a):
    return a[2:] - 2.0 * a[1:-1] + a[:-2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 1_100), (9, 2_001), (40, 1_027)])
def test_rows_of_one_array_that_are_asked_for_ahead(decisions, shape, dtype):
    u = np.linspace(-1.0, 1.0, shape[0] * shape[1], dtype=dtype).reshape(shape)
    fused = pyfuse.fuse(five_points)
    for array in (u, u[::-1], np.roll(u, 1)[:, ::-1]):
        assert_same(fused(array), five_points(array))
    assert all(decisions)
    assert len(decisions) == fused.cache_info().fused_calls == 3
    assert kernel_text(five_points, u).count("pf_fetch_ahead(ahead") == 1


def test_what_is_read_once_or_in_one_row_is_not_asked_for_ahead():
    grid, row = np.ones((30, 1_100)), np.ones(3_000)
    assert "pf_fetch_ahead(ahead" not in kernel_text(lines, grid, grid)
    assert "pf_fetch_ahead(ahead" not in kernel_text(three_points, row)
    assert "pf_fetch_ahead(ahead" in kernel_text(three_arrays, grid[:, :-1], grid[:, 1:], grid[:, :-1])


def kernel_text(function: Any, *arguments: Any) -> str:
    """The C text of a function's kernel."""
    return pyfuse.fuse(function).source(*arguments)


def test_reports_are_the_same_past_the_caches(decisions):
    @pyfuse.fuse
    def inverse(a):
        return 1.0 / a

    a = np.linspace(-1.0, 1.0, 3001)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert_same(inverse(a), inverse_of(a))
    assert decisions == [True]


def inverse_of(a: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return 1.0 / a


def test_what_fits_the_caches_goes_through_them(decisions, monkeypatch):
    fused = pyfuse.fuse(lines)
    a = np.ones(4096)
    monkeypatch.setattr(launch, "last_level_cache_bytes", lambda: 3 * a.nbytes // launch.CACHES_FILLED + 1)
    fused(a, a)
    monkeypatch.setattr(launch, "last_level_cache_bytes", lambda: 0)  # the system does not say
    fused(a[1:], a[1:])
    monkeypatch.setattr(launch, "last_level_cache_bytes", lambda: 1)
    fused(a[:1000], a[:1000])  # few
    fused(np.ones((2048, 2)), np.ones(2))
    assert not any(decisions)
    assert len(decisions) == 4


def test_the_caches_of_this_machine_are_read():
    assert caches.last_level_cache_bytes() >= 0
    if any(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")):
        assert caches.last_level_cache_bytes() >= 1 << 16
