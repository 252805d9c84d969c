"""Views of arrays that the call gives, by index or by a NumPy function: NumPy itself makes them, at each call.

An array of the call is there before the kernel runs, and so is every view of it. A view is one more array that the
kernel takes, and its bounds are numbers of the call that no specialisation depends on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend import computed_views
from pyfuse.frontend.array_makers import copy_array
from pyfuse.frontend.known_arguments import as_array, has_array
from pyfuse.frontend.lifting import item_of
from pyfuse.frontend.stores import given_array
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Value, constant
from pyfuse.host_values import HostCall, HostConstant, HostExpression, freeze, value_guard, view_of

# Functions of NumPy that give views, or lists and tuples of views, and copy only where a view cannot be.
FUNCTIONS: tuple[Callable[..., Any], ...] = (
    np.reshape, np.ravel, np.flip, np.fliplr, np.flipud, np.rot90, np.diagonal, np.broadcast_to, np.broadcast_arrays,
    np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit, np.unstack,
)  # fmt: skip
METHODS = ("reshape", "ravel", "diagonal")

# Arguments of other types may run the user's code (``__index__``).
_PLAIN_TYPES = (bool, int, float, str, type(None), np.generic)


def refuse_computed(tracer: Tracer, name: str) -> CannotFuse:
    """Why a view of a value that the kernel computes is not had: the one place to change when it can be."""
    return refuse(
        Code.UNSUPPORTED_OPERATION,
        f"{name} of an array that this function computes is not fused yet",
        tracer.span,
        hints=("it is fused on arrays that the function is given",),
    )


def selected(tracer: Tracer, array: ArrayValue, items: Sequence[Value]) -> Value:
    """``array[items]`` with a basic index: another view, or a NumPy scalar where every axis has its number.

    Args:
        tracer: of the function.
        array: no NumPy scalar.
        items: numbers, slices, None and Ellipsis.

    Raises:
        CannotFuse: an index is of another kind, or NumPy raises.

    Source: NumPy user guide, "Indexing on ndarrays", basic indexing.
    """
    hosts = [item for item in items if isinstance(item, HostValue) and _is_basic(item.value)]
    if len(hosts) != len(items):
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            "an index that is no number, slice or array of whole numbers is not fused",
            tracer.span,
        )
    given = given_array(tracer, array)
    if given is None:
        return computed_views.selected(tracer, array, hosts)
    owner = HostValue(expression=given[0], value=given[1])
    shown = f"{given[0].text}[{', '.join(_index_text(item) for item in hosts)}]"
    if all(item.is_constant for item in hosts):
        index = hosts[0].value if len(hosts) == 1 else tuple(item.value for item in hosts)
        return _made(tracer, operator.getitem, [owner, constant(index)], shown)
    if len(hosts) == 1:
        return _made(tracer, operator.getitem, [owner, *hosts], shown)
    return _made(tracer, at_index, [owner, *hosts], shown)


def view_function(function: Callable[..., Any]) -> Callable[..., Value]:
    """The handler of one of ``FUNCTIONS``."""
    name = f"np.{function.__name__}"
    computed = _OF_COMPUTED.get(function)

    def handler(tracer: Tracer, *arguments: Value, **keywords: Value) -> Value:
        if computed is not None and arguments and _is_computed(tracer, arguments[0]):
            return computed_views.called(tracer, computed, name, arguments, keywords)
        return _view_call(tracer, function, name, arguments, keywords)

    return handler


def view_method(name: str) -> Callable[..., Value]:
    """The handler of one of ``METHODS``."""
    function = getattr(np.ndarray, name)
    computed = computed_views.METHODS.get(name)

    def handler(tracer: Tracer, *arguments: Value, **keywords: Value) -> Value:
        if computed is not None and _is_computed(tracer, arguments[0]):
            return computed_views.called(tracer, computed, f".{name}()", arguments, keywords)
        return _view_call(tracer, function, f".{name}()", arguments, keywords)

    return handler


def flatten(tracer: Tracer, array: ArrayValue, order: Value = constant("C")) -> Value:
    """``array.flatten``: NumPy puts the elements in a row, the kernel copies them."""
    row = _view_call(tracer, np.ndarray.ravel, ".flatten()", [array, order], {})
    return copy_array(tracer, as_array(tracer, row), "C")


_OF_COMPUTED: dict[Any, Callable[..., Value]] = computed_views.FUNCTIONS


def _is_computed(tracer: Tracer, value: Value) -> bool:
    return isinstance(value, ArrayValue) and given_array(tracer, value) is None


# --- what is called at each call --------------------------------------------------------------------------------------


def _view_call(
    tracer: Tracer, function: Callable[..., Any], name: str, arguments: Sequence[Value], keywords: dict[str, Value]
) -> Value:
    operands = [as_host(tracer, name, value) for value in (*arguments, *keywords.values())]
    parts = [operand.expression.text for operand in operands[: len(arguments)]]
    parts += [
        f"{key}={operand.expression.text}" for key, operand in zip(keywords, operands[len(arguments) :], strict=True)
    ]
    call = partial(_with_keywords, function, tuple(keywords)) if keywords else function
    return _made(tracer, call, operands, f"{name.removesuffix('()')}({', '.join(parts)})", (function, tuple(keywords)))


def as_host(tracer: Tracer, name: str, value: Value) -> HostValue:
    """An argument as a value that Python has before the kernel runs."""
    if isinstance(value, ArrayValue):
        given = given_array(tracer, value)
        if given is None:
            raise refuse_computed(tracer, name)
        return HostValue(expression=given[0], value=given[1])
    if isinstance(value, tuple | list):
        items = [as_host(tracer, name, item) for item in value]
        made = type(value)(item.value for item in items)
        if all(item.is_constant for item in items) and not has_array(list(value)):
            return constant(made)
        function = tuple_of if isinstance(value, tuple) else _list_of
        shown = f"({', '.join(item.expression.text for item in items)})"
        operands = tuple(item.expression for item in items)
        return HostValue(expression=HostCall(function=function, operands=operands, text=shown), value=made)
    if isinstance(value, HostValue) and isinstance(value.value, _PLAIN_TYPES):
        return value
    raise refuse(Code.UNSUPPORTED_VALUE, f"an argument of {name} is no array and no number", tracer.span)


def _made(
    tracer: Tracer, function: Callable[..., Any], operands: Sequence[HostValue], shown: str, identity: Hashable = None
) -> Value:
    """What NumPy makes now and at each call: an array, a NumPy scalar, or a list or tuple of arrays.

    Args:
        tracer: of the function.
        function: of the values of ``operands``.
        operands: of which one at least is an array.
        shown: as a user would write it.
        identity: what stands for ``function`` where it is made for this call.
    """
    result = tracer.host_call(function, operands, shown.partition("(")[0]).value
    expression = HostCall(function=function, operands=tuple(operand.expression for operand in operands), text=shown)
    key = (identity or function, *[expression_key(operand.expression) for operand in operands])
    if isinstance(result, np.ndarray):
        return tracer.lift_view(expression, result, key)
    if not isinstance(result, tuple | list):
        return tracer.lift(expression, result, is_guarded=False)
    count = HostCall(function=len, operands=(expression,), text=f"len({shown})")
    tracer.add_guard(value_guard(count, len(result)))
    views = [tracer.lift_view(item_of(expression, place), view, (key, place)) for place, view in enumerate(result)]
    return type(result)(views)


def expression_key(expression: HostExpression) -> Hashable:
    """Equal for expressions that have equal values whenever they are evaluated in one call."""
    match expression:
        case HostConstant(value=value):
            frozen: Hashable = freeze(value)
            return frozen
        case HostCall(function=function, operands=operands) if function in _TRANSPARENT:
            return (function, *[expression_key(operand) for operand in operands])
        case _:
            return id(expression)


def _with_keywords(function: Callable[..., Any], names: tuple[str, ...], *values: Any) -> Any:
    count = len(values) - len(names)
    return function(*values[:count], **dict(zip(names, values[count:], strict=True)))


def at_index(array: np.ndarray, *index: Any) -> Any:
    """What NumPy gives for an index of several parts."""
    return array[index]


def tuple_of(*items: Any) -> tuple[Any, ...]:
    """Parts of an index together."""
    return items


def _list_of(*items: Any) -> list[Any]:
    return list(items)


_TRANSPARENT: tuple[Callable[..., Any], ...] = (operator.getitem, at_index, view_of, slice, tuple_of, _list_of)


# --- indices ----------------------------------------------------------------------------------------------------------


def _is_basic(value: Any) -> bool:
    if isinstance(value, slice):
        return all(part is None or _is_whole(part) for part in (value.start, value.stop, value.step))
    return value is None or value is Ellipsis or _is_whole(value)


def _is_whole(value: Any) -> bool:
    return type(value) is int or isinstance(value, np.integer)


def _index_text(item: HostValue) -> str:
    expression = item.expression
    if isinstance(item.value, slice):
        parts = [repr(part) for part in (item.value.start, item.value.stop, item.value.step)]
        if isinstance(expression, HostCall) and expression.function is slice and len(expression.operands) == len(parts):
            parts = [operand.text for operand in expression.operands]
        elif not item.is_constant:
            return expression.text
        start, stop, step = ["" if part == "None" else part for part in parts]
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return "..." if item.value is Ellipsis else expression.text
