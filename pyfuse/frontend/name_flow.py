"""Which local names a function's statements read and write, which surely have a value, and which are needed later.

Everything here errs on one side: a name that might be read later counts as needed, one that might have no value yet
counts as having none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace

from pyfuse.records import dataclass

Names = frozenset[str]
_INNER_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.GeneratorExp
_LOOP = ast.For | ast.AsyncFor | ast.While
_TRY = (ast.Try, getattr(ast, "TryStar", ast.Try))
_KNOWN_MANAGERS = frozenset({"errstate", "printoptions", "catch_warnings"})  # of NumPy and the standard library
NOTHING: Names = frozenset()


@dataclass(frozen=True, kw_only=True)
class NameUse:
    """Names that a part of a function reads, writes or deletes; those of comprehensions are their own."""

    reads: Names
    writes: Names


def use_of(nodes: ast.AST | Iterable[ast.AST]) -> NameUse:
    """What syntax trees read and write, in whatever order they do."""
    collector = _Collector()
    for node in [nodes] if isinstance(nodes, ast.AST) else nodes:
        collector.visit(node)
    return NameUse(reads=frozenset(collector.reads), writes=frozenset(collector.writes))


def captured_names(node: ast.FunctionDef) -> Names:
    """Names that functions, classes and generators inside a function read or declare: later calls see them change."""
    inner = [child for child in ast.walk(node) if isinstance(child, _INNER_FUNCTION) and child is not node]
    used = [use_of(child) for child in inner]
    declared = {
        name for child in ast.walk(node) if isinstance(child, ast.Global | ast.Nonlocal) for name in child.names
    }
    return frozenset(declared).union(*(use.reads for use in used))


def statements_in(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and those inside them, in the order of the text."""
    for statement in block:
        yield statement
        for inner in blocks_of(statement):
            yield from statements_in(inner)


