"""What each kind of expression means on values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend import array_methods, python_calls
from pyfuse.frontend.assignment import assign
from pyfuse.frontend.call import Caller
from pyfuse.frontend.values import ArrayValue, HostValue, Iteration, LocalFunction, Value, constant, is_container

if TYPE_CHECKING:
    from pyfuse.frontend.interpret import Frame

Handler = Callable[["Frame", Any], Value]


def handler_of(node: ast.expr) -> Handler | None:
    """The handler ``(frame, node)`` of a kind of expression, or None if it is not fused."""
    return _HANDLERS.get(type(node))


def _constant(_: Frame, node: ast.Constant) -> Value:
    return constant(node.value)


def _name(frame: Frame, node: ast.Name) -> Value:
    return frame.scope.find(node.id, frame.tracer)


def _binary(frame: Frame, node: ast.BinOp) -> Value:
    operands = [frame.evaluate(node.left), frame.evaluate(node.right)]
    frame.point_at(node)
    return python_calls.apply_operator(frame.tracer, type(node.op).__name__, operands)


def _unary(frame: Frame, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        operand = frame.evaluate(node.operand)
        if isinstance(operand, HostValue):
            return frame.tracer.pure_call(operator.not_, [operand], "not")
        return constant(not frame.tracer.truth(operand))
    operand = frame.evaluate(node.operand)
    frame.point_at(node)
    return python_calls.apply_operator(frame.tracer, type(node.op).__name__, [operand])


def _compare(frame: Frame, node: ast.Compare) -> Value:
    left = frame.evaluate(node.left)
    result: Value = constant(True)
    for position, (comparison, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
        right = frame.evaluate(right_node)
        frame.point_at(node)
        result = _comparison(frame, comparison, left, right)
        if position < len(node.ops) - 1 and not frame.tracer.truth(result):
            return result
        left = right
    return result


def _comparison(frame: Frame, comparison: ast.cmpop, left: Value, right: Value) -> Value:
    match comparison:
        case ast.Is():
            return _is(frame, left, right)
        case ast.IsNot():
            return constant(not _is(frame, left, right).value)
        case ast.In() | ast.NotIn():
            items = [python_calls.known(frame.tracer, item) for item in _members(frame, right)]
            found = python_calls.known(frame.tracer, left) in items
            return constant(found if isinstance(comparison, ast.In) else not found)
        case _:
            return python_calls.apply_operator(frame.tracer, type(comparison).__name__, [left, right])


def _members(frame: Frame, value: Value) -> list[Value]:
    if isinstance(value, HostValue) and isinstance(value.value, str):
        raise refuse(Code.UNSUPPORTED_OPERATION, "a search in text is not fused", frame.tracer.span)
    return python_calls.iterate(frame.tracer, value)


def _is(frame: Frame, left: Value, right: Value) -> HostValue:
    if left is right:
        return constant(True)
    objects = [frame.tracer.identity(value) for value in (left, right)]
    given = [value for value in objects if value is not None]
    if len(given) == 2:
        return constant(frame.tracer.pin(frame.tracer.host_call(operator.is_, given, "is")))
    if frame.tracer.given_container(left) and frame.tracer.given_container(right):
        raise refuse(Code.UNSUPPORTED_OPERATION, "'is' of two containers of the caller", frame.tracer.span)
    return constant(left is right)


def _boolean(frame: Frame, node: ast.BoolOp) -> Value:
    stops_at = isinstance(node.op, ast.Or)
    for operand in node.values[:-1]:
        value = frame.evaluate(operand)
        if frame.tracer.truth(value) == stops_at:
            return value
    return frame.evaluate(node.values[-1])


def _conditional(frame: Frame, node: ast.IfExp) -> Value:
    return frame.evaluate(node.body if frame.truth(node.test) else node.orelse)


def _walrus(frame: Frame, node: ast.NamedExpr) -> Value:
    value = frame.evaluate(node.value)
    assign(frame, node.target, value)
    return value


def _tuple(frame: Frame, node: ast.Tuple) -> Value:
    return tuple(_elements(frame, node.elts))


def _list(frame: Frame, node: ast.List) -> Value:
    return _elements(frame, node.elts)


def _elements(frame: Frame, nodes: Sequence[ast.expr]) -> list[Value]:
    items: list[Value] = []
    for element in nodes:
        if isinstance(element, ast.Starred):
            items += python_calls.iterate(frame.tracer, frame.evaluate(element.value))
        else:
            items.append(frame.evaluate(element))
    return items


def _dict(frame: Frame, node: ast.Dict) -> Value:
    items: dict[Any, Value] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            merged = frame.evaluate(value)
            if not isinstance(merged, dict):
                raise refuse(Code.UNSUPPORTED_VALUE, "'**' of something that is no dict", frame.tracer.span)
            items.update(merged)
        else:
            items[_key(frame, key)] = frame.evaluate(value)
    return items


def _key(frame: Frame, node: ast.expr) -> Any:
    """A known key of a dict."""
    key = python_calls.known(frame.tracer, frame.evaluate(node))
    try:
        hash(key)
    except TypeError as error:
        raise refuse(Code.HOST_ERROR, "a key that has no hash: Python raises", frame.tracer.span) from error
    return key


def _attribute(frame: Frame, node: ast.Attribute) -> Value:
    owner = frame.evaluate(node.value)
    frame.point_at(node)
    return attribute_of(frame, owner, node.attr)


def attribute_of(frame: Frame, owner: Value, name: str) -> Value:
    """``owner.name``.

    Raises:
        CannotFuse: it is unknown, or reading it might run code.
    """
    if isinstance(owner, ArrayValue):
        return array_methods.attribute(frame.tracer, owner, name)
    if not isinstance(owner, HostValue):
        raise refuse(Code.UNKNOWN_ATTRIBUTE, f"the attribute '.{name}' is not fused", frame.tracer.span)
    return Caller(frame).attribute(owner, name)


def _subscript(frame: Frame, node: ast.Subscript) -> Value:
    owner = frame.evaluate(node.value)
    index = frame.evaluate(node.slice)
    frame.point_at(node)
    if isinstance(owner, ArrayValue):
        return array_methods.subscript(frame.tracer, owner, index)
    key = python_calls.known(frame.tracer, index)
    if is_container(owner):
        return python_calls.container_item(frame.tracer, owner, key)
    if isinstance(owner, HostValue) and isinstance(owner.value, str | bytes | range):
        return frame.tracer.host_call(operator.getitem, [owner, constant(key)], "getitem")
    raise refuse(Code.UNSUPPORTED_VALUE, "this object is not indexed by the fuser", frame.tracer.span)


def _slice(frame: Frame, node: ast.Slice) -> Value:
    parts = [constant(None) if part is None else frame.evaluate(part) for part in (node.lower, node.upper, node.step)]
    numbers = [
        part if isinstance(part, HostValue) else constant(python_calls.known(frame.tracer, part)) for part in parts
    ]
    return frame.tracer.host_call(slice, numbers, "slice")


def _lambda(frame: Frame, node: ast.Lambda) -> Value:
    return local_function(frame, node)


def local_function(frame: Frame, node: ast.FunctionDef | ast.Lambda) -> LocalFunction:
    """The value of a ``def`` or ``lambda``, with its defaults as they are now."""
    return LocalFunction(
        node=node,
        source=frame.source,
        scope=frame.scope,
        defaults=tuple(frame.evaluate(default) for default in node.args.defaults),
        keyword_defaults=tuple(
            None if default is None else frame.evaluate(default) for default in node.args.kw_defaults
        ),
    )


def _call(frame: Frame, node: ast.Call) -> Value:
    caller = Caller(frame)
    function = caller.function_of(node.func)
    arguments = _arguments(frame, node.args)
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        value = frame.evaluate(keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, dict):
            keywords.update(value)
        else:
            raise refuse(Code.UNSUPPORTED_VALUE, "'**' of something that is no dict", frame.tracer.span)
    frame.point_at(node)
    return caller.call(function, arguments, keywords)


def _arguments(frame: Frame, nodes: Sequence[ast.expr]) -> list[Value]:
    """Positional arguments.

    A generator expression is one only here, where nothing can come between it and its use.
    """
    items: list[Value] = []
    for node in nodes:
        if isinstance(node, ast.GeneratorExp):
            frame.point_at(node)
            rows = _comprehension(frame, node)
            assert isinstance(rows, list)
            items.append(Iteration(items=rows))
        else:
            items += _elements(frame, [node])
    return items


def _comprehension(frame: Frame, node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> Value:
    # A comprehension has a scope of its own; what it assigns is gone afterwards (walrus targets excepted).
    saved = dict(frame.scope.local)
    targets = {name.id for part in node.generators for name in ast.walk(part.target) if isinstance(name, ast.Name)}
    rows: list[Any] = []

    def emit() -> None:
        if isinstance(node, ast.DictComp):
            rows.append((_key(frame, node.key), frame.evaluate(node.value)))
        else:
            rows.append(frame.evaluate(node.elt))

    _generate(frame, node.generators, emit)
    for name in targets:
        if name in saved:
            frame.scope.local[name] = saved[name]
        else:
            frame.scope.local.pop(name, None)
    return dict(rows) if isinstance(node, ast.DictComp) else rows


def _generate(frame: Frame, generators: Sequence[ast.comprehension], emit: Callable[[], None]) -> None:
    if not generators:
        emit()
        return
    first, *rest = generators
    if first.is_async:
        raise refuse(Code.UNSUPPORTED_SYNTAX, "an asynchronous comprehension is not fused", frame.tracer.span)
    for item in python_calls.iterate(frame.tracer, frame.evaluate(first.iter)):
        assign(frame, first.target, item)
        if all(frame.truth(condition) for condition in first.ifs):
            _generate(frame, rest, emit)


_HANDLERS: dict[type[ast.expr], Handler] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.IfExp: _conditional,
    ast.NamedExpr: _walrus,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Dict: _dict,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Lambda: _lambda,
    ast.ListComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Call: _call,
}
