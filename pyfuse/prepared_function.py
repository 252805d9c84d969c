"""Everything that is known of a function before any call: its source, its parameters, its original."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from pyfuse.call_signature import ParameterBinder
from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.errors import CannotFuse
from pyfuse.fallback import mistakes_as_reasons
from pyfuse.frontend.parse import parse_function
from pyfuse.records import dataclass
from pyfuse.source import FunctionSource


@dataclass(frozen=True, kw_only=True)
class PreparedFunction:
    """A function ready to be specialised.

    Attributes:
        function: the original, which runs wherever fusing ends.
        binder: puts arguments in the order of parameters.
        source: its parsed text, or None when it cannot be fused for any arguments.
        refusal: why not, then.
        code: what the source was read for; another one may be put in its place.
    """

    function: Callable[..., Any]
    binder: ParameterBinder | None
    source: FunctionSource | None
    refusal: Diagnostic | None
    code: CodeType | None = None


def prepare(function: Callable[..., Any]) -> PreparedFunction:
    """Read and parse a function; a failure is kept as a reason, not raised."""
    if not isinstance(function, FunctionType):
        return _refused(
            function,
            Diagnostic(
                code=Code.NO_SOURCE,
                message=f"{getattr(function, '__name__', function)!r} is no Python function: it runs as it is",
                hints=("wrap it in a function of your own",),
            ),
        )
    if hasattr(function, "__wrapped__"):
        return _refused(
            function,
            Diagnostic(
                code=Code.NO_SOURCE,
                message=f"'{function.__qualname__}' is wrapped by another decorator, whose code is not in its text",
                hints=("put @pyfuse.fuse directly above 'def', below the other decorators",),
            ),
        )
    try:
        with mistakes_as_reasons():
            source = parse_function(function)
    except CannotFuse as error:
        return _refused(function, error.diagnostic)
    return PreparedFunction(
        function=function, binder=ParameterBinder(function), source=source, refusal=None, code=function.__code__
    )


def _refused(function: Callable[..., Any], refusal: Diagnostic) -> PreparedFunction:
    return PreparedFunction(function=function, binder=None, source=None, refusal=refusal)
