"""Statements of which a part cannot fuse, written as several: ``y = exp(x @ w + b)`` as ``p = x @ w; y = exp(p + b)``.

What is evaluated before that part stays before it: it is moved into statements of its own too, unless it is a name that
nothing changes meanwhile. A part that need not be evaluated, or is evaluated more than once, is not moved.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pyfuse.frontend.name_flow import NOTHING, Names, blocks_of, captured_names, name_flow, statements_in, use_of

Position = tuple[int, int]
Extent = tuple[int, int, int, int]  # first line and column, last line and column of an expression


_WORK = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)


class OuterNames(NamedTuple):
    """Names that a function reads and does not assign.

    Attributes:
        modules: those that stand for modules.
        missing: those that have no value, so that reading one raises.
    """

    modules: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


NO_NAMES = OuterNames()


class SplitStatements(NamedTuple):
    """A function some of whose statements have been split.

    Attributes:
        node: the function; the rest of a statement stands where the statement stood.
        hard: where the statements are that must stay Python.
        names: of the values that go from statement to statement; each is read once.
    """

    node: ast.FunctionDef
    hard: frozenset[Position]
    names: frozenset[str]


class _NotSplit(Exception):
    """A part of a statement cannot be moved."""


def extent_of(node: ast.expr) -> Extent:
    """What tells an expression from the others of its function."""
    return (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)


def extents_in(node: ast.AST) -> frozenset[Extent]:
    """Those of all expressions in a tree."""
    return frozenset(extent_of(child) for child in ast.walk(node) if isinstance(child, ast.expr))


def part_to_blame(expressions: Sequence[ast.expr]) -> Extent | None:
    """The part of a statement that may be moved where the innermost of some nested expressions was refused."""
    for node in reversed(expressions[-2:]):  # a name or an attribute is refused for the call that it is of
        if isinstance(node, ast.Call | ast.Subscript) or _is_product(node):
            return extent_of(node)
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
    return None


def split_statements(
    node: ast.FunctionDef, parts: Collection[Extent], outer: OuterNames = NO_NAMES
) -> SplitStatements | None:
    """A function whose statements are split around parts that cannot fuse.

    Args:
        node: the function.
        parts: which expressions.
        outer: names that it does not assign.

    Returns:
        None where nothing is won, or a part cannot be moved.
    """
    splitter = _Splitter(node, frozenset(parts), outer)
    try:
        body = splitter.block(node.body)
    except _NotSplit:
        return None
    if not splitter.hard or splitter.parts != splitter.found:
        return None
    changed = copy.copy(node)
    changed.body = body
    return SplitStatements(changed, frozenset(splitter.hard), frozenset(splitter.names))


def without_dead_parts(body: list[ast.stmt], parts: Collection[str]) -> list[ast.stmt]:
    """A block that forgets the values of parts where they have been read, as temporaries are forgotten."""
    if not parts:
        return body
    written: list[ast.stmt] = []
    for statement in body:
        inner = blocks_of(statement)
        for block in inner:
            block[:] = without_dead_parts(block, parts)
        written.append(statement)
        dead = [] if inner or isinstance(statement, ast.Return) else sorted(use_of(statement).reads & set(parts))
        if dead:
            forgotten = ast.Delete(targets=[ast.Name(id=name, ctx=ast.Del()) for name in dead])
            for made in ast.walk(forgotten):
                ast.copy_location(made, statement)
            written.append(forgotten)
    return written


class _Splitter:
    def __init__(self, node: ast.FunctionDef, parts: frozenset[Extent], outer: OuterNames) -> None:
        self.parts = parts
        self.found: set[Extent] = set()
        self.hard: set[Position] = set()
        self.names: list[str] = []
        use = use_of(node.body)
        arguments = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        self._locals = use.writes | arguments
        self._still = self._locals - captured_names(node)
        self._assigned = name_flow(node).assigned
        self._sure: Names = NOTHING  # local names that have a value where the statement at hand begins
        self._modules, self._missing = outer.modules - self._locals, outer.missing
        self._is_calm = all(_runs_no_code_of_the_user(part, self._modules) for part in _parts(node, parts))
        self._taken = {(child.lineno, child.col_offset) for child in statements_in(node.body)}
        self._prefix = "part"
        while any(name.startswith(f"{self._prefix}_") for name in use.reads | use.writes | arguments):
            self._prefix += "_"

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """A block with its statements split."""
        written: list[ast.stmt] = []
        for statement in statements:
            inner = blocks_of(statement)
            if not inner:
                written += self._split(statement) if self._holds_part(statement) else [statement]
                continue
            changed = copy.copy(statement)
            for name in ("body", "orelse", "finalbody"):
                if getattr(changed, name, None):
                    setattr(changed, name, self.block(getattr(changed, name)))
            for name in ("handlers", "cases"):
                branches = [copy.copy(branch) for branch in getattr(changed, name, ())]
                for branch in branches:
                    branch.body = self.block(branch.body)
                if branches:
                    setattr(changed, name, branches)
            written.append(changed)
        return written

    def _split(self, statement: ast.stmt) -> list[ast.stmt]:
        if (
            not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return)
            or statement.value is None
        ):
            raise _NotSplit
        self._sure = self._assigned.get(id(statement), NOTHING)
        if isinstance(statement, ast.AugAssign) and not self._is_still_name(statement.target):
            raise _NotSplit  # what is changed is read before the value is computed
        before: list[ast.stmt] = []
        rest = copy.copy(statement)
        if extent_of(statement.value) in self.parts and not isinstance(statement, ast.AugAssign):
            self.found.add(extent_of(statement.value))
            rest.value = self._children(statement.value, before)
            if not before:
                raise _NotSplit  # it is the whole statement, and its operands are names
            self._claim_hard(rest)
        else:
            rest.value = self._moved(statement.value, before)
            if not isinstance(statement, ast.AugAssign) and not any(isinstance(n, _WORK) for n in ast.walk(rest.value)):
                raise _NotSplit
        return [*before, rest]

    def _claim_hard(self, statement: ast.stmt) -> None:
        self.hard.add((statement.lineno, statement.col_offset))

    def _holds_part(self, node: ast.AST) -> bool:
        return any(isinstance(child, ast.expr) and extent_of(child) in self.parts for child in ast.walk(node))

    # --- expressions, in the order in which they are evaluated ----------------------------------------------------

    def _moved(self, node: ast.expr, before: list[ast.stmt]) -> ast.expr:
        """An expression whose parts have been moved into statements ``before``."""
        if not self._holds_part(node):
            return node
        changed = self._children(node, before)
        if extent_of(node) not in self.parts or not _is_lifted(node):
            return changed
        self.found.add(extent_of(node))
        return self._named(changed, before, is_hard=True)

    def _children(self, node: ast.expr, before: list[ast.stmt]) -> ast.expr:
        """An expression with the parts inside it moved, and with them what is evaluated before them."""
        operands = _operands(node)
        is_part = extent_of(node) in self.parts
        wanted = [self._holds_part(operand) or (is_part and _is_worth_a_statement(operand)) for operand in operands]
        if not any(wanted):
            return node
        last = max(number for number, is_wanted in enumerate(wanted) if is_wanted)
        changed = []
        for number, operand in enumerate(operands):
            moved = self._moved(operand, before)
            is_early = number < last and not self._is_still(moved)
            if is_early or (is_part and number <= last and _is_worth_a_statement(moved)):
                moved = self._named(moved, before, is_hard=False)
            changed.append(moved)
        return _with_operands(node, changed)

    def _named(self, value: ast.expr, before: list[ast.stmt], *, is_hard: bool) -> ast.expr:
        """A name for a value, which a new statement computes."""
        if isinstance(value, ast.Slice | ast.Starred):
            raise _NotSplit
        name = f"{self._prefix}_{len(self.names)}"
        statement = ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=value)
        for made in (statement, statement.targets[0]):
            ast.copy_location(made, value)
        place = (statement.lineno, statement.col_offset)
        while place in self._taken:  # that of an expression that begins where another one does: its own column is free
            place = (place[0], place[1] + 1)
        statement.lineno, statement.col_offset = place
        self._taken.add(place)
        self.names.append(name)
        before.append(statement)
        if is_hard:
            self._claim_hard(statement)
        return ast.copy_location(ast.Name(id=name, ctx=ast.Load()), value)

    def _is_still(self, node: ast.expr) -> bool:
        """Whether an expression has the same value a little later."""
        match node:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return self._is_still_name(node) or name in self.names
            case ast.Attribute(value=value):
                return isinstance(value, ast.Name | ast.Attribute) and _root(value) in self._modules
            case ast.UnaryOp(operand=ast.Constant()):
                return True
            case ast.Slice(lower=lower, upper=upper, step=step):
                return all(part is None or self._is_still(part) for part in (lower, upper, step))
        return False

    def _is_still_name(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name):
            return False
        if node.id in self._locals:  # one without a value is missed in its turn
            return node.id in self._still and node.id in self._sure
        return node.id in self._modules or (self._is_calm and node.id not in self._missing)


def _parts(node: ast.FunctionDef, parts: frozenset[Extent]) -> list[ast.expr]:
    return [child for child in ast.walk(node) if isinstance(child, ast.expr) and extent_of(child) in parts]


def _runs_no_code_of_the_user(node: ast.expr, modules: Collection[str]) -> bool:
    """Whether it is a product, or a call of a module's function: global names are the same after it."""
    return _is_product(node) or (isinstance(node, ast.Call) and _root(node.func) in modules)


