"""A function's source text and syntax tree, and places in it."""

from __future__ import annotations

import ast
import copy
import hashlib
import linecache
import textwrap
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any

from pyfuse.records import dataclass

FunctionNode = ast.FunctionDef | ast.Lambda
_MAX_DRAWN_COLUMNS = 160  # a longer line is cut around the caret when a diagnostic is drawn


@dataclass(frozen=True, kw_only=True)
class Span:
    """One place in the user's source.

    Attributes:
        filename: as the user's tracebacks name it.
        line: 1-based line number in that file.
        column: 0-based column of the caret in ``text``.
        width: columns to underline, at least 1.
        text: the source line, without its line end.
    """

    filename: str
    line: int
    column: int
    width: int
    text: str


@dataclass(frozen=True, kw_only=True)
class FunctionSource:
    """A function's own syntax tree, with what is needed to point into its file.

    Attributes:
        filename: as tracebacks name it.
        node: the ``def`` or ``lambda``; positions are those of the file.
        lines: the text lines of the function, dedented as parsed.
        first_line: number of ``lines[0]`` in the file, 1-based.
        indent: columns that dedenting removed.
    """

    filename: str
    node: FunctionNode
    lines: tuple[str, ...]
    first_line: int
    indent: int

    def span(self, node: ast.AST) -> Span | None:
        """The place of ``node`` in the user's file, or None where the node has no position of its own."""
        line = getattr(node, "lineno", None)
        if line is None or not 1 <= line <= len(self.lines):
            return None
        text = self.lines[line - 1]
        start = _character(text, getattr(node, "col_offset", 0))
        end_line, end_offset = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", None)
        end = _character(text, end_offset) if end_line == line and end_offset is not None else len(text.rstrip())
        drawn, shift = _shorten(" " * self.indent + text, start + self.indent)
        return Span(
            filename=self.filename,
            line=self.first_line + line - 1,
            column=start + self.indent - shift,
            width=max(1, min(end - start, len(drawn) - (start + self.indent - shift))),
            text=drawn,
        )


class SourceUnavailable(Exception):
    """The text of a function cannot be had; the message says why."""


def read_source(function: FunctionType) -> FunctionSource:
    """Find and parse the source of a Python function or lambda.

    Raises:
        SourceUnavailable: there is no text (``exec``, a REPL without history, a deleted file), it does not parse,
            it has changed since the function was made, or several lambdas on its lines cannot be told apart.
    """
    code = function.__code__
    filename = code.co_filename
    lines = linecache.getlines(filename, function.__globals__)
    if not lines:
        raise SourceUnavailable("its source text is not available (made by exec(), or typed where no text is kept)")
    first_line = max(code.co_firstlineno, 1)
    if first_line > len(lines):
        raise SourceUnavailable("its source text has changed since it was defined")
    try:
        return _read_block(lines[first_line - 1 : _last_line(code)], code, filename)
    except SourceUnavailable:  # more lines belong to it than its code tells: ask the tokenizer, which takes 10 ms more
        return _read_block(_whole_block(lines, first_line), code, filename)


def source_block(function: FunctionType) -> tuple[str, ...]:
    """The lines of a function's file that are its own, to be sent with it; empty where they cannot be had."""
    lines = linecache.getlines(function.__code__.co_filename, function.__globals__)
    first = max(function.__code__.co_firstlineno, 1)
    try:
        return tuple(_whole_block(lines, first)) if first <= len(lines) else ()
    except SourceUnavailable:
        return ()


def attach_source(function: FunctionType, block: Sequence[str]) -> None:
    """Give a function that arrived without its file (cloudpickle 3.1.3 sends no file name) the lines that came with it.

    They stand in ``linecache`` at their own line numbers, under a name that says what they are.
    """
    code = function.__code__
    if not block or linecache.getlines(code.co_filename, function.__globals__):
        return
    digest = hashlib.sha256("".join(block).encode()).hexdigest()[:12]
    name = f"<source of {code.co_qualname}, {digest}>"
    lines = ["\n"] * (max(code.co_firstlineno, 1) - 1) + list(block)
    linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    function.__code__ = code.replace(co_filename=name)


def _read_block(block: list[str], code: CodeType, filename: str) -> FunctionSource:
    text = textwrap.dedent("".join(block))
    indent = len(block[0]) - len(block[0].lstrip())
    first_line = max(code.co_firstlineno, 1)
    node = _find(_parse(text), code, first_line, indent)
    return FunctionSource(
        filename=filename, node=node, lines=tuple(text.splitlines()), first_line=first_line, indent=indent
    )


