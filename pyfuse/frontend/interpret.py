"""One function body, interpreted on values: statements and expressions of Python."""

from __future__ import annotations

import ast
import enum
import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend import array_methods, python_calls
from pyfuse.frontend.call import Caller
from pyfuse.frontend.names import Scope
from pyfuse.frontend.parse import unsupported
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Iteration, LocalFunction, Value, constant, is_container
from pyfuse.source import FunctionSource

MAX_STEPS = 100_000  # of 'while' loops over known values: beyond it they are taken to be endless


class _Flow(enum.Enum):
    """How a block of statements ended."""

    NEXT = enum.auto()
    BREAK = enum.auto()
    CONTINUE = enum.auto()
    RETURN = enum.auto()


@dataclass(kw_only=True)
class Frame:
    """The interpretation of one function body.

    Attributes:
        tracer: shared by all frames of one tracing.
        source: for places in diagnostics.
        scope: the names the body sees; parameters are already bound.
        depth: how many helper functions deep.
    """

    tracer: Tracer
    source: FunctionSource
    scope: Scope
    depth: int = 0
    _result: Value | None = None

    def run(self, node: ast.FunctionDef | ast.Lambda) -> Value:
        """The function's result.

        Raises:
            CannotFuse: a statement or expression cannot be fused.
        """
        if isinstance(node, ast.Lambda):
            return self.evaluate(node.body)
        self._block(node.body)
        return self._result if self._result is not None else constant(None)

    # --- statements -----------------------------------------------------------------------------------------------

    def _block(self, statements: Sequence[ast.stmt]) -> _Flow:
        for statement in statements:
            self._point_at(statement)
            handler = _STATEMENTS.get(type(statement))
            if handler is None:
                raise unsupported(statement, self.tracer.span)
            flow = handler(self, statement)
            if flow is not _Flow.NEXT:
                return flow
        return _Flow.NEXT

    def _assign_statement(self, statement: ast.Assign) -> _Flow:
        value = self.evaluate(statement.value)
        for target in statement.targets:
            self._assign(target, value)
        return _Flow.NEXT

    def _annotated(self, statement: ast.AnnAssign) -> _Flow:
        if statement.value is not None:
            self._assign(statement.target, self.evaluate(statement.value))
        return _Flow.NEXT

    def _augmented(self, statement: ast.AugAssign) -> _Flow:
        if not isinstance(statement.target, ast.Name):
            return self._augmented_item(statement)
        name = statement.target.id
        if name not in self.scope.local:
            raise refuse(Code.UNKNOWN_NAME, f"'{name}' is not assigned in this function", self.tracer.span)
        current = self.scope.local[name]
        value = self.evaluate(statement.value)
        class_name = type(statement.op).__name__
        if isinstance(current, ArrayValue) and not current.is_scalar:
            self._store(current, class_name, value)
        elif isinstance(current, list):
            self._change_list(current, class_name, value)
        else:
            self._assign(statement.target, python_calls.apply_operator(self.tracer, class_name, [current, value]))
        return _Flow.NEXT

    def _change_list(self, target: list[Value], class_name: str, value: Value) -> None:
        """``target += value`` and ``target *= value``: the list itself changes, whatever names it has."""
        self.tracer.check_is_own(target)
        if class_name == "Add":
            target.extend(python_calls.iterate(self.tracer, value))
            return
        changed = python_calls.apply_operator(self.tracer, class_name, [target, value])
        assert isinstance(changed, list)
        target[:] = changed

    def _store(self, target: ArrayValue, class_name: str, value: Value) -> None:
        result = python_calls.apply_operator(self.tracer, class_name, [target, value])
        assert isinstance(result, ArrayValue)
        self.tracer.store(target, result)

    def _augmented_item(self, statement: ast.AugAssign) -> _Flow:
        target = statement.target
        if isinstance(target, ast.Subscript):
            container = self.evaluate(target.value)
            if isinstance(container, list | dict):
                key = python_calls.known(self.tracer, self.evaluate(target.slice))
                current = self._item(container, key)
                value = self.evaluate(statement.value)
                class_name = type(statement.op).__name__
                if isinstance(current, ArrayValue) and not current.is_scalar:
                    self._store(current, class_name, value)
                else:
                    self.tracer.check_is_own(container)
                    container[key] = python_calls.apply_operator(self.tracer, class_name, [current, value])
                return _Flow.NEXT
        raise self._store_refusal(target)

    def _assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(id=name):
                self.scope.local[name] = value
                if isinstance(value, ArrayValue) and value.base is None and value.argument is None:
                    self.tracer.draft.rename(value.node, self.tracer.origin(name))
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                self._unpack(elements, python_calls.iterate(self.tracer, value))
            case ast.Subscript() if is_container(container := self.evaluate(target.value)) and not isinstance(
                container, tuple
            ):
                key = python_calls.known(self.tracer, self.evaluate(target.slice))
                self.tracer.check_is_own(container)
                if isinstance(container, list):
                    self._item(container, key)  # refuses what Python's list would refuse
                container[key] = value  # type: ignore[index,call-overload]
            case _:
                raise self._store_refusal(target)

    def _store_refusal(self, target: ast.expr) -> Exception:
        self._point_at(target)
        what = "an attribute" if isinstance(target, ast.Attribute) else "an element or a slice"
        return refuse(Code.ARGUMENT_STORE, f"a store into {what} is not fused", self.tracer.span)

    def _unpack(self, targets: Sequence[ast.expr], items: list[Value]) -> None:
        starred = [number for number, target in enumerate(targets) if isinstance(target, ast.Starred)]
        after = len(targets) - starred[0] - 1 if starred else 0
        if len(starred) > 1 or (len(items) != len(targets) if not starred else len(items) < len(targets) - 1):
            raise refuse(
                Code.HOST_ERROR, "the number of values to unpack does not match: Python raises", self.tracer.span
            )
        if starred:
            first = starred[0]
            middle = items[first : len(items) - after]
            items = [*items[:first], middle, *items[len(items) - after :]]
        for target, item in zip(targets, items, strict=True):
            self._assign(target.value if isinstance(target, ast.Starred) else target, item)

    def _return(self, statement: ast.Return) -> _Flow:
        self._result = self.evaluate(statement.value) if statement.value is not None else constant(None)
        return _Flow.RETURN

    def _if(self, statement: ast.If) -> _Flow:
        return self._block(statement.body if self._truth(statement.test) else statement.orelse)

    def _for(self, statement: ast.For) -> _Flow:
        for item in python_calls.iterate(self.tracer, self.evaluate(statement.iter)):
            self._assign(statement.target, item)
            flow = self._block(statement.body)
            if flow is _Flow.BREAK:
                return _Flow.NEXT
            if flow is _Flow.RETURN:
                return flow
        return self._block(statement.orelse)

    def _while(self, statement: ast.While) -> _Flow:
        steps = 0
        while self._truth(statement.test):
            steps += 1
            if steps > MAX_STEPS:
                raise refuse(Code.TOO_LARGE, "a 'while' loop does not end while it is unrolled", self.tracer.span)
            flow = self._block(statement.body)
            if flow is _Flow.BREAK:
                return _Flow.NEXT
            if flow is _Flow.RETURN:
                return flow
            self._point_at(statement)
        return self._block(statement.orelse)

    def _assert(self, statement: ast.Assert) -> _Flow:
        if __debug__ and not self._truth(statement.test):
            raise refuse(Code.HOST_ERROR, "an assertion does not hold: Python raises", self.tracer.span)
        return _Flow.NEXT

    def _expression(self, statement: ast.Expr) -> _Flow:
        self.evaluate(statement.value)
        return _Flow.NEXT

    def _function(self, statement: ast.FunctionDef) -> _Flow:
        if statement.decorator_list:
            raise refuse(
                Code.UNSUPPORTED_SYNTAX, "a decorated function inside a fused one is not fused", self.tracer.span
            )
        self.scope.local[statement.name] = self._local_function(statement)
        return _Flow.NEXT

    def _delete(self, statement: ast.Delete) -> _Flow:
        for target in statement.targets:
            if not isinstance(target, ast.Name) or target.id not in self.scope.local:
                raise unsupported(statement, self.tracer.span)
            del self.scope.local[target.id]
        return _Flow.NEXT

    def _import(self, statement: ast.Import | ast.ImportFrom) -> _Flow:
        for alias in statement.names:
            from_module = statement.module if isinstance(statement, ast.ImportFrom) else alias.name
            module = sys.modules.get(from_module or "")
            if module is None or alias.name == "*" or getattr(statement, "level", 0):
                raise refuse(Code.UNSUPPORTED_SYNTAX, "an import inside the function is not fused", self.tracer.span,
                             hints=("import at the top of the file",))  # fmt: skip
            if isinstance(statement, ast.ImportFrom):
                self.scope.local[alias.asname or alias.name] = self._attribute_of(constant(module), alias.name)
            elif alias.asname:
                self.scope.local[alias.asname] = constant(module)
            else:
                top = alias.name.partition(".")[0]
                self.scope.local[top] = constant(sys.modules[top])
        return _Flow.NEXT

    # --- expressions ----------------------------------------------------------------------------------------------

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression.

        Raises:
            CannotFuse: it cannot be fused.
        """
        handler = _EXPRESSIONS.get(type(node))
        if handler is None:
            raise unsupported(node, self.source.span(node))
        self._point_at(node)
        value = handler(self, node)
        self._point_at(node)
        return value

    def _truth(self, node: ast.expr) -> bool:
        value = self.evaluate(node)
        return self.tracer.truth(value)

    def _point_at(self, node: ast.AST) -> None:
        self.tracer.span = self.source.span(node) or self.tracer.span

    def _constant(self, node: ast.Constant) -> Value:
        return constant(node.value)

    def _name(self, node: ast.Name) -> Value:
        return self.scope.find(node.id, self.tracer)

    def _binary(self, node: ast.BinOp) -> Value:
        operands = [self.evaluate(node.left), self.evaluate(node.right)]
        self._point_at(node)
        return python_calls.apply_operator(self.tracer, type(node.op).__name__, operands)

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            operand = self.evaluate(node.operand)
            if isinstance(operand, HostValue):
                return self.tracer.host_call(operator.not_, [operand], "not")
            return constant(not self.tracer.truth(operand))
        operand = self.evaluate(node.operand)
        self._point_at(node)
        return python_calls.apply_operator(self.tracer, type(node.op).__name__, [operand])

    def _compare(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        result: Value = constant(True)
        for position, (comparison, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
            right = self.evaluate(right_node)
            self._point_at(node)
            result = self._comparison(comparison, left, right)
            if position < len(node.ops) - 1 and not self.tracer.truth(result):
                return result
            left = right
        return result

    def _comparison(self, comparison: ast.cmpop, left: Value, right: Value) -> Value:
        match comparison:
            case ast.Is():
                return self._is(left, right)
            case ast.IsNot():
                return constant(not self._is(left, right).value)
            case ast.In() | ast.NotIn():
                items = [python_calls.known(self.tracer, item) for item in self._members(right)]
                found = python_calls.known(self.tracer, left) in items
                return constant(found if isinstance(comparison, ast.In) else not found)
            case _:
                return python_calls.apply_operator(self.tracer, type(comparison).__name__, [left, right])

    def _members(self, value: Value) -> list[Value]:
        if isinstance(value, HostValue) and isinstance(value.value, str):
            raise refuse(Code.UNSUPPORTED_OPERATION, "a search in text is not fused", self.tracer.span)
        return python_calls.iterate(self.tracer, value)

    def _is(self, left: Value, right: Value) -> HostValue:
        objects = [self.tracer.identity(value) for value in (left, right)]
        given = [value for value in objects if value is not None]
        if len(given) == 2:
            return constant(self.tracer.pin(self.tracer.host_call(operator.is_, given, "is")))
        if self.tracer.given_container(left) and self.tracer.given_container(right):
            raise refuse(Code.UNSUPPORTED_OPERATION, "'is' of two containers of the caller", self.tracer.span)
        return constant(left is right)

    def _boolean(self, node: ast.BoolOp) -> Value:
        stops_at = isinstance(node.op, ast.Or)
        for operand in node.values[:-1]:
            value = self.evaluate(operand)
            if self.tracer.truth(value) == stops_at:
                return value
        return self.evaluate(node.values[-1])

    def _conditional(self, node: ast.IfExp) -> Value:
        return self.evaluate(node.body if self._truth(node.test) else node.orelse)

    def _walrus(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self._assign(node.target, value)
        return value

    def _tuple(self, node: ast.Tuple) -> Value:
        return tuple(self._elements(node.elts))

    def _list(self, node: ast.List) -> Value:
        return self._elements(node.elts)

    def _elements(self, nodes: Sequence[ast.expr]) -> list[Value]:
        items: list[Value] = []
        for element in nodes:
            if isinstance(element, ast.Starred):
                items += python_calls.iterate(self.tracer, self.evaluate(element.value))
            else:
                items.append(self.evaluate(element))
        return items

    def _dict(self, node: ast.Dict) -> Value:
        items: dict[Any, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                merged = self.evaluate(value)
                if not isinstance(merged, dict):
                    raise refuse(Code.UNSUPPORTED_VALUE, "'**' of something that is no dict", self.tracer.span)
                items.update(merged)
            else:
                items[self._key(key)] = self.evaluate(value)
        return items

    def _key(self, node: ast.expr) -> Any:
        """A known key of a dict."""
        key = python_calls.known(self.tracer, self.evaluate(node))
        try:
            hash(key)
        except TypeError as error:
            raise refuse(Code.HOST_ERROR, "a key that has no hash: Python raises", self.tracer.span) from error
        return key

    def _attribute(self, node: ast.Attribute) -> Value:
        owner = self.evaluate(node.value)
        self._point_at(node)
        return self._attribute_of(owner, node.attr)

    def _attribute_of(self, owner: Value, name: str) -> Value:
        if isinstance(owner, ArrayValue):
            return array_methods.attribute(self.tracer, owner, name)
        if not isinstance(owner, HostValue):
            raise refuse(Code.UNKNOWN_ATTRIBUTE, f"the attribute '.{name}' is not fused", self.tracer.span)
        return Caller(self).attribute(owner, name)

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.evaluate(node.value)
        index = self.evaluate(node.slice)
        self._point_at(node)
        if isinstance(owner, ArrayValue):
            return array_methods.subscript(self.tracer, owner, index)
        key = python_calls.known(self.tracer, index)
        if is_container(owner):
            return self._item(owner, key)
        if isinstance(owner, HostValue) and isinstance(owner.value, str | bytes | range):
            return self.tracer.host_call(operator.getitem, [owner, constant(key)], "getitem")
        raise refuse(Code.UNSUPPORTED_VALUE, "this object is not indexed by the fuser", self.tracer.span)

    def _item(self, container: Any, key: Any) -> Value:
        try:
            return container[key]  # type: ignore[no-any-return]
        except (LookupError, TypeError) as error:
            raise refuse(
                Code.HOST_ERROR, f"indexing raises {type(error).__name__}", self.tracer.span, notes=(str(error),)
            ) from error

    def _slice(self, node: ast.Slice) -> Value:
        parts = [
            None if part is None else python_calls.known(self.tracer, self.evaluate(part))
            for part in (node.lower, node.upper, node.step)
        ]
        return constant(slice(*parts))

    def _lambda(self, node: ast.Lambda) -> Value:
        return self._local_function(node)

    def _local_function(self, node: ast.FunctionDef | ast.Lambda) -> LocalFunction:
        return LocalFunction(
            node=node,
            source=self.source,
            scope=self.scope,
            defaults=tuple(self.evaluate(default) for default in node.args.defaults),
            keyword_defaults=tuple(
                None if default is None else self.evaluate(default) for default in node.args.kw_defaults
            ),
        )

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> Value:
        # A comprehension has a scope of its own; what it assigns is gone afterwards (walrus targets excepted).
        saved = dict(self.scope.local)
        targets = {name.id for part in node.generators for name in ast.walk(part.target) if isinstance(name, ast.Name)}
        rows: list[Any] = []

        def emit() -> None:
            if isinstance(node, ast.DictComp):
                rows.append((self._key(node.key), self.evaluate(node.value)))
            else:
                rows.append(self.evaluate(node.elt))

        self._generate(node.generators, emit)
        for name in targets:
            if name in saved:
                self.scope.local[name] = saved[name]
            else:
                self.scope.local.pop(name, None)
        return dict(rows) if isinstance(node, ast.DictComp) else rows

    def _generate(self, generators: Sequence[ast.comprehension], emit: Callable[[], None]) -> None:
        if not generators:
            emit()
            return
        first, *rest = generators
        if first.is_async:
            raise refuse(Code.UNSUPPORTED_SYNTAX, "an asynchronous comprehension is not fused", self.tracer.span)
        for item in python_calls.iterate(self.tracer, self.evaluate(first.iter)):
            self._assign(first.target, item)
            if all(self._truth(condition) for condition in first.ifs):
                self._generate(rest, emit)

    def _call(self, node: ast.Call) -> Value:
        caller = Caller(self)
        function = caller.function_of(node.func)
        arguments = self._arguments(node.args)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update(value)
            else:
                raise refuse(Code.UNSUPPORTED_VALUE, "'**' of something that is no dict", self.tracer.span)
        self._point_at(node)
        return caller.call(function, arguments, keywords)

    def _arguments(self, nodes: Sequence[ast.expr]) -> list[Value]:
        """Positional arguments; a generator expression is one only here, where nothing can come between it and its use."""
        items: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.GeneratorExp):
                self._point_at(node)
                rows = self._comprehension(node)
                assert isinstance(rows, list)
                items.append(Iteration(items=rows))
            else:
                items += self._elements([node])
        return items

    def inline(self, node: ast.FunctionDef | ast.Lambda, source: FunctionSource, scope: Scope) -> Value:
        """The result of another function's body, run in its own frame."""
        here = self.tracer.span
        result = Frame(tracer=self.tracer, source=source, scope=scope, depth=self.depth + 1).run(node)
        self.tracer.span = here
        return result


