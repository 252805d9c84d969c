"""Do calls with device arrays run fused, give arrays of the kind that went in, and keep their kernels?

The device is a fake one: its memory is the process's own, and kernels are CUDA text compiled for the CPU.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cuda import array_kinds
from pyfuse.diagnostics import refuse
from tests.cuda_texts import COMPILER, same_bits
from tests.fake_device import FakeArray, FakeDevice, FakeKind, ForeignArray, UnknownArray

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


def random(*shape: int, dtype: str = "f8", seed: int = 0) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    return made


def axpy(a: Any, x: Any, y: Any) -> Any:
    return a * x + y


# --- results ------------------------------------------------------------------------------------------------------


def test_a_result_is_of_the_kind_that_went_in(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x, y = random(1000), random(1000, seed=1)
    result = fused(2.5, FakeArray(x), FakeArray(y))
    assert type(result) is FakeArray
    assert same_bits(result.memory, axpy(2.5, x, y))
    assert fused.cache_info()[4:] == (1, 1, 0, 0, 0)
    assert len(fake_device.loads) == 1 and not fake_device.is_active


def test_sizes_strides_and_numbers_do_not_build_again(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    for count, number in ((10, 1.0), (2000, 2.0), (2000, 3.0), (10, -1.0)):
        x = random(count)
        assert same_bits(fused(number, FakeArray(x), FakeArray(x)).memory, axpy(number, x, x))
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.misses, info.fallback_calls) == (1, 4, 1, 0)
    assert len(fake_device.loads) == 1


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_is_kept(order: Any, fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(axpy, strict=True)
    x = np.asarray(random(4, 5, 6), order=order)
    result = fused(2, FakeArray(x), FakeArray(x)).memory
    assert same_bits(result, axpy(2, x, x))
    assert result.strides == axpy(2, x, x).strides


def test_a_permuted_order_is_kept(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(axpy, strict=True)
    x = random(4, 5, 6).transpose(1, 0, 2)
    result = fused(2, FakeArray(x), FakeArray(x)).memory
    assert same_bits(result, axpy(2, x, x))
    assert result.strides == axpy(2, x, x).strides


def test_results_without_dimensions_or_elements_are_arrays(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(axpy, strict=True)
    for x in (np.array(3.0), np.ones((0, 4)), np.ones((3, 0))):
        result = fused(2, FakeArray(x), FakeArray(x))
        assert type(result) is FakeArray
        assert same_bits(result.memory, np.asarray(axpy(2, x, x)))


def several(x: Any, y: Any) -> Any:
    total = x + y
    return {"sum": total, "parts": [total * 2, x > y], "shape": x.shape}


def test_containers_hold_device_arrays(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(several, strict=True)
    x, y = random(3, 4), random(4, seed=2)
    result, expected = fused(FakeArray(x), FakeArray(y)), several(x, y)
    assert list(result) == list(expected)
    assert same_bits(result["sum"].memory, expected["sum"])
    assert same_bits(tuple(part.memory for part in result["parts"]), tuple(expected["parts"]))
    assert result["shape"] == (3, 4)


def neighbours(x: Any) -> Any:
    return (x[1:] - x[:-1]) / 2, x[::-1] * 2, x.reshape(2, -1) + 1


def test_views_of_device_arrays_are_read_in_place(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(neighbours, strict=True)
    for count in (10, 4000):
        x = random(count)
        result = fused(FakeArray(x))
        assert same_bits(tuple(part.memory for part in result), neighbours(x))
    assert fused.cache_info().fused_calls == 2


def views(x: Any, y: Any) -> Any:
    total = x + y
    return total, total.T, x, y[1:, ::-1]


def test_views_of_results_and_arguments_share_their_memory(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(views, strict=True)
    x, y = FakeArray(random(5, 5)), FakeArray(random(5, 5, seed=1))
    total, turned, given, part = fused(x, y)
    assert given is x
    assert type(turned) is type(part) is FakeArray
    assert same_bits(turned.memory, total.memory.T)
    assert np.shares_memory(turned.memory, total.memory)
    assert same_bits(part.memory, y.memory[1:, ::-1])
    assert np.shares_memory(part.memory, y.memory)


def test_arrays_in_containers_are_found(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(lambda_of_pairs, strict=True)
    x, y = random(6), random(6, seed=1)
    assert same_bits(fused([FakeArray(x), FakeArray(y)], {"scale": FakeArray(y)}).memory, (x + y) * y)


def lambda_of_pairs(pair: Any, settings: Any) -> Any:
    return (pair[0] + pair[1]) * settings["scale"]


def test_a_numpy_array_without_dimensions_is_a_number(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(axpy, strict=True)
    x = random(6, dtype="f4")
    result = fused(np.array(2.0), FakeArray(x), FakeArray(x)).memory
    assert same_bits(result, axpy(np.float64(2.0), x, x))
    assert result.dtype == np.float64


# --- reasons ------------------------------------------------------------------------------------------------------


def test_a_numpy_array_beside_device_arrays_has_the_original_run(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(6)
    result = fused(2, FakeArray(x), x)
    assert same_bits(result.memory, axpy(2, x, x))
    assert fused.fallback_reasons() == {"device": 1}
    assert not fake_device.loads


def test_arrays_on_two_devices_have_the_original_run(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(6)
    fused(2, FakeArray(x, 0), FakeArray(x, 1))
    assert fused.fallback_reasons() == {"device": 1}
    assert not fake_device.loads


def test_where_numpy_does_not_take_the_arrays_the_error_says_why_nothing_was_fused(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(logarithm)
    with pytest.raises(TypeError) as error:
        fused(ForeignArray(random(6)), random(6))
    (note,) = error.value.__notes__
    assert "a NumPy array stands beside arrays on a device" in note


def logarithm(x: Any, y: Any) -> Any:
    return np.log(x) + y


def test_arrays_of_an_unknown_library_are_named(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(axpy, strict=True)
    with pytest.raises(pyfuse.FuseError, match=r"elsewhere\.arrays\.UnknownArray are not known"):
        fused(2, UnknownArray(random(3)), UnknownArray(random(3)))


def first_element(x: Any) -> Any:
    return x + float(x[0])


def whole_number(x: Any) -> Any:
    return float((x + 1)[0, 0])


def copied(x: Any) -> Any:
    return x.T.reshape(-1) + 1


def decided(x: Any) -> Any:
    return x * 2 if x[0] > 0 else x * 3


@pytest.mark.parametrize(
    ("function", "argument"), [(first_element, random(6)), (copied, random(3, 4)), (decided, random(6))]
)
def test_a_function_that_reads_elements_in_python_is_not_fused(
    function: Any, argument: np.ndarray, fake_device: FakeDevice
) -> None:
    fused = pyfuse.fuse(function, strict=True)
    with pytest.raises(pyfuse.FuseError):
        fused(FakeArray(argument))
    assert not fake_device.loads


def test_a_copy_that_numpy_would_make_is_seen_for_each_form(fake_device: FakeDevice) -> None:  # noqa: ARG001
    """The same specialisation, with arrays of which NumPy makes a view, and with one that it copies."""
    fused = pyfuse.fuse(flattened)
    whole = random(4, 6)
    assert same_bits(fused(FakeArray(whole)).memory, flattened(whole))
    with pytest.raises(AttributeError):  # the fake arrays have no reshape
        fused(FakeArray(whole[:, :3]))
    assert fused.fallback_reasons() == {"device": 1}
    assert same_bits(fused(FakeArray(whole)).memory, flattened(whole))


def flattened(x: Any) -> Any:
    return x.reshape(-1) + 1


def test_scans_run_in_one_thread_one_block_or_many(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(running, strict=True)
    for count, kernels in ((6, 1), (7, 1), (1000, 2), (20_000, 3), (90_000, 3), (20_001, 3)):
        x = np.arange(count) % 7
        for _ in range(3):
            assert same_bits(fused(FakeArray(x)).memory, running(x))
        assert fused.cache_info().kernels == kernels
    assert fused.cache_info().fallback_calls == 0


def running(x: Any) -> Any:
    return np.cumsum(x * x)


def total(x: Any) -> Any:
    return np.sum(x * x)


def test_a_sum_is_an_array_without_dimensions(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(total, strict=True)
    for count in (6, 100_000):
        x = np.round(random(count) * 8)
        result = fused(FakeArray(x))
        assert type(result) is FakeArray
        assert same_bits(result.memory, np.asarray(total(x)))
    assert len(fake_device.loads) == 1


def test_a_kernel_that_is_not_built_is_not_built_again(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    fake_device.build_problem = refuse(pyfuse.diagnostics.Code.COMPILER_FAILED, "nvcc crashed")
    x = random(6)
    for _ in range(3):
        assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert fused.fallback_reasons() == {"compiler-failed": 3}
    assert len(fake_device.loads) == 1


def test_a_full_device_and_a_failed_start_have_the_original_run(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(6)
    fake_device.kind.is_full = True
    assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    fake_device.kind.is_full = False
    fake_device.problem = RuntimeError("launch failed")
    assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert fused.fallback_reasons() == {"device": 2}
    fake_device.problem = None
    fused(2, FakeArray(x), FakeArray(x))
    assert fused.cache_info().fused_calls == 1


def test_without_pycuda_the_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fake_device import FakeKind

    monkeypatch.setitem(array_kinds._KINDS, "tests", FakeKind())
    monkeypatch.setattr(array_kinds, "_known", {})
    for name in ("pycuda", "pycuda.driver"):
        monkeypatch.setitem(sys.modules, name, None)
    fused = pyfuse.fuse(axpy)
    x = random(6)
    assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert fused.fallback_reasons() == {"device": 1}
    assert "pyfuse[cuda]" in fused.explain()


# --- streams, explanations, the CPU beside it ---------------------------------------------------------------------


def test_work_goes_to_the_stream_of_the_arrays(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = random(6)
    for stream in (0, 5, 0):
        fake_device.kind.current_stream = stream
        assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert fake_device.starts == [0]
    assert fake_device.calls.launches == [5, 0]
    assert not fake_device.calls.orders


def test_explain_source_and_compile_speak_of_the_device(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = FakeArray(random(6))
    assert 'extern "C" __global__' in fused.explain(2.0, x, x)
    assert "is fused for" in fused.explain(2.0, x, x)
    assert 'extern "C" __global__' in fused.source(2.0, x, x)
    assert not fake_device.loads
    fused.compile(2.0, x, x)
    assert len(fake_device.loads) == 1 and not fake_device.starts
    fused(2.0, x, x)
    assert len(fake_device.loads) == 1


def test_calls_on_the_cpu_stay_there(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = random(6)
    assert type(fused(2, x, x)) is np.ndarray
    fused(2, FakeArray(x), FakeArray(x))
    assert type(fused(2, x, x)) is np.ndarray
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.currsize, info.hits) == (2, 3, 2, 1)
    fused.cache_clear()
    assert fused.cache_info().kernels == 0
    assert len(fake_device.loads) == 1


LOG: list[Any] = []


def interrupted(x: Any, y: Any) -> Any:
    scaled = x * 2 + y
    LOG.append(scaled)
    return scaled * scaled - y


def test_statements_around_one_that_does_not_fuse_run_on_the_device(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(interrupted)
    x, y = random(100), random(100, seed=1)
    result = fused(FakeArray(x), FakeArray(y))
    assert same_bits(result.memory, (x * 2 + y) * (x * 2 + y) - y)
    assert type(LOG.pop()) is FakeArray
    assert fused.cache_info().partly_fused_calls == 1
    assert len(fake_device.loads) == 2


def stored(x: Any, y: Any) -> Any:
    x[1:] = y[1:] * 2
    return y + 1


def shifted(x: Any, y: Any) -> Any:
    x[1:] += x[:-1] * y[1:] - y[:-1] * 0.5
    return x


def masked(x: Any, y: Any) -> None:
    x[y * 2 - x > 0] = 0.5
    x += y * 3 - 1


def strided(x: Any, y: Any) -> Any:
    x[::-2] = y[::2] * 3
    return y[2:], y.sum()


@pytest.mark.parametrize("function", [stored, shifted, masked, strided])
def test_stores_into_arguments(function: Any, fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(function, strict=True)
    x, y = random(100), random(100, seed=1)
    for call in range(3):
        ours, theirs = (x.copy(), y.copy()), (x.copy(), y.copy())
        mine = [FakeArray(array) for array in ours]
        found, expected = fused(*mine), function(*theirs)
        for kept, wanted in zip(ours, theirs, strict=True):
            assert same_bits(kept, wanted)
        if function is shifted:
            assert found is mine[0]
        if isinstance(expected, tuple):
            assert same_bits(found[0].memory, expected[0])
            assert np.shares_memory(found[0].memory, ours[1])
        assert fused.cache_info().fused_calls == call + 1
    assert len(fake_device.loads) == 1


def test_where_the_order_of_stores_matters_their_library_stores(fake_device: FakeDevice) -> None:
    def both(x: Any, y: Any) -> Any:
        x[...] = y * 2.0
        return y + 1.0

    fused = pyfuse.fuse(both)
    x, memory = random(100), random(101, seed=1)
    apart = fused(FakeArray(x.copy()), FakeArray(x))
    assert same_bits(apart.memory, x + 1.0)
    assert fused.cache_info().fused_calls == 1
    ours, theirs = memory.copy(), memory.copy()
    found = fused(FakeArray(ours[1:]), FakeArray(ours[:-1]))
    expected = both(theirs[1:], theirs[:-1])
    assert same_bits(found.memory, expected)
    assert same_bits(ours, theirs)
    assert fused.cache_info().fused_calls == 1
    assert len(fake_device.loads) == 1


def test_arrays_of_several_libraries_are_not_stored_into(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(stored, strict=True)
    x = random(100)
    kinds = {FakeArray: fake_device.kind, ForeignArray: FakeKind()}
    with (
        patch.object(array_kinds, "_known", {**array_kinds._known, **kinds}),
        pytest.raises(pyfuse.FuseError, match="several libraries"),
    ):
        fused(FakeArray(x.copy()), ForeignArray(x))


def test_arrays_of_a_library_that_takes_memory_back_are_waited_for(
    fake_device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    monkeypatch.setattr(fake_device.kind, "is_waited_for", True)
    monkeypatch.setattr(fake_device.kind, "hand_over", lambda made: ForeignArray(made.memory))
    fake_device.kind.current_stream = 5
    x = random(10)
    for _ in range(2):
        result = fused(2, FakeArray(x), FakeArray(x))
        assert type(result) is ForeignArray
        assert same_bits(result.memory, axpy(2, x, x))
    assert fake_device.starts == [5, 5]
    assert fake_device.calls.orders == [("finish", 5)] * 2


def test_calls_on_a_device_are_not_tried_against_the_original(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(10)
    for _ in range(40):
        assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (40, 0)
    assert (len(fake_device.starts), len(fake_device.calls.launches)) == (1, 39)
