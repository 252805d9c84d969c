"""A function of which some statements fuse: the user's statements, with calls of fused regions between them."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from types import CellType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pyfuse.call_signature import ParameterBinder
from pyfuse.diagnostics import Diagnostic
from pyfuse.frontend.regions import NO_BLAME, Blame, Region, blame_of, region_function, split
from pyfuse.frontend.rewrite import tree_text
from pyfuse.frontend.split_statements import NO_NAMES, OuterNames
from pyfuse.live_trial import LiveTrials
from pyfuse.prepared_function import PreparedFunction
from pyfuse.region_drivers import RegionPlace
from pyfuse.source import FunctionSource

if TYPE_CHECKING:
    from pyfuse.fused_call import FusedRegion

_FUTURE_FLAGS = 0x1000000  # PyCF mask of 'from __future__ import annotations'


def blame_in(prepared: PreparedFunction, reason: Diagnostic) -> Blame:
    """What of a function is to blame for a refusal; nothing where knowing it would not help."""
    node = prepared.source.node if prepared.source is not None else None
    return blame_of(node, reason, _outer_names(prepared.function)) if isinstance(node, ast.FunctionDef) else NO_BLAME


# A region that has refused so many calls, and answered none, is called as plain Python from then on.
PATIENCE = 3

Identity = tuple[object, ...]


class RegionDriver:
    """The driver of one function, for one set of statements that stay Python.

    Args:
        prepared: the function.
        blamed: why it does not fuse as a whole.
        scalars: parameters that are no arrays in the call at hand.
        before: the driver that this one takes the place of: its regions that stay as they are go on.

    Attributes:
        blame: what does not fuse, or not together.
        regions: what may be, in the order of the text.
        fused: the callables of the regions.
        is_outgrown: regions have met further statements that cannot fuse: another driver would do without them.
        on_outgrown: is called when that becomes true.
        calls: that it has answered, as far as the executor knows.
        trials: of it against the original.
    """

    def __init__(
        self,
        prepared: PreparedFunction,
        blamed: Blame,
        scalars: Collection[str],
        before: RegionDriver | None,
    ) -> None:
        assert isinstance(prepared.function, FunctionType)
        assert prepared.source is not None
        self._function: FunctionType = prepared.function
        self._source = prepared.source
        self._known = before._by_identity() if before is not None else {}
        self._found: Blame = before.blame | before._found if before is not None else NO_BLAME
        self._refusals: dict[int, int] = {}
        self.blame: Blame = NO_BLAME
        self.is_outgrown = False
        self.calls = 0
        self.trials = LiveTrials()
        self.on_outgrown: Callable[[], None] = _nothing
        self.regions: tuple[Region, ...] = ()
        self.fused: list[FusedRegion] = []
        self._node: ast.FunctionDef | None = None
        node = self._source.node
        if isinstance(node, ast.FunctionDef):
            self.blame = blamed | self._found
            found = split(node, self.blame, scalars, _outer_names(self._function)) if self.blame else None
            if found is not None:
                self.regions, self._node = found.regions, found.driver

    def link(self, make: Callable[[RegionPlace], FusedRegion]) -> None:
        """Make the functions of the regions, and the driver that calls them."""
        self._functions = [self._region_function(region) for region in self.regions]
        for number, region in enumerate(self.regions):
            known = self._known.get(_identity(region))
            if known is not None:
                known.move(self, number)
            self.fused.append(known or make(RegionPlace(self._prepared(number), self, number)))
        self._cells = {region.name: CellType(fused) for region, fused in zip(self.regions, self.fused, strict=True)}
        assert self._node is not None
        self._driver = self._compiled(self._node, self._cells)

    def _region_function(self, region: Region) -> tuple[ast.FunctionDef, FunctionType]:
        assert isinstance(self._source.node, ast.FunctionDef)
        node = region_function(region, self._source.node)
        function = self._compiled(node, {})
        function.__defaults__, function.__kwdefaults__ = None, None
        function.__qualname__ = f"{function.__qualname__}.{region.name}"
        return node, function

    def _prepared(self, number: int) -> PreparedFunction:
        node, function = self._functions[number]
        return PreparedFunction(
            function=function,
            binder=ParameterBinder(function),
            source=replace(self._source, node=node),
            refusal=None,
            code=function.__code__,
        )

    def _by_identity(self) -> dict[Identity, FusedRegion]:
        return {_identity(region): fused for region, fused in zip(self.regions, self.fused, strict=True)}

    @property
    def text(self) -> str:
        """The driver as Python."""
        return tree_text(self._node) if self._node is not None else ""

    @property
    def function(self) -> FunctionType:
        """The driver itself, for calls whose defaults are those of the original."""
        return self._driver

    def lines_of(self, number: int) -> str:
        """Where a region stands in the user's file."""
        statements = self.regions[number].statements
        first, last = statements[0].lineno, statements[-1].end_lineno or statements[-1].lineno
        begin = self._source.first_line - 1
        return f"line {begin + first}" if first == last else f"lines {begin + first} to {begin + last}"

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function's result."""
        driver, function = self._driver, self._function
        if driver.__defaults__ is not function.__defaults__ or driver.__kwdefaults__ is not function.__kwdefaults__:
            driver.__defaults__, driver.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        return driver(*args, **kwargs)

    def outgrow(self, found: Blame) -> None:
        """A region has met statements that do not fuse, or not together."""
        self._found = self._found | found
        self.is_outgrown = not self.blame.holds(self._found)
        if self.is_outgrown:
            self.on_outgrown()

    def give_up_soon(self, number: int, answered: int) -> None:
        """A region has refused a call and runs as Python; ``answered``: calls that it did better."""
        self._refusals[number] = self._refusals.get(number, 0) + 1
        if not answered and self._refusals[number] >= PATIENCE:
            self._cells[self.regions[number].name].cell_contents = self._functions[number][1]

    def _compiled(self, node: ast.FunctionDef, cells: dict[str, CellType]) -> FunctionType:
        """A function in the place of the original, with its globals and closure and with cells of our own."""
        own = self._function
        free = dict(zip(own.__code__.co_freevars, own.__closure__ or (), strict=True))
        code = _code_of(_bare(node, self._source), [*free, *cells], own)
        closure = tuple({**free, **cells}[name] for name in code.co_freevars)
        made = FunctionType(code, own.__globals__, own.__name__, own.__defaults__, closure)
        made.__kwdefaults__ = own.__kwdefaults__
        made.__qualname__, made.__module__ = own.__qualname__, own.__module__
        return made


