"""Values that Python computes at each call: scalar arithmetic, shapes, attributes; and what must still hold of them.

A specialisation keeps expressions over the call's arguments. The executor evaluates them at each call with Python's own
operators, so that a Python scalar behaves as Python says; kernels only see the results.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from pyfuse.records import dataclass


@dataclass(frozen=True, kw_only=True, eq=False)
class HostExpression:
    """An expression over the arguments of a call.

    Attributes:
        text: as a user would write it, for explanations.
    """

    text: str

    def evaluate(self, arguments: Sequence[Any]) -> Any:
        """The value for one call; raises whatever Python raises."""
        raise AssertionError(f"{self!r} does not say how it is evaluated for {arguments!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class HostConstant(HostExpression):
    """A value that is part of the specialisation."""

    value: Any

    def evaluate(self, arguments: Sequence[Any]) -> Any:  # noqa: ARG002  the others need them
        return self.value


@dataclass(frozen=True, kw_only=True, eq=False)
class HostArgument(HostExpression):
    """The value of one parameter."""

    index: int

    def evaluate(self, arguments: Sequence[Any]) -> Any:
        return arguments[self.index]


@dataclass(frozen=True, kw_only=True, eq=False)
class HostCall(HostExpression):
    """A Python function of other values."""

    function: Callable[..., Any]
    operands: tuple[HostExpression, ...]

    def evaluate(self, arguments: Sequence[Any]) -> Any:
        return self.function(*[operand.evaluate(arguments) for operand in self.operands])


_ARITHMETIC = frozenset(
    {operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
     operator.neg, operator.pos, operator.abs, operator.lshift, operator.rshift}
)  # fmt: skip


def may_report(expression: HostExpression) -> bool:
    """Whether computing a value may warn: arithmetic on NumPy's numbers, which the original reports itself."""
    if not isinstance(expression, HostCall):
        return False
    function = expression.function
    is_pythons = isinstance(function, BuiltinFunctionType) and function in _ARITHMETIC
    return is_pythons or isinstance(function, np.ufunc) or any(map(may_report, expression.operands))


class Program(NamedTuple):
    """Expressions as steps, where a part of several is computed once.

    Attributes:
        constants: the first values.
        indices: of the arguments that are the next ones.
        steps: functions, and which values they are given; each makes one more value.
        results: which values those of the expressions are.
    """

    constants: tuple[Any, ...]
    indices: tuple[int, ...]
    steps: tuple[tuple[Callable[..., Any], tuple[int, ...]], ...]
    results: tuple[int, ...]


def program_of(expressions: Sequence[HostExpression]) -> Program:
    """What computes all expressions."""
    constants: list[Any] = []
    indices: list[int] = []
    calls: list[tuple[Callable[..., Any], list[tuple[int, int]]]] = []
    places: dict[int, tuple[int, int]] = {}  # by id of an expression: constant, argument or call, and which

    def place(expression: HostExpression) -> tuple[int, int]:
        if id(expression) in places:
            return places[id(expression)]
        match expression:
            case HostConstant(value=value):
                constants.append(value)
                found = (0, len(constants) - 1)
            case HostArgument(index=index):
                indices.append(index)
                found = (1, len(indices) - 1)
            case HostCall(function=function, operands=operands):
                needed = [place(operand) for operand in operands]
                calls.append((function, needed))
                found = (2, len(calls) - 1)
            case _:
                raise AssertionError(f"{expression!r} does not say how it is evaluated")
        places[id(expression)] = found
        return found

    wanted = [place(expression) for expression in expressions]
    first = (0, len(constants), len(constants) + len(indices))
    return Program(
        constants=tuple(constants),
        indices=tuple(indices),
        steps=tuple((function, tuple(first[kind] + number for kind, number in needed)) for function, needed in calls),
        results=tuple(first[kind] + number for kind, number in wanted),
    )


