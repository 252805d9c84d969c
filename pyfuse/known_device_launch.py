"""A launch as the device's launcher takes it: which calls it can run, and what it must know of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from pyfuse.backend.cuda import launcher
from pyfuse.backend.cuda.array_facts import ArrayKind, Facts, Reading
from pyfuse.backend.cuda.driver_calls import DriverError
from pyfuse.backend.cuda.kernel import CudaDevice, CudaKernel, CudaLaunch
from pyfuse.backend.cuda.launcher import Number, Start
from pyfuse.call_result import built_result
from pyfuse.device_arguments import DeviceArguments
from pyfuse.frontend.build_graph import ContainerRecipe, OutputRecipe, Recipe
from pyfuse.host_values import HostArgument, HostCall, HostConstant, HostExpression
from pyfuse.known_launch import facts_of, places_of
from pyfuse.known_values import is_of_form, scalars_of
from pyfuse.launch import Launch
from pyfuse.runner import checked_guards, guards_hold

_NUMBERS = frozenset({bool, int, float, complex, type(None)})


def known_device_launch(
    launch: Launch,
    device: CudaDevice,
    call: DeviceArguments,
    arguments: Sequence[Any],
    given: Sequence[Any],
    buffers: Sequence[Facts | int],
    own_stream: int | None,
) -> Any:
    """A launch for the launcher, or None where calls of its form go the long way.

    That is: arrays of several libraries, containers among the arguments, results that are made of more than outputs,
    stores into arguments, a kernel that is waited for, numbers or guards that Python computes from arrays, memory that
    outputs share.

    Args:
        launch: to run.
        device: where its kernel is loaded; its context is active.
        call: the arguments of the call that it was made for, seen.
        arguments: themselves.
        given: with NumPy arrays that stand for the device arrays.
        buffers: form of everything that the launch writes, outputs first.
        own_stream: a stream to use instead of the library's, or None.
    """
    read = _arguments(call, arguments)
    specialization = launch.specialization
    forms = [buffer for buffer in buffers if isinstance(buffer, Facts)]
    is_plain = is_made_of_outputs(specialization.result) and not specialization.stores
    if cast(CudaLaunch, launch.prepared).reports or read is None or not is_plain or len(forms) < len(buffers):
        return None
    kind, readings = read
    places = _places(launch, given)
    guards = [guard for guard in checked_guards(launch) if not is_of_form(guard.expression)]
    numbers, compute = scalars_of(specialization.scalars, specialization.graph.scalar_dtypes, given)
    computed = [
        expression
        for expression, (place, _) in zip(specialization.scalars, numbers, strict=True)
        if not isinstance(place, bytes)
    ]
    on_device = frozenset(index for index, reading in enumerate(readings) if isinstance(reading, Reading))
    looked_at = [*computed, *[guard.expression for guard in guards]]
    if places is None or any(_reaches(expression, on_device) for expression in looked_at):
        return None
    try:
        return launcher.make_launch(
            arguments=readings,
            inputs=places,
            numbers=tuple([Number(place, dtype.kind, dtype.itemsize) for place, dtype in numbers]),
            compute=compute,
            facts=None if launch.depends_on_buffer else facts_of(guards),
            holds=guards_hold(launch, guards),
            buffers=tuple([kind.maker(form, call.arrays[0].array) for form in forms]),
            output_count=len(launch.outputs),
            result=_result(specialization.result),
            keeper=launch,
            **_surroundings(launch, device, kind, own_stream),
        )
    except (DriverError, OSError, AttributeError):  # no library of the driver, or an old one
        return None


def _surroundings(launch: Launch, device: CudaDevice, kind: ArrayKind, own_stream: int | None) -> dict[str, Any]:
    """What is to be started, and where."""
    kernel, prepared = cast(CudaKernel, launch.kernel), cast(CudaLaunch, launch.prepared)
    handles = kernel.handles
    return {
        "starts": tuple(
            [Start(handles[start.number], start.blocks, start.block, start.geometry) for start in prepared.starts]
        ),
        "driver": device.calls,
        "context": device.handle,
        "ordinal": device.ordinal,
        "stream": kind.stream_source(device.ordinal),
        "ask_stream": kind.stream,
        "own_stream": own_stream,
        "event": device.event if own_stream is not None else 0,
    }


def is_made_of_outputs(recipe: Recipe) -> bool:
    """Whether a result is an output, or outputs in containers."""
    if isinstance(recipe, ContainerRecipe):
        return all(map(is_made_of_outputs, recipe.items))
    return isinstance(recipe, OutputRecipe)


def _arguments(call: DeviceArguments, arguments: Sequence[Any]) -> tuple[ArrayKind, tuple[Reading | type, ...]] | None:
    """The one kind of the arrays, and how each argument is told; None where the launcher cannot."""
    seen = {id(array.array): array for array in call.arrays}
    readings: list[Reading | type] = []
    for argument in arguments:
        array = seen.get(id(argument))
        if array is None:
            if type(argument) not in _NUMBERS and not isinstance(argument, np.generic):
                return None
            readings.append(type(argument))
            continue
        reading = array.kind.reading(array.array, array.facts)
        if reading is None or array.facts.address % reading.alignment:
            return None
        readings.append(reading)
    kind = call.arrays[0].kind
    is_quick = not kind.is_waited_for and all(array.kind is kind for array in call.arrays)
    return (kind, tuple(readings)) if is_quick else None


def _places(launch: Launch, given: Sequence[Any]) -> tuple[tuple[int, int], ...] | None:
    """For each input the argument, and the bytes from its first element; None where calls of a form differ in that."""
    found = places_of(launch, given)
    if found is not None:
        return tuple(zip(found[0], found[1], strict=True))
    if launch.input_indices is None or launch.specialization.extents:
        return None
    return tuple([(index, 0) for index in launch.input_indices])


def _result(recipe: Recipe) -> Any:
    """As ``launcher.make_launch`` takes it."""
    if isinstance(recipe, OutputRecipe) and recipe.index == 0:
        return None
    if isinstance(recipe, ContainerRecipe) and recipe.kind is tuple:
        indices = [item.index for item in recipe.items if isinstance(item, OutputRecipe)]
        if len(indices) == len(recipe.items):
            return tuple(indices)
    return lambda made, arguments: built_result(recipe, made, arguments, {})


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
