"""Does the launcher answer what it can, in the right stream and context, and leave everything else to Python?

Both launchers are run: the compiled one and its twin. The driver is a fake one; its kernels are compiled for the CPU.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import dispatch
from pyfuse.backend.cuda import launcher
from tests.cuda_texts import COMPILER, same_bits
from tests.device.test_calls import axpy, random, several
from tests.fake_device import OTHER_CONTEXT, FakeArray, FakeDevice

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


def counts(device: FakeDevice) -> tuple[int, int]:
    """How many kernels were started the long way, and by the launcher."""
    return len(device.starts), len(device.calls.launches)


def assert_launched(device: FakeDevice, fused: Any, calls: int, long: int = 1) -> None:
    assert counts(device) == (long, calls - long)
    info = fused.cache_info()
    assert (info.fused_calls, info.fallback_calls, info.hits) == (calls, 0, calls - info.kernels)


def pair(x: Any, y: Any) -> Any:
    return x + y, x * y


def neighbours(x: Any) -> Any:
    return (x[2:] - x[:-2]) * 0.5 + x[::-1][1:-1]


def centred(x: Any) -> Any:
    return x - x.mean(axis=-1, keepdims=True)


def shifted(x: Any, n: Any, p: Any) -> Any:
    return x * n + p * 2.0


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (axpy, (2.5, random(1000), random(1000, seed=1))),
        (axpy, (np.float32(2.5), random(30, dtype="f4"), random(30, dtype="f4"))),
        (axpy, (3, np.arange(20), np.arange(20, 40))),
        (axpy, (True, random(20, dtype="f2"), random(20, dtype="f2"))),
        (axpy, (2 + 1j, random(20).astype("c16"), random(20).astype("c16"))),
        (axpy, (2.0, random(7, 5).T, random(7, 5).T)),
        (axpy, (2.0, np.array(3.0), random(4))),
        (pair, (random(20), random(3, 20))),
        (several, (random(4, 20), random(20))),
        (neighbours, (random(100),)),
        (centred, (random(6, 50),)),
        (shifted, (random(50), np.int32(3), 0.25)),
    ],
)
def test_calls_of_a_known_form_are_launched(function: Any, arguments: Any, fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(function, strict=True)
    for call in range(3):
        fresh = [value + call if isinstance(value, np.ndarray) else value for value in arguments]
        found: Any = fused(*[FakeArray(value) if isinstance(value, np.ndarray) else value for value in fresh])
        expected = function(*fresh)
        if isinstance(expected, dict):
            found, expected = tuple(found["parts"]), tuple(expected["parts"])
        if isinstance(expected, tuple):
            assert same_bits(tuple(part.memory for part in found), expected)
        elif function is centred:
            assert np.allclose(found.memory, expected, rtol=1e-13, atol=1e-13)
        else:
            assert same_bits(found.memory, expected)
            assert found.memory.strides == expected.strides or not found.memory.ndim
    if function is several:  # the result holds a shape, which Python reads
        assert counts(fake_device) == (3, 0)
    else:
        assert_launched(fake_device, fused, 3)


def test_the_dispatcher_asks_the_launcher_itself(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(6))
    fused(2.0, x, x)
    if dispatch.extension is not None:
        fused._executor.call = None  # type: ignore[assignment, method-assign]
    assert same_bits(fused(3.0, x, x).memory, axpy(3.0, x.memory, x.memory))
    assert same_bits(fused(3.0, y=x, x=x).memory, axpy(3.0, x.memory, x.memory))
    assert fused.cache_info().fused_calls == 3
    assert counts(fake_device) == (1, 2)


SCALE = 2.0


def scaled(x: Any) -> Any:
    return x * SCALE


def test_what_is_guarded_is_looked_at(fake_device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(scaled, strict=True)
    x = random(6)
    for scale in (2.0, 2.0, 3.0, 3.0, 2.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        assert same_bits(fused(FakeArray(x)).memory, x * scale)
    assert sum(counts(fake_device)) == 5
    assert fake_device.calls.launches


def chosen(x: Any, p: Any) -> Any:
    return x * 2 if p > 0 else x * 3


def test_numbers_that_decide_are_looked_at(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(chosen, strict=True)
    x = random(6)
    for p in (1, 2, -1, -2, 5):
        assert same_bits(fused(FakeArray(x), p).memory, chosen(x, p))
    assert counts(fake_device) == (2, 3)


def part(x: Any, n: Any) -> Any:
    return x[:n] + 1


def test_views_that_depend_on_numbers_go_the_long_way(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(part, strict=True)
    x = random(20)
    for n in (5, 6, 5):
        assert same_bits(fused(FakeArray(x), n).memory, x[:n] + 1)
    assert counts(fake_device) == (3, 0)


def test_sizes_dtypes_and_devices_are_told_apart(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    arrays = [random(6), random(7), random(6, dtype="f4"), random(12)[::2], random(2, 3)]
    for _ in range(2):
        for x in arrays:
            assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert_launched(fake_device, fused, 10, long=5)


def test_a_number_that_does_not_fit_is_numpys_affair(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(axpy)
    x = np.arange(5, dtype="i1")
    assert same_bits(fused(3, FakeArray(x), FakeArray(x)).memory, axpy(3, x, x))
    with pytest.raises(OverflowError):
        fused(300, FakeArray(x), FakeArray(x))
    assert fused.fallback_reasons() == {"scalar-range": 1}


# --- streams and contexts -----------------------------------------------------------------------------------------


def test_kernels_go_to_the_stream_of_the_library(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(6))
    for stream in (0, 5, 6):
        fake_device.kind.current_stream = stream
        fused(2, x, x)
    assert (fake_device.starts, fake_device.calls.launches) == ([0], [5, 6])
    assert not fake_device.calls.orders


class Stream:
    """As one of CuPy."""

    ptr = 77


@pytest.mark.parametrize("stream", [77, Stream()])
def test_a_stream_of_the_user_is_ordered_against_that_of_the_library(stream: Any, fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True, stream=stream)
    x = random(6)
    order = [("record", 5), ("wait", 77), ("record", 77), ("wait", 5)]
    fake_device.kind.current_stream = 5
    for call in range(2):
        assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
        assert fake_device.calls.orders == order * (call + 1)
    assert (fake_device.starts, fake_device.calls.launches) == ([77], [77])
    fake_device.kind.current_stream = 77
    fused(2, FakeArray(x), FakeArray(x))
    assert fake_device.calls.orders == order * 2


def test_what_is_no_stream_is_an_error() -> None:
    with pytest.raises(TypeError, match="a stream of CUDA is wanted"):
        pyfuse.fuse(axpy, stream="fast")


def test_another_context_is_left_alone(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(6))
    fused(2, x, x)
    fake_device.calls.current = OTHER_CONTEXT
    fused(2, x, x)
    assert counts(fake_device) == (2, 0)
    assert fake_device.calls.current == OTHER_CONTEXT


def test_a_thread_without_a_context_gets_it_for_the_call(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(6))
    fused(2, x, x)
    fake_device.calls.current = 0
    assert same_bits(fused(2, x, x).memory, axpy(2, x.memory, x.memory))
    assert fake_device.calls.current == 0
    assert sum(counts(fake_device)) == 2


# --- arrays that are handed out again -----------------------------------------------------------------------------


@pytest.fixture
def keeping_device(fake_device: FakeDevice) -> FakeDevice:
    """A device whose arrays the compiled launcher keeps."""
    if launcher.extension is None:
        pytest.skip("the twin keeps nothing")
    fake_device.kind.keeps_arrays = True
    return fake_device


def test_an_array_that_nobody_has_is_handed_out_again(keeping_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(50))
    fused(2.0, x, x)
    first = fused(2.0, x, x)
    seen = id(first), first.memory.ctypes.data
    del first
    second = fused(3.0, x, x)
    assert (id(second), second.memory.ctypes.data) == seen
    assert same_bits(second.memory, axpy(3.0, x.memory, x.memory))
    third = fused(4.0, x, x)
    assert third is not second
    assert same_bits(second.memory, axpy(3.0, x.memory, x.memory))
    assert same_bits(third.memory, axpy(4.0, x.memory, x.memory))
    assert counts(keeping_device) == (1, 3)


@pytest.mark.parametrize("held", ["view", "memory", "weakref", "container", "form"])
def test_an_array_that_somebody_has_is_not(held: str, keeping_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(50))
    fused(2.0, x, x)
    first = fused(2.0, x, x)
    expected, identity = first.memory.copy(), id(first)
    if held == "form":
        first.device = 7
        del first
        assert id(fused(3.0, x, x)) != identity
        return
    kept: Any = [first]
    if held != "container":
        kept = {"view": first.memory[1:], "memory": first.memory, "weakref": weakref.ref(first)}[held]
    del first
    others = [fused(3.0, x, x) for _ in range(2)]
    assert all(id(other) != identity for other in others)
    assert counts(keeping_device) == (1, 3)
    if held in ("view", "memory"):
        assert same_bits(kept, expected[-len(kept) :])


def test_an_array_is_handed_out_again_in_its_own_stream_only(keeping_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(50))
    fused(2.0, x, x)
    places = []
    for stream in (5, 6, 5, 6):
        keeping_device.kind.current_stream = stream
        places.append(fused(2.0, x, x).memory.ctypes.data)
    print(places)
    assert places[0] == places[2]
    assert places[1] == places[3]
    assert places[0] != places[1]


# --- what fails ---------------------------------------------------------------------------------------------------


def test_a_driver_that_fails_has_python_say_why(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(6)
    fused(2, FakeArray(x), FakeArray(x))
    fake_device.calls.status = 719
    fake_device.problem = RuntimeError("launch failed")
    assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert fused.fallback_reasons() == {"device": 1}


def test_a_full_device_has_python_say_so(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(6)
    fused(2, FakeArray(x), FakeArray(x))
    fake_device.kind.is_full = True
    assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert fused.fallback_reasons() == {"device": 1}
    assert not fake_device.calls.launches


def test_control_c_is_nobodys_to_catch(fake_device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(axpy)
    x = FakeArray(random(6))
    fused(2, x, x)

    def interrupted(*_: Any) -> Any:
        monkeypatch.undo()  # the next attempt would go well
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_device.kind, "empty", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fused(2, x, x)
    assert counts(fake_device) == (1, 0)


def test_forgotten_launches_are_not_run(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    x = FakeArray(random(6))
    fused(2, x, x)
    fused.cache_clear()
    fused(2, x, x)
    fused(2, x, x)
    assert counts(fake_device) == (2, 1)
    assert fused.cache_info().fused_calls == 2


def test_other_code_of_the_function_is_another_function(fake_device: FakeDevice) -> None:
    def own(x: Any) -> Any:
        return x + 1

    def other(x: Any) -> Any:
        return x * 3

    fused = pyfuse.fuse(own, strict=True)
    x = random(6)
    for _ in range(3):
        assert same_bits(fused(FakeArray(x)).memory, x + 1)
    own.__code__ = other.__code__
    for _ in range(3):
        assert same_bits(fused(FakeArray(x)).memory, x * 3)
    assert counts(fake_device) == (2, 4)


def test_more_forms_than_are_remembered(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy, strict=True)
    for _ in range(2):
        for count in range(1, 80):
            x = np.arange(float(count))
            assert same_bits(fused(2, FakeArray(x), FakeArray(x)).memory, axpy(2, x, x))
    assert counts(fake_device) == (158, 0)
    for count in (79, 79, 78):
        fused(2, FakeArray(np.arange(float(count))), FakeArray(np.arange(float(count))))
    assert counts(fake_device) == (158, 3)


@pytest.mark.skipif(launcher.extension is None, reason="the launcher was not built")
def test_descriptions_that_make_no_sense_are_refused() -> None:
    assert launcher.extension is not None
    right: dict[str, Any] = {
        "arguments": ((int, 0, (), (), None, ()),), "inputs": ((0, 0),), "numbers": (), "compute": None, "facts": None,
        "holds": None, "buffers": ((int, (), None, (), (), None, (), ()),), "output_count": 1, "starts": (),
        "driver": (1, 2, 3, 4, 5, 6), "context": 1, "ordinal": 0, "stream": ("none", None, (), ()), "own_stream": None,
        "event": 0, "result": None, "keeper": None,
    }  # fmt: skip
    launcher.extension.DeviceLaunch(**right)
    wrong: list[tuple[str, Any]] = [
        ("inputs", ((1, 0),)), ("inputs", [(0, 0)]), ("output_count", 2), ("output_count", 0), ("result", (1,)),
        ("numbers", ((7, "f", 8),)), ("numbers", ((b"short", "f", 8),)), ("numbers", ((0, "x", 8),)),
        ("arguments", ((int, 0, (), (), "no capsule", ()),)), ("starts", ((0, (1, 1, 1), (1, 1, 1), b"x" * 2000),)),
        ("facts", ((9, {}, "name"),)), ("stream", ("exchange", None, (), ())), ("driver", (1, 2)),
        ("arguments", ((int, 0, (), ("a", "b", "c", "d", "e"), None, ()),)),
        ("buffers", ((int, (), None, (), (), None, ((("a",),),), ()),)),
        ("buffers", ((int, (), None, (), (), None, (), 3),)),
    ]  # fmt: skip
    for name, value in wrong:
        with pytest.raises((ValueError, TypeError)):
            launcher.extension.DeviceLaunch(**{**right, name: value})
