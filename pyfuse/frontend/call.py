"""Calls inside a fused function: who is called, and what the call means."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend import array_methods, element_tests, numpy_calls, python_calls
from pyfuse.frontend.known_arguments import as_dtype, has_array
from pyfuse.frontend.names import Scope, is_numpy_code
from pyfuse.frontend.parse import parse_function
from pyfuse.frontend.ufunc_calls import call_ufunc
from pyfuse.frontend.values import ArrayValue, BoundMethod, HostValue, LocalFunction, Value, constant, is_container
from pyfuse.graph.ops import NOT_FUSED_UFUNCS, by_callable
from pyfuse.host_values import HostCall, HostConstant, HostExpression, helper_guard, identity_guard

if TYPE_CHECKING:
    from pyfuse.frontend.interpret import Frame

MAX_DEPTH = 60  # of helper functions: deeper is taken to be endless recursion

# The mark that a fused function carries; calling one inside another inlines the original.
FUSED_MARK = "__pyfuse_fused__"


class _ArrayMethod:
    """A method looked up on an array or container, before it is called."""

    def __init__(self, owner: Value, name: str) -> None:
        self.owner = owner
        self.name = name


Callee = Value | _ArrayMethod


class Caller:
    """Resolves and performs calls for one frame."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._tracer = frame.tracer

    def function_of(self, node: ast.expr) -> Callee:
        """What the expression before the parentheses stands for."""
        if not isinstance(node, ast.Attribute):
            return self._frame.evaluate(node)
        owner = self._frame.evaluate(node.value)
        if isinstance(owner, ArrayValue) or is_container(owner):
            return _ArrayMethod(owner, node.attr)
        if isinstance(owner, HostValue):
            self._tracer.span = self._frame.source.span(node)
            return self.attribute(owner, node.attr)
        raise refuse(Code.UNKNOWN_ATTRIBUTE, f"the attribute '.{node.attr}' is not fused", self._tracer.span)

    def call(self, function: Callee, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
        """The result of a call.

        Raises:
            CannotFuse: the function is not one that can be fused.
        """
        match function:
            case _ArrayMethod():
                return self._array_method(function, arguments, keywords)
            case LocalFunction():
                return self._inline_local(function, arguments, keywords)
            case BoundMethod():
                return self._call_object(function.function, [function.receiver, *arguments], keywords)
            case HostValue():
                return self._call_object(self._tracer.pin(function), arguments, keywords)
            case _:
                raise refuse(Code.UNKNOWN_CALL, "this object is not callable", self._tracer.span)

    # --- attributes -----------------------------------------------------------------------------------------------

    def attribute(self, owner: HostValue, name: str) -> Value:
        """``owner.name``: of a module, a class, a number, or a plain attribute of a user's object.

        Raises:
            CannotFuse: reading it might run code.
        """
        value = owner.value
        if isinstance(value, python_calls.SAFE_METHOD_TYPES):
            return self._tracer.host_call(functools.partial(_get, name=name), [owner], f"attribute {name}")
        if isinstance(value, ModuleType):
            return self._module_attribute(owner, value, name)
        if isinstance(value, np.ufunc) and hasattr(value, name):
            return constant(getattr(self._tracer.pin(owner), name), f"{owner.expression.text}.{name}")
        return self._object_attribute(owner, value, name)

    def _module_attribute(self, owner: HostValue, module: ModuleType, name: str) -> Value:
        if name not in vars(module) and not hasattr(module, name):
            raise refuse(Code.UNKNOWN_NAME, f"module '{module.__name__}' has no '{name}'", self._tracer.span)
        value = getattr(module, name)
        if module.__name__.partition(".")[0] in ("numpy", "math", "scipy"):
            return constant(value, f"{owner.expression.text}.{name}")
        return self._tracer.lift(_attribute_expression(owner, name), value, is_guarded=False, pin_numbers=True)

    def _object_attribute(self, owner: HostValue, value: Any, name: str) -> Value:
        found = inspect.getattr_static(value, name, _MISSING)
        if found is _MISSING:
            raise refuse(
                Code.UNKNOWN_ATTRIBUTE, f"'{owner.expression.text}' has no plain attribute '{name}'", self._tracer.span
            )
        method = self._method(owner, value, name, found)
        if method is not None:
            lookup = HostCall(
                function=functools.partial(_static_lookup, name=name),
                operands=(owner.expression,),
                text=f"{owner.expression.text}.{name}",
            )
            self._tracer.add_guard(identity_guard(lookup, found))
            return method
        is_slot = inspect.ismemberdescriptor(found)
        if hasattr(type(found), "__get__") and not is_slot and not isinstance(found, FunctionType | type):
            raise refuse(
                Code.UNKNOWN_ATTRIBUTE,
                f"reading '{owner.expression.text}.{name}' may run code of the object",
                self._tracer.span,
                hints=("read it before the call, and pass it as an argument",),
            )
        if hasattr(type(value), "__getattr__") or type(value).__getattribute__ not in _PLAIN_LOOKUPS:
            raise refuse(
                Code.UNKNOWN_ATTRIBUTE,
                f"'{owner.expression.text}' looks attributes up in its own way",
                self._tracer.span,
            )
        return self._tracer.lift(_attribute_expression(owner, name), getattr(value, name), is_guarded=False)

    def _method(self, owner: HostValue, value: Any, name: str, found: Any) -> Value | None:
        """A method of a user's object, found on its class; None for an attribute that is data."""
        if isinstance(found, staticmethod):
            return constant(found.__func__, name)
        if isinstance(found, classmethod):
            receiver = value if isinstance(value, type) else type(value)
            return BoundMethod(function=found.__func__, receiver=constant(receiver))
        is_function = isinstance(found, FunctionType) or getattr(found, FUSED_MARK, False) is True
        if is_function and not isinstance(value, type) and name not in _own(value):
            return BoundMethod(function=found, receiver=owner)
        return None

    # --- callables ------------------------------------------------------------------------------------------------

    def _call_object(self, function: Any, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
        if getattr(function, FUSED_MARK, False) is True:
            function = function.__wrapped__
        if isinstance(function, functools.partial):
            bound = [constant(argument) for argument in function.args]
            named = {name: constant(value) for name, value in function.keywords.items()}
            return self._call_object(function.func, [*bound, *arguments], {**named, **keywords})
        if isinstance(function, MethodType):
            return self._call_object(function.__func__, [constant(function.__self__), *arguments], keywords)
        has_arrays = has_array([*arguments, *keywords.values()])
        handler = numpy_calls.handler_of(function) or element_tests.handler_of(function)
        if handler is None or not has_arrays:
            handler = python_calls.builtin_handler(function) or (handler if _makes_arrays(function) else None)
        if handler is not None:
            return self._handle(handler, function, [], arguments, keywords)
        if not has_arrays and python_calls.is_pure(function):
            return self._pure(function, arguments, keywords)
        operation = by_callable(function)
        if operation is not None:
            return call_ufunc(self._tracer, operation, arguments, keywords)
        if isinstance(function, type) and issubclass(function, np.generic) and len(arguments) == 1 and not keywords:
            return self._scalar_type(function, arguments[0])
        return self._inline(function, arguments, keywords)

    def _pure(self, function: Callable[..., Any], arguments: Sequence[Value], keywords: dict[str, Value]) -> HostValue:
        plain = [
            argument if isinstance(argument, HostValue) else constant(python_calls.known(self._tracer, argument))
            for argument in [*arguments, *keywords.values()]
        ]
        name = getattr(function, "__name__", "call")
        if not keywords:
            return self._tracer.pure_call(function, plain, name)
        call = functools.partial(_call_with_keywords, function, len(arguments), tuple(keywords))
        return self._tracer.pure_call(call, plain, name)

    def _scalar_type(self, kind: type[np.generic], argument: Value) -> Value:
        if not isinstance(argument, ArrayValue):
            raise refuse(
                Code.UNSUPPORTED_VALUE, f"np.{kind.__name__} of a list or tuple is not fused", self._tracer.span
            )
        result = self._tracer.cast(argument, as_dtype(self._tracer, constant(kind)))
        result.is_scalar = not self._tracer.rank(result)
        return result

    def _array_method(self, method: _ArrayMethod, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
        if not isinstance(method.owner, ArrayValue):
            return python_calls.container_method(self._tracer, method.owner, method.name, list(arguments))
        handler = array_methods.method(method.name)
        if handler is None:
            raise refuse(Code.UNKNOWN_CALL, f"the array method '.{method.name}()' is not fused", self._tracer.span)
        return self._handle(handler, f".{method.name}", [method.owner], arguments, keywords)

    def _handle(
        self, handler: Callable[..., Value], function: object, owner: Sequence[Value], arguments: Sequence[Value],
        keywords: dict[str, Value],
    ) -> Value:  # fmt: skip
        try:
            _signature(handler).bind(self._tracer, *owner, *arguments, **keywords)
        except TypeError as error:
            name = function if isinstance(function, str) else getattr(function, "__name__", "this function")
            raise refuse(
                Code.UNSUPPORTED_OPERATION,
                f"these arguments of '{name}' are not fused",
                self._tracer.span,
                notes=(str(error),),
            ) from error
        return handler(self._tracer, *owner, *arguments, **keywords)

    # --- inlining -------------------------------------------------------------------------------------------------

    def _inline(self, function: Any, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
        name = getattr(function, "__qualname__", getattr(function, "__name__", type(function).__name__))
        if isinstance(function, np.ufunc) and function.__name__ in NOT_FUSED_UFUNCS:
            raise refuse(
                Code.UNKNOWN_CALL, f"'{name}' is not fused: {NOT_FUSED_UFUNCS[function.__name__]}", self._tracer.span
            )
        own = inspect.unwrap(function) if _is_numpy_function(function) else function
        if not isinstance(own, FunctionType):
            raise refuse(
                Code.UNKNOWN_CALL,
                f"the call of '{name}' is not an array expression",
                self._tracer.span,
                label="runs as ordinary Python",
            )
        if self._frame.depth >= MAX_DEPTH:
            raise refuse(Code.TOO_LARGE, f"helper functions are nested more than {MAX_DEPTH} deep", self._tracer.span)
        here = self._tracer.span
        if own.__code__.co_flags & inspect.CO_GENERATOR:
            raise refuse(Code.UNSUPPORTED_SYNTAX, f"'{name}' is a generator ('yield'), which is not fused", here)
        source = parse_function(own)
        if isinstance(source.node, ast.FunctionDef) and _is_wrapped(function):
            raise refuse(Code.UNKNOWN_CALL, f"'{name}' is decorated", here)
        scope = Scope(own)
        defaults = own.__defaults__ or ()
        keyword_defaults = own.__kwdefaults__ or {}
        if is_numpy_code(own):
            source = replace(source, lines=())  # without places: the user's own line is to blame, not NumPy's
        else:
            self._guard_helper(own)
        positional = [self._lift_default(value) for value in defaults]
        named = [
            self._lift_default(keyword_defaults[argument.arg]) if argument.arg in keyword_defaults else None
            for argument in source.node.args.kwonlyargs
        ]
        self._bind(scope, source.node.args, arguments, keywords, positional, named)
        try:
            return self._frame.inline(source.node, source, scope)
        except CannotFuse as error:
            if not is_numpy_code(own) or error.diagnostic.code not in _OF_ITS_CODE:
                raise
            raise refuse(  # what NumPy's own code does that is not fused says nothing to the user
                Code.UNKNOWN_CALL,
                f"the call of '{name}' is not an array expression",
                here,
                label="runs as ordinary Python",
                notes=(f"in NumPy's own code: {error.diagnostic.message}",),
            ) from error

    def _inline_local(self, function: LocalFunction, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
        if self._frame.depth >= MAX_DEPTH:
            raise refuse(Code.TOO_LARGE, f"functions are nested more than {MAX_DEPTH} deep", self._tracer.span)
        scope = Scope(function.scope.owner, outer=function.scope)
        self._bind(scope, function.node.args, arguments, keywords, function.defaults, function.keyword_defaults)
        return self._frame.inline(function.node, function.source, scope)

    def _lift_default(self, value: Any) -> Value:
        return self._tracer.lift(HostConstant(value=value, text="default"), value, is_guarded=True, pin_numbers=True)

    def _guard_helper(self, function: FunctionType) -> None:
        """A helper's code and defaults are part of the specialisation; its globals are guarded where they are read."""
        self._tracer.add_guard(helper_guard(function))

    def _bind(
        self, scope: Scope, parameters: ast.arguments, arguments: Sequence[Value], keywords: dict[str, Value],
        defaults: Sequence[Value], keyword_defaults: Sequence[Value | None],
    ) -> None:  # fmt: skip
        bound = bind_parameters(parameters, arguments, keywords, defaults, keyword_defaults)
        if bound is None:
            raise refuse(
                Code.HOST_ERROR, "a helper is called with arguments that do not match: Python raises", self._tracer.span
            )
        scope.local.update(bound)


def bind_parameters(
    parameters: ast.arguments,
    arguments: Sequence[Value],
    keywords: dict[str, Value],
    defaults: Sequence[Value],
    keyword_defaults: Sequence[Value | None],
) -> dict[str, Value] | None:
    """Values of a function's parameters for a call, or None where Python would raise TypeError.

    Source: Python language reference, 6.3.4 "Calls".
    """
    names = [argument.arg for argument in [*parameters.posonlyargs, *parameters.args]]
    keyword_names = names[len(parameters.posonlyargs) :]
    bound: dict[str, Value] = dict(zip(names, arguments, strict=False))
    extra = tuple(arguments[len(names) :])
    if extra and parameters.vararg is None:
        return None
    rest: dict[str, Value] = {}
    only = [argument.arg for argument in parameters.kwonlyargs]
    for name, value in keywords.items():
        if name in bound:
            return None
        if name in keyword_names or name in only:
            bound[name] = value
        else:
            rest[name] = value
    if rest and parameters.kwarg is None:
        return None
    for name, default in zip(reversed(names), reversed(defaults), strict=False):
        bound.setdefault(name, default)
    for name, keyword_default in zip(only, keyword_defaults, strict=True):
        if keyword_default is not None:
            bound.setdefault(name, keyword_default)
    if any(name not in bound for name in [*names, *only]):
        return None
    if parameters.vararg is not None:
        bound[parameters.vararg.arg] = extra
    if parameters.kwarg is not None:
        bound[parameters.kwarg.arg] = rest
    return bound


_MISSING = object()
_OF_ITS_CODE = frozenset({Code.UNKNOWN_ATTRIBUTE, Code.UNKNOWN_CALL, Code.UNKNOWN_NAME, Code.UNSUPPORTED_SYNTAX})
_PLAIN_LOOKUPS: tuple[Any, ...] = (object.__getattribute__, type.__getattribute__)


def _own(value: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = getattr(value, "__dict__", {})
    return namespace


def _attribute_expression(owner: HostValue, name: str) -> HostExpression:
    return HostCall(
        function=functools.partial(_get, name=name),
        operands=(owner.expression,),
        text=f"{owner.expression.text}.{name}",
    )


def _static_lookup(value: Any, *, name: str) -> Any:
    """What ``inspect.getattr_static`` finds of a method, in 0.5 us instead of 10: this is looked at in every call."""
    kind = value if isinstance(value, type) else type(value)
    if kind is not value and name in _own(value):
        return _own(value)[name]
    for base in kind.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    raise AttributeError(name)


def _get(value: Any, *, name: str) -> Any:
    return getattr(value, name)


def _call_with_keywords(function: Callable[..., Any], count: int, names: tuple[str, ...], *values: Any) -> Any:
    return function(*values[:count], **dict(zip(names, values[count:], strict=True)))


def _makes_arrays(function: object) -> bool:
    """NumPy functions that make an array of numbers alone."""
    return function in (np.zeros, np.ones, np.full)


def _is_numpy_function(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == "numpy"


def _is_wrapped(function: Any) -> bool:
    """Whether a user's helper is more than its text: a decorator's result has other code than the text it shows."""
    if _is_numpy_function(function):
        return False
    return hasattr(function, "__wrapped__")


@functools.cache
def _signature(handler: Callable[..., Value]) -> inspect.Signature:
    return inspect.signature(handler)
