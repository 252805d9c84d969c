"""What each statement of a function body does to the frame that runs it."""

from __future__ import annotations

import ast
import enum
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend import kernel_loops
from pyfuse.frontend.assignment import assign, assign_augmented
from pyfuse.frontend.expressions import attribute_of, local_function
from pyfuse.frontend.parse import unsupported
from pyfuse.frontend.values import constant

if TYPE_CHECKING:
    from pyfuse.frontend.interpret import Frame

MAX_STEPS = 100_000  # of 'while' loops over known values: beyond it they are taken to be endless


class Flow(enum.Enum):
    """How a block of statements ended."""

    NEXT = enum.auto()
    BREAK = enum.auto()
    CONTINUE = enum.auto()
    RETURN = enum.auto()


def run_block(frame: Frame, statements: Sequence[ast.stmt]) -> Flow:
    """Run statements one after the other, until one leaves the block.

    Raises:
        CannotFuse: one cannot be fused.
    """
    for statement in statements:
        frame.point_at(statement)
        frame.statement = statement
        frame.expressions.clear()
        handler = _HANDLERS.get(type(statement))
        if handler is None:
            raise unsupported(statement, frame.tracer.span)
        flow = handler(frame, statement)
        if flow is not Flow.NEXT:
            return flow
    return Flow.NEXT


def _assign_statement(frame: Frame, statement: ast.Assign) -> Flow:
    value = frame.evaluate(statement.value)
    for target in statement.targets:
        assign(frame, target, value)
    return Flow.NEXT


def _annotated(frame: Frame, statement: ast.AnnAssign) -> Flow:
    if statement.value is not None:
        assign(frame, statement.target, frame.evaluate(statement.value))
    return Flow.NEXT


def _return(frame: Frame, statement: ast.Return) -> Flow:
    frame.result = frame.evaluate(statement.value) if statement.value is not None else constant(None)
    return Flow.RETURN


def _if(frame: Frame, statement: ast.If) -> Flow:
    return run_block(frame, statement.body if frame.truth(statement.test) else statement.orelse)


def _for(frame: Frame, statement: ast.For) -> Flow:
    items, loop = kernel_loops.items_of(frame, statement)
    for item in items:
        assign(frame, statement.target, item)
        flow = run_block(frame, statement.body)
        if flow is Flow.BREAK:
            return Flow.NEXT
        if flow is Flow.RETURN:
            return flow
    if loop is not None:
        kernel_loops.run(frame, statement, loop)
        frame.point_at(statement)
        frame.statement = statement
    return run_block(frame, statement.orelse)


def _while(frame: Frame, statement: ast.While) -> Flow:
    steps = 0
    while frame.truth(statement.test):
        steps += 1
        if steps > MAX_STEPS:
            raise refuse(Code.TOO_LARGE, "a 'while' loop does not end while it is unrolled", frame.tracer.span)
        flow = run_block(frame, statement.body)
        if flow is Flow.BREAK:
            return Flow.NEXT
        if flow is Flow.RETURN:
            return flow
        frame.point_at(statement)
        frame.statement = statement
    return run_block(frame, statement.orelse)


def _assert(frame: Frame, statement: ast.Assert) -> Flow:
    if __debug__ and not frame.truth(statement.test):
        raise refuse(Code.HOST_ERROR, "an assertion does not hold: Python raises", frame.tracer.span)
    return Flow.NEXT


def _expression(frame: Frame, statement: ast.Expr) -> Flow:
    frame.evaluate(statement.value)
    return Flow.NEXT


def _function(frame: Frame, statement: ast.FunctionDef) -> Flow:
    if statement.decorator_list:
        raise refuse(Code.UNSUPPORTED_SYNTAX, "a decorated function inside a fused one is not fused", frame.tracer.span)
    frame.scope.local[statement.name] = local_function(frame, statement)
    return Flow.NEXT


def _delete(frame: Frame, statement: ast.Delete) -> Flow:
    for target in statement.targets:
        if not isinstance(target, ast.Name) or target.id not in frame.scope.local:
            raise unsupported(statement, frame.tracer.span)
        del frame.scope.local[target.id]
    return Flow.NEXT


def _import(frame: Frame, statement: ast.Import | ast.ImportFrom) -> Flow:
    for alias in statement.names:
        from_module = statement.module if isinstance(statement, ast.ImportFrom) else alias.name
        module = sys.modules.get(from_module or "")
        if module is None or alias.name == "*" or (isinstance(statement, ast.ImportFrom) and statement.level):
            raise refuse(
                Code.UNSUPPORTED_SYNTAX,
                "an import inside the function is not fused",
                frame.tracer.span,
                hints=("import at the top of the file",),
            )
        if isinstance(statement, ast.ImportFrom):
            frame.scope.local[alias.asname or alias.name] = attribute_of(frame, constant(module), alias.name)
        elif alias.asname:
            frame.scope.local[alias.asname] = constant(module)
        else:
            top = alias.name.partition(".")[0]
            frame.scope.local[top] = constant(sys.modules[top])
    return Flow.NEXT


def _augmented(frame: Frame, statement: ast.AugAssign) -> Flow:
    assign_augmented(frame, statement)
    return Flow.NEXT


_HANDLERS: dict[type[ast.stmt], Callable[[Frame, Any], Flow]] = {
    ast.Assign: _assign_statement,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.If: _if,
    ast.For: _for,
    ast.While: _while,
    ast.Break: lambda _frame, _statement: Flow.BREAK,
    ast.Continue: lambda _frame, _statement: Flow.CONTINUE,
    ast.Pass: lambda _frame, _statement: Flow.NEXT,
    ast.Assert: _assert,
    ast.Expr: _expression,
    ast.FunctionDef: _function,
    ast.Delete: _delete,
    ast.Import: _import,
    ast.ImportFrom: _import,
}
