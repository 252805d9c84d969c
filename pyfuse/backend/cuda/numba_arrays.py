"""Numba's device arrays."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pyfuse.backend.cuda.array_facts import PRIMARY, Facts, UnlaunchedKind
from pyfuse.diagnostics import Code, refuse

_LEGACY_STREAMS = (None, 0, 1)  # how CUDA's default stream is written


class NumbaArrays(UnlaunchedKind):
    """The kind of ``numba.cuda``'s ``DeviceNDArray``."""

    name = "Numba"
    context = PRIMARY

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """As ``ArrayKind.memory_errors``."""
        return (MemoryError,)

    def facts(self, array: Any) -> Facts:
        """As ``ArrayKind.facts``."""
        interface = array.__cuda_array_interface__
        if interface.get("stream") not in _LEGACY_STREAMS:
            raise refuse(Code.DEVICE, "an array of Numba belongs to a stream of its own")
        return Facts(-1, interface["data"][0] or 0, tuple(array.shape), tuple(array.strides), np.dtype(array.dtype))

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:  # noqa: ARG002  Numba has one pool
        """As ``ArrayKind.empty``."""
        made = sys.modules["numba.cuda"].device_array(form.shape, dtype=form.dtype, strides=form.strides)
        return made, made.__cuda_array_interface__["data"][0] or 0

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """As ``ArrayKind.view``."""
        memory = owner.gpu_data.view(offset)
        return type(owner)(shape=form.shape, strides=form.strides, dtype=form.dtype, gpu_data=memory)

    def assign(self, target: Any, value: Any) -> None:  # noqa: ARG002
        """As ``ArrayKind.assign``: Numba compiles a kernel of its own for that, which fails beside some NumPys."""
        raise refuse(Code.DEVICE, "stores into Numba's arrays are not fused")
