"""The arguments of a call with device arrays: which kinds they are, and NumPy arrays that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyfuse.backend.cuda.array_facts import PRIMARY, ArrayKind, Facts
from pyfuse.backend.cuda.array_kinds import kind_of
from pyfuse.backend.cuda.stand_ins import owner_of
from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.build_graph import ContainerRecipe, CutRecipe, HostRecipe, NumberRecipe, Recipe, ReshapeRecipe
from pyfuse.frontend.lifting import container_shape
from pyfuse.frontend.tracer import extent_of
from pyfuse.host_values import HostCall, HostExpression

StandIn = Callable[[Facts], np.ndarray]

# Of an array they look at the shape only.
_OF_SHAPES: frozenset[Any] = frozenset({extent_of, len, container_shape})


class DeviceArray(NamedTuple):
    """An array of a call that lives on a device."""

    kind: ArrayKind
    array: Any
    facts: Facts


class DeviceArguments:
    """A call's arguments, one of which at least is on a device.

    Attributes:
        arrays: those on a device, in the order in which they stand.
        device: number of the device; -1: that of the current context.
        context: as ``ArrayKind.context``.

    Raises:
        CannotFuse: they are on several devices, or there are NumPy arrays among them, or arrays of a kind that is not
            known.
    """

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.arrays: list[DeviceArray] = []
        self._arguments = [self._seen(argument) for argument in arguments]
        devices = {array.facts.device for array in self.arrays} - {-1}
        if len(devices) > 1:
            raise refuse(Code.DEVICE, "the arrays of this call are on several devices")
        self.device = devices.pop() if devices else -1
        contexts = {array.kind.context for array in self.arrays}
        self.context = contexts.pop() if len(contexts) == 1 else PRIMARY

    def _seen(self, argument: Any) -> Any:
        """The argument, with a number for each device array in it."""
        if type(argument) in (tuple, list):
            return type(argument)([self._seen(item) for item in argument])
        if type(argument) is dict:
            return {key: self._seen(item) for key, item in argument.items()}
        kind = kind_of(argument)
        if kind is not None:
            self.arrays.append(DeviceArray(kind, argument, kind.facts(argument)))
            return _Place(len(self.arrays) - 1)
        if isinstance(argument, np.ndarray):
            if argument.ndim == 0 and type(argument) is np.ndarray:
                return argument[()]
            raise refuse(
                Code.DEVICE,
                "a NumPy array stands beside arrays on a device",
                hints=("move it to the device before the call; numbers and arrays without dimensions may stay",),
            )
        return argument

    def with_stand_ins(self, make: StandIn) -> tuple[list[Any], list[np.ndarray]]:
        """The arguments with a NumPy array for each device array, and those arrays in order."""
        made = [make(array.facts) for array in self.arrays]
        return [_put(argument, made) for argument in self._arguments], made


class _Place(NamedTuple):
    """Where a device array stands."""

    number: int


def _put(argument: Any, made: Sequence[np.ndarray]) -> Any:
    kind = type(argument)
    if kind is _Place:
        return made[argument.number]
    if kind in (tuple, list):
        return kind([_put(item, made) for item in argument])
    if kind is dict:
        return {key: _put(item, made) for key, item in argument.items()}
    return argument


def with_arrays(arguments: Sequence[Any], put: Callable[[np.ndarray], Any]) -> list[Any]:
    """The arguments with something else in the place of each NumPy array, in containers too."""
    return [_with_arrays(argument, put) for argument in arguments]


def _with_arrays(argument: Any, put: Callable[[np.ndarray], Any]) -> Any:
    kind = type(argument)
    if kind is np.ndarray:
        return put(argument)
    if kind in (tuple, list):
        return kind([_with_arrays(item, put) for item in argument])
    if kind is dict:
        return {key: _with_arrays(item, put) for key, item in argument.items()}
    return argument


def refuse_reads(expressions: Sequence[HostExpression], arguments: Sequence[Any]) -> None:
    """Refuse a function that reads elements of a device array in Python, or has NumPy copy one.

    Args:
        expressions: all that a call would evaluate.
        arguments: with stand-ins that may be read (``stand_ins.in_memory``), of the call's exact form: another call
            of that form has views in the same places.

    Raises:
        CannotFuse: one of them does.
    """
    known: dict[int, Any] = {}
    for expression in expressions:
        _evaluate(expression, arguments, known)


def refuse_own_arrays(inputs: Sequence[Any]) -> None:
    """Refuse a kernel that would read an array of the host: one that the function makes or finds for itself.

    Raises:
        CannotFuse: one of ``inputs`` is no stand-in of ``stand_ins.in_memory``, and no view of one.
    """
    if not all(map(_is_view, inputs)):
        raise refuse(
            Code.DEVICE,
            "the function reads a NumPy array that is no argument and not on the device",
            hints=("an array of the arguments' library that is passed to it can be read",),
        )


def _evaluate(expression: HostExpression, arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    if id(expression) in known:
        return known[id(expression)]
    if not isinstance(expression, HostCall):
        value = expression.evaluate(arguments)
    else:
        operands = [_evaluate(operand, arguments, known) for operand in expression.operands]
        value = expression.function(*operands)
        if any(map(_has_array, operands)) and expression.function not in _OF_SHAPES and not _is_view(value):
            raise refuse(
                Code.DEVICE,
                f"'{expression.text}' reads elements of an array, which are on a device",
                hints=("what Python needs to know of them is read before the call",),
            )
    known[id(expression)] = value
    return value


def _has_array(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_array, value))
    return isinstance(value, np.ndarray)


def _is_view(value: Any) -> bool:
    """Whether a value is a view of a stand-in, or views in a tuple or list."""
    if isinstance(value, tuple | list):
        return all(map(_is_view, value))
    return isinstance(value, np.ndarray) and (value.size == 0 or owner_of(value) is not None)


def expressions_of(recipe: Recipe) -> list[HostExpression]:
    """What putting a result together evaluates.

    Raises:
        CannotFuse: the result has a Python number that the kernel computes: it would have to be waited for.
    """
    match recipe:
        case NumberRecipe():
            raise refuse(
                Code.DEVICE,
                "the function returns a Python number that is computed on a device",
                hints=("return the array, and call .item() on it outside",),
            )
        case HostRecipe(expression=expression):
            return [expression]
        case CutRecipe(base=base, start=start, extent=extent):
            return [*expressions_of(base), start, extent]
        case ReshapeRecipe(base=base, extents=extents):
            return [*expressions_of(base), *extents]
        case ContainerRecipe(items=items):
            return [expression for item in items for expression in expressions_of(item)]
        case _:
            return expressions_of(recipe.base) if hasattr(recipe, "base") else []
