"""What of arrays on a device is looked at, by stand-ins that have the attributes of CuPy's and JAX's arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.cuda import cupy_arrays
from pyfuse.backend.cuda.array_facts import Facts
from pyfuse.backend.cuda.cupy_arrays import CupyArrays
from pyfuse.backend.cuda.jax_arrays import JaxArrays
from pyfuse.backend.cuda.python_launcher import _address_of
from pyfuse.backend.cuda.streams import handle_of
from pyfuse.errors import CannotFuse


class _Base:
    """As ``cupy._core.core._ndarray_base``."""

    def _init(self, shape: Any, dtype: Any, memptr: Any = None, strides: Any = None, order: str = "C") -> None:
        assert memptr is None and strides is None
        self._hold(np.empty(shape, dtype, order))  # type: ignore[call-overload]

    def _hold(self, array: np.ndarray) -> None:
        self.array = array
        self.data = SimpleNamespace(ptr=array.ctypes.data, device_id=0, mem=object())

    def __getattr__(self, name: str) -> Any:
        if name == "_c_contiguous":
            return self.array.flags.c_contiguous
        return getattr(self.array, name)


class Ndarray(_Base):
    """As ``cupy.ndarray``."""

    def __new__(cls, shape: Any = (), dtype: Any = "f4", memptr: Any = None, strides: Any = None) -> Any:
        made = object.__new__(cls)
        assert (memptr is None) == (strides is None)
        made._hold(np.empty(shape, dtype) if strides is None else np.ndarray(shape, dtype, memptr.array, 0, strides))
        made.data.array = made.array
        return made

    def __init__(self, *_: Any, **__: Any) -> None: ...


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[CupyArrays]:
    """CuPy's kind, beside a module that has what it asks for."""
    runtime = SimpleNamespace(getDeviceCount=lambda: 1)
    module = SimpleNamespace(ndarray=Ndarray, cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", module)  # type: ignore[arg-type]
    for remembered in (cupy_arrays._device_count, cupy_arrays._has_init):
        remembered.cache_clear()
    yield CupyArrays()
    for remembered in (cupy_arrays._device_count, cupy_arrays._has_init):
        remembered.cache_clear()


def held(array: np.ndarray) -> Any:
    made = Ndarray()
    made._hold(array)
    return made


ARRAYS = [
    np.ones(6), np.ones(7), np.ones(12)[::2], np.ones(1), np.ones((2, 3)), np.ones((3, 2)), np.ones((3, 2)).T,
    np.ones((1, 6)), np.ones((6, 1)), np.ones(6, "f4"), np.ones((2, 3, 4)).transpose(1, 0, 2), np.float64(1),
    np.ones((0, 3)), np.broadcast_to(1.0, (6,)), np.ones(6)[::-1],
    np.lib.stride_tricks.as_strided(np.ones(6), (1, 6), (8, 8)),
]  # fmt: skip


def test_forms_of_cupys_arrays_are_told_apart(cupy: CupyArrays) -> None:
    arrays = [held(np.asarray(array)) for array in ARRAYS]
    for number, array in enumerate(arrays):
        reading = cupy.reading(array, cupy.facts(array))
        assert reading is not None
        fitting = [other for other, value in enumerate(arrays) if _address_of(reading, value) is not None]
        assert fitting == [number]
        assert _address_of(reading, array) == array.data.ptr


def test_cupys_arrays_are_made_in_any_order(cupy: CupyArrays) -> None:
    for array in (
        np.ones(6),
        np.ones((2, 3)),
        np.ones((3, 2)).T,
        np.ones((2, 3, 4)).transpose(1, 0, 2),
        np.ones((0, 3)),
    ):
        form = Facts(-1, 0, array.shape, array.strides, array.dtype)
        maker = cupy.maker(form, None)
        made = maker.call(*maker.args)
        if maker.fill is not None:
            maker.fill(made, *maker.fill_args)
        assert (made.shape, made.dtype) == (array.shape, array.dtype)
        assert made.strides == array.strides or not array.size
        assert (maker.fill is None) == (array.ndim == 3 or not array.size)
        assert bool(maker.owners) == (array.size > 0 and array.ndim < 3)


def test_large_arrays_of_cupy_are_not_handed_out_again(cupy: CupyArrays) -> None:
    form = Facts(-1, 0, (cupy_arrays.MOST_KEPT_BYTES // 8 + 1,), (8,), np.dtype("f8"))
    assert not cupy.maker(form, None).owners


def jax_array(platform: str = "gpu", count: int = 1, **interface: Any) -> Any:
    devices = [SimpleNamespace(platform=platform, id=number, local_hardware_id=number) for number in range(count)]
    return SimpleNamespace(
        devices=lambda: set(map(_Hashable, devices)), block_until_ready=lambda: None, dtype=np.dtype("f4"),
        shape=(3, 4), __cuda_array_interface__={"data": (4096, True), "shape": (3, 4), **interface},
    )  # fmt: skip


class _Hashable:
    def __init__(self, device: Any) -> None:
        self.__dict__.update(vars(device))


def test_jax_arrays_are_read_where_they_lie() -> None:
    kind = JaxArrays()
    assert kind.facts(jax_array()) == Facts(0, 4096, (3, 4), (16, 4), np.dtype("f4"))
    assert kind.facts(jax_array(strides=(4, 12))).strides == (4, 12)
    with pytest.raises(CannotFuse, match="not on a CUDA device"):
        kind.facts(jax_array("cpu"))
    with pytest.raises(CannotFuse, match="no memory of its own"):
        kind.facts(jax_array(count=2))
    with pytest.raises(CannotFuse, match="never stored into"):
        kind.assign(None, None)


def test_streams_have_handles() -> None:
    assert handle_of(7) == 7
    assert handle_of(SimpleNamespace(cuda_stream=8)) == 8
    assert handle_of(SimpleNamespace(ptr=9)) == 9
    assert handle_of(SimpleNamespace(handle=10)) == 10
    assert handle_of(SimpleNamespace(__cuda_stream__=lambda: (0, 11))) == 11
    for wrong in (True, "7", None, SimpleNamespace(ptr="9")):
        with pytest.raises(TypeError, match="a stream of CUDA is wanted"):
            handle_of(wrong)
