"""Random graphs over the whole operation table, with arguments for them: what the oracle tests run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from pyfuse.backend.c_text import application
from pyfuse.errors import CannotFuse
from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.evaluate import evaluate
from pyfuse.graph.infer import FUSED_CODES, resolve
from pyfuse.graph.nodes import Constant, Graph, Node, Origin, Output
from pyfuse.graph.ops import OPERATIONS, Exactness, Operation

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]

DTYPES = tuple(np.dtype(code) for code in sorted(FUSED_CODES))
HERE = Origin()
MAX_RANK = 3
TRIES = 8  # operations tried before a step is left out: most have no loop for most dtypes
OUTPUTS = 6
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.75, 1e-3, 7.0, np.inf, -np.inf, np.nan)
# Raise for some integers. What is no ufunc is drawn in a way of its own.
NOT_DRAWN = ("power", "float_power")
SEES_THE_SIGN_OF_NAN = ("signbit", "copysign")  # which no standard and no compiler fixes


@dataclass(frozen=True, kw_only=True)
class RandomGraph:
    """A graph and arguments that fit it."""

    graph: Graph
    inputs: tuple[np.ndarray, ...]
    scalars: tuple[Any, ...]
    extents: tuple[int, ...]

    def evaluate(self, graph: Graph | None = None) -> list[Any]:
        """The outputs of the graph, or of another with the same parameters, by NumPy."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return evaluate(graph or self.graph, self.inputs, self.scalars, self.extents)


def random_graph(choose: Choose, size: int, *, is_for_kernel: bool = False) -> RandomGraph:
    """A graph of about ``size`` nodes.

    Args:
        choose: picks one of a sequence; the only source of chance.
        size: how many steps to draw.
        is_for_kernel: only operations that a kernel must answer bit for bit, on values where it can.
    """
    builder = _Builder(choose, is_for_kernel=is_for_kernel)
    for _ in range(choose((1, 2, 3))):
        builder.add_input()
    for _ in range(size):
        builder.add_something()
    return builder.finish()


def always(index: int) -> bool:  # noqa: ARG001  called with an index
    """Every node fits."""
    return True


