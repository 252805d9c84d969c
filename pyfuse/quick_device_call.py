"""The hot path of calls with device arrays: what of a launch is looked up beforehand, where arguments are plain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyfuse.backend.cuda.array_kinds import Facts, kind_of
from pyfuse.backend.cuda.kernel import CudaDevice
from pyfuse.frontend.build_graph import OutputRecipe
from pyfuse.host_values import HostArgument, HostCall, HostConstant, HostExpression
from pyfuse.launch import Launch, built_result
from pyfuse.runner import Check, does_not_fit

DEFAULT_STREAMS = (0, 1)
_NUMBERS = frozenset({bool, int, float, complex, type(None)})


class QuickForm(NamedTuple):
    """A call all of whose arguments are device arrays and numbers.

    Attributes:
        key: equal for calls of the same exact form.
        addresses: of the array that each argument is, or 0.
    """

    key: tuple[Any, ...]
    addresses: list[int]


def quick_form(arguments: Sequence[Any]) -> QuickForm | None:
    """The form of a call; None where there is anything but plain device arrays and numbers among the arguments.

    Raises:
        CannotFuse: an array is none that a kernel can read.
    """
    key: list[Any] = []
    addresses = []
    for argument in arguments:
        kind = kind_of(argument)
        if kind is not None:
            facts = kind.facts(argument)
            address = facts.address
            if address % facts.dtype.itemsize:
                return None
            key += (kind, facts.device, facts.shape, facts.strides, facts.dtype)
            addresses.append(address)
        elif type(argument) in _NUMBERS or isinstance(argument, np.generic):
            key.append(type(argument))
            addresses.append(0)
        else:
            return None
    return QuickForm(tuple(key), addresses)


class QuickCall:
    """A launch of one exact form.

    Attributes:
        holds: whether the guarded facts hold; None where nothing is guarded.
    """

    def __init__(
        self, launch: Launch, device: CudaDevice, holds: Check | None, like: int, buffers: Sequence[Facts]
    ) -> None:
        self.holds = holds
        self._launch = launch
        self._device = device
        self._like = like
        self._buffers = tuple(buffers)
        self._inputs = launch.input_indices or ()
        self._result = launch.specialization.result
        self._is_the_output = isinstance(self._result, OutputRecipe)
        self._has_scalars = bool(launch.specialization.scalars)
        self._output_count = len(launch.outputs)
        self._start: Callable[[bytes], int] = launch.prepared.start

    def run(self, arguments: Sequence[Any], addresses: Sequence[int]) -> Any:
        """The result; None where the arrays' stream is not the default one, or the device's memory is used up.

        Raises:
            CannotFuse: a number does not fit, or the kernel cannot be started.
        """
        like = arguments[self._like]
        kind: Any = kind_of(like)
        if kind.stream(self._device.ordinal) not in DEFAULT_STREAMS:
            return None
        launch = self._launch
        try:
            made = [kind.empty(buffer, like) for buffer in self._buffers]
        except kind.memory_errors:
            return None
        try:
            scalars = launch.scalars(arguments) if self._has_scalars else ()
            packed = launch.pack(
                *[addresses[index] for index in self._inputs], *[address for _, address in made], *scalars
            )
        except MemoryError:
            raise
        except Exception as error:  # Python's scalar arithmetic may raise anything; the original raises it again
            raise does_not_fit(error) from error
        self._device.run(self._start, packed)
        if self._is_the_output:
            return made[0][0]
        return built_result(self._result, [array for array, _ in made[: self._output_count]], arguments, {})


def quick_call(
    launch: Launch,
    device: CudaDevice,
    holds: Check | None,
    arguments: Sequence[Any],
    buffers: Sequence[Facts | int],
    *,
    is_plain: bool,
) -> QuickCall | None:
    """The hot path of a launch, or None where a call must look at more than its own arguments.

    Args:
        launch: to run.
        device: where its kernel is loaded.
        holds: whether the guarded facts hold.
        arguments: of the call that it was made for, in a form that ``quick_form`` knows.
        buffers: what it writes, as ``DeviceLaunch.buffers``.
        is_plain: whether the result is made of outputs only.
    """
    on_device = frozenset(index for index, argument in enumerate(arguments) if kind_of(argument) is not None)
    kinds = {id(kind_of(arguments[index])): kind_of(arguments[index]) for index in on_device}
    specialization = launch.specialization
    evaluated = [*specialization.scalars, *[guard.expression for guard in specialization.guards]]
    if (
        not is_plain
        or len(kinds) > 1
        or launch.input_indices is None
        or specialization.extents
        or any(_reaches(expression, on_device) for expression in evaluated)
    ):
        return None
    forms = [buffer for buffer in buffers if isinstance(buffer, Facts)]
    if len(forms) < len(buffers):  # memory that is shared
        return None
    return QuickCall(launch, device, holds, min(on_device), forms)


def _reaches(expression: HostExpression, indices: frozenset[int]) -> bool:
    """Whether an expression looks at one of these arguments."""
    match expression:
        case HostConstant():
            return False
        case HostArgument(index=index):
            return index in indices
        case HostCall(operands=operands):
            return any(_reaches(operand, indices) for operand in operands)
        case _:
            return True