def _outer_names(function: object) -> OuterNames:
    """What the names mean now that a function reads and does not assign."""
    if not isinstance(function, FunctionType):
        return NO_NAMES
    code, names = function.__code__, function.__globals__
    modules = [name for name in code.co_names if isinstance(names.get(name), ModuleType)]
    missing = [name for name in code.co_names if name not in names and not hasattr(builtins, name)]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            cell.cell_contents  # noqa: B018
        except ValueError:
            missing.append(name)
    return OuterNames(frozenset(modules), frozenset(missing))


def _nothing() -> None:
    """Nobody needs to know."""


def _identity(region: Region) -> Identity:
    return (*region.place, region.parameters, region.results, region.returns)


def _bare(node: ast.FunctionDef, source: FunctionSource) -> ast.FunctionDef:
    """A function without what was evaluated when it was defined, in the places of the user's file."""
    bare = copy.deepcopy(node)
    bare.decorator_list, bare.returns = [], None
    bare.name = "<driver>"  # its own would be a name of the function around it; the code gets it back
    parameters = bare.args
    for argument in ast.walk(parameters):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    nothing = ast.Constant(value=None)  # in the place of each default: those of the original are put there
    parameters.defaults = [nothing for _ in parameters.defaults]
    parameters.kw_defaults = [nothing if default is not None else None for default in parameters.kw_defaults]
    for child in ast.walk(bare):
        if child is not nothing and isinstance(
            child, ast.stmt | ast.expr | ast.arg | ast.keyword | ast.ExceptHandler | ast.alias | ast.pattern
        ):
            child.lineno += source.first_line - 1
            child.col_offset += source.indent
            if child.end_lineno is not None and child.end_col_offset is not None:
                child.end_lineno += source.first_line - 1
                child.end_col_offset += source.indent
    return bare


def _code_of(node: ast.FunctionDef, outer_names: Sequence[str], like: FunctionType) -> CodeType:
    """The code of a function inside one that has ``outer_names``, so that they are free in it."""
    outer = ast.parse("def outer(): pass").body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.args.args = [ast.arg(arg=name) for name in outer_names]
    outer.body = [node]
    module = ast.fix_missing_locations(ast.Module(body=[outer], type_ignores=[]))
    flags = like.__code__.co_flags & _FUTURE_FLAGS
    compiled = compile(module, like.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    (outer_code,) = (constant for constant in compiled.co_consts if isinstance(constant, CodeType))
    (code,) = (constant for constant in outer_code.co_consts if isinstance(constant, CodeType))
    return code.replace(co_name=like.__code__.co_name, co_qualname=like.__code__.co_qualname)