def evaluation_of(expressions: Sequence[HostExpression]) -> Callable[[Sequence[Any]], list[Any]]:
    """A function of a call's arguments: the values of all expressions. It raises what Python raises."""
    constants, indices, steps, results = program_of(expressions)

    def evaluate(arguments: Sequence[Any]) -> list[Any]:
        values = [*constants, *[arguments[index] for index in indices]]
        for function, operands in steps:
            values.append(function(*[values[operand] for operand in operands]))
        return [values[result] for result in results]

    return evaluate


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A fact that a specialisation relies on.

    Attributes:
        expression: what to look at.
        holds_for: whether the fact holds of its value now.
        text: the fact, for explanations.
        is_of_form: whether arrays of the same exact form (``call_signature.exact_key``) agree in it.
        settled_by: the object, if any, of which the fact holds for ever; others must be looked at. Of a function: its
            code, defaults and keyword defaults.
    """

    expression: HostExpression
    holds_for: Callable[[Any], bool]
    text: str
    is_of_form: bool = False
    settled_by: tuple[Any, ...] = ()

    def holds(self, arguments: Sequence[Any]) -> bool:
        """Whether the fact holds for a call; a value that cannot be had does not hold."""
        try:
            return self.holds_for(self.read(arguments))
        except Exception:
            return False

    def read(self, arguments: Sequence[Any]) -> Any:
        """The value now. Raises what Python raises, and where NumPy would report an error."""
        if not may_report(self.expression):
            return self.expression.evaluate(arguments)
        with np.errstate(all="raise"):
            return self.expression.evaluate(arguments)


def view_of(array: np.ndarray, axes: Sequence[int | None], part: str | None = None) -> Any:
    """A NumPy view: of the real or imaginary part, or under other axes; a new object even where they stay as they are.

    Args:
        array: whose elements.
        axes: for each axis of the view that of the array, or None for a new one; axes left out have extent one.
        part: ``real`` or ``imag``, and then ``axes`` do not count.
    """
    if part is not None:
        return getattr(array, part)
    kept = [axis for axis in axes if axis is not None]
    if len(kept) < array.ndim:
        array = array.squeeze(tuple([axis for axis in range(array.ndim) if axis not in kept]))
        places = sorted(kept)
        kept = [places.index(axis) for axis in kept]
    moved = array.transpose(kept)
    return moved[tuple([np.newaxis if axis is None else slice(None) for axis in axes])] if None in axes else moved


def cut_of(array: np.ndarray, axis: int, start: int, count: int, step: int) -> np.ndarray:
    """A NumPy view of ``count`` elements along one axis, from ``start`` on, ``step`` apart."""
    stop: int | None = start + count * step
    if stop is not None and stop < 0:  # backwards to the first element; a negative stop would count from the end
        stop = None
    return array[(slice(None),) * axis + (slice(start, stop, step),)]


def identity_guard(expression: HostExpression, value: Any) -> Guard:
    """The very object: for modules, functions and classes."""
    return Guard(
        expression=expression,
        holds_for=lambda now: now is value,
        text=f"{expression.text} is unchanged",
        settled_by=(value,),
    )


def helper_guard(function: FunctionType) -> Guard:
    """The code and the defaults of a function that is known: settled by these three objects where they never change."""
    code, defaults, named = function.__code__, function.__defaults__, function.__kwdefaults__
    facts = (code, freeze(defaults), freeze(named))
    never_change = named is None and all(isinstance(value, _PLAIN) for value in defaults or ())
    return Guard(
        expression=HostConstant(value=function, text=function.__qualname__),
        holds_for=lambda now: (now.__code__, freeze(now.__defaults__), freeze(now.__kwdefaults__)) == facts,
        text=f"helper {function.__qualname__} at {function.__module__} is unchanged",
        settled_by=(code, defaults, named) if never_change else (),
    )


def value_guard(expression: HostExpression, value: Any) -> Guard:
    """An equal value of the same type, containers compared element by element."""
    frozen = freeze(value)
    return Guard(
        expression=expression,
        holds_for=lambda now: (now is value and not _is_mutable(now)) or freeze(now) == frozen,
        text=f"{expression.text} == {value!r}",
        settled_by=() if _is_mutable(value) else (value,),
    )


def type_guard(expression: HostExpression, value: Any) -> Guard:
    """The same type, whatever the value."""
    kind = type(value)
    return Guard(
        expression=expression,
        holds_for=lambda now: type(now) is kind,
        text=f"type of {expression.text} is {kind.__name__}",
    )


def array_guard(expression: HostExpression, array: np.ndarray) -> Guard:
    """An array of the same dtype, rank and extents of one."""
    facts = array_facts(array)
    return Guard(
        expression=expression,
        holds_for=lambda now: type(now) is np.ndarray and array_facts(now) == facts,
        text=f"{expression.text} is an array of {array.dtype}, rank {array.ndim}",
        is_of_form=True,
    )


def array_facts(array: np.ndarray) -> tuple[Any, ...]:
    """What of an array is part of a key: dtype, and of each axis whether its extent is one."""
    return (array.dtype, tuple([extent == 1 for extent in array.shape]))


def freeze(value: Any) -> Any:
    """A hashable stand-in that is equal only for values of the same type and content; NaN equals NaN, -0.0 is not 0.0.

    Objects of other types stand for themselves by identity.
    """
    kind = type(value)
    if kind is float:
        return (float, struct.pack("d", value) if not math.isnan(value) else "nan")
    if kind is complex:
        return (complex, freeze(value.real), freeze(value.imag))
    if kind in (int, bool, str, bytes, type(None), type(Ellipsis)):
        return (kind, value)
    if isinstance(value, np.generic):
        return (kind, value.tobytes())
    if kind in (tuple, list):
        return (kind, tuple(freeze(item) for item in value))
    if kind is dict:
        return (dict, tuple((freeze(key), freeze(item)) for key, item in value.items()))
    if isinstance(value, np.dtype):
        return (np.dtype, value)
    if kind is slice:
        return (slice, freeze((value.start, value.stop, value.step)))
    return (kind, id(value))


_PLAIN = (int, float, complex, str, bytes, type(None))


def _is_mutable(value: Any) -> bool:
    return isinstance(value, list | dict | tuple)