_STATEMENTS: dict[type[ast.stmt], Callable[[Frame, Any], _Flow]] = {
    ast.Assign: Frame._assign_statement,
    ast.AnnAssign: Frame._annotated,
    ast.AugAssign: Frame._augmented,
    ast.Return: Frame._return,
    ast.If: Frame._if,
    ast.For: Frame._for,
    ast.While: Frame._while,
    ast.Break: lambda frame, statement: _Flow.BREAK,
    ast.Continue: lambda frame, statement: _Flow.CONTINUE,
    ast.Pass: lambda frame, statement: _Flow.NEXT,
    ast.Assert: Frame._assert,
    ast.Expr: Frame._expression,
    ast.FunctionDef: Frame._function,
    ast.Delete: Frame._delete,
    ast.Import: Frame._import,
    ast.ImportFrom: Frame._import,
}

_EXPRESSIONS: dict[type[ast.expr], Callable[[Frame, Any], Value]] = {
    ast.Constant: Frame._constant,
    ast.Name: Frame._name,
    ast.BinOp: Frame._binary,
    ast.UnaryOp: Frame._unary,
    ast.Compare: Frame._compare,
    ast.BoolOp: Frame._boolean,
    ast.IfExp: Frame._conditional,
    ast.NamedExpr: Frame._walrus,
    ast.Tuple: Frame._tuple,
    ast.List: Frame._list,
    ast.Dict: Frame._dict,
    ast.Attribute: Frame._attribute,
    ast.Subscript: Frame._subscript,
    ast.Slice: Frame._slice,
    ast.Lambda: Frame._lambda,
    ast.ListComp: Frame._comprehension,
    ast.DictComp: Frame._comprehension,
    ast.Call: Frame._call,
}
