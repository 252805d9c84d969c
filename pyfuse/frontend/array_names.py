"""Which names of a function may stand for arrays: a guess, by which statements of numbers alone are left to Python."""

from __future__ import annotations

import ast
from collections.abc import Collection

from pyfuse.frontend.name_flow import use_of

_FACTS = frozenset({"shape", "ndim", "size", "dtype", "nbytes", "itemsize", "strides", "flags"})
_GIVES_NO_ARRAY = frozenset(
    {"bool", "float", "format", "hash", "id", "int", "isinstance", "issubclass", "len", "print", "range", "repr", "str",
     "type"}
)  # fmt: skip
_WORK = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)


class ArrayNames:
    """The guess for one function.

    Args:
        node: the function.
        given: parameters that may be arrays.
    """

    def __init__(self, node: ast.FunctionDef, given: Collection[str]) -> None:
        self._names = set(given)
        while True:
            before = len(self._names)
            for child in ast.walk(node):
                self._follow(child)
            if len(self._names) == before:
                break

    def _follow(self, node: ast.AST) -> None:
        """Names that take a value which may be an array."""
        match node:
            case ast.Assign(targets=targets, value=value):
                if self._may_be(value):
                    self._names |= use_of(targets).writes
            case ast.AugAssign(target=target, value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                if self._may_be(value):
                    self._names |= use_of(target).writes
            case ast.NamedExpr(target=target, value=value):
                if self._may_be(value):
                    self._names.add(target.id)
            case ast.For(target=target, iter=values) | ast.comprehension(target=target, iter=values):
                if self._may_be(values):
                    self._names |= use_of(target).writes
            case ast.withitem(optional_vars=ast.expr() as target):
                self._names |= use_of(target).writes

    def _may_be(self, node: ast.AST) -> bool:
        match node:
            case ast.Constant() | ast.JoinedStr():
                return False
            case ast.Name(id=name):
                return name in self._names
            case ast.Attribute(value=value, attr=name):
                return name not in _FACTS and self._may_be(value)
            case ast.Call(func=ast.Name(id=name)) if name in _GIVES_NO_ARRAY:
                return False
            case ast.Call(func=ast.Attribute()):
                return True
            case _:
                return any(self._may_be(child) for child in ast.iter_child_nodes(node))

    def has_work(self, statement: ast.stmt) -> bool:
        """Whether a statement may compute with arrays."""
        for node in ast.walk(statement):
            if isinstance(node, _WORK) and self._may_be(node):
                return True
            if isinstance(node, ast.AugAssign) and (self._may_be(node.value) or use_of(node).reads & self._names):
                return True
        return False
