"""Give an unmodified NumPy function to another system: the same code, with other globals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any


def rebind(
    function: Callable[..., Any],
    replacements: Mapping[str, Any] | None = None,
    *,
    finish_helper: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda helper: helper,
    finish_float: Callable[[float], Any] = float,
) -> Callable[..., Any]:
    """A copy of a function in which some global names mean something else.

    The Python functions that it calls by a global name are copied likewise.

    Args:
        function: a plain function of a module.
        replacements: by global name; names that the function does not use are ignored.
        finish_helper: makes of a copied helper what the copy of ``function`` shall call.
        finish_float: applied to every float that is written in the code or is a global, for systems in which a Python
            float would turn single precision into double.

    Returns:
        The copy, with the name and defaults of ``function``.
    """
    assert isinstance(function, FunctionType), function
    return _rebind(function, replacements or {}, finish_helper, finish_float, {})


def _rebind(
    function: FunctionType,
    replacements: Mapping[str, Any],
    finish_helper: Callable[[Callable[..., Any]], Callable[..., Any]],
    finish_float: Callable[[float], Any],
    scopes: dict[int, dict[str, Any]],
) -> Callable[..., Any]:
    """As ``rebind``; copies of functions of one module share a scope, which torch.compile relies on."""
    scope = scopes.setdefault(id(function.__globals__), dict(function.__globals__))
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if name in replacements:
            scope[name] = replacements[name]
        elif isinstance(value, FunctionType):
            scope[name] = finish_helper(_rebind(value, replacements, finish_helper, finish_float, scopes))
        elif type(value) is float:
            scope[name] = finish_float(value)
    constants = tuple(finish_float(item) if type(item) is float else item for item in function.__code__.co_consts)
    code = function.__code__.replace(co_consts=constants)
    return FunctionType(code, scope, function.__name__, function.__defaults__, function.__closure__)
