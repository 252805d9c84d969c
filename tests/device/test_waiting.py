"""Does the original answer, through the arrays' own library, while a kernel for a device is built?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import pyfuse
from pyfuse.backend.cuda import backend
from pyfuse.background import builders
from pyfuse.diagnostics import Code, refuse
from tests.cuda_texts import COMPILER, same_bits
from tests.device.test_calls import axpy, flattened, random, stored
from tests.fake_device import FakeArray, FakeDevice

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


@pytest.fixture
def compiler(fake_device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A compiler that works until the event is set, for arrays whose library takes NumPy's functions."""
    may_end = threading.Event()

    def load(*given: Any) -> Any:
        assert may_end.wait(30)
        return fake_device.load(*given)

    monkeypatch.setattr(backend, "load", load)
    monkeypatch.setattr(fake_device.kind, "takes_numpys_functions", True, raising=False)
    with pyfuse.config.set(wait=False):
        yield may_end
    may_end.set()


def wait_for_builders() -> None:
    for build in list(builders._running):
        build.wait(30)


def test_the_original_answers_until_the_kernel_is_there(compiler: threading.Event, fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(axpy)
    x = random(100)
    for _ in range(3):
        assert same_bits(fused(2.0, FakeArray(x), FakeArray(x)).memory, axpy(2.0, x, x))
    assert fused.fallback_reasons() == {"building": 3}
    assert not fake_device.starts
    compiler.set()
    wait_for_builders()
    for _ in range(3):
        assert same_bits(fused(2.0, FakeArray(x), FakeArray(x)).memory, axpy(2.0, x, x))
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 3, 3)
    assert len(fake_device.loads) == 1


def test_another_form_of_the_same_kernel_waits_for_the_same_build(
    compiler: threading.Event, fake_device: FakeDevice
) -> None:
    fused = pyfuse.fuse(axpy)
    for count in (100, 200, 300):
        fused(2.0, FakeArray(random(count)), FakeArray(random(count)))
    compiler.set()
    wait_for_builders()
    fused(2.0, FakeArray(random(200)), FakeArray(random(200)))
    assert len(fake_device.loads) == 1
    assert fused.cache_info().fused_calls == 1


def soon(event: threading.Event) -> None:
    threading.Timer(0.2, event.set).start()


def test_what_the_library_cannot_do_waits_for_the_kernel(compiler: threading.Event) -> None:
    fused = pyfuse.fuse(flattened)
    x = random(4, 5)
    soon(compiler)
    assert same_bits(fused(FakeArray(x)).memory, flattened(x))  # these arrays have no reshape
    assert fused.cache_info().fused_calls == 1


@pytest.mark.parametrize("how", ["stores", "wait", "strict", "library", "compile"])
def test_some_calls_wait(how: str, compiler: threading.Event, fake_device: FakeDevice) -> None:
    fake_device.kind.takes_numpys_functions = how != "library"
    function = stored if how == "stores" else axpy
    fused = pyfuse.fuse(function, wait=how == "wait", strict=how == "strict")
    arguments = (FakeArray(random(50)), FakeArray(random(50)))
    given = arguments if how == "stores" else (2.0, *arguments)
    soon(compiler)
    if how == "compile":
        fused.compile(*given)
    fused(*given)
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 0)
    assert len(fake_device.loads) == 1


def test_a_build_that_fails_is_a_reason_from_then_on(compiler: threading.Event, fake_device: FakeDevice) -> None:
    fake_device.build_problem = refuse(Code.COMPILER_FAILED, "nvcc crashed")
    fused = pyfuse.fuse(axpy)
    x = FakeArray(random(100))
    fused(2.0, x, x)
    compiler.set()
    wait_for_builders()
    for _ in range(2):
        assert same_bits(fused(2.0, x, x).memory, axpy(2.0, x.memory, x.memory))
    assert fused.fallback_reasons() == {"building": 1, "compiler-failed": 2}
    assert len(fake_device.loads) == 1
