"""Python's builtins, containers and scalar types inside a fused function."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.kernel_numbers import apply_to_numbers, are_numbers
from pyfuse.frontend.known_arguments import has_array, static, whole_number
from pyfuse.frontend.products import product
from pyfuse.frontend.scalar_arithmetic import refuse_scalar_difference
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.ufunc_calls import power
from pyfuse.frontend.values import ArrayValue, HostValue, Iteration, Value, constant, is_container
from pyfuse.graph.ops import by_name, by_python_operator

MAX_ITERATIONS = 100_000  # of a loop over known values; beyond it the graph would be too large anyway

# Functions of numbers and other known values that have no effects: computed by Python itself, now and at each call.
PURE_FUNCTIONS: frozenset[Any] = frozenset(
    [abs, bool, complex, divmod, float, hash, int, len, max, min, pow, repr, round, str, sum, sorted, isinstance,
     issubclass, slice, type, callable, hasattr, np.dtype, np.finfo, np.iinfo, np.can_cast, np.promote_types,
     np.issubdtype, np.result_type, np.isscalar, np.broadcast_shapes]
)  # fmt: skip
_PURE_OPERATORS = frozenset(  # those that neither change an operand nor call a function that they are given
    getattr(operator, name)
    for name in [
        "abs",
        "add",
        "and_",
        "concat",
        "contains",
        "countOf",
        "eq",
        "floordiv",
        "ge",
        "getitem",
        "gt",
        "index",
        "indexOf",
        "inv",
        "invert",
        "is_",
        "is_not",
        "le",
        "lshift",
        "lt",
        "matmul",
        "mod",
        "mul",
        "ne",
        "neg",
        "not_",
        "or_",
        "pos",
        "pow",
        "rshift",
        "sub",
        "truediv",
        "truth",
        "xor",
    ]
)
SAFE_METHOD_TYPES = (str, bytes, int, float, complex, np.generic, np.dtype, np.finfo, np.iinfo)

_OPERATOR_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Pow": operator.pow, "LShift": operator.lshift,
    "RShift": operator.rshift, "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "MatMult": operator.matmul, "USub": operator.neg, "UAdd": operator.pos, "Invert": operator.invert,
    "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge, "Eq": operator.eq,
    "NotEq": operator.ne,
}  # fmt: skip


def apply_operator(tracer: Tracer, class_name: str, operands: Sequence[Value]) -> Value:
    """A Python operator (the name of its ``ast`` class) on values.

    Raises:
        CannotFuse: the operands have no such operator among arrays and known values.
    """
    hosts = [operand for operand in operands if isinstance(operand, HostValue)]
    if len(hosts) == len(operands):
        return tracer.pure_call(_OPERATOR_FUNCTIONS[class_name], hosts, class_name.lower())
    if any(is_container(operand) for operand in operands):
        return _container_operator(tracer, class_name, operands)
    if are_numbers(operands):
        return apply_to_numbers(tracer, class_name, operands)
    operation = by_python_operator(class_name)
    if operation is None:
        return product("matmul")(tracer, *operands)
    refuse_scalar_difference(tracer, class_name, operands)
    if class_name == "Pow":
        return power(tracer, operands[0], operands[1])
    return tracer.apply(operation, operands)[0]


def _container_operator(tracer: Tracer, class_name: str, operands: Sequence[Value]) -> Value:
    match class_name, operands:
        case "Add", (tuple() as left, tuple() as right):
            return left + right
        case "Add", (list() as left, list() as right):
            return left + right
        case "Mult", (tuple() | list() as items, HostValue() as count):
            return items * whole_number(tracer, count)
        case "Mult", (HostValue() as count, tuple() | list() as items):
            return items * whole_number(tracer, count)
        case (("Eq" | "NotEq" | "Lt" | "LtE" | "Gt" | "GtE"), (left, right)) if not has_array([left, right]):
            return constant(_OPERATOR_FUNCTIONS[class_name](known(tracer, left), known(tracer, right)))
        case _:
            raise refuse(
                Code.UNSUPPORTED_VALUE, "a list or tuple is used as an operand of an array operation", tracer.span
            )


def known(tracer: Tracer, value: Value) -> Any:
    """The Python object that a value without arrays stands for; it becomes part of the specialisation."""
    if isinstance(value, tuple | list):
        return type(value)(known(tracer, item) for item in value)
    if isinstance(value, dict):
        return {key: known(tracer, item) for key, item in value.items()}
    if isinstance(value, HostValue):
        return tracer.pin(value)
    raise refuse(Code.UNSUPPORTED_VALUE, "a value that must be known before the call is an array", tracer.span)


def iterate(tracer: Tracer, value: Value) -> list[Value]:
    """The items of a loop over known values.

    Raises:
        CannotFuse: the loop is over an array, or over something that is not known.
    """
    if isinstance(value, tuple | list):
        return list(value)
    if isinstance(value, dict):
        return [constant(key) for key in value]
    if isinstance(value, Iteration):
        return list(value.take())
    if isinstance(value, HostValue):
        items = tracer.pin(value)
        if isinstance(items, range | str | bytes | tuple | list):
            if len(items) > MAX_ITERATIONS:
                raise refuse(Code.TOO_LARGE, f"a loop of {len(items)} steps is not unrolled", tracer.span)
            return [constant(item) for item in items]
    raise refuse(
        Code.UNSUPPORTED_SYNTAX,
        "a loop over an array, or over something not known before the call, is not fused",
        tracer.span,
        hints=("write it as an operation on whole arrays",),
    )


# --- builtins ---------------------------------------------------------------------------------------------------------


def builtin_handler(function: object) -> Callable[..., Value] | None:
    """The handler ``(tracer, *arguments, **keywords)`` of a builtin on arrays and containers, or None."""
    try:
        return _HANDLERS.get(function)
    except TypeError:
        return None


def is_pure(function: object) -> bool:
    """Whether a callable may be computed by Python itself from known values."""
    try:
        if function in PURE_FUNCTIONS:
            return True
    except TypeError:
        return False
    if isinstance(function, type) and issubclass(function, np.generic | int | float | complex | str | range):
        return True
    if getattr(function, "__module__", None) == "math" or isinstance(function, np.ufunc):
        return True
    return function in _PURE_OPERATORS


def _len(tracer: Tracer, value: Value) -> Value:
    if isinstance(value, ArrayValue):
        if not tracer.rank(value):
            raise refuse(Code.NUMPY_RAISES, "len() of a 0-d array: NumPy raises", tracer.span)
        return tracer.extent(value, 0)
    if is_container(value):
        return constant(len(value))
    return tracer.pure_call(len, [_host(tracer, value)], "len")


def _host(tracer: Tracer, value: Value) -> HostValue:
    if not isinstance(value, HostValue):
        raise refuse(Code.UNSUPPORTED_VALUE, "a builtin is called with something that it does not take", tracer.span)
    return value


def _sorted(tracer: Tracer, value: Value) -> Value:
    """``sorted`` of known values, such as the keys of a dict."""
    items = [_host(tracer, item) for item in iterate(tracer, value)]
    ordered = tracer.pure_call(sorted, [constant([tracer.pin(item) for item in items])], "sorted")
    return [constant(item) for item in ordered.value]


def _range(tracer: Tracer, *bounds: Value) -> Value:
    numbers = [whole_number(tracer, bound) for bound in bounds]
    return constant(range(*numbers))


def _zip(tracer: Tracer, *values: Value, strict: Value = constant(False)) -> Value:
    columns = [iterate(tracer, value) for value in values]
    if static(tracer, strict) and len({len(column) for column in columns}) > 1:
        raise refuse(Code.HOST_ERROR, "zip(strict=True) of unequal lengths raises", tracer.span)
    return Iteration(items=list(zip(*columns, strict=False)))


def _enumerate(tracer: Tracer, value: Value, start: Value = constant(0)) -> Value:
    first = whole_number(tracer, start)
    return Iteration(items=[(constant(first + number), item) for number, item in enumerate(iterate(tracer, value))])


def _sum(tracer: Tracer, value: Value, start: Value = constant(0)) -> Value:
    total = start
    for item in iterate(tracer, value):
        total = apply_operator(tracer, "Add", [total, item])
    return total


def _abs(tracer: Tracer, value: Value) -> Value:
    if isinstance(value, ArrayValue):
        refuse_scalar_difference(tracer, "USub", [value])
        refuse_scalar_difference(tracer, "Abs", [value])
        return tracer.apply_named("absolute", value)
    return tracer.pure_call(abs, [_host(tracer, value)], "abs")


def _pow(tracer: Tracer, base: Value, exponent: Value) -> Value:
    return apply_operator(tracer, "Pow", [base, exponent])


def _divmod(tracer: Tracer, left: Value, right: Value) -> Value:
    if has_array([left, right]):
        refuse_scalar_difference(tracer, "Mod", [left, right])
        return tuple(tracer.apply(by_name("divmod"), [left, right]))
    return (apply_operator(tracer, "FloorDiv", [left, right]), apply_operator(tracer, "Mod", [left, right]))


def _type(tracer: Tracer, value: Value) -> Value:
    if isinstance(value, ArrayValue):
        return constant(tracer.dtype(value).type if value.is_scalar else np.ndarray)
    return constant(type(value.value) if isinstance(value, HostValue) else type(value))


def _isinstance(tracer: Tracer, value: Value, kinds: Value) -> Value:
    wanted = known(tracer, kinds)
    kind = _type(tracer, value)
    assert isinstance(kind, HostValue)
    return constant(issubclass(kind.value, wanted))


def _tuple(tracer: Tracer, value: Value = ()) -> Value:
    return tuple(iterate(tracer, value))


def _list(tracer: Tracer, value: Value = ()) -> Value:
    return list(iterate(tracer, value))


def _dict(tracer: Tracer, value: Value | None = None, **items: Value) -> Value:
    start = dict(value) if isinstance(value, dict) else {}
    if value is not None and not isinstance(value, dict):
        for pair in iterate(tracer, value):
            key, item = iterate(tracer, pair)
            start[known(tracer, key)] = item
    return {**start, **items}


def _reversed(tracer: Tracer, value: Value) -> Value:
    return Iteration(items=iterate(tracer, value)[::-1])


def _all(tracer: Tracer, value: Value) -> Value:
    return constant(all(tracer.truth(item) for item in iterate(tracer, value)))


def _any(tracer: Tracer, value: Value) -> Value:
    return constant(any(tracer.truth(item) for item in iterate(tracer, value)))


_HANDLERS: dict[Any, Callable[..., Value]] = {
    builtins.len: _len,
    builtins.range: _range,
    builtins.zip: _zip,
    builtins.enumerate: _enumerate,
    builtins.sum: _sum,
    builtins.abs: _abs,
    builtins.pow: _pow,
    builtins.divmod: _divmod,
    builtins.type: _type,
    builtins.isinstance: _isinstance,
    builtins.tuple: _tuple,
    builtins.list: _list,
    builtins.dict: _dict,
    builtins.reversed: _reversed,
    builtins.sorted: _sorted,
    builtins.all: _all,
    builtins.any: _any,
}


# --- containers -------------------------------------------------------------------------------------------------------


def container_item(tracer: Tracer, container: Any, key: Any) -> Value:
    """``container[key]`` of a tuple, list or dict of values.

    Raises:
        CannotFuse: there is no such item; Python raises its own error.
    """
    try:
        item: Value = container[key]
    except (LookupError, TypeError) as error:
        raise refuse(
            Code.HOST_ERROR, f"indexing raises {type(error).__name__}", tracer.span, notes=(str(error),)
        ) from error
    return item


def container_method(tracer: Tracer, container: Value, name: str, arguments: Sequence[Value]) -> Value:
    """A method of a tuple, list or dict of values.

    Raises:
        CannotFuse: the method is not one that is understood.
    """
    match container, name, arguments:
        case list(), "append", (item,):
            tracer.check_is_own(container)
            container.append(item)
            return constant(None)
        case list(), "extend", (items,):
            tracer.check_is_own(container)
            container.extend(iterate(tracer, items))
            return constant(None)
        case list(), "pop", () if container:
            tracer.check_is_own(container)
            last: Value = container.pop()
            return last
        case dict(), "keys", ():
            return Iteration(items=[constant(key) for key in container], is_spent_once=False)
        case dict(), "values", ():
            return Iteration(items=list(container.values()), is_spent_once=False)
        case dict(), "items", ():
            return Iteration(items=[(constant(key), item) for key, item in container.items()], is_spent_once=False)
        case dict(), "get", (key, *rest):
            found: Value = container.get(known(tracer, key), rest[0] if rest else constant(None))
            return found
        case ((list() | dict()), "copy", ()):
            return container.copy()
        case _:
            raise refuse(
                Code.UNKNOWN_CALL, f"the method '.{name}' of a {type(container).__name__} is not fused", tracer.span
            )
