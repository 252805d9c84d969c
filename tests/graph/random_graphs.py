"""Random graphs over the whole operation table, with arguments for them: what the oracle tests run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from pyfuse.backend.c_text import application
from pyfuse.errors import CannotFuse
from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.evaluate import evaluate
from pyfuse.graph.infer import FUSED_CODES, resolve, resolve_reduction
from pyfuse.graph.nodes import ALONG, CONCATENATED, INDEX, ONE, TAKE, Constant, Graph, HostExtent, Node, Origin, Output
from pyfuse.graph.ops import OPERATIONS, Exactness, Fold, Operation

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]

DTYPES = tuple(np.dtype(code) for code in sorted(FUSED_CODES))
HERE = Origin()
MAX_RANK = 3
TRIES = 8  # operations tried before a step is left out: most have no loop for most dtypes
OUTPUTS = 6
MOST_ELEMENTS = 20_000  # of an array that is put together
# The last ones are longer than what NumPy sums in one stretch, and than a kernel's tile.
EXTENTS = ((2, 3, 5), (3, 3, 3), (4, 1, 17), (2, 9, 8), (2, 3, 150), (2, 1, 2100), (2, 2, 1100))
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.75, 1e-3, 7.0, np.inf, -np.inf, np.nan)
# Raise for some integers. What is no ufunc is drawn in a way of its own.
NOT_DRAWN = ("power", "float_power")
SEES_THE_SIGN_OF_NAN = ("signbit", "copysign")  # which no standard and no compiler fixes
ONE_AXIS_ONLY = ("subtract", "divide")  # NumPy reduces along several axes where the order does not matter
IN_LOOPS = ("add", "multiply", "maximum", "minimum")  # of all numbers
CHOOSES_A_ZERO = ("maximum", "minimum", "fmax", "fmin")  # of zeros of both signs a kernel leaves the choice to NumPy


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
        self._reduced: list[int] = []  # those that are reductions or scans
        self._values: dict[int, Any] = {}
        self._full = choose(EXTENTS)

    def finish(self) -> RandomGraph:
        chosen = {self._nodes[-1], *(self._choose(self._nodes) for _ in range(OUTPUTS))}
        if self._reduced:  # what is computed of a result often hides its last bits
            chosen |= {self._choose(self._reduced) for _ in range(OUTPUTS // 2)}
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
            case "backwards" if self._is_for_kernel and dtype.kind == "c":
                return self._elements(shape, dtype)  # some operations on these are NumPy's: see call_geometry.py
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
        is_special = values.random(shape) < self._choose((0.3, 0.0))  # one NaN is the sum of a row
        drawn = np.where(is_special, values.choice(SPECIAL, shape), values.normal(0, 8, shape))
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
            *[self.add_reduction] * 6,
            self.add_scan,
            *[self.add_slice] * 2,
            self.add_parts,
            *[self.add_concatenation] * 2,
            self.add_repetition,
            self.add_roll,
            *[self.add_gather] * 2,
            *[self.add_loop] * 2,
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
        if operation.name == "clip" and any(self._shape(bound) for bound in operands[1:]):
            return False  # bounds that are arrays are ``clip_arrays``
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

    # --- reductions -----------------------------------------------------------------------------------------------

    def _array_with_axes(self) -> int:
        return self._matching([], lambda index: bool(self._shape(index)))

    def _folded(self, operation: Operation, operand: int) -> np.dtype | None:
        """The dtype in which an operation reduces a node, of the call's choice now and then; None where it cannot."""
        wanted = self._choose((None, None, None, self._choose(DTYPES)))
        if operation.exactness is not Exactness.BITS:
            return None
        try:
            loop = resolve_reduction(operation, self._node(operand).dtype, wanted)
        except CannotFuse:
            return None
        return loop if operation.fold(loop) is not Fold.OWN_WAY and self._can_cast(operand, loop) else None

    def add_reduction(self) -> None:
        operand = self._array_with_axes()
        if self._choose((True, False)):  # rounding shows the order, most of all in long rows
            floats = self._matching([], lambda index: self._node(index).dtype.kind in "fc" and self._is_long(index))
            operand = floats if floats >= 0 else operand
        for _ in range(TRIES):
            if operand >= 0 and self._has_reduced(self._choose(_FOLDED), operand):
                return

    def _is_long(self, index: int) -> bool:
        return bool(np.size(self._values[index]) >= self._full[-1] > 1 and self._shape(index))

    def _has_reduced(self, operation: Operation, operand: int) -> bool:
        """Whether NumPy, and a kernel where one is asked for, reduces the node so; then it is in the graph."""
        rank = len(self._shape(operand))
        axes = [axis for axis in range(rank) if self._choose((True, False))] or [self._choose(range(rank))]
        keepdims = self._choose((True, False))
        if operation.finds_an_index:
            axes = axes if len(axes) == rank else axes[:1]
            self._keep(self._draft.reduce(operation.name, operand, axes, np.dtype("i8"), HERE, keepdims=keepdims))
            return True
        loop = self._folded(operation, operand)
        if loop is None or (self._is_for_kernel and not self._kernel_folds(operation, operand, loop)):
            return False
        if operation.name in ONE_AXIS_ONLY:
            axes = axes[:1]
        initial = self._initial(loop) if self._choose((True, False, False)) else None
        cast = self._draft.cast(operand, loop, HERE, is_implicit=True)
        node = self._draft.reduce(operation.name, cast, axes, loop, HERE, keepdims=keepdims, initial=initial)
        self._keep(node)
        self._reduced.append(node)
        return True

    def _initial(self, dtype: np.dtype) -> int | None:
        number = self._matching([], lambda index: not self._shape(index) and self._node(index).dtype == dtype)
        return number if number >= 0 else self._draft.add_constant(self._number(dtype), dtype)

    def _kernel_folds(self, operation: Operation, operand: int, loop: np.dtype) -> bool:
        if operation.fold(loop) is Fold.IN_ORDER and loop == np.dtype("f2"):
            return False  # NumPy does not round each step
        values = np.asarray(self._values[operand])
        has_both_zeros = values.dtype.kind == "f" and len(set(np.signbit(values[values == 0]).tolist())) == 2
        return not (has_both_zeros and operation.name in CHOOSES_A_ZERO)

    def add_scan(self) -> None:
        operand = self._array_with_axes()
        if operand < 0:
            return
        operation = self._choose([operation for operation in _FOLDED if not operation.finds_an_index])
        loop = self._folded(operation, operand)
        if loop is not None:
            cast = self._draft.cast(operand, loop, HERE, is_implicit=True)
            axis = self._choose(range(len(self._shape(operand))))
            self._reduced.append(self._draft.scan(operation.name, cast, axis, HERE))
            self._keep(self._reduced[-1])

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _dim(self, extent: int) -> int:
        if extent == 1:
            return ONE
        self._extents.append(extent)
        return self._draft.add_extent()

    def _start(self, number: int) -> int | HostExtent:
        """A whole number in the graph, or computed by the call."""
        if self._choose((True, False)):
            return number
        self._extents.append(number)
        return self._draft.add_host_number()

    def _slice(self, operand: int, axis: int, start: int, extent: int, step: int = 1, siblings: int = 0) -> int:
        place, dim = self._start(start), self._dim(extent)
        return self._draft.slice(operand, axis, place, dim, HERE, step=step, siblings=siblings)

    def add_slice(self) -> None:
        """Any elements at equal distances, forwards or backwards; mostly along an axis where the distance shows."""
        least = self._choose((1, 3, 3, 3))
        operand = self._matching([], lambda index: max(self._shape(index), default=0) >= least)
        if operand < 0:
            return
        axis = self._choose([axis for axis, extent in enumerate(self._shape(operand)) if extent >= least])
        whole = self._shape(operand)[axis]
        step = self._choose((1, 1, 2, 3, -1, -2))
        if self._is_for_kernel and self._node(operand).dtype.kind == "c":
            step = abs(step)  # as for inputs that run backwards
        start = self._choose((0, whole - 1, self._choose(range(whole))))
        room = 1 + (whole - 1 - start) // step if step > 0 else 1 + start // -step
        self._keep(self._slice(operand, axis, start, self._choose((room, 1 + room // 2)), step))

    def add_parts(self) -> None:
        """Slices that hold all elements together: side by side, or neighbours as ``np.diff`` takes them."""
        operand = self._matching([], lambda index: max(self._shape(index), default=0) > 1)
        if operand < 0:
            return
        axis = self._choose([axis for axis, extent in enumerate(self._shape(operand)) if extent > 1])
        whole = self._shape(operand)[axis]
        if self._choose((True, False)):
            bounds = [0, *sorted({self._choose(range(1, whole)) for _ in range(2)}), whole]
            spans = [(start, stop - start) for start, stop in pairwise(bounds)]
        else:
            spans = [(0, whole - 1), (1, whole - 1)]
        for start, extent in spans:
            self._keep(self._slice(operand, axis, start, extent, siblings=len(spans)))

    def add_concatenation(self) -> None:
        first = self._array_with_axes()
        if first < 0:
            return
        axis, dtype = self._choose(range(len(self._shape(first)))), self._node(first).dtype
        pieces = [first]
        for _ in range(self._choose((1, 1, 2))):
            pieces.append(self._matching([], lambda index: self._fits_beside(first, index, axis)))
        starts = np.cumsum([0, *(self._shape(piece)[axis] for piece in pieces)]).tolist()
        cast = [self._draft.cast(piece, dtype, HERE, is_implicit=True) for piece in pieces]
        layout = self._choose((CONCATENATED, CONCATENATED, "C", first))
        if starts[-1] * self._row_count(first, axis) <= MOST_ELEMENTS:
            self._assemble(cast, axis, starts[:-1], starts[-1], layout)

    def _fits_beside(self, first: int, second: int, axis: int) -> bool:
        one, other = self._shape(first), self._shape(second)
        is_alike = len(one) == len(other) and one[:axis] + one[axis + 1 :] == other[:axis] + other[axis + 1 :]
        return is_alike and self._can_cast(second, self._node(first).dtype)

    def _row_count(self, index: int, axis: int) -> int:
        return int(np.size(self._values[index])) // self._shape(index)[axis]

    def _assemble(
        self, pieces: Sequence[int], axis: int, starts: Sequence[int], extent: int, layout: int | str, step: int = 1
    ) -> None:
        places = [self._start(start) for start in starts]
        self._keep(self._draft.assemble(pieces, axis, places, self._dim(extent), HERE, step=step, layout=layout))

    def add_repetition(self) -> None:
        """Each element several times over, or two arrays like the teeth of two combs."""
        operand = self._array_with_axes()
        if operand < 0:
            return
        shape, dtype = self._shape(operand), self._node(operand).dtype
        axis = self._choose(range(len(shape)))
        other = self._matching([], lambda index: self._shape(index) == shape and self._node(index).dtype == dtype)
        pieces = [operand, *self._choose(((operand, operand), (other,)))]
        extent = len(pieces) * shape[axis]
        if extent * self._row_count(operand, axis) <= MOST_ELEMENTS:
            self._assemble(pieces, axis, range(len(pieces)), extent, "C", step=len(pieces))

    def add_loop(self) -> None:
        """A few turns of elementwise operations on one or two values, and on others from before the loop."""
        first = self._matching([], lambda index: self._node(index).dtype.kind in "iuf")
        if first < 0:
            return
        shape, dtype = self._shape(first), self._node(first).dtype
        start, step = self._choose((0, -1, 3)), self._choose((1, 1, 2, -1))
        bounds = [self._bound(start), self._bound(start + step * self._choose((1, 2, 5)))]
        loop = self._draft.add_loop(bounds[0], bounds[1], step)
        second = self._matching([], lambda index: self._node(index).dtype == dtype and self._shape(index) == shape)
        carried = [self._draft.carry(loop, index, HERE) for index in self._choose(((first,), (first, second)))]
        index = self._draft.cast(self._draft.loop_index(loop, HERE), dtype, HERE, is_implicit=True)
        inside = [*carried, index]
        for _ in range(self._choose((1, 2, 4))):
            operands = [self._choose(inside), self._choose((*inside, self._beside(shape, dtype)))]
            inside += self._draft.apply(self._choose(IN_LOOPS), operands, (dtype,), HERE)
        for value in carried:
            like = [node for node in inside if self._draft.dims(node) == self._draft.dims(value)]
            self._draft.update(value, self._choose(like))
        for value in [*carried, inside[-1]]:
            if value == inside[-1] or self._choose((True, False)):
                self._keep(self._draft.looped(loop, value, HERE))

    def _bound(self, number: int) -> int:
        if self._choose((True, False)):
            return self._draft.add_constant(number, np.dtype("i8"))
        self._scalars.append(number)
        return self._draft.add_scalar(np.dtype("i8"), HERE)

    def _beside(self, shape: tuple[int, ...], dtype: np.dtype) -> int:
        """A node of this dtype that broadcasts to the shape, and to no other."""
        return self._matching(
            [],
            lambda index: (
                self._node(index).dtype == dtype
                and self._broadcasts([shape], index)
                and np.broadcast_shapes(self._shape(index), shape) == shape
            ),
        )

    def add_roll(self) -> None:
        operand = self._matching([], lambda index: max(self._shape(index), default=0) > 1)
        if operand < 0:
            return
        axis = self._choose([axis for axis, extent in enumerate(self._shape(operand)) if extent > 1])
        whole = self._shape(operand)[axis]
        distance = self._choose(range(1, whole))
        head = self._slice(operand, axis, 0, whole - distance, siblings=2)
        tail = self._slice(operand, axis, whole - distance, distance, siblings=2)
        self._assemble([tail, head], axis, [0, distance], whole, operand)

    # --- reads by indices -----------------------------------------------------------------------------------------

    def add_gather(self) -> None:
        """Elements that one or two index arrays choose, of an input or of what is computed."""
        operand = self._array_with_axes()
        if operand < 0:
            return
        shape, kind = self._shape(operand), self._choose((INDEX, INDEX, TAKE, ALONG))
        axes = sorted({self._choose(range(len(shape))) for _ in range(self._choose((1, 2)) if kind == INDEX else 1)})
        rank = len(shape) if kind == ALONG else self._choose(range(MAX_RANK - len(shape) + len(axes) + 1))
        wanted = self._full[MAX_RANK - rank :]
        if kind == ALONG:
            wanted = tuple(self._full[-1] if axis in axes else extent for axis, extent in enumerate(shape))
        rest = [extent for axis, extent in enumerate(shape) if axis not in axes]
        if np.prod([*(wanted if kind == ALONG else rest), *wanted]) > MOST_ELEMENTS:
            return
        mode = self._choose(("raise", "wrap", "clip")) if kind == TAKE else "raise"
        place = axes[0] if kind != ALONG and axes == list(range(axes[0], axes[-1] + 1)) else 0
        indices = [self._index(wanted, shape[axis], mode) for axis in axes]
        self._keep(self._draft.gather(operand, indices, axes, place, kind, HERE, mode))

    def _index(self, shape: Sequence[int], extent: int, mode: str) -> int:
        """An integer node of indices: negative ones too, and those that the mode brings inside."""
        dtype = self._choose([dtype for dtype in DTYPES if dtype.kind in "iu"])
        least = 0 if dtype.kind == "u" else -extent
        low, high = (least, extent) if mode == "raise" else (3 * least, 3 * extent)
        limits = np.iinfo(dtype)
        drawn = np.random.default_rng(self._choose(range(1000)))
        own = tuple(self._choose((extent, extent, 1)) for extent in shape)
        values = np.asarray(drawn.integers(max(low, limits.min), min(high - 1, limits.max), own, endpoint=True), dtype)
        array = np.asfortranarray(values) if self._choose((True, False)) or not own else values[::-1]
        self._inputs.append(array)
        index = self._draft.add_input(array.dtype, [extent == 1 for extent in array.shape], HERE)
        self._keep(index)
        if self._choose((True, False)):
            index = self._draft.apply("invert", (index,), (dtype,), HERE)[0]  # twice, it is what it was
            index = self._draft.apply("invert", (index,), (dtype,), HERE)[0]
        return index


_DRAWN = tuple(
    operation
    for operation in OPERATIONS.values()
    if isinstance(operation.callable, np.ufunc) and operation.name not in NOT_DRAWN
)
_FOLDED = (
    *(operation for operation in OPERATIONS.values() if operation.folds or operation.finds_an_index),
    *[OPERATIONS["add"]] * 6,  # it rounds in an order of its own
)
_COPIES = tuple(name for name in OPERATIONS if name.startswith("contiguous"))
