"""The keys of a call: the signature that a specialisation belongs to, and the exact form that a launch belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType
from typing import Any

import numpy as np
from numpy import ndarray

from pyfuse.host_values import array_facts

_WEAK = frozenset({bool, int, float, complex})


class ParameterBinder:
    """Puts a call's arguments in the order of a function's parameters, with defaults filled in.

    Attributes:
        names: of the parameters, in the order that ``bind`` gives their values.
        plain_count: where a call without keywords and with so many arguments is bound already; -1: never.
        positional_only_count: the first so many parameters are given by position only.

    Source: Python language reference, 6.3.4 "Calls". ``inspect.signature`` does the same in thirty times the time.
    """

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        count, end = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
        has_extra, has_rest = bool(code.co_flags & CO_VARARGS), bool(code.co_flags & CO_VARKEYWORDS)
        extra = code.co_varnames[end : end + has_extra]
        rest = code.co_varnames[end + has_extra : end + has_extra + has_rest]
        self._function = function
        self._positional = code.co_varnames[:count]
        self._by_name = frozenset(code.co_varnames[code.co_posonlyargcount : end])
        self._keyword_only = code.co_varnames[count:end]
        self._has_extra, self._has_rest = has_extra, has_rest
        self._count = count
        self.plain_count = count if end == count and not has_extra and not has_rest else -1
        self.positional_only_count = code.co_posonlyargcount
        self.names = (*self._positional, *extra, *self._keyword_only, *rest)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """One value for each parameter, or None where Python would raise TypeError."""
        if not kwargs and len(args) == self.plain_count:
            return args
        if len(args) > self._count and not self._has_extra:
            return None
        given = {name: value for name, value in kwargs.items() if name in self._by_name}
        if (len(given) < len(kwargs) and not self._has_rest) or any(
            name in given for name in self._positional[: len(args)]
        ):
            return None
        known = {**self._defaults(), **given}
        missing = (*self._positional[len(args) :], *self._keyword_only)
        if not all(name in known for name in missing):
            return None
        values = [*args[: self._count], *(known[name] for name in self._positional[len(args) :])]
        if self._has_extra:
            values.append(args[self._count :])
        values += [known[name] for name in self._keyword_only]
        if self._has_rest:
            values.append({name: value for name, value in kwargs.items() if name not in given})
        return tuple(values)

    def _defaults(self) -> dict[str, Any]:
        """Looked up at every call: they may have been changed."""
        defaults = self._function.__defaults__ or ()
        names = self._positional[self._count - len(defaults) :]
        return {**dict(zip(names, defaults, strict=True)), **(self._function.__kwdefaults__ or {})}


def signature_key(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """What a specialisation depends on of its arguments: types, dtypes, ranks, extents of one, structure of containers.

    Sizes, strides and the values of numbers are not in it (NEP 50: a Python number is weak, a NumPy one is not).
    """
    return tuple([_signature_part(argument) for argument in arguments])


def exact_key(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """What a launch depends on of its arguments: as ``signature_key``, with shapes, strides and alignment.

    An array adds four parts, of which the first is a dtype, and anything else one, which is none: no two calls of
    different forms have equal keys.
    """
    parts: list[Any] = []
    for argument in arguments:
        kind = type(argument)
        if kind is ndarray:
            parts += (argument.dtype, argument.shape, argument.strides, argument.flags.aligned)
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
