"""Which statements of a function go together as fused regions, where some statement cannot fuse.

A region is a run of statements of one block that becomes a function of its own: of the names that it needs, giving the
names that are needed after it. What lies between regions stays as it is. Together that is the driver.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeVar

from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.frontend.array_names import ArrayNames
from pyfuse.frontend.name_flow import (
    NOTHING,
    Names,
    blocks_of,
    captured_names,
    name_flow,
    needed_by,
    own_parts,
    statements_in,
    use_of,
)
from pyfuse.frontend.parse import UNSUPPORTED
from pyfuse.frontend.split_statements import (
    NO_NAMES,
    Extent,
    OuterNames,
    extents_in,
    split_statements,
    without_dead_parts,
)
from pyfuse.records import dataclass

Tree = TypeVar("Tree", bound=ast.AST)
Position = tuple[int, int]  # line and column of a statement, as its tree has them

_IN_REGIONS = (
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.If, ast.For, ast.While, ast.Assert, ast.Pass,
    ast.Break, ast.Continue, ast.Raise,
)  # fmt: skip
# Of the constructs that are not fused, those that may be fused in their place, or are never reached in it.
_MAYBE = frozenset({ast.Starred, ast.GeneratorExp, ast.Raise, ast.JoinedStr})
_NEVER = tuple(kind for kind in UNSUPPORTED if kind not in _MAYBE)
# These see or change all local names of the frame that calls them.
_FRAME_READERS = frozenset({"locals", "vars", "eval", "exec", "dir", "super", "__class__"})
_FRAME_READING_METHODS = frozenset(
    {"locals", "eval", "exec", "query", "evaluate", "_getframe", "currentframe", "f_locals"}
)
_UNROLLED = frozenset({Code.TOO_LARGE, Code.TOO_MANY_VARIANTS})  # of loops that are better left to Python


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """Statements that are fused together.

    Attributes:
        name: by which the driver calls it.
        statements: of the original tree.
        parameters: local names that it needs.
        results: local names that it assigns and that are needed after it.
        returns: whether its last statement is a ``return``, whose value is then its result.
    """

    name: str
    statements: tuple[ast.stmt, ...]
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    returns: bool

    @property
    def place(self) -> tuple[Position, Position]:
        """Where it begins and ends."""
        return position_of(self.statements[0]), position_of(self.statements[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A function as a driver and the regions that it calls."""

    driver: ast.FunctionDef
    regions: tuple[Region, ...]


def position_of(statement: ast.stmt) -> Position:
    """What tells a statement from the others of its function."""
    return (statement.lineno, statement.col_offset)


class Blame(NamedTuple):
    """Why a function is split: statements that must stay Python, and those that fuse where a region begins with them.

    Of a compound statement that says nothing of the statements inside. Of some statements, only parts must stay Python.
    """

    hard: frozenset[Position]
    cuts: frozenset[Position]
    parts: frozenset[Extent] = frozenset()

    def __or__(self, other: Blame) -> Blame:
        return Blame(self.hard | other.hard, self.cuts | other.cuts, self.parts | other.parts)

    def __bool__(self) -> bool:
        return bool(self.hard or self.cuts or self.parts)

    def holds(self, other: Blame) -> bool:
        """Whether all that another one says is said here."""
        return self.hard >= other.hard and self.cuts >= other.cuts and self.parts >= other.parts


NO_BLAME = Blame(frozenset(), frozenset())


def blame_of(node: ast.FunctionDef, reason: Diagnostic, outer: OuterNames = NO_NAMES) -> Blame:
    """What is to blame where a function was refused for a reason; nothing where that would not help.

    Args:
        node: the function.
        reason: why it was refused.
        outer: names that it does not assign.
    """
    blamed = _statements_to_blame(node, reason)
    is_of_a_part = reason.part is not None and not reason.begins_region and blamed == frozenset(reason.statements)
    if is_of_a_part and reason.part is not None and split_statements(node, {reason.part}, outer) is not None:
        return Blame(frozenset(), frozenset(), frozenset({reason.part}))
    begins = {position_of(node.body[0])}
    if reason.begins_region and not blamed & begins:
        return Blame(frozenset(), blamed)
    return Blame(blamed, frozenset())


def _statements_to_blame(node: ast.FunctionDef, reason: Diagnostic) -> frozenset[Position]:
    if reason.code is Code.TOO_MANY_VARIANTS:
        return frozenset(
            position_of(child) for child in statements_in(node.body) if isinstance(child, ast.For | ast.While)
        )
    blamed = frozenset(reason.statements)
    if reason.code in _UNROLLED:
        loops = [child for child in statements_in(node.body) if isinstance(child, ast.For | ast.While)]
        around = {
            position_of(loop) for loop in loops if blamed & {position_of(inner) for inner in statements_in([loop])}
        }
        return frozenset(around) or blamed
    return blamed


def mentions(node: ast.FunctionDef, name: str) -> tuple[Position, ...]:
    """The statements that read a name themselves, not in statements inside them."""
    return tuple(position_of(child) for child in statements_in(node.body) if name in use_of(own_parts(child)).reads)


