"""What the names of a loop's body are bound to: which the body may change, and the arrays behind them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyfuse.frontend.name_flow import use_of
from pyfuse.frontend.values import ArrayValue, Iteration, Value, is_container

if TYPE_CHECKING:
    from pyfuse.frontend.names import Scope


def changed_and_assigned(body: list[ast.stmt]) -> tuple[frozenset[str], frozenset[str]]:
    """Names whose arrays a body may change in place, and names that it binds anew."""
    written = use_of(body).writes
    changed: set[str] = set()
    augmented: set[int] = set()
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            changed.add(node.target.id)
            augmented.add(id(node.target))
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changed |= _base_names(node)
        if isinstance(node, ast.keyword) and node.arg == "out":
            changed |= {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    names = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)]
    only_augmented = changed - {
        node.id for node in names if not isinstance(node.ctx, ast.Load) and id(node) not in augmented
    }
    return frozenset(changed), written - only_augmented


def _base_names(node: ast.expr) -> set[str]:
    """The name whose array an item of an item, or of an attribute, is in."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def may_change(value: Value) -> bool:
    """Whether ``value += 1`` changes an object, and binds no other."""
    return is_container(value) or (isinstance(value, ArrayValue) and not is_number(value))


def is_number(value: Value) -> bool:
    """Whether nobody can tell a value from an equal one: a number, or a NumPy scalar."""
    return isinstance(value, ArrayValue) and (value.is_scalar or value.weak is not None)


def values_of(scope: Scope | None) -> list[Value]:
    """What the names of a scope and of those around it are bound to."""
    values: list[Value] = []
    while scope is not None:
        values += scope.local.values()
        scope = scope.outer
    return values


def arrays_in(values: Iterable[Value]) -> list[ArrayValue]:
    """The arrays in values and their containers, and those that views among them show."""
    found: list[ArrayValue] = []
    for value in values:
        for leaf in _leaves(value):
            shown: ArrayValue | None = leaf
            while shown is not None:
                found.append(shown)
                shown = shown.base
    return found


def _leaves(value: Any) -> list[ArrayValue]:
    if isinstance(value, ArrayValue):
        return [value]
    if is_container(value):
        items = value.values() if isinstance(value, dict) else value
        return [leaf for item in items for leaf in _leaves(item)]
    return [leaf for item in value.items for leaf in _leaves(item)] if isinstance(value, Iteration) else []


def identities_in(value: Any) -> Any:
    """What a container holds, as identities all the way down."""
    if isinstance(value, Iteration):
        return [identities_in(item) for item in value.items]
    if isinstance(value, dict):
        return [(key, identities_in(item)) for key, item in value.items()]
    return [identities_in(item) for item in value] if is_container(value) else id(value)