class _Builder:
    def __init__(self, choose: Choose, *, is_for_kernel: bool) -> None:
        self._choose = choose
        self._is_for_kernel = is_for_kernel
        self._draft = GraphDraft()
        self._inputs: list[np.ndarray] = []
        self._scalars: list[Any] = []
        self._extents: list[int] = []
        self._nodes: list[int] = []  # what later nodes may use
        self._values: dict[int, Any] = {}
        self._full = choose(((2, 3, 5), (3, 3, 3), (4, 1, 17), (1, 2, 9)))

    def finish(self) -> RandomGraph:
        chosen = {self._nodes[-1], *(self._choose(self._nodes) for _ in range(OUTPUTS))}
        outputs = [
            Output(node=index, is_scalar=not self._draft.dims(index) and self._choose((True, False)))
            for index in sorted(chosen)
        ]
        return self._random_graph(outputs)

    def _random_graph(self, outputs: Sequence[Output]) -> RandomGraph:
        return RandomGraph(
            graph=self._draft.finish(outputs),
            inputs=tuple(self._inputs),
            scalars=tuple(self._scalars),
            extents=tuple(self._extents),
        )

    def _keep(self, index: int) -> None:
        if index not in self._values:
            self._values[index] = self._random_graph([Output(node=index)]).evaluate()[0]
            self._nodes.append(index)

    def _node(self, index: int) -> Node:
        return self._draft[index]

    # --- leaves ---------------------------------------------------------------------------------------------------

    def add_input(self) -> None:
        rank = self._choose(range(MAX_RANK + 1))
        shape = tuple(self._choose((extent, extent, 1)) for extent in self._full[MAX_RANK - rank :])
        array = self._laid_out(shape, self._choose(DTYPES))
        self._inputs.append(array)
        self._keep(self._draft.add_input(array.dtype, [extent == 1 for extent in array.shape], HERE))

    def _laid_out(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array of this shape, in one of the ways in which arrays lie in memory."""
        match self._choose(("C", "F", "steps", "backwards", "unaligned", "repeated")):
            case "F":
                return np.asfortranarray(self._elements(shape, dtype))
            case "steps" if shape:
                return self._elements((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2]
            case "backwards" if shape:
                return self._elements(shape, dtype)[::-1]
            case "unaligned":
                room = np.zeros(int(np.prod(shape)) * dtype.itemsize + 1, "u1")
                array: np.ndarray = np.ndarray(shape, dtype, room, 1)
                array[...] = self._elements(shape, dtype)
                return array
            case "repeated" if shape:
                return np.broadcast_to(self._elements((1, *shape[1:]), dtype), shape)
            case _:
                return self._elements(shape, dtype)

    def _elements(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        values = np.random.default_rng(self._choose(range(1000)))
        if dtype.kind == "b":
            return np.asarray(values.integers(0, 2, shape), dtype)
        if dtype.kind in "iu":
            low, high = (0, 200) if dtype.kind == "u" else (-100, 100)
            return np.asarray(values.integers(low, high, shape), dtype)
        drawn = np.where(values.random(shape) < 0.3, values.choice(SPECIAL, shape), values.normal(0, 8, shape))
        if dtype.kind == "c":
            return np.asarray(drawn + 1j * values.normal(0, 8, shape), dtype)
        return np.asarray(drawn, dtype)

    def _number(self, dtype: np.dtype) -> Any:
        return self._elements((1,), dtype)[0].item()

    def add_scalar(self) -> None:
        dtype = self._choose(DTYPES)
        self._scalars.append(self._number(dtype))
        self._keep(self._draft.add_scalar(dtype, HERE))

    def add_constant(self) -> None:
        dtype = self._choose(DTYPES)
        self._keep(self._draft.add_constant(self._number(dtype), dtype))

    def add_filled_array(self) -> None:
        dtype = self._choose(DTYPES)
        if self._choose((True, False)) or self._full[-1] == 1:
            dims = self._draft.dims(self._choose(self._nodes))
        else:
            self._extents.append(self._full[-1])
            dims = (self._draft.add_extent(),)
        self._keep(self._draft.add_constant(self._number(dtype), dtype, dims))

    # --- operations -----------------------------------------------------------------------------------------------

    def add_something(self) -> None:
        kinds = (
            *[self.add_ufunc] * 12,
            *[self.add_view] * 3,
            *[self.add_cast] * 2,
            *[self.add_store] * 2,
            self.add_select,
            self.add_copy,
            self.add_part,
            self.add_input,
            self.add_scalar,
            self.add_constant,
            self.add_filled_array,
            self.add_twin,
        )
        self._choose(kinds)()

    def _matching(self, shapes: Sequence[tuple[int, ...]], fits: Callable[[int], bool] = always) -> int:
        """A node whose shape broadcasts with the given ones; -1 if none fits."""
        candidates = [index for index in self._nodes if fits(index) and self._broadcasts(shapes, index)]
        return self._choose(candidates) if candidates else -1

    def _broadcasts(self, shapes: Sequence[tuple[int, ...]], index: int) -> bool:
        try:
            return len(np.broadcast_shapes(*shapes, self._shape(index))) <= MAX_RANK
        except ValueError:
            return False

    def _shape(self, index: int) -> tuple[int, ...]:
        return np.shape(self._values[index])

    def add_ufunc(self) -> None:
        for _ in range(TRIES):
            if self._has_added(self._choose(_DRAWN)):
                return

    def _has_added(self, operation: Operation) -> bool:
        """Whether there are operands for the operation; then it is in the graph."""
        if self._is_for_kernel and operation.exactness is not Exactness.BITS:
            return False
        operands: list[int] = []
        for _ in range(operation.operand_count):
            operand = self._matching([self._shape(operand) for operand in operands])
            if operand < 0:
                return False
            operands.append(operand)
        try:
            loop, results = resolve(operation, [self._node(operand).dtype for operand in operands])
        except CannotFuse:
            return False
        if self._is_for_kernel and not self._kernel_can(operation, operands, loop, results):
            return False
        cast = [
            self._draft.cast(operand, dtype, HERE, is_implicit=True)
            for operand, dtype in zip(operands, loop, strict=True)
        ]
        for index in self._draft.apply(operation.name, cast, results, HERE):
            self._keep(index)
        return True

    def _kernel_can(
        self,
        operation: Operation,
        operands: Sequence[int],
        loop: tuple[np.dtype, ...],
        results: tuple[np.dtype, ...],
    ) -> bool:
        has_nan = any(bool(np.isnan(self._values[operand]).any()) for operand in operands)
        if operation.name in SEES_THE_SIGN_OF_NAN and has_nan:
            return False
        try:
            application(operation.name, ["x"] * len(loop), loop, results[0])
        except CannotFuse:
            return False
        return True

    def add_twin(self) -> None:
        """The same operation on the same operands again, where the first was an addition to itself."""
        operand = self._choose(self._nodes)
        dtype = self._node(operand).dtype
        for _ in range(2):
            self._keep(self._draft.apply("add", (operand, operand), (dtype,), HERE)[0])

    def add_view(self) -> None:
        operand = self._choose(self._nodes)
        shape = self._shape(operand)
        axes: list[int | None] = [axis for axis in range(len(shape)) if shape[axis] != 1 or self._choose((True, False))]
        for place in range(len(axes)):  # a shuffle that only ``choose`` decides
            other = self._choose(range(place, len(axes)))
            axes[place], axes[other] = axes[other], axes[place]
        if len(axes) < MAX_RANK and self._choose((True, False)):
            axes.insert(self._choose(range(len(axes) + 1)), None)
        if all(axis is not None or shape for axis in axes):
            self._keep(self._draft.view(operand, axes, HERE))

    def add_cast(self) -> None:
        operand = self._choose(self._nodes)
        dtype = self._choose(DTYPES)
        if self._can_cast(operand, dtype):
            self._keep(self._draft.cast(operand, dtype, HERE, is_implicit=False))

    def _can_cast(self, operand: int, dtype: np.dtype) -> bool:
        source = self._node(operand).dtype
        if source.kind == "c" and dtype.kind not in "cb":
            return False
        if not self._is_for_kernel or source.kind not in "fc" or dtype.kind not in "iu":
            return True
        # NumPy's answer for a number that does not fit depends on its vector code: the original would run.
        limits = np.iinfo(dtype)
        with np.errstate(all="ignore"):
            value = np.asarray(self._values[operand], "f8")
            return bool(np.all((value > limits.min / 2 - 1) & (value < limits.max / 2)))

    def add_store(self) -> None:
        target = self._choose(self._nodes)
        value = self._matching([self._shape(target)])
        if value < 0 or np.broadcast_shapes(self._shape(target), self._shape(value)) != self._shape(target):
            return
        if self._can_cast(value, self._node(target).dtype) and not isinstance(self._node(target), Constant):
            self._keep(self._draft.store(target, value, HERE))

    def add_select(self) -> None:
        condition = self._matching([], lambda index: self._node(index).dtype == bool)
        if condition < 0:
            return
        first = self._matching([self._shape(condition)])
        if first < 0:
            return
        dtype = self._node(first).dtype
        shapes = [self._shape(condition), self._shape(first)]
        second = self._matching(shapes, lambda index: self._node(index).dtype == dtype)
        if second >= 0:
            self._keep(self._draft.apply("select", (condition, first, second), (dtype,), HERE)[0])

    def add_copy(self) -> None:
        operand = self._choose(self._nodes)
        if self._draft.dims(operand):
            dtype = self._node(operand).dtype
            self._keep(self._draft.apply(self._choose(_COPIES), (operand,), (dtype,), HERE)[0])

    def add_part(self) -> None:
        operand = self._matching([], lambda index: self._node(index).dtype.kind == "c")
        if operand >= 0:
            dtype = np.dtype(f"f{self._node(operand).dtype.itemsize // 2}")
            self._keep(self._draft.apply(self._choose(("real", "imag")), (operand,), (dtype,), HERE)[0])


_DRAWN = tuple(
    operation
    for operation in OPERATIONS.values()
    if isinstance(operation.callable, np.ufunc) and operation.name not in NOT_DRAWN
)
_COPIES = tuple(name for name in OPERATIONS if name.startswith("contiguous"))
