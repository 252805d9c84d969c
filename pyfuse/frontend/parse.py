"""What of Python is not fused, in the user's words, with what to write instead: one table."""

from __future__ import annotations

import ast
from types import FunctionType

from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.records import dataclass
from pyfuse.source import FunctionSource, SourceUnavailable, Span, read_source


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """The user's word for a construct, and what to write instead."""

    word: str
    hint: str = ""


UNSUPPORTED: dict[type[ast.AST], Unsupported] = {
    ast.AsyncFor: Unsupported(word="'async for'"),
    ast.AsyncFunctionDef: Unsupported(word="an 'async' function"),
    ast.AsyncWith: Unsupported(word="'async with'"),
    ast.Await: Unsupported(word="'await'"),
    ast.ClassDef: Unsupported(word="a class definition", hint="define the class outside the fused function"),
    ast.Delete: Unsupported(word="'del' of an item or attribute"),
    ast.GeneratorExp: Unsupported(word="a generator expression that is kept", hint="use a list comprehension"),
    ast.Global: Unsupported(word="'global'", hint="return the value, and assign it in the caller"),
    ast.JoinedStr: Unsupported(word="an f-string", hint="format text in the caller"),
    ast.Match: Unsupported(word="'match'", hint="'if' on values known before the call is resolved while fusing"),
    ast.Nonlocal: Unsupported(word="'nonlocal'", hint="return the value, and assign it in the caller"),
    ast.Raise: Unsupported(word="'raise' that is reached"),
    ast.Set: Unsupported(word="a set"),
    ast.SetComp: Unsupported(word="a set comprehension"),
    ast.Starred: Unsupported(word="'*' here"),
    ast.Try: Unsupported(word="'try'", hint="move it to the caller"),
    ast.With: Unsupported(word="'with'", hint="move it to the caller; np.errstate around the call is honoured"),
    ast.Yield: Unsupported(word="a generator ('yield')"),
    ast.YieldFrom: Unsupported(word="a generator ('yield from')"),
}
if hasattr(ast, "TryStar"):
    UNSUPPORTED[ast.TryStar] = Unsupported(word="'try' with 'except*'")

_COROUTINE = 0x80 | 0x100 | 0x200  # inspect.CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR


def parse_function(function: FunctionType) -> FunctionSource:
    """The source of a function that might be fused.

    Raises:
        CannotFuse: there is no source text, or the function is a coroutine.
    """
    if function.__code__.co_flags & _COROUTINE:
        raise refuse(Code.UNSUPPORTED_SYNTAX, "coroutines are not fused", _place_of(function))
    try:
        source = read_source(function)
    except SourceUnavailable as error:
        raise refuse(
            Code.NO_SOURCE,
            f"'{function.__qualname__}' runs as ordinary Python: {error}",
            hints=("define the function in a file or a notebook cell",),
        ) from error
    return source


def _place_of(function: FunctionType) -> Span | None:
    try:
        source = read_source(function)
    except SourceUnavailable:  # 'async def', which is never parsed
        return None
    return source.span(source.node)


def unsupported(node: ast.AST, span: Span | None) -> CannotFuse:
    """The refusal of a construct."""
    entry = UNSUPPORTED.get(type(node), Unsupported(word=f"this construct ({type(node).__name__})"))
    return refuse(
        Code.UNSUPPORTED_SYNTAX,
        f"{entry.word} is not fused",
        span,
        label="runs as ordinary Python",
        hints=(entry.hint,) if entry.hint else (),
    )