def blocks_of(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The lists of statements inside a compound statement, in the order of its text."""
    blocks = [
        getattr(statement, name) for name in ("body", "handlers", "orelse", "finalbody") if hasattr(statement, name)
    ]
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    if isinstance(statement, ast.Match):
        return [case.body for case in statement.cases]
    found: list[list[ast.stmt]] = []
    for block in blocks:
        found += [handler.body for handler in block] if block and isinstance(block[0], ast.ExceptHandler) else [block]
    return [block for block in found if block]


def own_parts(statement: ast.stmt) -> list[ast.AST]:
    """A statement without the statements inside it."""
    inside = {id(child) for block in blocks_of(statement) for child in block}
    parts: list[ast.AST] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.ExceptHandler | ast.match_case):
            parts += [part for part in ast.iter_child_nodes(child) if id(part) not in inside]
        elif id(child) not in inside:
            parts.append(child)
    return parts if blocks_of(statement) else [statement]


@dataclass(frozen=True, kw_only=True)
class NameFlow:
    """What is known of names before and after each statement of a function, by the statement's ``id``.

    Attributes:
        assigned: names that surely have a value when the statement begins.
        needed: names that may be read after it has ended.
        exceptional: names that may be read after it has raised an exception.
    """

    assigned: dict[int, Names] = field(default_factory=dict)
    needed: dict[int, Names] = field(default_factory=dict)
    exceptional: dict[int, Names] = field(default_factory=dict)


def needed_by(block: Sequence[ast.stmt], after: Names) -> Names:
    """Names that a block may read before it writes them, or leave as they are where they are needed ``after`` it."""
    return _need(block, after, _Exits(), NameFlow())


def name_flow(node: ast.FunctionDef) -> NameFlow:
    """The flow of names through a function's body."""
    flow = NameFlow()
    parameters = node.args
    given = [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs, parameters.vararg, parameters.kwarg]
    _assign(node.body, frozenset(argument.arg for argument in given if argument is not None), flow.assigned)
    _need(node.body, NOTHING, _Exits(), flow)
    return flow


# --- surely assigned ----------------------------------------------------------------------------------------------


def _assign(block: Sequence[ast.stmt], known: Names, record: dict[int, Names]) -> Names | None:
    """Names that surely have a value after a block; None where its end is never reached."""
    for statement in block:
        record[id(statement)] = known
        after = _after(statement, known, record)
        if after is None:
            return None
        known = after
    return known


def _after(statement: ast.stmt, known: Names, record: dict[int, Names]) -> Names | None:
    match statement:
        case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
            return None
        case ast.If():
            ends = [_assign(statement.body, known, record), _assign(statement.orelse, known, record)]
            reached = [end for end in ends if end is not None]
            return frozenset.intersection(*reached) if reached else None
        case ast.For() | ast.AsyncFor() | ast.While():
            kept = known - _deleted(statement)
            inside = kept | (use_of(statement.target).writes if not isinstance(statement, ast.While) else NOTHING)
            _assign(statement.body, inside, record)
            _assign(statement.orelse, kept, record)
            return kept
        case ast.With() | ast.AsyncWith():
            bound = use_of([item.optional_vars for item in statement.items if item.optional_vars is not None]).writes
            end = _assign(statement.body, known | bound, record)
            kept = (known | bound) - _deleted(statement)
            return kept if _may_swallow(statement) or end is None else end
        case ast.Match():
            kept = known - _deleted(statement)
            for case in statement.cases:
                _assign(case.body, kept | use_of(case.pattern).writes, record)
            return kept
        case ast.Delete():
            return known - _deleted(statement)
        case _ if isinstance(statement, _TRY):
            return _after_try(statement, known, record)
        case _:
            return known | _sure_writes(statement)


def _after_try(statement: ast.Try, known: Names, record: dict[int, Names]) -> Names | None:
    kept = known - _deleted(statement)
    end = _assign(statement.body, known, record)
    ends = [_assign(statement.orelse, end, record) if end is not None else None]
    for handler in statement.handlers:
        named = frozenset([handler.name]) if handler.name else NOTHING
        end = _assign(handler.body, kept | named, record)
        ends.append(end - named if end is not None else None)  # Python deletes the name
    reached = [end for end in ends if end is not None]
    final = _assign(statement.finalbody, kept, record)
    if not reached or final is None:
        return None
    deleted = NOTHING.union(*map(_deleted, statement.finalbody))
    return (frozenset.intersection(*reached) | final) - deleted


def _may_swallow(statement: ast.With | ast.AsyncWith) -> bool:
    """Whether exceptions in a ``with`` may end there: what was to be assigned then has no value."""
    calls = [item.context_expr for item in statement.items]
    return not all(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _KNOWN_MANAGERS
        for call in calls
    )


def _sure_writes(node: ast.AST) -> Names:
    """Names that a statement or expression assigns whatever its values are; ':=' may not be reached."""
    reached = {child.target.id for child in ast.walk(node) if isinstance(child, ast.NamedExpr)}
    return use_of(node).writes - reached


def _deleted(statement: ast.stmt) -> Names:
    """Names that a statement may delete: by ``del``, or at the end of an ``except ... as name``."""
    deleted = {
        target.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    deleted |= {node.name for node in ast.walk(statement) if isinstance(node, ast.ExceptHandler) and node.name}
    return frozenset(deleted)


# --- needed later -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Exits:
    """What is needed where a block is left other than at its end."""

    by_break: Names = NOTHING
    by_continue: Names = NOTHING
    by_exception: Names = NOTHING
    by_return: Names = NOTHING


def _need(block: Sequence[ast.stmt], after: Names, exits: _Exits, flow: NameFlow) -> Names:
    """What may be read when a block begins, given what may be read after it."""
    for statement in reversed(block):
        after |= exits.by_exception
        flow.needed[id(statement)] = flow.needed.get(id(statement), NOTHING) | after
        flow.exceptional[id(statement)] = flow.exceptional.get(id(statement), NOTHING) | exits.by_exception
        after = _before(statement, after, exits, flow)
    return after | exits.by_exception


def _before(statement: ast.stmt, after: Names, exits: _Exits, flow: NameFlow) -> Names:
    match statement:
        case ast.Return():
            return exits.by_return | use_of(statement).reads
        case ast.Raise():
            return exits.by_exception | use_of(statement).reads
        case ast.Break():
            return exits.by_break
        case ast.Continue():
            return exits.by_continue
        case ast.If():
            body = _need(statement.body, after, exits, flow)
            return use_of(statement.test).reads | body | _need(statement.orelse, after, exits, flow)
        case ast.For() | ast.AsyncFor() | ast.While():
            return _before_loop(statement, after, exits, flow)
        case ast.With() | ast.AsyncWith():  # it may swallow an exception
            inside = replace(exits, by_exception=exits.by_exception | after)
            body = _need(statement.body, after, inside, flow)
            return body | use_of(statement.items).reads
        case ast.Match():
            bodies = [_need(case.body, after, exits, flow) for case in statement.cases]
            tests = [case.guard for case in statement.cases if case.guard is not None]
            patterns = [case.pattern for case in statement.cases]
            return after.union(use_of([statement.subject, *tests, *patterns]).reads, *bodies)
        case _ if isinstance(statement, _TRY):
            return _before_try(statement, after, exits, flow)
        case _:
            use = use_of(statement)
            return (after - (use.writes - _deleted(statement))) | use.reads


def _before_loop(statement: ast.For | ast.AsyncFor | ast.While, after: Names, exits: _Exits, flow: NameFlow) -> Names:
    header = statement.test if isinstance(statement, ast.While) else statement.iter
    target = NOTHING if isinstance(statement, ast.While) else use_of(statement.target).writes
    ending = _need(statement.orelse, after, exits, flow) | after
    reads = use_of(header if isinstance(statement, ast.While) else [header, statement.target]).reads
    head = ending | reads
    while True:
        inside = replace(exits, by_break=after, by_continue=head)
        body = _need(statement.body, head, inside, flow)
        found = head | (body - target)
        if found == head:
            return head | reads
        head = found


def _before_try(statement: ast.Try, after: Names, exits: _Exits, flow: NameFlow) -> Names:
    left = after | exits.by_exception | exits.by_return | exits.by_break | exits.by_continue
    final = _need(statement.finalbody, left, exits, flow)
    if statement.finalbody:  # whichever way the rest is left, it runs
        exits = _Exits(
            by_break=exits.by_break | final,
            by_continue=exits.by_continue | final,
            by_exception=exits.by_exception | final,
            by_return=exits.by_return | final,
        )
        after = after | final
    handlers = NOTHING.union(*(_need(handler.body, after, exits, flow) for handler in statement.handlers))
    handlers |= use_of([handler.type for handler in statement.handlers if handler.type is not None]).reads
    orelse = _need(statement.orelse, after, exits, flow)
    inside = replace(exits, by_exception=exits.by_exception | handlers)
    return _need(statement.body, orelse, inside, flow) | handlers


class _Collector(ast.NodeVisitor):
    """Reads and writes of the function's own names."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Store):  # 'del' needs a value too
            self.reads.add(node.id)
        if not isinstance(node.ctx, ast.Load):
            self.writes.add(node.id)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None or not isinstance(node.target, ast.Name):  # 'x: int' alone does nothing
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.reads.add(node.target.id)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.writes.add(node.name)
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self.writes.add(node.asname or node.name.partition(".")[0])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.writes |= {node.name} if node.name else set()
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.writes |= {node.name} if node.name else set()

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.writes |= {node.rest} if node.rest else set()
        self.generic_visit(node)

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        inner = _Collector()
        inner.generic_visit(node)
        own = frozenset[str]().union(*(use_of(generator.target).writes for generator in node.generators))
        self.visit(node.generators[0].iter)  # evaluated outside
        self.reads |= inner.reads - own
        self.writes |= inner.writes - own  # ':=' in it

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_inner(node.args, [node.body])

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.writes.add(node.name)
        for decorator in node.decorator_list:
            self.visit(decorator)
        if node.returns is not None:
            self.visit(node.returns)
        self._visit_inner(node.args, node.body)

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.writes.add(node.name)
        inner = use_of([*node.bases, *node.keywords, *node.decorator_list, *node.body])
        self.reads |= inner.reads

    def _visit_inner(self, parameters: ast.arguments, body: Sequence[ast.AST]) -> None:
        """A function inside: what it reads and does not bind. A name that it binds after reading it is its own too."""
        notes = [node.annotation for node in ast.walk(parameters) if isinstance(node, ast.arg)]
        for default in [*parameters.defaults, *parameters.kw_defaults, *notes]:
            if default is not None:
                self.visit(default)
        inner = use_of(body)
        bound = {node.arg for node in ast.walk(parameters) if isinstance(node, ast.arg)}
        outer = {name for node in _walk(body) if isinstance(node, ast.Nonlocal) for name in node.names}
        self.reads |= (inner.reads - bound - (inner.writes - outer)) | outer


def _walk(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)
