"""The keys of a call: the signature that a specialisation belongs to, and the exact form that a launch belongs to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.host_values import array_facts

_WEAK = frozenset({bool, int, float, complex})


class ParameterBinder:
    """Puts a call's arguments in the order of a function's parameters, with defaults filled in."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.signature = inspect.signature(function)
        self.names = tuple(self.signature.parameters)
        kinds = [parameter.kind for parameter in self.signature.parameters.values()]
        self._is_plain = all(
            kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY) for kind in kinds
        )
        self._count = len(kinds)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """One value for each parameter, or None where Python would raise TypeError."""
        if not kwargs and self._is_plain and len(args) == self._count:
            return args
        try:
            bound = inspect.signature(self._function).bind(*args, **kwargs)  # anew: defaults may have been changed
        except TypeError:
            return None
        bound.apply_defaults()
        return tuple(bound.arguments.values())


def signature_key(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """What a specialisation depends on of its arguments: types, dtypes, ranks, extents of one, structure of containers.

    Sizes, strides and the values of numbers are not in it (NEP 50: a Python number is weak, a NumPy one is not).
    """
    return tuple([_signature_part(argument) for argument in arguments])


def exact_key(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """What a launch depends on of its arguments: as ``signature_key``, with shapes, strides and alignment."""
    parts: list[Any] = []
    for argument in arguments:
        kind = type(argument)
        if kind is np.ndarray:
            parts.append((argument.dtype, argument.shape, argument.strides, argument.flags.aligned))
        elif kind in _WEAK:
            parts.append(kind)
        else:
            parts.append(_exact_part(argument))
    return tuple(parts)


def signature_text(names: Sequence[str], arguments: Sequence[Any]) -> str:
    """The kinds of a call's arguments, for explanations: ``x: f8[n, n], p: float``."""
    return ", ".join(f"{name}: {_kind_text(argument)}" for name, argument in zip(names, arguments, strict=True))


def _signature_part(argument: Any) -> Any:
    if type(argument) is np.ndarray:
        return array_facts(argument)
    return _structure(argument, _signature_part)


def _exact_part(argument: Any) -> Any:
    if type(argument) is np.ndarray:
        return (argument.dtype, argument.shape, argument.strides, argument.flags.aligned)
    return _structure(argument, _exact_part)


def _structure(argument: Any, part: Callable[[Any], Any]) -> Any:
    kind = type(argument)
    if kind in (tuple, list):
        return (kind, tuple([part(item) for item in argument]))
    if kind is dict:
        return (dict, tuple([(_hashable(key), part(item)) for key, item in argument.items()]))
    if kind in (str, bytes):
        return (kind, argument)
    return kind


def _hashable(key: Any) -> Any:
    return (type(key), key)


def _kind_text(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        extents = ", ".join("1" if extent == 1 else "n" for extent in argument.shape)
        return f"{argument.dtype.str[1:]}[{extents}]"
    if isinstance(argument, tuple | list):
        return f"{type(argument).__name__}({', '.join(_kind_text(item) for item in argument)})"
    return repr(argument) if argument is None or isinstance(argument, str) else type(argument).__name__
