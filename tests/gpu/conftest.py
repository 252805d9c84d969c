"""Arrays on a real device, made by each library that is installed; without a device everything here is skipped."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

LIBRARIES = ("cupy", "torch", "pycuda", "numba", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else JAX takes the device for itself


class Library(NamedTuple):
    """A library of device arrays: its arrays' type, and how they come and go."""

    name: str
    kind: type
    to_device: Callable[[np.ndarray], Any]
    to_host: Callable[[Any], np.ndarray]


def _problem() -> str | None:
    try:
        import pycuda.driver as driver

        driver.init()
    except ImportError as error:
        return f"pycuda or the driver is not installed: {error}"
    except Exception as error:  # of pycuda, which is not imported where it is not installed
        return f"there is no CUDA device: {error}"
    return None if driver.Device.count() else "there is no CUDA device"


@pytest.fixture(scope="session")
def device() -> None:
    """Skip what needs a CUDA device where there is none."""
    problem = _problem()
    if problem is not None:
        pytest.skip(problem)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, device: None) -> Library:  # noqa: ARG001
    """Each library of device arrays."""
    return _LIBRARIES[request.param]()


@pytest.fixture
def cupy(device: None) -> Any:  # noqa: ARG001
    """CuPy."""
    return pytest.importorskip("cupy")


@pytest.fixture
def torch(device: None) -> Any:  # noqa: ARG001
    """PyTorch with CUDA."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch has no CUDA device")
    return torch


def _cupy_library() -> Library:
    cupy = pytest.importorskip("cupy")
    return Library("cupy", cupy.ndarray, _of_cupy(cupy), cupy.asnumpy)


def _of_cupy(cupy: Any) -> Callable[[np.ndarray], Any]:
    def to_device(array: np.ndarray) -> Any:
        """With the same strides."""
        axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
        dense = cupy.asarray(np.ascontiguousarray(array.transpose(axes)))
        return dense.transpose(np.argsort(axes).tolist())

    return to_device


def _torch_library() -> Library:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch has no CUDA device")

    def to_device(array: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(array)).cuda().reshape(array.shape)

    return Library("torch", torch.Tensor, to_device, lambda tensor: tensor.cpu().numpy())


def _pycuda_library() -> Library:
    import pycuda.driver as driver
    from pycuda import gpuarray

    if driver.Context.get_current() is None:
        context = driver.Device(0).retain_primary_context()
        context.push()
        atexit.register(context.pop)
    return Library("pycuda", gpuarray.GPUArray, gpuarray.to_gpu, lambda array: array.get())


def _numba_library() -> Library:
    pytest.importorskip("numba.cuda")
    from numba import cuda

    kind = type(cuda.to_device(np.ones(1)))
    return Library("numba", kind, cuda.to_device, lambda array: array.copy_to_host())


def _jax_library() -> Library:
    jax = pytest.importorskip("jax")
    pytest.importorskip("cupy")
    jax.config.update("jax_enable_x64", True)
    if jax.default_backend() != "gpu":
        pytest.skip("JAX has no CUDA device")
    return Library("jax", type(jax.numpy.ones(1)), jax.numpy.asarray, np.asarray)


_LIBRARIES: dict[str, Callable[[], Library]] = {
    "cupy": _cupy_library,
    "torch": _torch_library,
    "pycuda": _pycuda_library,
    "numba": _numba_library,
    "jax": _jax_library,
}
