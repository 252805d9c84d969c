"""The state of one tracing: the graph being written, the facts relied on, and what operations mean on values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.values import ArrayValue, HostValue, Iteration, Value, constant, is_container
from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.infer import OperandType, is_fused_dtype, resolve
from pyfuse.graph.nodes import ONE, Constant, Graph, InputExtent, Node, Number, Origin, Output
from pyfuse.graph.ops import Operation, by_name
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

WEAK_TYPES = (int, float, complex)
PLAIN_TYPES = (bool, int, float, complex)


@dataclass(frozen=True, kw_only=True)
class ArrayInput:
    """An array of the call: where it comes from, and the one at hand while tracing."""

    expression: HostExpression
    example: np.ndarray


class Tracer:
    """Writes a graph while a function is interpreted; nothing here knows Python's syntax."""

    def __init__(self) -> None:
        self.draft = GraphDraft()
        self.guards: list[Guard] = []
        self.inputs: list[ArrayInput] = []
        self.scalars: list[HostExpression] = []
        self.extents: list[HostExpression] = []
        self.span: Span | None = None  # the place in the user's source that is being traced
        self._extent_values: list[int] = []
        self._input_values: dict[int, ArrayValue] = {}
        self._scalar_nodes: dict[tuple[int, np.dtype], int] = {}
        self._given: dict[int, tuple[Value, HostExpression]] = {}  # containers of the caller, by id of the value
        self._guarded: set[tuple[str, Any]] = set()

    # --- values of the call ---------------------------------------------------------------------------------------

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
            described = HostCall(function=_container_shape, operands=(expression,), text=f"shape of {expression.text}")
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
            given = next(given for given in self.inputs if given.expression is value.argument)
            return HostValue(expression=given.expression, value=given.example)
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
        if not is_guarded:
            self.add_guard(array_guard(expression, array))
        origin = Origin(name=expression.text if expression.text.isidentifier() else "", span=self.span)
        node = self.draft.add_input(array.dtype, [extent == 1 for extent in array.shape], origin)
        self.inputs.append(ArrayInput(expression=expression, example=array))
        value = ArrayValue(node=node, argument=expression)
        self._input_values[id(array)] = value
        return value

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
        if not isinstance(value, HostValue):
            return True
        if value.is_constant:
            return bool(self.host_call(bool, [value], "bool").value)
        return bool(self.pin(self.host_call(bool, [value], "bool")))

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

    # --- arrays ---------------------------------------------------------------------------------------------------

    def node_of(self, array: ArrayValue) -> int:
        """The node of an array's value now; a view follows its base."""
        if array.base is not None:
            base = self.node_of(array.base)
            if base != array.base_node:
                array.node = self._part_node(base, array.part) if array.part else self._view_node(base, array.axes)
                array.base_node = base
        return array.node

    def node(self, array: ArrayValue) -> Node:
        """The record of an array's value now."""
        return self.draft[self.node_of(array)]

    def dtype(self, array: ArrayValue) -> np.dtype:
        """Its dtype."""
        return self.node(array).dtype

    def rank(self, array: ArrayValue) -> int:
        """Its number of axes."""
        return len(self.node(array).dims)

    def view(self, array: ArrayValue, axes: tuple[int | None, ...]) -> ArrayValue:
        """A view of an array under other axes."""
        return ArrayValue(node=-1, base=array, axes=axes)

    def part(self, array: ArrayValue, name: str) -> ArrayValue:
        """The real or imaginary part of a complex array (a view), or of a complex scalar (a scalar)."""
        if array.is_scalar:
            return ArrayValue(node=self._part_node(self.node_of(array), name), is_scalar=True)
        return ArrayValue(node=-1, base=array, part=name)

    def _view_node(self, base: int, axes: tuple[int | None, ...]) -> int:
        return self.draft.view(base, axes, self.origin())

    def _part_node(self, base: int, name: str) -> int:
        dtype = np.dtype(f"f{self.draft[base].dtype.itemsize // 2}")
        return self.draft.apply(name, (base,), (dtype,), self.origin())[0]

    def origin(self, name: str = "") -> Origin:
        """Where the value being made comes from."""
        return Origin(name=name, span=self.span)

    def extent(self, array: ArrayValue, axis: int) -> HostValue:
        """The extent of one axis."""
        dim = self.draft.dims(self.node_of(array))[axis]
        if dim == ONE:
            return constant(1)
        source = self.draft.source(dim)
        if isinstance(source, InputExtent):
            given = self.inputs[source.index]
            expression: HostExpression = HostCall(
                function=_extent_of,
                operands=(given.expression, HostConstant(value=source.axis, text=str(source.axis))),
                text=f"{given.expression.text}.shape[{source.axis}]",
            )
            return HostValue(expression=expression, value=given.example.shape[source.axis])
        return HostValue(expression=self.extents[source.slot], value=self._extent_values[source.slot])

    def dim(self, extent: Value) -> int:
        """A dimension of a given extent: for ``np.zeros(n)`` and its like.

        Raises:
            CannotFuse: the extent is no whole number, or negative.
        """
        if not isinstance(extent, HostValue):
            raise refuse(Code.UNSUPPORTED_VALUE, "an extent is no whole number", self.span)
        if isinstance(extent.value, bool) or not isinstance(extent.value, int | np.integer) or extent.value < 0:
            raise refuse(Code.NUMPY_RAISES, f"{extent.value!r} is no extent of an array", self.span)
        if self.truth(self.host_call(_is_one, [extent], "is one")):
            return ONE
        self.extents.append(extent.expression)
        self._extent_values.append(int(extent.value))
        return self.draft.add_extent()

    # --- operations -----------------------------------------------------------------------------------------------

    def operand_type(self, value: Value) -> OperandType:
        """The dtype of an operand, or the Python type of a weak scalar (NEP 50).

        Raises:
            CannotFuse: it is no number and no array.
        """
        if isinstance(value, ArrayValue):
            return self.dtype(value)
        if isinstance(value, HostValue):
            number = value.value
            if type(number) in WEAK_TYPES:
                return type(number)
            if type(number) is bool:
                return np.dtype(bool)
            if isinstance(number, np.generic) and is_fused_dtype(number.dtype):
                return number.dtype
            if isinstance(number, np.generic):
                raise refuse(Code.UNSUPPORTED_DTYPE, f"a {number.dtype} scalar stays with NumPy", self.span)
        raise refuse(
            Code.UNSUPPORTED_VALUE,
            f"{_describe(value)} is used as an operand of an array operation",
            self.span,
            hints=("use arrays and numbers",),
        )

    def operand(self, value: Value, dtype: np.dtype) -> int:
        """The node of an operand, as the loop's dtype."""
        if isinstance(value, ArrayValue):
            return self.draft.cast(self.node_of(value), dtype, self.origin(), is_implicit=True)
        assert isinstance(value, HostValue)
        if value.is_constant:
            return self.draft.add_constant(self._converted(value.value, dtype), dtype, origin=self.origin())
        if isinstance(value.value, np.bool) and dtype.kind != "b":  # has no __index__ and no __float__
            value = self.host_call(int, [value], "int")
        key = (id(value.expression), dtype)
        if key not in self._scalar_nodes:
            self._converted(value.value, dtype)
            name = value.expression.text if value.expression.text.isidentifier() else ""
            self._scalar_nodes[key] = self.draft.add_scalar(dtype, self.origin(name))
            self.scalars.append(value.expression)
        return self._scalar_nodes[key]

    def _converted(self, value: Any, dtype: np.dtype) -> Number:
        """A number as the loop's dtype holds it.

        Raises:
            CannotFuse: it does not fit; NumPy raises or warns.
        """
        try:
            with np.errstate(all="raise"), warnings.catch_warnings():
                warnings.simplefilter("error")
                number = np.asarray(value, dtype=dtype)[()].item()
        except (OverflowError, FloatingPointError, TypeError, ValueError, Warning) as error:
            raise refuse(
                Code.SCALAR_RANGE, f"{value!r} does not fit {dtype}; NumPy says so itself", self.span
            ) from error
        if dtype.kind in "fc" and isinstance(value, int | float) and math.isfinite(value) and not np.isfinite(number):
            raise refuse(Code.SCALAR_RANGE, f"{value!r} does not fit {dtype}; NumPy says so itself", self.span)
        return number  # type: ignore[no-any-return]

    def apply(
        self,
        operation: Operation,
        operands: Sequence[Value],
        *,
        dtype: np.dtype | None = None,
        casting: str = "same_kind",
    ) -> tuple[ArrayValue, ...]:
        """A ufunc of the table on values of which at least one is an array.

        Raises:
            CannotFuse: NumPy has no loop for the types, or it is not fused.
        """
        loop, results = resolve(
            operation, [self.operand_type(value) for value in operands], dtype=dtype, casting=casting
        )
        nodes = [self.operand(value, wanted) for value, wanted in zip(operands, loop, strict=True)]
        made = self.draft.apply(operation.name, nodes, results, self.origin())
        return tuple(ArrayValue(node=node, is_scalar=not self.draft[node].dims) for node in made)

    def apply_named(self, name: str, *operands: Value) -> ArrayValue:
        """A one-result ufunc by name."""
        return self.apply(by_name(name), operands)[0]

    def apply_raw(self, name: str, operands: Sequence[int], dtype: np.dtype) -> ArrayValue:
        """An operation on nodes that already have its dtypes."""
        (node,) = self.draft.apply(name, operands, (dtype,), self.origin())
        return ArrayValue(node=node, is_scalar=not self.draft[node].dims)

    def cast(self, array: ArrayValue, dtype: np.dtype) -> ArrayValue:
        """A new array of another (or the same) dtype, as ``astype`` makes it."""
        if not is_fused_dtype(dtype):
            raise refuse(Code.UNSUPPORTED_DTYPE, f"arrays of {dtype} stay with NumPy", self.span)
        if self.dtype(array).kind == "c" and dtype.kind not in "cb":
            raise refuse(
                Code.UNSUPPORTED_OPERATION,
                "a cast drops imaginary parts: NumPy warns of it",
                self.span,
                hints=("use .real",),
            )
        node = self.draft.cast(self.node_of(array), dtype, self.origin(), is_implicit=False)
        return ArrayValue(node=node, is_scalar=array.is_scalar)

    def store(self, target: ArrayValue, value: ArrayValue, casting: str = "same_kind") -> None:
        """``target[...] = value`` for an array that this function has made.

        Raises:
            CannotFuse: the array belongs to the caller, is a view or a scalar, or the cast is not allowed.
        """
        if target.argument is not None:
            raise refuse(
                Code.ARGUMENT_STORE, f"a store changes the argument '{target.argument.text}' in place", self.span
            )
        if target.base is not None or target.is_scalar:
            raise refuse(Code.UNSUPPORTED_OPERATION, "a store goes through a view of an array", self.span)
        if not np.can_cast(self.dtype(value), self.dtype(target), casting):  # type: ignore[arg-type]
            raise refuse(Code.NUMPY_RAISES, "an in-place result cannot be cast: NumPy raises its own error", self.span)
        target.node = self.draft.store(self.node_of(target), self.node_of(value), self.origin(), is_implicit=True)

    def finish(self, outputs: Sequence[Output]) -> Graph:
        """The graph as traced."""
        return self.draft.finish(outputs)

    def constant_number(self, array: ArrayValue) -> Number | None:
        """The number that fills an array, where it is a constant."""
        node = self.node(array)
        return node.value if isinstance(node, Constant) else None


def item_of(expression: HostExpression, key: Any) -> HostExpression:
    """``expression[key]``."""
    return HostCall(
        function=_item,
        operands=(expression, HostConstant(value=key, text=repr(key))),
        text=f"{expression.text}[{key!r}]",
    )


def _item(container: Any, key: Any) -> Any:
    return container[key]


def _extent_of(array: np.ndarray, axis: int) -> int:
    return array.shape[axis]


def _is_one(extent: int) -> bool:
    return extent == 1


def _container_shape(container: Any) -> tuple[str, Any]:
    return (type(container).__name__, tuple(container) if isinstance(container, dict) else len(container))


def _describe(value: Value) -> str:
    if isinstance(value, HostValue):
        return f"{value.expression.text} (a {type(value.value).__name__})"
    return f"a {type(value).__name__}" if is_container(value) else "a function"