def _is_product(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)


def _is_lifted(node: ast.expr) -> bool:
    return isinstance(node, ast.Call | ast.Subscript) or _is_product(node)


def _is_worth_a_statement(node: ast.expr) -> bool:
    """Whether an operand of something that cannot fuse is more than one operation."""
    return isinstance(node, _WORK) and sum(isinstance(child, _WORK) for child in ast.walk(node)) > 1


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _operands(node: ast.expr) -> list[ast.expr]:
    """What an expression evaluates, each once and always, in this order.

    Raises:
        _NotSplit: it may leave out some of it, or evaluate it later.
    """
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Compare(left=left, comparators=[right]):
            return [left, right]
        case ast.Call(func=function, args=arguments, keywords=keywords):
            if any(isinstance(argument, ast.Starred) for argument in arguments) or any(k.arg is None for k in keywords):
                raise _NotSplit
            return [function, *arguments, *(keyword.value for keyword in keywords)]
        case ast.Attribute(value=value):
            return [value]
        case ast.Subscript(value=value, slice=index):
            return [value, index]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return list(items)
    raise _NotSplit


def _with_operands(node: ast.expr, operands: Sequence[ast.expr]) -> ast.expr:
    made = copy.copy(node)
    match made:
        case ast.BinOp():
            made.left, made.right = operands
        case ast.UnaryOp():
            (made.operand,) = operands
        case ast.Compare():
            made.left, made.comparators = operands[0], [operands[1]]
        case ast.Call():
            count = len(made.args)
            made.func, made.args = operands[0], list(operands[1 : 1 + count])
            made.keywords = [copy.copy(keyword) for keyword in made.keywords]
            for keyword, value in zip(made.keywords, operands[1 + count :], strict=True):
                keyword.value = value
        case ast.Attribute():
            (made.value,) = operands
        case ast.Subscript():
            made.value, made.slice = operands
        case ast.Tuple() | ast.List():
            made.elts = list(operands)
    return made
