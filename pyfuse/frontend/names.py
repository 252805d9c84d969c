"""What a name in a function really is: a local, a closure cell, a global, or a builtin."""

from __future__ import annotations

import builtins
from types import CellType, FunctionType
from typing import Any

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import Unsettled, Value, constant
from pyfuse.host_values import Guard, HostCall, HostConstant, HostExpression


class Scope:
    """The names that one function body sees.

    Attributes:
        local: values of the names that the body has assigned.
        owner: the function whose globals and closure the body sees; None only for text without one.
        outer: the scope around a function defined inside a traced one.
    """

    def __init__(self, owner: FunctionType, outer: Scope | None = None) -> None:
        self.local: dict[str, Value] = {}
        self.owner = owner
        self.outer = outer
        self._known: dict[str, Value] = {}

    def find(self, name: str, tracer: Tracer) -> Value:
        """The value of a name.

        Raises:
            CannotFuse: there is no such name, or a local has no value yet (Python raises its own error).
            TryAgain: the value is not known in the way in which a loop was traced.
        """
        if name in self.local:
            value = self.local[name]
            if isinstance(value, Unsettled):
                raise value.otherwise
            return value
        if self.outer is not None:
            return self.outer.find(name, tracer)
        if name not in self._known:
            self._known[name] = self._free_value(name, tracer)
        return self._known[name]

    def _free_value(self, name: str, tracer: Tracer) -> Value:
        expression, value, is_builtin = self._locate(name, tracer)
        if is_builtin or is_numpy_code(self.owner):
            return _unguarded(expression, value, name, tracer)
        return tracer.lift(expression, value, is_guarded=False, pin_numbers=True)

    def _locate(self, name: str, tracer: Tracer) -> tuple[HostExpression, Any, bool]:
        names = self.owner.__code__.co_freevars
        if name in names:
            assert self.owner.__closure__ is not None
            cell = self.owner.__closure__[names.index(name)]
            constant_cell = HostConstant(value=cell, text=name)
            try:
                value = cell.cell_contents
            except ValueError as error:
                raise refuse(Code.UNKNOWN_NAME, f"'{name}' has no value yet", tracer.span) from error
            return HostCall(function=cell_contents, operands=(constant_cell,), text=name), value, False
        namespace = self.owner.__globals__
        if name in namespace:
            expression = HostCall(
                function=global_value,
                operands=(HostConstant(value=namespace, text="globals()"), HostConstant(value=name, text=repr(name))),
                text=name,
            )
            return expression, namespace[name], False
        if not hasattr(builtins, name):
            raise refuse(Code.UNKNOWN_NAME, f"the name '{name}' is not defined", tracer.span)
        if not is_numpy_code(self.owner):
            absent = HostCall(
                function=is_absent,
                operands=(HostConstant(value=namespace, text="globals()"), HostConstant(value=name, text=repr(name))),
                text=f"global {name}",
            )
            tracer.add_guard(Guard(expression=absent, holds_for=bool, text=f"no global hides the builtin {name}"))
        return HostConstant(value=getattr(builtins, name), text=name), getattr(builtins, name), True


def is_numpy_code(function: FunctionType) -> bool:
    """Whether a function is NumPy's own, whose globals need no guard."""
    return str(function.__globals__.get("__name__", "")).partition(".")[0] == "numpy"


def _unguarded(expression: HostExpression, value: Any, name: str, tracer: Tracer) -> Value:
    if isinstance(value, tuple | list | dict) or hasattr(value, "__array_interface__"):
        return tracer.lift(expression, value, is_guarded=False, pin_numbers=True)
    return constant(value, name)


def cell_contents(cell: CellType) -> Any:
    """The value of a closure's variable."""
    return cell.cell_contents


def global_value(namespace: dict[str, Any], name: str) -> Any:
    """The value of a global."""
    return namespace[name]


def is_absent(namespace: dict[str, Any], name: str) -> bool:
    """Whether there is no such global."""
    return name not in namespace
