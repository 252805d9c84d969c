"""Assignment inside a fused function: names, unpacking, items of lists and dicts, and ``+=`` with its kin."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend import python_calls
from pyfuse.frontend.stores import is_mask, item_to_store, set_item, store_into, store_where
from pyfuse.frontend.values import ArrayValue, Value, is_container

if TYPE_CHECKING:
    from pyfuse.frontend.interpret import Frame


def assign(frame: Frame, target: ast.expr, value: Value) -> None:
    """``target = value``.

    Raises:
        CannotFuse: a store into the target is not fused.
    """
    match target:
        case ast.Name(id=name):
            frame.scope.local[name] = value
            if isinstance(value, ArrayValue) and value.base is None and value.argument is None:
                frame.tracer.draft.rename(value.node, frame.tracer.origin(name))
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            _unpack(frame, elements, python_calls.iterate(frame.tracer, value))
        case ast.Subscript() if is_container(container := frame.evaluate(target.value)) and not isinstance(
            container, tuple
        ):
            key = python_calls.known(frame.tracer, frame.evaluate(target.slice))
            frame.tracer.check_is_own(container)
            if isinstance(container, list):
                python_calls.container_item(frame.tracer, container, key)  # refuses what Python's list would refuse
            container[key] = value
        case ast.Subscript() if isinstance(owner := frame.evaluate(target.value), ArrayValue):
            index = frame.evaluate(target.slice)
            frame.point_at(target)
            set_item(frame.tracer, owner, index, value)
        case _:
            raise _store_refusal(frame, target)


def _unpack(frame: Frame, targets: Sequence[ast.expr], items: list[Value]) -> None:
    starred = [number for number, target in enumerate(targets) if isinstance(target, ast.Starred)]
    after = len(targets) - starred[0] - 1 if starred else 0
    if len(starred) > 1 or (len(items) != len(targets) if not starred else len(items) < len(targets) - 1):
        raise refuse(Code.HOST_ERROR, "the number of values to unpack does not match: Python raises", frame.tracer.span)
    if starred:
        first = starred[0]
        middle = items[first : len(items) - after]
        items = [*items[:first], middle, *items[len(items) - after :]]
    for target, item in zip(targets, items, strict=True):
        assign(frame, target.value if isinstance(target, ast.Starred) else target, item)


def assign_augmented(frame: Frame, statement: ast.AugAssign) -> None:
    """``target += value`` and its kin.

    Raises:
        CannotFuse: the target or the operation is not fused.
    """
    if not isinstance(statement.target, ast.Name):
        _augmented_item(frame, statement)
        return
    name = statement.target.id
    if name not in frame.scope.local:
        raise refuse(Code.UNKNOWN_NAME, f"'{name}' is not assigned in this function", frame.tracer.span)
    current = frame.scope.find(name, frame.tracer)
    value = frame.evaluate(statement.value)
    class_name = type(statement.op).__name__
    if isinstance(current, ArrayValue) and not current.is_scalar and not current.weak:
        _store(frame, current, class_name, value)
    elif isinstance(current, list):
        _change_list(frame, current, class_name, value)
    else:
        assign(frame, statement.target, python_calls.apply_operator(frame.tracer, class_name, [current, value]))


def _augmented_item(frame: Frame, statement: ast.AugAssign) -> None:
    target = statement.target
    if isinstance(target, ast.Subscript):
        container = frame.evaluate(target.value)
        if isinstance(container, list | dict):
            key = python_calls.known(frame.tracer, frame.evaluate(target.slice))
            current = python_calls.container_item(frame.tracer, container, key)
            value = frame.evaluate(statement.value)
            class_name = type(statement.op).__name__
            if isinstance(current, ArrayValue) and not current.is_scalar:
                _store(frame, current, class_name, value)
            else:
                frame.tracer.check_is_own(container)
                container[key] = python_calls.apply_operator(frame.tracer, class_name, [current, value])
            return
        if isinstance(container, ArrayValue):
            index = frame.evaluate(target.slice)
            frame.point_at(target)
            if is_mask(frame.tracer, index):
                assert isinstance(index, ArrayValue)
                _store_masked(frame, container, index, type(statement.op).__name__, frame.evaluate(statement.value))
                return
            part = item_to_store(frame.tracer, container, index)
            if frame.tracer.rank(part) or not frame.tracer.rank(container):
                _store(frame, part, type(statement.op).__name__, frame.evaluate(statement.value))
                return
    raise _store_refusal(frame, target)


def _change_list(frame: Frame, target: list[Value], class_name: str, value: Value) -> None:
    """``target += value`` and ``target *= value``: the list itself changes, whatever names it has."""
    frame.tracer.check_is_own(target)
    if class_name == "Add":
        target.extend(python_calls.iterate(frame.tracer, value))
        return
    changed = python_calls.apply_operator(frame.tracer, class_name, [target, value])
    assert isinstance(changed, list)
    target[:] = changed


def _store(frame: Frame, target: ArrayValue, class_name: str, value: Value) -> None:
    result = python_calls.apply_operator(frame.tracer, class_name, [target, value])
    assert isinstance(result, ArrayValue)
    store_into(frame.tracer, target, result)


def _store_masked(frame: Frame, target: ArrayValue, mask: ArrayValue, class_name: str, value: Value) -> None:
    """``target[mask] += value`` with one value: elsewhere the operation is done and left out."""
    if isinstance(value, ArrayValue) and frame.tracer.rank(value):
        raise refuse(Code.UNSUPPORTED_OPERATION, "an array meets the elements of a mask", frame.tracer.span)
    result = python_calls.apply_operator(frame.tracer, class_name, [target, value])
    assert isinstance(result, ArrayValue)
    if not np.can_cast(frame.tracer.dtype(result), frame.tracer.dtype(target), "same_kind"):
        raise refuse(
            Code.NUMPY_RAISES, "an in-place result cannot be cast: NumPy raises its own error", frame.tracer.span
        )
    store_where(frame.tracer, target, mask, result)


def _store_refusal(frame: Frame, target: ast.expr) -> CannotFuse:
    frame.point_at(target)
    what = "an attribute" if isinstance(target, ast.Attribute) else "an element or a slice"
    return refuse(Code.ARGUMENT_STORE, f"a store into {what} is not fused", frame.tracer.span)