def _last_line(code: CodeType) -> int:
    """The last line that the code of a function, and of those inside it, came from."""
    own = max((end for _, end, _, _ in code.co_positions() if end is not None), default=code.co_firstlineno)
    return max([own, *(_last_line(inner) for inner in code.co_consts if isinstance(inner, CodeType))])


def _whole_block(lines: list[str], first_line: int) -> list[str]:
    import inspect

    try:
        return inspect.getblock(lines[first_line - 1 :])
    except (IndentationError, SyntaxError) as error:
        raise SourceUnavailable(f"its source text is not available ({error})") from error


def _parse(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError:
        pass
    # A lambda inside a larger expression: its lines need not parse alone. Cut from the word on, to where it parses.
    start = text.find("lambda")
    while start >= 0:
        for end in range(len(text), start, -1):
            try:
                tree = ast.parse(" " * 0 + "(" + text[start:end] + ")")
            except SyntaxError:
                continue
            return ast.increment_lineno(tree, text.count("\n", 0, start))
        start = text.find("lambda", start + 1)
    raise SourceUnavailable("its source lines do not parse on their own")


def _find(tree: ast.Module, code: CodeType, first_line: int, indent: int) -> FunctionNode:
    is_lambda = code.co_name == "<lambda>"
    kind = ast.Lambda if is_lambda else ast.FunctionDef
    candidates = [node for node in ast.walk(tree) if isinstance(node, kind) and _name(node) == code.co_name]
    same = [node for node in candidates if _facts_of_node(node) == _facts(code)]
    if not same:
        raise SourceUnavailable("its source text has changed since it was defined, or is not a plain 'def' or lambda")
    if len(same) > 1:
        same = [node for node in same if _stands_at(node, code, first_line, indent)]
    if len(same) != 1 and len({ast.dump(node) for node in same}) != 1:
        raise SourceUnavailable("several functions on the same lines cannot be told apart")
    return same[0]


def _name(node: FunctionNode) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def _stands_at(node: FunctionNode, code: CodeType, first_line: int, indent: int) -> bool:
    """Whether the positions that the compiler kept of a function's body lie within the node's."""
    body = node.body if isinstance(node, ast.Lambda) else node.body[0]
    wanted = (body.lineno + first_line - 1, body.col_offset + indent)
    return wanted in {(line, column) for line, _, column, _ in code.co_positions()}


def _facts(code: CodeType) -> tuple[Any, ...]:
    """What the compiler keeps of a function that does not depend on the text around it."""
    constants = sorted(repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType))
    return (sorted({*code.co_names, *code.co_freevars}), sorted({*code.co_varnames, *code.co_cellvars}), constants)


def _facts_of_node(node: FunctionNode) -> tuple[Any, ...] | None:
    """The facts of ``node`` compiled alone, to tell whether it is the text of the function at hand."""
    if isinstance(node, ast.Lambda):
        module: ast.Module | ast.Expression = ast.Expression(node)
        mode = "eval"
    else:
        bare = copy.copy(node)
        bare.decorator_list = []
        bare.returns = None
        module, mode = ast.Module(_with_outer_names(bare), []), "exec"
    try:
        compiled = compile(ast.fix_missing_locations(module), "<pyfuse>", mode, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    found = _inner_code(compiled, _name(node))
    return _facts(found) if found is not None else None


def _with_outer_names(node: ast.FunctionDef) -> list[ast.stmt]:
    """The function, inside another that has the names it declares 'nonlocal': it does not compile without."""
    names = sorted({name for inner in ast.walk(node) if isinstance(inner, ast.Nonlocal) for name in inner.names})
    if not names:
        return [node]
    outer = ast.parse("def outer():\n    pass").body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [*ast.parse("".join(f"{name} = None\n" for name in names)).body, node]
    return [outer]


def _inner_code(code: CodeType, name: str) -> CodeType | None:
    """The code of the function called ``name`` among the constants of ``code``, or of the functions there."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    for constant in reversed(inner):
        if constant.co_name == name:
            return constant
    return next((found for constant in inner if (found := _inner_code(constant, name)) is not None), None)


def _character(text: str, offset: int) -> int:
    """A UTF-8 byte offset, as ``ast`` counts, as a character column."""
    return len(text.encode()[:offset].decode(errors="ignore"))


def _shorten(text: str, column: int) -> tuple[str, int]:
    if len(text) <= _MAX_DRAWN_COLUMNS:
        return text, 0
    start = max(0, column - _MAX_DRAWN_COLUMNS // 2)
    return text[start : start + _MAX_DRAWN_COLUMNS], start


def unwrap_function(function: Callable[..., Any]) -> FunctionType | None:
    """The plain Python function itself, or None for anything else (builtins, classes, callables)."""
    return function if isinstance(function, FunctionType) else None
