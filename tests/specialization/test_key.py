"""Which calls share a kernel, and which do not?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import pyfuse

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(0.5, 2.0, 12)


def plain(a: Any, b: Any) -> Any:
    return a * b + a


def counters(calls: Iterable[tuple[Any, ...]], function: Any = plain) -> tuple[int, int]:
    """Signatures traced and kernels loaded for some calls, every one of which is fused and right."""
    fused, count = pyfuse.fuse(function), 0
    for args in calls:
        expected, result = function(*args), fused(*args)
        assert type(result) is type(expected)
        assert result.dtype == expected.dtype
        assert result.strides == expected.strides
        assert result.tobytes("A") == expected.tobytes("A")
        count += 1
    info = fused.cache_info()
    assert (info.fused_calls, info.fallback_calls) == (count, 0), fused.fallback_reasons()
    return info.misses, info.kernels


def test_all_sizes_share_one_kernel() -> None:
    assert counters((np.ones(n), np.arange(n) / 2) for n in (2, 3, 7, 8, 64, 1000, 4097)) == (1, 1)


def test_the_value_of_a_number_is_no_part_of_the_key() -> None:
    assert counters((A, 0.1 * number) for number in range(200)) == (1, 1)
    assert counters((A, number) for number in range(-3, 100)) == (1, 1)


def test_number_types_are_separate() -> None:
    numbers = (2, 2.0, np.float64(2), np.float32(2), np.int64(2), np.int32(2), True, np.True_)
    assert counters((A, number) for number in numbers) == (len(numbers), len(numbers))


def test_a_python_number_is_weak_and_a_numpy_one_is_strong() -> None:
    single = A.astype("f4")
    assert counters([(single, 2.0), (single, np.float64(2.0))]) == (2, 2)


def test_dtypes_are_separate() -> None:
    assert counters((A.astype(code), A.astype(code)) for code in ("f8", "f4", "i8", "i4", "c16")) == (5, 5)


def test_ranks_are_separate_signatures() -> None:
    cube = A.reshape(2, 3, 2)
    assert counters([(A, A), (cube, cube), (cube[0], cube[0])])[0] == 3


def test_the_pattern_of_extents_of_one_is_part_of_the_key() -> None:
    column, row, full = A[:4].reshape(4, 1), A[:3].reshape(1, 3), A.reshape(4, 3)
    assert counters([(full, full), (full, column), (full, row), (column, row)])[0] == 4
    assert counters([(full, A[:4].reshape(4, 1)), (A.reshape(6, 2), A[:6].reshape(6, 1))])[0] == 1


def test_strides_are_no_part_of_the_key_but_their_class_is_of_the_kernel() -> None:
    long = np.linspace(1.0, 2.0, 120)
    views = [long[:12], long[24:36], long[:24:2], long[:36:3], long[::-1][:12], long[:120:10]]
    assert counters((view, view) for view in views) == (1, 4)  # element by element, step 2, step -1, any


def test_contiguous_arrays_of_any_rank_are_walked_as_one_dimension() -> None:
    square = A.reshape(3, 4)
    assert counters([(square, square), (square.T, square.T)]) == (1, 1)


def test_a_layout_gets_a_kernel_of_its_own_once() -> None:
    square = np.linspace(0.0, 1.0, 400).reshape(20, 20)
    calls = [(square, square), (square, square.T), (square[:, :10], square[:10].T), (square[2:4], square[2:4])]
    assert counters(calls)[0] == 1


def test_an_unaligned_array_gets_a_kernel_of_its_own() -> None:
    memory = np.zeros(8 * 12 + 1, np.uint8)
    unaligned = memory[1:].view(np.float64)
    unaligned[:] = A
    assert not unaligned.flags.aligned
    assert counters([(A, A), (unaligned, unaligned), (A, A)]) == (1, 2)


def test_equal_dtype_objects_share_a_key() -> None:
    import pickle

    copied = pickle.loads(pickle.dumps(np.dtype([("x", "f8")])))["x"]
    assert counters([(A, A), (A.astype(copied), A)]) == (1, 1)


def by_flag(a: Any, flag: Any) -> Any:
    return a + 1.0 if flag else a - 1.0


@pytest.mark.parametrize("values", [(True, False), (None, "text"), ("", "x"), (0, 1), ((), (1,))], ids=repr)
def test_a_value_that_decides_the_form_is_guarded(values: tuple[Any, Any]) -> None:
    first, second = values
    assert counters([(A, first), (A, second), (A, first), (A, second)], by_flag)[1] == 2


def test_a_truth_value_is_guarded_not_the_number() -> None:
    assert counters(((A, number) for number in range(1, 50)), by_flag) == (1, 1)


FACTOR = 2.0


def by_global(a: Any) -> Any:
    return a * FACTOR


def test_a_global_is_guarded_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(by_global)
    for factor in (2.0, 3.0, 2.0, 3, -0.0, 0.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        assert fused(A).tobytes() == (A * factor).tobytes()
    assert fused.cache_info()[:2] == (1, 5)
    assert fused.cache_info().fused_calls == 6


def test_thread_limits_share_a_kernel() -> None:
    fused = pyfuse.fuse(plain)
    for threads in (1, 2, 4):
        with pyfuse.config.set(num_threads=threads):
            assert (fused(A, A) == A * A + A).all()
    assert (fused.cache_info().kernels, fused.cache_info().fused_calls) == (1, 3)


def test_an_empty_array_is_fused() -> None:
    assert counters([(np.ones(0), np.ones(0)), (A, A), (np.ones(0), np.ones(0))])[0] == 1
