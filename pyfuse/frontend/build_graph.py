"""Python to graph: interpret a function's syntax tree on values, writing every array operation down."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import replace
from types import FunctionType
from typing import Any

from pyfuse.diagnostics import Code, refuse, with_span
from pyfuse.errors import CannotFuse
from pyfuse.frontend.interpret import Frame
from pyfuse.frontend.loop_body import UNROLL
from pyfuse.frontend.names import Scope
from pyfuse.frontend.parse import unsupported
from pyfuse.frontend.split_statements import part_to_blame
from pyfuse.frontend.stores import GivenStore, check_gain
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Place, TryAgain, Value
from pyfuse.graph.nodes import Graph, Output
from pyfuse.host_values import Guard, HostArgument, HostExpression
from pyfuse.records import dataclass
from pyfuse.source import FunctionSource


@dataclass(frozen=True, kw_only=True)
class OutputRecipe:
    """Kernel output number ``index``."""

    index: int


@dataclass(frozen=True, kw_only=True)
class NumberRecipe:
    """The Python number in kernel output number ``index``."""

    index: int


@dataclass(frozen=True, kw_only=True)
class HostRecipe:
    """A value that Python computes, or an object of the call itself."""

    expression: HostExpression


@dataclass(frozen=True, kw_only=True)
class ViewRecipe:
    """A NumPy view of another result: under other axes (as in ``nodes.View``), or of its real or imaginary part."""

    base: Recipe
    axes: tuple[int | None, ...]
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class CutRecipe:
    """A NumPy view of another result: some elements along one axis (as in ``nodes.Slice``)."""

    base: Recipe
    axis: int
    start: HostExpression
    extent: HostExpression
    step: int


@dataclass(frozen=True, kw_only=True)
class ReshapeRecipe:
    """A NumPy view of another result under other extents."""

    base: Recipe
    extents: tuple[HostExpression, ...]


@dataclass(frozen=True, kw_only=True)
class ContainerRecipe:
    """A tuple, list or dict; ``keys`` only for a dict."""

    kind: type
    items: tuple[Recipe, ...]
    keys: tuple[Any, ...] = ()


Recipe = OutputRecipe | NumberRecipe | HostRecipe | ViewRecipe | CutRecipe | ReshapeRecipe | ContainerRecipe


@dataclass(frozen=True, kw_only=True)
class StoreRecipe:
    """Kernel output number ``index`` goes into an array of the caller.

    Attributes:
        index: of the output.
        target: the array.
        apart: arrays that must not share memory with it: they are read after the store.
    """

    index: int
    target: HostExpression
    apart: tuple[HostExpression, ...]


@dataclass(frozen=True, kw_only=True)
class TracedFunction:
    """A function specialised to the kinds of one call's arguments.

    Attributes:
        graph: what the kernel computes.
        inputs: for each input of the graph, where the array comes from.
        scalars: for each scalar of the graph, its value at a call.
        extents: for each computed extent of the graph, its value at a call.
        guards: what else must hold of a call, beyond its signature.
        result: how the function's result is put together.
        stores: what is done to arrays of the caller, in this order, when all else is done.
        reads_extents: whether the function looks at extents of its arrays.
    """

    graph: Graph
    inputs: tuple[HostExpression, ...]
    scalars: tuple[HostExpression, ...]
    extents: tuple[HostExpression, ...]
    guards: tuple[Guard, ...]
    result: Recipe
    stores: tuple[StoreRecipe, ...] = ()
    reads_extents: bool = False


def build_graph(
    function: FunctionType, source: FunctionSource, parameters: Sequence[str], arguments: Sequence[Any]
) -> TracedFunction:
    """Trace a function for one call.

    Args:
        function: the user's function.
        source: its parsed source.
        parameters: names of its parameters, ``*args`` and ``**kwargs`` included, in the order of ``arguments``.
        arguments: the call's value of each parameter.

    Raises:
        CannotFuse: something in the function cannot be fused for these arguments.
    """
    _refuse_generator(function, source)
    ways: dict[Place, int] = {}
    first: CannotFuse | None = None
    while True:
        tracer = Tracer(ways)
        try:
            return _traced(function, source, parameters, arguments, tracer)
        except TryAgain as change:
            ways = {**ways, change.place: change.way}
        except CannotFuse as error:
            if first is not None:
                raise first if error.diagnostic.code is Code.TOO_LARGE else error from None
            if not tracer.kernel_loops:
                raise
            # What a loop in the kernel leaves behind can be used in fewer ways than what Python has computed.
            first = error
            ways = {**ways, **dict.fromkeys(tracer.kernel_loops, UNROLL)}


def _traced(
    function: FunctionType, source: FunctionSource, parameters: Sequence[str], arguments: Sequence[Any], tracer: Tracer
) -> TracedFunction:
    """``build_graph``, with loops traced in the ways that the tracer knows."""
    scope = Scope(function)
    frame = Frame(tracer=tracer, source=source, scope=scope)
    parameter: str | None = None
    try:
        for index, (parameter, argument) in enumerate(zip(parameters, arguments, strict=True)):
            scope.local[parameter] = tracer.lift(HostArgument(index=index, text=parameter), argument, is_guarded=True)
        parameter = None
        result = frame.run(source.node)
        writer = _RecipeWriter(tracer)
        recipe = writer.recipe(result)
        if tracer.stores and not writer.outputs:
            frame.statement = None
            check_gain(tracer)
        stores = [writer.store(store) for store in tracer.stores]
        if not tracer.inputs or not writer.outputs:
            tracer.span, frame.statement = source.span(source.node), None
            raise refuse(Code.NO_ARRAY_WORK, "the function makes no array of arrays, so there is nothing to fuse")
    except CannotFuse as error:
        span = tracer.span or source.span(source.node)
        diagnostic = with_span(error.diagnostic, span) if span else error.diagnostic
        diagnostic = replace(
            diagnostic,
            statements=_statements_to_blame(source, frame, parameter),
            part=part_to_blame(frame.expressions) if frame.statement is not None else None,
        )
        raise CannotFuse(diagnostic, tuple(tracer.guards)) from error
    return TracedFunction(
        graph=tracer.finish(writer.outputs),
        inputs=tuple(given.expression for given in tracer.inputs),
        scalars=tuple(tracer.scalars),
        extents=tuple(tracer.extents),
        guards=tuple(tracer.guards),
        result=recipe,
        stores=tuple(stores),
        reads_extents=tracer.reads_extents,
    )


def _refuse_generator(function: FunctionType, source: FunctionSource) -> None:
    """Whatever a call of it reaches, it gives a generator: the statements that yield stay Python."""
    if not function.__code__.co_flags & inspect.CO_GENERATOR or not isinstance(source.node, ast.FunctionDef):
        return
    from pyfuse.frontend.regions import statements_with

    yields = statements_with(source.node, (ast.Yield, ast.YieldFrom))
    first = next(node for node in ast.walk(source.node) if isinstance(node, ast.Yield | ast.YieldFrom))
    refusal = unsupported(first, source.span(first))
    raise CannotFuse(replace(refusal.diagnostic, statements=yields))


def _statements_to_blame(source: FunctionSource, frame: Frame, parameter: str | None) -> tuple[tuple[int, int], ...]:
    """The statement that was being traced, or those that read a parameter whose value was refused."""
    if frame.statement is not None:
        return ((frame.statement.lineno, frame.statement.col_offset),)
    if parameter is None or not isinstance(source.node, ast.FunctionDef):
        return ()
    from pyfuse.frontend.regions import mentions

    return mentions(source.node, parameter)


class _RecipeWriter:
    """Turns a function's result into outputs and a recipe; one array returned twice is one output."""

    def __init__(self, tracer: Tracer) -> None:
        self.outputs: list[Output] = []
        self._tracer = tracer
        self._written: dict[int, Recipe] = {}
        self._kept: list[Value] = []  # keeps ids of written values from being used again

    def recipe(self, value: Value) -> Recipe:
        given = self._tracer.given_container(value)
        if given is not None:
            return HostRecipe(expression=given)
        if isinstance(value, dict):
            items = tuple(self.recipe(item) for item in value.values())
            return ContainerRecipe(kind=dict, items=items, keys=tuple(value))
        if isinstance(value, tuple | list):
            return ContainerRecipe(kind=type(value), items=tuple(self.recipe(item) for item in value))
        if id(value) not in self._written:
            self._kept.append(value)
            self._written[id(value)] = self._leaf(value)
        return self._written[id(value)]

    def store(self, store: GivenStore) -> StoreRecipe:
        """A store into an array of the caller, as an output."""
        self.outputs.append(Output(node=store.node))
        return StoreRecipe(index=len(self.outputs) - 1, target=store.expression, apart=tuple(store.apart))

    def _leaf(self, value: Value) -> Recipe:
        if isinstance(value, HostValue):
            return HostRecipe(expression=value.expression)
        if not isinstance(value, ArrayValue):
            raise refuse(Code.UNSUPPORTED_VALUE, "the function returns a function or an iterator", self._tracer.span)
        if value.base is not None:
            return self._view(value, self.recipe(value.base))
        if value.argument is not None:
            return HostRecipe(expression=value.argument)
        self.outputs.append(Output(node=self._tracer.node_of(value), is_scalar=value.is_scalar))
        index = len(self.outputs) - 1
        return NumberRecipe(index=index) if value.weak else OutputRecipe(index=index)

    def _view(self, value: ArrayValue, base: Recipe) -> Recipe:
        if value.cut is not None:
            cut = value.cut
            return CutRecipe(
                base=base, axis=cut.axis, start=cut.start.expression, extent=cut.extent.expression, step=cut.step
            )
        if value.reshaped is not None:
            extents = tuple(extent.expression for extent in value.reshaped.extents)
            return ReshapeRecipe(base=base, extents=extents)
        return ViewRecipe(base=base, axes=value.axes, part=value.part)
