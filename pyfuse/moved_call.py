"""Calls with NumPy arrays that are to run on a device: the arrays go there, and the results come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.backend.cuda import kernel as devices
from pyfuse.backend.cuda.array_facts import PRIMARY
from pyfuse.backend.cuda.moved_arrays import MOVED, Moved, bring_back, form_of, move
from pyfuse.call_geometry import CallGeometry
from pyfuse.compiler import Specialization
from pyfuse.device_arguments import with_arrays
from pyfuse.device_call import DeviceCalls, allocated, launched, packed_arguments
from pyfuse.diagnostics import Code, refuse
from pyfuse.host_values import HostExpression


class MovedCalls(DeviceCalls):
    """The calls of one fused function with NumPy arrays, on a device."""

    def run(self, arguments: Sequence[Any]) -> tuple[Any, int]:
        """As ``DeviceCalls.run``; the device is waited for."""
        device = devices.find_device(0, PRIMARY)
        with device.active():
            found, call, given, _ = self.find(_moved(arguments))
            made, addresses = allocated(found, MOVED, None)
            status = launched(found, call, packed_arguments(found, given, addresses), self.own_stream)
            if status:
                return None, status
            if self.own_stream is not None:
                device.calls.finish(self.own_stream)
            outputs = [bring_back(array) for array in made[: len(found.launch.outputs)]]
        return found.launch.finish(outputs, arguments), 0

    def prepare(self, arguments: Sequence[Any]) -> None:
        """As ``DeviceCalls.prepare``."""
        with devices.find_device(0, PRIMARY).active():
            self.find(_moved(arguments), waits=True)

    def stages(self, arguments: Sequence[Any]) -> tuple[Specialization, CallGeometry, Any]:
        """As ``DeviceCalls.stages``."""
        return super().stages(with_arrays(arguments, _not_moved))

    def looked_at_afterwards(self, specialization: Specialization) -> list[HostExpression]:  # noqa: ARG002
        """As ``DeviceCalls.looked_at_afterwards``: results are made, and stores done, from the caller's own arrays."""
        return []


def _moved(arguments: Sequence[Any]) -> list[Any]:
    try:
        return with_arrays(arguments, move)
    except MOVED.memory_errors as error:
        raise refuse(Code.DEVICE, "the device has no memory left for the arguments", notes=(str(error),)) from error


def _not_moved(array: np.ndarray) -> Moved:
    return Moved(form_of(array), None)
