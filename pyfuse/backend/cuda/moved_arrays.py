"""NumPy arrays whose elements have been copied to a device for one call."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from pyfuse.backend.cuda.array_facts import PRIMARY, Facts, UnlaunchedKind


class Moved:
    """An array's elements on a device, and its form there.

    Attributes:
        facts: where they are; dense, with the axes in the order in which they lay.
        memory: what owns them.
    """

    __slots__ = ("facts", "memory")

    def __init__(self, facts: Facts, memory: Any) -> None:
        self.facts = facts
        self.memory = memory


class MovedArrays(UnlaunchedKind):
    """The kind of ``Moved``."""

    name = "NumPy"
    context = PRIMARY
    takes_numpys_functions = True

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """As ``ArrayKind.memory_errors``."""
        return (_driver().MemoryError,)

    def facts(self, array: Moved) -> Facts:
        """As ``ArrayKind.facts``."""
        return array.facts

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:  # noqa: ARG002
        """As ``ArrayKind.empty``."""
        memory = _driver().mem_alloc(max(1, math.prod(form.shape) * form.dtype.itemsize))
        made = Moved(form._replace(device=0, address=int(memory)), memory)
        return made, int(memory)

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """As ``ArrayKind.view``; results are put together from arrays that came back."""
        raise AssertionError((owner, offset, form))

    def assign(self, target: Any, value: Any) -> None:
        """As ``ArrayKind.assign``; likewise."""
        raise AssertionError((target, value))


def form_of(array: np.ndarray) -> Facts:
    """The form that an array will have on the device: without gaps, axes in the same order, repeated ones repeated."""
    dense = np.empty_like(_told_once(array)).strides
    strides = [own and stride for own, stride in zip(array.strides, dense, strict=True)]
    return Facts(0, 0, array.shape, tuple(strides), array.dtype)


def move(array: np.ndarray) -> Moved:
    """Copy an array to the device of the current context."""
    once, form = _told_once(array), form_of(array)
    made, address = MOVED.empty(form._replace(shape=once.shape), None)
    if array.size:
        _driver().memcpy_htod(address, np.ascontiguousarray(once.transpose(_axes_in_memory(form_of(once)))))
    return Moved(form._replace(address=address), made.memory)


def bring_back(moved: Moved) -> np.ndarray:
    """The elements as a NumPy array of the same form; waits for what computes them."""
    form = moved.facts
    axes = _axes_in_memory(form)
    dense = np.empty([form.shape[axis] for axis in axes], form.dtype)
    if dense.size:
        _driver().memcpy_dtoh(dense, form.address)
    return dense.transpose(np.argsort(axes).tolist()) if axes else dense


def _told_once(array: np.ndarray) -> np.ndarray:
    """The array with one element along each axis along which it is repeated."""
    return array[tuple([slice(None) if stride else slice(0, 1) for stride in array.strides])] if array.size else array


def _axes_in_memory(form: Facts) -> list[int]:
    """The axes of a form, the one with the longest stride first."""
    return sorted(range(len(form.shape)), key=lambda axis: (-form.strides[axis], axis))


def _driver() -> Any:
    return sys.modules["pycuda.driver"]  # it is there where a device was found


MOVED = MovedArrays()
