"""One function body, interpreted on values: what its statements and expressions share."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from pyfuse.frontend.expressions import handler_of
from pyfuse.frontend.names import Scope
from pyfuse.frontend.parse import unsupported
from pyfuse.frontend.statements import run_block
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import Value, constant
from pyfuse.source import FunctionSource


@dataclass(kw_only=True)
class Frame:
    """The interpretation of one function body.

    Attributes:
        tracer: shared by all frames of one tracing.
        source: for places in diagnostics.
        scope: the names the body sees; parameters are already bound.
        depth: how many helper functions deep.
        result: what a 'return' has given so far.
        statement: the innermost statement that is being run.
        expressions: of that statement, those that are being evaluated, the innermost last.
    """

    tracer: Tracer
    source: FunctionSource
    scope: Scope
    depth: int = 0
    result: Value | None = None
    statement: ast.stmt | None = None
    expressions: list[ast.expr] = field(default_factory=list)

    def run(self, node: ast.FunctionDef | ast.Lambda) -> Value:
        """The function's result.

        Raises:
            CannotFuse: a statement or expression cannot be fused.
        """
        if isinstance(node, ast.Lambda):
            return self.evaluate(node.body)
        run_block(self, node.body)
        return self.result if self.result is not None else constant(None)

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression.

        Raises:
            CannotFuse: it cannot be fused.
        """
        handler = handler_of(node)
        if handler is None:
            raise unsupported(node, self.source.span(node))
        self.point_at(node)
        self.expressions.append(node)
        value = handler(self, node)
        self.expressions.pop()
        self.point_at(node)
        return value

    def truth(self, node: ast.expr) -> bool:
        """Whether an expression counts as true, where that is known.

        Raises:
            CannotFuse: it depends on the elements of an array, or cannot be fused.
        """
        value = self.evaluate(node)
        return self.tracer.truth(value)

    def point_at(self, node: ast.AST) -> None:
        """Make a part of the source the place that diagnostics point at."""
        self.tracer.span = self.source.span(node) or self.tracer.span

    def inline(self, node: ast.FunctionDef | ast.Lambda, source: FunctionSource, scope: Scope) -> Value:
        """The result of another function's body, run in its own frame."""
        here = self.tracer.span
        result = Frame(tracer=self.tracer, source=source, scope=scope, depth=self.depth + 1).run(node)
        self.tracer.span = here
        return result