def statements_with(node: ast.FunctionDef, kinds: tuple[type[ast.AST], ...]) -> tuple[Position, ...]:
    """The statements that have such syntax in themselves, not in statements inside them."""
    return tuple(
        position_of(statement)
        for statement in statements_in(node.body)
        if any(isinstance(child, kinds) for part in own_parts(statement) for child in ast.walk(part))
    )


def split(node: ast.FunctionDef, blame: Blame, scalars: Collection[str], outer: OuterNames = NO_NAMES) -> Split | None:
    """A function in regions, around the statements that stay Python.

    Args:
        node: the function.
        blame: what does not fuse, or not together.
        scalars: parameters that are no arrays in the call at hand: statements of numbers alone are not worth a region.
        outer: names that it does not assign.

    Returns:
        None where no region is left, or the function may look at its own frame.
    """
    node, blame, parts = _with_parts_apart(node, blame, outer)
    used = use_of(node.body)
    if used.reads & _FRAME_READERS or any(_is_mangled(child) or _reads_frames(child) for child in ast.walk(node)):
        return None
    splitter = _Splitter(node, blame, frozenset(scalars), used.reads | used.writes)
    body = without_dead_parts(splitter.block(node.body), parts)
    if not splitter.regions:
        return None
    driver = copy.copy(node)
    driver.body, driver.decorator_list = [*body, *_declarations(body, used.writes - splitter.parameters)], []
    return Split(driver=driver, regions=tuple(splitter.regions))


def _with_parts_apart(node: ast.FunctionDef, blame: Blame, outer: OuterNames) -> tuple[ast.FunctionDef, Blame, Names]:
    """The function with parts that stay Python as statements, which are hard then; and the names of all such parts."""
    around = {
        part: position_of(statement)
        for statement in statements_in(node.body)
        if not blocks_of(statement)
        for part in blame.parts & extents_in(statement)
    }
    parts = frozenset(part for part in blame.parts if around.get(part) not in blame.hard)
    if not parts:
        return node, blame, NOTHING
    found = split_statements(node, parts, outer)
    if found is None:  # each can be moved, but not all of them
        return node, Blame(blame.hard | {around[part] for part in parts if part in around}, blame.cuts), NOTHING
    return found.node, Blame(blame.hard | found.hard, blame.cuts), found.names


def _declarations(body: Sequence[ast.stmt], names: Names) -> list[ast.stmt]:
    """What makes names local that a driver reads and never assigns: a region did that, and nobody needed it."""
    use = use_of(body)
    lost = sorted((use.reads & names) - use.writes)
    if not lost:
        return []
    never = ast.If(test=ast.Constant(value=False), body=[], orelse=[])
    never.body = [ast.Assign(targets=[_names(lost, ast.Store())], value=ast.Constant(value=None))]
    return [_located(never, body[-1])]


def _reads_frames(node: ast.AST) -> bool:
    """Whether a method may look at the names of the frame that calls it, as ``numexpr.evaluate`` does."""
    return isinstance(node, ast.Attribute) and node.attr in _FRAME_READING_METHODS


def _changed_elsewhere(node: ast.FunctionDef) -> Names:
    """Names that other functions may assign while this one runs: a region must not hold their values."""
    declared = {
        name for child in ast.walk(node) if isinstance(child, ast.Global | ast.Nonlocal) for name in child.names
    }
    generators = [child for child in ast.walk(node) if isinstance(child, ast.GeneratorExp)]
    named = [child for generator in generators for child in ast.walk(generator) if isinstance(child, ast.NamedExpr)]
    return frozenset(declared | {child.target.id for child in named})


def _writes_last(statement: ast.stmt) -> bool:
    """Whether a simple statement that raises has written nothing."""
    if any(isinstance(child, ast.NamedExpr) for child in ast.walk(statement)):
        return False
    return not isinstance(statement, ast.Assign) or (
        len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)
    )


