"""Values of the call while it is traced: how objects become values, and the facts that are relied on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.values import ArrayValue, HostValue, Iteration, Value, constant, is_container
from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.infer import is_fused_dtype
from pyfuse.graph.nodes import Origin
from pyfuse.host_values import (
    Guard,
    HostCall,
    HostConstant,
    HostExpression,
    array_guard,
    freeze,
    identity_guard,
    type_guard,
    value_guard,
)
from pyfuse.records import dataclass
from pyfuse.source import Span

PLAIN_TYPES = (bool, int, float, complex)


@dataclass(frozen=True, kw_only=True)
class ArrayInput:
    """An array of the call: where it comes from, and the one at hand while tracing."""

    expression: HostExpression
    example: np.ndarray


class Lifter:
    """Makes values of the call's objects, and keeps what must hold for them at later calls.

    Attributes:
        draft: the graph being written.
        guards: facts relied on beyond the signature.
        inputs: arrays of the call that the graph reads.
        span: the place in the user's source that is being traced.
    """

    def __init__(self) -> None:
        self.draft = GraphDraft()
        self.guards: list[Guard] = []
        self.inputs: list[ArrayInput] = []
        self.span: Span | None = None
        self._input_values: dict[int, ArrayValue] = {}
        self._view_values: dict[Hashable, int] = {}  # nodes of inputs
        self._given: dict[int, tuple[Value, HostExpression]] = {}  # containers of the caller, by id of the value
        self._guarded: set[tuple[str, Any]] = set()

    def lift(self, expression: HostExpression, value: Any, *, is_guarded: bool, pin_numbers: bool = False) -> Value:
        """A Python object as a value.

        Args:
            expression: where it comes from at each call.
            value: the object at hand.
            is_guarded: its type is already part of the signature, so no guard is needed.
            pin_numbers: a number becomes part of the specialisation (globals, closures), not an argument of the kernel.
        """
        if isinstance(value, np.ndarray):
            return self._lift_array(expression, value, is_guarded=is_guarded)
        if type(value) in (tuple, list, dict):
            return self._lift_container(expression, value, is_guarded=is_guarded, pin_numbers=pin_numbers)
        if type(value) in PLAIN_TYPES or isinstance(value, np.generic):
            if pin_numbers:
                return self._pinned(expression, value, value_guard(expression, value))
            if not is_guarded:
                self.add_guard(type_guard(expression, value))
            return HostValue(expression=expression, value=value)
        if value is None or isinstance(value, str | bytes | np.dtype) or value is Ellipsis:
            return self._pinned(expression, value, value_guard(expression, value))
        if isinstance(value, type) or callable(value) or type(value).__name__ == "module":
            return self._pinned(expression, value, identity_guard(expression, value))
        if not is_guarded:
            self.add_guard(type_guard(expression, value))
        return HostValue(expression=expression, value=value)

    def _pinned(self, expression: HostExpression, value: Any, guard: Guard) -> HostValue:
        self.add_guard(guard)
        return constant(value, expression.text)

    def _lift_container(self, expression: HostExpression, value: Any, *, is_guarded: bool, pin_numbers: bool) -> Value:
        if not is_guarded:
            shape: Any = tuple(value) if isinstance(value, dict) else len(value)
            described = HostCall(function=container_shape, operands=(expression,), text=f"shape of {expression.text}")
            self.add_guard(value_guard(described, (type(value).__name__, shape)))
        keys = list(value) if isinstance(value, dict) else range(len(value))
        items = [
            self.lift(item_of(expression, key), value[key], is_guarded=is_guarded, pin_numbers=pin_numbers)
            for key in keys
        ]
        lifted: Value = dict(zip(keys, items, strict=True)) if isinstance(value, dict) else type(value)(items)
        self._given[id(lifted)] = (lifted, expression)
        return lifted

    def given_container(self, container: Value) -> HostExpression | None:
        """Where a container came from, if it is one that the caller or a global holds."""
        entry = self._given.get(id(container))
        return entry[1] if entry is not None else None

    def check_is_own(self, container: Value) -> None:
        """Refuse a change of a container that the caller or a global holds.

        Raises:
            CannotFuse: it is not one that this function has made.
        """
        expression = self.given_container(container)
        if expression is not None:
            raise refuse(Code.ARGUMENT_STORE, f"'{expression.text}' is changed in place", self.span)

    def identity(self, value: Value) -> HostValue | None:
        """An object that the call or a global holds, to ask for its identity; None for what this function has made."""
        if isinstance(value, HostValue):
            return value
        if isinstance(value, ArrayValue) and value.argument is not None:
            return HostValue(expression=value.argument, value=value.example)
        return None

    def _lift_array(self, expression: HostExpression, array: np.ndarray, *, is_guarded: bool) -> ArrayValue:
        if type(array) is not np.ndarray:
            raise refuse(
                Code.UNSUPPORTED_ARRAY,
                f"{expression.text} is a {type(array).__name__}, a subclass of numpy.ndarray with rules of its own",
                self.span,
            )
        if not is_fused_dtype(array.dtype):
            raise refuse(
                Code.UNSUPPORTED_DTYPE, f"{expression.text} has dtype {array.dtype}, which stays with NumPy", self.span
            )
        if id(array) in self._input_values and self._input_values[id(array)].argument is expression:
            return self._input_values[id(array)]
        value = self._add_input(expression, array, is_guarded=is_guarded)
        self._input_values[id(array)] = value
        return value

    def lift_view(self, expression: HostExpression, view: np.ndarray, key: Hashable) -> ArrayValue:
        """A view that NumPy makes, at each call, of an array of the call: one more input of the kernel.

        Args:
            expression: how it is made; it holds all that ``key`` knows by identity.
            view: the one at hand.
            key: equal for views that show the same elements: the kernel reads them as one input, while each is an
                object of its own for the user.
        """
        known = self._view_values.get(key)
        if known is not None:
            return ArrayValue(node=known, argument=expression, example=view)
        value = self._add_input(expression, view, is_guarded=False)
        self._view_values[key] = value.node
        return value

    def _add_input(self, expression: HostExpression, array: np.ndarray, *, is_guarded: bool) -> ArrayValue:
        if not is_guarded:
            self.add_guard(array_guard(expression, array))
        origin = Origin(name=expression.text if expression.text.isidentifier() else "", span=self.span)
        node = self.draft.add_input(array.dtype, [extent == 1 for extent in array.shape], origin)
        self.inputs.append(ArrayInput(expression=expression, example=array))
        return ArrayValue(node=node, argument=expression, example=array)

    def add_guard(self, guard: Guard) -> None:
        """Rely on a fact; the same fact is kept once."""
        key = (guard.text, freeze(getattr(guard.expression, "operands", ())))
        if key not in self._guarded:
            self._guarded.add(key)
            self.guards.append(guard)

    def pin(self, value: HostValue) -> Any:
        """The value itself, made part of the specialisation: another value at a later call means another one."""
        if not value.is_constant:
            self.add_guard(value_guard(value.expression, value.value))
        return value.value

    def truth(self, value: Value) -> bool:
        """Whether a value counts as true, where that is known.

        Raises:
            CannotFuse: it depends on the elements of an array.
        """
        if isinstance(value, ArrayValue):
            raise refuse(
                Code.ARRAY_CONDITION,
                "a condition depends on the elements of an array",
                self.span,
                label="known only when the function runs",
                hints=("np.where chooses element by element",),
            )
        if is_container(value):
            return bool(value)
        if isinstance(value, Iteration):
            return value.is_spent_once or bool(value.items)  # an iterator is true, a view of an empty dict is not
        if not isinstance(value, HostValue) or not _has_a_truth(value.value):
            return True
        if value.is_constant:
            return bool(self.pure_call(bool, [value], "bool").value)
        return bool(self.pin(self.pure_call(bool, [value], "bool")))

    def surely_fits(self, number: ArrayValue, dtype: np.dtype) -> bool:
        """Whether a number that the kernel computes fits a dtype, whatever it is; a guard where its limits say so."""
        if dtype == self.draft[number.node].dtype:
            return True
        if dtype.kind in "fc" and dtype.itemsize > 2:
            return True
        if number.limits is None or dtype.kind not in "iu":
            return False
        return self.truth(self.host_call(_fit, [*number.limits, constant(dtype)], "fit"))

    def pure_call(
        self, function: Callable[..., Any], operands: Sequence[HostValue], text: str | None = None
    ) -> HostValue:
        """``host_call`` of what may run methods of its operands: those of the user's objects may do anything.

        Raises:
            CannotFuse: an operand is such an object, or as ``host_call``.
        """
        for operand in operands:
            if not _is_plain(operand.value):
                raise refuse(
                    Code.UNKNOWN_CALL, f"a method of a {type(operand.value).__name__} would be called", self.span
                )
        return self.host_call(function, operands, text)

    def host_call(
        self, function: Callable[..., Any], operands: Sequence[HostValue], text: str | None = None
    ) -> HostValue:
        """Python's own answer, now and at each call.

        Raises:
            CannotFuse: Python raises or warns; the original then does so itself.
        """
        name = text if text is not None else getattr(function, "__name__", "call")
        try:
            with warnings.catch_warnings(), np.errstate(all="raise"):
                warnings.simplefilter("error")
                value = function(*[operand.value for operand in operands])
        except Exception as error:
            raise refuse(
                Code.HOST_ERROR, f"computing '{name}' raises {type(error).__name__}", self.span, notes=(str(error),)
            ) from error
        shown = f"{name}({', '.join(operand.expression.text for operand in operands)})"
        if all(operand.is_constant for operand in operands):
            return constant(value, shown)
        expression = HostCall(function=function, operands=tuple(operand.expression for operand in operands), text=shown)
        return HostValue(expression=expression, value=value)


def _fit(first: int, last: int, dtype: np.dtype) -> bool:
    limits = np.iinfo(dtype)
    return all(limits.min <= number <= limits.max for number in (first, last))


_PLAIN_OBJECTS = (
    *PLAIN_TYPES, np.generic, np.dtype, np.ndarray, np.finfo, np.iinfo, str, bytes, type(None), type(Ellipsis), slice,
    range, type,
)  # fmt: skip


def _is_plain(value: object) -> bool:
    """Whether the methods of an object are Python's or NumPy's own, and change nothing."""
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return isinstance(value, _PLAIN_OBJECTS) or callable(value)


def _has_a_truth(value: object) -> bool:
    """Whether an object may count as false."""
    return hasattr(type(value), "__bool__") or hasattr(type(value), "__len__")


def item_of(expression: HostExpression, key: Any) -> HostExpression:
    """``expression[key]``."""
    return HostCall(
        function=_item,
        operands=(expression, HostConstant(value=key, text=repr(key))),
        text=f"{expression.text}[{key!r}]",
    )


def _item(container: Any, key: Any) -> Any:
    return container[key]


def container_shape(container: Any) -> tuple[str, Any]:
    """The type of a container, and its length or keys."""
    return (type(container).__name__, tuple(container) if isinstance(container, dict) else len(container))
