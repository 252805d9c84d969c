"""What a Python expression stands for while a function is traced."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from pyfuse.graph.nodes import HostExtent
from pyfuse.host_values import HostConstant, HostExpression
from pyfuse.records import dataclass
from pyfuse.source import FunctionSource

if TYPE_CHECKING:
    from pyfuse.frontend.names import Scope


@dataclass(frozen=True, kw_only=True, eq=False)
class HostValue:
    """A value that Python computes at each call.

    Attributes:
        expression: how.
        value: what it is at the call that is being specialised.
    """

    expression: HostExpression
    value: Any

    @property
    def is_constant(self) -> bool:
        """Whether the value is part of the specialisation."""
        return isinstance(self.expression, HostConstant)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """Some elements along one axis, as in ``nodes.Slice``: as the call computes it, and as the graph names it.

    Attributes:
        axis: which.
        start: the first element, not negative.
        extent: how many.
        step: distance of neighbours.
        siblings: as in ``nodes.Slice``.
        number: ``start`` in the graph.
        dim: ``extent`` in the graph.
    """

    axis: int
    start: HostValue
    extent: HostValue
    step: int
    siblings: int
    number: int | HostExtent
    dim: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshaped:
    """The same elements in C order under other extents: as the call computes them, and as dimensions of the graph."""

    extents: tuple[HostValue, ...]
    dims: tuple[int, ...]


@dataclasses.dataclass(kw_only=True, eq=False)
class ArrayValue:
    """An array, or a NumPy scalar, that the kernel holds. Python names share it, as they share the array.

    Attributes:
        node: its value now; a store into the array replaces it. Of a view: what it was when last read.
        is_scalar: a NumPy scalar (immutable), not an array.
        argument: where the array came from, if it is one that the caller or a global holds, or NumPy's view of one.
        example: that array at the call that is being specialised.
        base: the array that this is a view of.
        axes: of a view under other axes, as in ``nodes.View``.
        part: ``real`` or ``imag``, of a view of one part of a complex array.
        cut: of a view of some elements along one axis.
        reshaped: of a view under other extents.
        is_reshaped: it has a reshape, which is a view or a copy of it: that depends on its memory order.
        weak: the Python type of a number that is no NumPy scalar (``np.count_nonzero`` gives an int).
        limits: of such a whole number, two between which it always is, where they are known.
        interval: the same as numbers of the specialisation.
    """

    node: int
    is_scalar: bool = False
    argument: HostExpression | None = None
    example: np.ndarray | None = None
    base: ArrayValue | None = None
    axes: tuple[int | None, ...] = ()
    part: str | None = None
    cut: Cut | None = None
    reshaped: Reshaped | None = None
    is_reshaped: bool = False
    weak: type | None = None
    limits: tuple[HostValue, HostValue] | None = None
    interval: tuple[int, int] | None = None
    base_node: int = dataclasses.field(default=-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalFunction:
    """A ``def`` or ``lambda`` inside a traced function."""

    node: ast.FunctionDef | ast.Lambda
    source: FunctionSource
    scope: Scope
    defaults: tuple[Value, ...]
    keyword_defaults: tuple[Value | None, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundMethod:
    """A method of a user's object, found on its class, with the object it is bound to."""

    function: Callable[..., Any]
    receiver: HostValue


@dataclasses.dataclass(kw_only=True, eq=False)
class Iteration:
    """What ``zip``, ``enumerate`` and their kin, a generator expression, or a view of a dict stands for.

    Attributes:
        items: what is left to iterate over.
        is_spent_once: going through it leaves nothing, as with Python's iterators.
    """

    items: list[Value]
    is_spent_once: bool = True

    def take(self) -> list[Value]:
        """The items; those of an iterator are gone afterwards."""
        taken = self.items
        if self.is_spent_once:
            self.items = []
        return taken


Place = tuple[str, int, int]  # of a statement: file, line, column


class TryAgain(Exception):
    """A loop is to be traced in another way; the tracing starts anew.

    Attributes:
        place: of the loop.
        way: how many iterations are unrolled before it is a loop in the kernel; a large number: all.
    """

    def __init__(self, place: Place, way: int) -> None:
        super().__init__(f"the loop at {place} is traced in way {way}")
        self.place = place
        self.way = way


@dataclass(frozen=True, kw_only=True, eq=False)
class Unsettled:
    """A value that is not known in the way in which a loop is traced; who reads the name must raise."""

    otherwise: TryAgain


# Tuples, lists and dicts of values are Python's own, so that names share and mutate them as Python does.
Container = tuple[Any, ...] | list[Any] | dict[Any, Any]
Value = HostValue | ArrayValue | LocalFunction | BoundMethod | Iteration | Unsettled | Container


def constant(value: Any, text: str | None = None) -> HostValue:
    """A value that is known."""
    return HostValue(expression=HostConstant(value=value, text=text if text is not None else repr(value)), value=value)


def is_container(value: Value) -> TypeGuard[Container]:
    """Whether a value is a tuple, list or dict of values."""
    return isinstance(value, tuple | list | dict)


def leaves(value: Value) -> list[Value]:
    """The values inside containers, in order."""
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, Iteration):
        return leaves(value.items)
    return [value]
