"""Do calls with bfloat16 arrays run fused on a device, and only there?

The device is a fake one; see ``test_calls``.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ml_dtypes import bfloat16

import pyfuse
from pyfuse.backend.cuda.torch_arrays import TorchArrays
from pyfuse.errors import CannotFuse
from tests.bfloat16_numbers import gelu, random, steps_apart
from tests.cuda_texts import COMPILER
from tests.fake_device import FakeArray, FakeDevice

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


@needs_compiler
def test_a_call_with_device_arrays_runs_fused(fake_device: FakeDevice) -> None:
    fused = pyfuse.fuse(gelu, strict=True)
    for seed in (1, 2):
        x, y = random(500, seed)[:1000], random(500, seed + 2)[:1000]
        result = fused(FakeArray(x), FakeArray(y))
        assert type(result) is FakeArray
        assert steps_apart(result.memory, gelu(x, y)) <= 1
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 2, 0)
    assert len(fake_device.loads) == 1


@needs_compiler
def test_whole_numbers_are_known_to_the_kernel(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(lambda x, n: x * n, strict=True)
    x = random(100, 1)[:200]
    for number in (2, 3, 2):
        assert steps_apart(fused(FakeArray(x), number).memory, x * number) == 0
    for factor in (0.5, 0.25):  # of a float the result is float32
        assert steps_apart(fused(FakeArray(x), factor).memory, x * factor) == 0
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (3, 5, 0)


def test_arrays_of_the_cpu_stay_with_numpy_and_say_why() -> None:
    fused = pyfuse.fuse(gelu)
    x = random(100, 1)
    with np.errstate(all="ignore"):
        assert steps_apart(fused(x, x), gelu(x, x)) == 0
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (0, 0, 1)
    assert fused.fallback_reasons() == {"unsupported-dtype": 1}
    assert "bfloat16 is fused on a device only" in str(fused.explain(x, x))


def test_a_tensor_is_refused_without_the_package_and_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tensor(SimpleNamespace):
        is_cuda, layout, requires_grad, dtype = True, "strided", False, "torch.bfloat16"

        def is_conj(self) -> bool:
            return False

        is_neg = is_conj

        def stride(self) -> tuple[int, ...]:
            return (1,)

        def get_device(self) -> int:
            return 0

        def data_ptr(self) -> int:
            return 4096

    names = SimpleNamespace(Tensor=Tensor, strided="strided", bfloat16="torch.bfloat16", float32="torch.float32")
    monkeypatch.setitem(sys.modules, "torch", names)  # type: ignore[arg-type]
    kind, tensor = TorchArrays(), Tensor(shape=(3,))
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "ml_dtypes", None)  # type: ignore[arg-type]
        with pytest.raises(CannotFuse) as refusal:
            kind.facts(tensor)
        assert "pip install" in str(refusal.value.diagnostic.hints) and "ml_dtypes" in refusal.value.diagnostic.message
    facts = kind.facts(tensor)
    assert facts.dtype == bfloat16 and facts.strides == (2,)


@needs_compiler
def test_a_view_of_an_argument_is_a_result(fake_device: FakeDevice) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(lambda x: (x.T, x + x), strict=True)
    x = random(200, 1).reshape(20, 30)
    view, double = fused(FakeArray(x))
    assert view.memory.__array_interface__["data"][0] == x.__array_interface__["data"][0]
    assert view.memory.dtype == x.dtype and view.memory.strides == x.T.strides
    with np.errstate(all="ignore"):
        assert steps_apart(double.memory, x + x) == 0
    assert fused.cache_info().fused_calls == 1 and fused.cache_info().fallback_calls == 0
