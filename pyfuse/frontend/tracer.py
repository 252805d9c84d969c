"""The state of one tracing: the graph being written, and what operations mean on values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.lifting import Lifter
from pyfuse.frontend.stores import GivenStore, check_read
from pyfuse.frontend.values import ArrayValue, Cut, HostValue, Place, Reshaped, Value, constant, is_container
from pyfuse.graph.infer import OperandType, is_fused_dtype, is_number_dtype, resolve, resolve_reduction
from pyfuse.graph.nodes import ONE, Constant, Graph, HostExtent, InputExtent, Node, Number, Origin, Output
from pyfuse.graph.ops import Fold, Operation, by_name
from pyfuse.host_values import HostCall, HostConstant, HostExpression

WEAK_TYPES = (int, float, complex)


class Tracer(Lifter):
    """Writes a graph while a function is interpreted; nothing here knows Python's syntax.

    Attributes:
        scalars: numbers of the call that the kernel takes, in the order of the graph's scalars.
        extents: extents that Python computes at each call, in the order of the graph's.
        reads_extents: whether the function has looked at an extent, so that parts of its arrays may not do for it.
        stores: into arrays of the caller, in the order of the program.
        loop_ways: how loops are traced that are not traced in the usual way (see ``kernel_loops``).
        kernel_loops: places of those that are in the kernel.
        loop_is_open: whether the body of a loop in the kernel is being traced.
    """

    def __init__(self, loop_ways: Mapping[Place, int] = MappingProxyType({})) -> None:
        super().__init__()
        self.loop_ways = loop_ways
        self.kernel_loops: list[Place] = []
        self.loop_is_open = False
        self.scalars: list[HostExpression] = []
        self.extents: list[HostExpression] = []
        self.reads_extents = False
        self.stores: list[GivenStore] = []
        self._extent_values: list[int] = []
        self._scalar_nodes: dict[tuple[int, np.dtype], int] = {}

    # --- arrays ---------------------------------------------------------------------------------------------------

    def node_of(self, array: ArrayValue) -> int:
        """The node of an array's value now, which is read.

        Raises:
            CannotFuse: it shares memory with an array that was stored into.
        """
        if self.stores:
            origin = array
            while origin.base is not None:
                origin = origin.base
            if origin.argument is not None:
                check_read(self, origin)
        return self.current_node(array)

    def current_node(self, array: ArrayValue) -> int:
        """The node of an array's value now; a view follows its base."""
        if array.base is not None:
            base = self.current_node(array.base)
            if base != array.base_node:
                array.node = self._node_of_view(array, base)
                array.base_node = base
        return array.node

    def node(self, array: ArrayValue) -> Node:
        """The record of an array's value now."""
        return self.draft[self.current_node(array)]

    def dtype(self, array: ArrayValue) -> np.dtype:
        """Its dtype."""
        return self.node(array).dtype

    def rank(self, array: ArrayValue) -> int:
        """Its number of axes."""
        return len(self.node(array).dims)

    def view(self, array: ArrayValue, axes: tuple[int | None, ...]) -> ArrayValue:
        """A view of an array under other axes."""
        return ArrayValue(node=-1, base=array, axes=axes)

    def part(self, array: ArrayValue, name: str) -> ArrayValue:
        """The real or imaginary part of a complex array (a view), or of a complex scalar (a scalar)."""
        if array.is_scalar:
            return ArrayValue(node=self._part_node(self.node_of(array), name), is_scalar=True)
        return ArrayValue(node=-1, base=array, part=name)

    def _node_of_view(self, array: ArrayValue, base: int) -> int:
        if array.part:
            return self._part_node(base, array.part)
        if array.cut is not None:
            cut = array.cut
            return self.draft.slice(
                base, cut.axis, cut.number, cut.dim, self.origin(), step=cut.step, siblings=cut.siblings
            )
        if array.reshaped is not None:
            return self.draft.reshape(base, array.reshaped.dims, self.origin())
        return self._view_node(base, array.axes)

    def _view_node(self, base: int, axes: tuple[int | None, ...]) -> int:
        return self.draft.view(base, axes, self.origin())

    def _part_node(self, base: int, name: str) -> int:
        dtype = np.dtype(f"f{self.draft[base].dtype.itemsize // 2}")
        return self.draft.apply(name, (base,), (dtype,), self.origin())[0]

    def origin(self, name: str = "") -> Origin:
        """Where the value being made comes from."""
        return Origin(name=name, span=self.span)

    def extent(self, array: ArrayValue, axis: int) -> HostValue:
        """The extent of one axis."""
        self.reads_extents = True
        dim = self.draft.dims(self.current_node(array))[axis]
        if dim == ONE:
            return constant(1)
        source = self.draft.source(dim)
        if isinstance(source, InputExtent):
            given = self.inputs[source.index]
            expression: HostExpression = HostCall(
                function=extent_of,
                operands=(given.expression, HostConstant(value=source.axis, text=str(source.axis))),
                text=f"{given.expression.text}.shape[{source.axis}]",
            )
            return HostValue(expression=expression, value=given.example.shape[source.axis])
        return HostValue(expression=self.extents[source.slot], value=self._extent_values[source.slot])

    def dim(self, extent: Value) -> int:
        """A dimension of a given extent: for ``np.zeros(n)`` and its like.

        Raises:
            CannotFuse: the extent is no whole number, or negative.
        """
        if not isinstance(extent, HostValue):
            raise refuse(Code.UNSUPPORTED_VALUE, "an extent is no whole number", self.span)
        if isinstance(extent.value, bool) or not isinstance(extent.value, int | np.integer) or extent.value < 0:
            raise refuse(Code.NUMPY_RAISES, f"{extent.value!r} is no extent of an array", self.span)
        if self.truth(self.host_call(is_one, [extent], "is one")):
            return ONE
        self._keep_number(extent)
        return self.draft.add_extent()

    def number(self, value: HostValue) -> int | HostExtent:
        """A whole number that is no extent: itself where it is known, else its slot among what the call computes."""
        if value.is_constant:
            return int(value.value)
        self._keep_number(value)
        return self.draft.add_host_number()

    def _keep_number(self, value: HostValue) -> None:
        self.extents.append(value.expression)
        self._extent_values.append(int(value.value))

    # --- operations -----------------------------------------------------------------------------------------------

    def operand_type(self, value: Value) -> OperandType:
        """The dtype of an operand, or the Python type of a weak scalar (NEP 50).

        Raises:
            CannotFuse: it is no number and no array.
        """
        if isinstance(value, ArrayValue):
            return value.weak or self.dtype(value)
        if isinstance(value, HostValue):
            number = value.value
            if type(number) in WEAK_TYPES:
                return type(number)
            if type(number) is bool:
                return np.dtype(bool)
            if isinstance(number, np.generic) and is_number_dtype(number.dtype):
                return number.dtype
            if isinstance(number, np.generic):
                raise refuse(Code.UNSUPPORTED_DTYPE, f"a {number.dtype} scalar stays with NumPy", self.span)
        raise refuse(
            Code.UNSUPPORTED_VALUE,
            f"{_describe(value)} is used as an operand of an array operation",
            self.span,
            hints=("use arrays and numbers",),
        )

    def operand(self, value: Value, dtype: np.dtype) -> int:
        """The node of an operand, as the loop's dtype."""
        if isinstance(value, ArrayValue):
            if value.weak and not self.surely_fits(value, dtype):
                raise refuse(Code.SCALAR_RANGE, f"a Python number may not fit {dtype}; NumPy says so itself", self.span)
            return self.draft.cast(self.node_of(value), dtype, self.origin(), is_implicit=True)
        assert isinstance(value, HostValue)
        if value.is_constant or dtype.kind == "V":  # no number of bfloat16 is given to a kernel
            return self.draft.add_constant(self._converted(self.pin(value), dtype), dtype, origin=self.origin())
        if isinstance(value.value, np.bool) and dtype.kind != "b":  # has no __index__ and no __float__
            value = self.host_call(int, [value], "int")
        key = (id(value.expression), dtype)
        if key not in self._scalar_nodes:
            self._converted(value.value, dtype)
            name = value.expression.text if value.expression.text.isidentifier() else ""
            self._scalar_nodes[key] = self.draft.add_scalar(dtype, self.origin(name))
            self.scalars.append(value.expression)
        return self._scalar_nodes[key]

    def _converted(self, value: Any, dtype: np.dtype) -> Number:
        """A number as the loop's dtype holds it.

        Raises:
            CannotFuse: it does not fit; NumPy raises or warns.
        """
        try:
            with np.errstate(all="raise"), warnings.catch_warnings():
                warnings.simplefilter("error")
                number: Number = np.asarray(value, dtype).astype("f4" if dtype.kind == "V" else dtype).item()
        except (OverflowError, FloatingPointError, TypeError, ValueError, Warning) as error:
            raise refuse(
                Code.SCALAR_RANGE, f"{value!r} does not fit {dtype}; NumPy says so itself", self.span
            ) from error
        if dtype.kind in "fc" and isinstance(value, int | float) and math.isfinite(value) and not np.isfinite(number):
            raise refuse(Code.SCALAR_RANGE, f"{value!r} does not fit {dtype}; NumPy says so itself", self.span)
        return number

    def apply(
        self,
        operation: Operation,
        operands: Sequence[Value],
        *,
        dtype: np.dtype | None = None,
        casting: str = "same_kind",
    ) -> tuple[ArrayValue, ...]:
        """A ufunc of the table on values of which at least one is an array.

        Raises:
            CannotFuse: NumPy has no loop for the types, or it is not fused.
        """
        if all(
            isinstance(value, HostValue) or value.weak
            for value in operands
            if isinstance(value, HostValue | ArrayValue)
        ):
            raise refuse(Code.UNSUPPORTED_OPERATION, "Python computes with a number that NumPy has counted", self.span)
        loop, results = resolve(
            operation, [self.operand_type(value) for value in operands], dtype=dtype, casting=casting
        )
        nodes = [self.operand(value, wanted) for value, wanted in zip(operands, loop, strict=True)]
        made = self.draft.apply(operation.name, nodes, results, self.origin())
        return tuple(ArrayValue(node=node, is_scalar=not self.draft[node].dims) for node in made)

    def apply_named(self, name: str, *operands: Value) -> ArrayValue:
        """A one-result ufunc by name."""
        return self.apply(by_name(name), operands)[0]

    def apply_raw(self, name: str, operands: Sequence[int], dtype: np.dtype) -> ArrayValue:
        """An operation on nodes that already have its dtypes."""
        (node,) = self.draft.apply(name, operands, (dtype,), self.origin())
        return ArrayValue(node=node, is_scalar=not self.draft[node].dims)

    def reduce(
        self,
        name: str,
        array: ArrayValue,
        axes: Sequence[int],
        *,
        dtype: np.dtype | None = None,
        keepdims: bool = False,
        initial: Value | None = None,
        where: ArrayValue | None = None,
    ) -> ArrayValue:
        """``ufunc.reduce``, or ``argmax`` and ``argmin``: one result for all elements along ``axes``.

        Args:
            name: of the operation.
            array: of rank one at least.
            axes: at least one, each from 0 to the rank, none twice.
            dtype: the ``dtype=`` of the call, or None for that which NumPy chooses.
            keepdims: as in NumPy.
            initial: a number that comes before the first element.
            where: which elements a sum in pairs takes: boolean, broadcast to the array.

        Raises:
            CannotFuse: NumPy has no such loop, or it is not fused.
        """
        operation = by_name(name)
        origin = self.origin()
        if operation.finds_an_index:
            node = self.draft.reduce(name, self.node_of(array), axes, np.dtype(np.intp), origin, keepdims=keepdims)
        else:
            loop = self._reduction_dtype(operation, array, dtype)
            start = None if initial is None else self.operand(initial, loop)
            operand = self.draft.cast(self.node_of(array), loop, origin, is_implicit=True)
            mask = None if where is None else self.node_of(where)
            node = self.draft.reduce(name, operand, axes, loop, origin, keepdims=keepdims, initial=start, where=mask)
        return ArrayValue(node=node, is_scalar=not self.draft[node].dims)

    def scan(self, name: str, array: ArrayValue, axis: int, dtype: np.dtype | None = None) -> ArrayValue:
        """``ufunc.accumulate`` along one axis. Raises CannotFuse as ``reduce`` does."""
        loop = self._reduction_dtype(by_name(name), array, dtype)
        operand = self.draft.cast(self.node_of(array), loop, self.origin(), is_implicit=True)
        return ArrayValue(node=self.draft.scan(name, operand, axis, self.origin()))

    def _reduction_dtype(self, operation: Operation, array: ArrayValue, dtype: np.dtype | None) -> np.dtype:
        loop = resolve_reduction(operation, self.dtype(array), dtype)
        if operation.fold(loop) is Fold.OWN_WAY:
            raise refuse(
                Code.UNSUPPORTED_OPERATION, f"NumPy reduces {loop} by '{operation.name}' in a way of its own", self.span
            )
        return loop

    def slice(
        self, array: ArrayValue, axis: int, start: HostValue, extent: HostValue, *, step: int = 1, siblings: int = 0
    ) -> ArrayValue:
        """A view of elements ``start``, ``start + step``, ... along an axis of a value that the kernel computes.

        ``siblings`` slices of the array along the axis, this one among them, hold all its elements (0: unknown).
        """
        cut = Cut(
            axis=axis,
            start=start,
            extent=extent,
            step=step,
            siblings=siblings,
            number=self.number(start),
            dim=self.dim(extent),
        )
        return ArrayValue(node=-1, base=array, cut=cut)

    def reshape(self, array: ArrayValue, extents: Sequence[HostValue]) -> ArrayValue:
        """A view of a value that the kernel computes, in C order, under other extents of the same product."""
        dims = tuple(self.dim(extent) for extent in extents)
        array.is_reshaped = array.is_reshaped or self.rank(array) > 1
        return ArrayValue(node=-1, base=array, reshaped=Reshaped(extents=tuple(extents), dims=dims))

    def assemble(
        self,
        pieces: Sequence[ArrayValue],
        axis: int,
        starts: Sequence[HostValue],
        extent: HostValue,
        *,
        step: int = 1,
        layout: int | str = "C",
    ) -> ArrayValue:
        """A new array of pieces of one dtype and rank; ``starts`` says where each one's first element goes.

        Raises:
            CannotFuse: their shapes are known to differ (NumPy raises its own error).
        """
        node = self.draft.assemble(
            [self.node_of(piece) for piece in pieces],
            axis,
            [self.number(start) for start in starts],
            self.dim(extent),
            self.origin(),
            step=step,
            layout=layout,
        )
        return ArrayValue(node=node)

    def cast(self, array: ArrayValue, dtype: np.dtype) -> ArrayValue:
        """A new array of another (or the same) dtype, as ``astype`` makes it."""
        if not is_fused_dtype(dtype):
            raise refuse(Code.UNSUPPORTED_DTYPE, f"arrays of {dtype} stay with NumPy", self.span)
        if self.dtype(array).kind == "c" and dtype.kind not in "cb":
            raise refuse(
                Code.UNSUPPORTED_OPERATION,
                "a cast drops imaginary parts: NumPy warns of it",
                self.span,
                hints=("use .real",),
            )
        node = self.draft.cast(self.node_of(array), dtype, self.origin(), is_implicit=False)
        return ArrayValue(node=node, is_scalar=array.is_scalar)

    def finish(self, outputs: Sequence[Output]) -> Graph:
        """The graph as traced."""
        return self.draft.finish(outputs)

    def constant_number(self, array: ArrayValue) -> Number | None:
        """The number that fills an array, where it is a constant."""
        node = self.node(array)
        return node.value if isinstance(node, Constant) else None


def extent_of(array: np.ndarray, axis: int) -> int:
    """How many elements an array has along an axis."""
    return int(array.shape[axis])


def is_one(extent: int) -> bool:
    """Whether an axis has one element."""
    return extent == 1


def _describe(value: Value) -> str:
    if isinstance(value, HostValue):
        return f"{value.expression.text} (a {type(value.value).__name__})"
    return f"a {type(value).__name__}" if is_container(value) else "a function"