def _is_mangled(node: ast.AST) -> bool:
    """Whether a name stands for another one inside a class."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.startswith("__") and not name.endswith("__")


class _Splitter:
    """Walks the blocks of one function and gathers regions."""

    def __init__(self, node: ast.FunctionDef, blame: Blame, scalars: frozenset[str], names: Names) -> None:
        self.regions: list[Region] = []
        self._blame = blame
        self._flow = name_flow(node)
        self._captured = captured_names(node)
        self._changed = _changed_elsewhere(node)
        self.parameters = frozenset(argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg))
        self._locals = use_of(node.body).writes | self.parameters
        self._arrays = ArrayNames(node, self.parameters - scalars)
        self._prefix = "region"
        while any(name.startswith(f"{self._prefix}_") for name in names | self._locals):
            self._prefix += "_"

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """A block with calls of regions in the place of what goes into them."""
        written: list[ast.stmt] = []
        run: list[ast.stmt] = []
        for statement in statements:
            if not self._fits(statement):
                written += [*self._flushed(run), self._kept(statement)]
                run = []
                continue
            is_cut = position_of(statement) in self._blame.cuts
            if is_cut or (run and use_of(run).writes & self._flow.exceptional[id(statement)]):
                written += self._flushed(run)
                run = []
            run.append(statement)
        return [*written, *self._flushed(run)]

    def _kept(self, statement: ast.stmt) -> ast.stmt:
        """A statement that stays Python, with regions inside its blocks."""
        if not blocks_of(statement):
            return statement
        kept = copy.copy(statement)
        for name in ("body", "orelse", "finalbody"):
            if getattr(kept, name, None):
                setattr(kept, name, self.block(getattr(kept, name)))
        for name in ("handlers", "cases"):
            parts = [copy.copy(part) for part in getattr(kept, name, ())]
            for part in parts:
                part.body = self.block(part.body)
            if parts:
                setattr(kept, name, parts)
        return kept

    # --- what may be in a region ----------------------------------------------------------------------------------

    def _fits(self, statement: ast.stmt) -> bool:
        if id(statement) not in self._flow.assigned:  # never reached
            return False
        inner = list(statements_in([statement]))
        if not all(isinstance(child, _IN_REGIONS) for child in inner) or _leaves_its_block(statement):
            return False
        places = {position_of(child) for child in inner}
        if places & self._blame.hard or isinstance(statement, ast.Raise):
            return False
        if (places - {position_of(statement)}) & self._blame.cuts:
            return False
        if any(isinstance(child, _NEVER) or self._sees_the_frame(child) for child in ast.walk(statement)):
            return False
        use = use_of(statement)
        if use.writes & self._captured or use.reads & self._changed:
            return False
        is_whole = len(inner) == 1 and _writes_last(statement)
        if not is_whole and use.writes & self._flow.exceptional[id(statement)]:
            return False
        return self._needs([statement]) <= self._flow.assigned[id(statement)]

    def _sees_the_frame(self, node: ast.AST) -> bool:
        """Whether a function is made that reads local names, as they are when it is called."""
        return isinstance(node, ast.Lambda | ast.GeneratorExp) and bool(use_of(node).reads & self._locals)

    def _needs(self, statements: Sequence[ast.stmt]) -> Names:
        results = use_of(statements).writes & self._flow.needed[id(statements[-1])]
        return needed_by(statements, results) & self._locals

    # --- regions --------------------------------------------------------------------------------------------------

    def _flushed(self, run: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements of a run, or a call of the region that they make."""
        working = [number for number, statement in enumerate(run) if self._arrays.has_work(statement)]
        if not working:
            return list(run)
        first, last = working[0], working[-1] + 1
        return [*run[:first], self._region(run[first:last]), *run[last:]]

    def _region(self, statements: Sequence[ast.stmt]) -> ast.stmt:
        returns = isinstance(statements[-1], ast.Return)
        needed = NOTHING if returns else self._flow.needed[id(statements[-1])]
        region = Region(
            name=f"{self._prefix}_{len(self.regions)}",
            statements=tuple(statements),
            parameters=tuple(sorted(self._needs(statements))),
            results=tuple(sorted(use_of(statements).writes & needed)),
            returns=returns,
        )
        self.regions.append(region)
        return _located(_call(region), statements[0])


def _leaves_its_block(statement: ast.stmt) -> bool:
    """Whether a statement contains a ``return``, or is left by a ``break`` or ``continue`` of a loop around it."""
    return not isinstance(statement, ast.Return) and _leaves([statement], in_loop=False)


def _leaves(block: Sequence[ast.stmt], *, in_loop: bool) -> bool:
    for statement in block:
        if isinstance(statement, ast.Return) or (isinstance(statement, ast.Break | ast.Continue) and not in_loop):
            return True
        for inner in blocks_of(statement):
            is_body = isinstance(statement, ast.For | ast.While) and inner is statement.body
            if _leaves(inner, in_loop=in_loop or is_body):
                return True
    return False


def region_function(region: Region, like: ast.FunctionDef) -> ast.FunctionDef:
    """A region as a function of its own, in its places in the original."""
    function = copy.copy(like)
    function.decorator_list, function.returns = [], None
    arguments = [ast.arg(arg=name) for name in region.parameters]
    function.args = ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[])
    function.body = list(region.statements)
    if region.results:
        function.body.append(_located(ast.Return(value=_names(region.results, ast.Load())), region.statements[-1]))
    for argument in arguments:
        _located(argument, region.statements[0])
    return function


def _call(region: Region) -> ast.stmt:
    arguments: list[ast.expr] = [ast.Name(id=name, ctx=ast.Load()) for name in region.parameters]
    call = ast.Call(func=ast.Name(id=region.name, ctx=ast.Load()), args=arguments, keywords=[])
    if region.returns:
        return ast.Return(value=call)
    if not region.results:
        return ast.Expr(value=call)
    return ast.Assign(targets=[_names(region.results, ast.Store())], value=call)


def _names(names: Sequence[str], context: ast.expr_context) -> ast.expr:
    parts: list[ast.expr] = [ast.Name(id=name, ctx=context) for name in names]
    return parts[0] if len(parts) == 1 else ast.Tuple(elts=parts, ctx=context)


def _located(made: Tree, like: ast.AST) -> Tree:
    for node in ast.walk(made):
        ast.copy_location(node, like)
    return made
