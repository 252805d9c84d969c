"""JAX's arrays on a CUDA device: they are read in place, and results are made of another library's memory."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

import numpy as np

from pyfuse.backend.cuda.array_facts import PRIMARY, Facts, UnlaunchedKind
from pyfuse.backend.cuda.cupy_arrays import CupyArrays
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.reduction_forms import dense_strides

_MAKER = CupyArrays()


class JaxArrays(UnlaunchedKind):
    """The kind of ``jax.Array``.

    JAX tells neither its stream nor what will be done with memory that it has got back: an array is waited for before
    it is read, and the kernel before the call ends.
    """

    name = "JAX"
    context = PRIMARY
    is_waited_for = True

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """As ``ArrayKind.memory_errors``."""
        return _MAKER.memory_errors

    def facts(self, array: Any) -> Facts:
        """As ``ArrayKind.facts``."""
        try:
            (device,) = array.devices()
            if device.platform not in ("gpu", "cuda"):
                raise refuse(Code.DEVICE, f"an array of JAX lies on {device}, not on a CUDA device")
            array.block_until_ready()
            interface = array.__cuda_array_interface__
        except (ValueError, RuntimeError, AttributeError) as error:  # on several devices, deleted, or traced
            raise refuse(Code.DEVICE, "an array of JAX has no memory of its own", notes=(str(error),)) from error
        dtype, shape = np.dtype(array.dtype), tuple(array.shape)
        strides = interface.get("strides") or dense_strides(shape, range(len(shape)), dtype.itemsize)
        number = getattr(device, "local_hardware_id", device.id)
        return Facts(number, interface["data"][0] or 0, shape, tuple(strides), dtype)

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:  # noqa: ARG002
        """As ``ArrayKind.empty``: an array of CuPy, until ``hand_over``."""
        _import_cupy()
        made = _MAKER.maker(form, None)
        array = made.call(*made.args)
        if made.fill is not None:
            made.fill(array, *made.fill_args)
        return array, array.data.ptr

    def hand_over(self, made: Any) -> Any:
        """An array of JAX on the same memory, which nothing else holds."""
        jax = importlib.import_module("jax.dlpack")
        try:
            return jax.from_dlpack(made)
        except (TypeError, ValueError, RuntimeError) as error:  # a dtype that JAX is set not to have
            raise refuse(Code.DEVICE, "JAX does not take the result", notes=(str(error),)) from error

    def view(self, owner: Any, offset: int, form: Facts) -> Any:  # noqa: ARG002
        """As ``ArrayKind.view``."""
        raise refuse(Code.DEVICE, "the result is a view, and JAX's arrays have none")

    def assign(self, target: Any, value: Any) -> None:  # noqa: ARG002
        """As ``ArrayKind.assign``."""
        raise refuse(Code.DEVICE, "JAX's arrays are never stored into")


@cache
def _import_cupy() -> None:
    if importlib.util.find_spec("cupy") is None:
        raise refuse(
            Code.DEVICE, "results for arrays of JAX are made of CuPy's memory, and CuPy is not installed",
            hints=("pass CuPy arrays or PyTorch tensors for some of the arguments, the first of them at least",),
        )  # fmt: skip
    importlib.import_module("cupy")
