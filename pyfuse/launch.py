"""A kernel ready for arrays of one exact form: everything that a call need not compute again."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyfuse.array_layout import NestGeometry, merge_dims
from pyfuse.backend.interface import Kernel, NestLaunch, PreparedLaunch
from pyfuse.compiler import LoadedKernel, Specialization
from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.build_graph import ContainerRecipe, HostRecipe, OutputRecipe, Recipe, ViewRecipe
from pyfuse.graph.drop_unused_values import may_report
from pyfuse.graph.loop_plan import Load, Nest, Store
from pyfuse.graph.nodes import ONE, Apply, Graph, Input, InputExtent, View, code_of
from pyfuse.graph.output_layouts import AxisOrder, miniatures, output_orders
from pyfuse.host_values import HostArgument, HostExpression
from pyfuse.records import dataclass

# How each dtype is packed into a 16-byte scalar slot. struct raises for a number that does not fit, as NumPy would.
_PACKED = {
    "b1": "?15x", "i1": "b15x", "i2": "h14x", "i4": "i12x", "i8": "q8x", "u1": "B15x", "u2": "H14x", "u4": "I12x",
    "u8": "Q8x", "f2": "e14x", "f4": "f12x", "f8": "d8x", "c8": "2f8x", "c16": "2d",
}  # fmt: skip

Allocate = Callable[[], np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Launch:
    """A call of one exact form.

    Attributes:
        specialization: what it belongs to.
        kernel: to launch.
        prepared: geometry and limits, as the kernel's backend keeps them.
        input_indices: parameters that are the inputs, or None where inputs must be evaluated.
        scalar_indices: likewise of the scalars.
        allocate: makes each output.
        pack: addresses and scalars to bytes.
        replay_bits: status bits that mean "the original must run" whatever errstate says.
    """

    specialization: Specialization
    kernel: Kernel
    prepared: PreparedLaunch
    input_indices: tuple[int, ...] | None
    scalar_indices: tuple[int, ...] | None
    has_complex_scalars: bool
    allocate: tuple[Allocate, ...]
    pack: Callable[..., bytes]
    finish: Callable[[Sequence[Any], Sequence[Any]], Any]
    replay_bits: int

    def scalars(self, arguments: Sequence[Any]) -> list[Any]:
        """The numbers to pack, complex ones as two."""
        if self.scalar_indices is not None:
            values = [arguments[index] for index in self.scalar_indices]
        else:
            with np.errstate(all="raise"):
                values = [expression.evaluate(arguments) for expression in self.specialization.scalars]
        if not self.has_complex_scalars:
            return values
        flat: list[Any] = []
        for value, dtype in zip(values, self.specialization.graph.scalar_dtypes, strict=True):
            flat += [value.real, value.imag] if dtype.kind == "c" else [value]
        return flat


@dataclass(frozen=True, kw_only=True)
class CallGeometry:
    """Shapes and strides of a call's arrays, and how its outputs will lie."""

    extents: tuple[int, ...]  # of each dimension of the graph
    shapes: tuple[tuple[int, ...], ...]  # of each output
    orders: tuple[AxisOrder, ...]
    nests: tuple[NestGeometry, ...]


def call_geometry(specialization: Specialization, inputs: Sequence[np.ndarray], extents: Sequence[int]) -> CallGeometry:
    """Check the shapes of a call against each other, and lay out its outputs and loop nests.

    Raises:
        CannotFuse: shapes do not match (NumPy raises its own error), or the rank is too high.
    """
    graph = specialization.graph
    dims = _dim_extents(graph, inputs, extents)
    shapes = tuple(
        tuple(1 if dim == ONE else dims[dim] for dim in graph.nodes[output.node].dims) for output in graph.outputs
    )
    if 0 in dims and _computes_outside_loops(graph, dims):
        raise refuse(
            Code.FLOATING_POINT_REPORT,
            "the result is empty, but NumPy computes other values on the way to it and may report an error of theirs",
        )
    _refuse_backward_products(graph, inputs)
    small = miniatures(inputs)
    key = (small, tuple([min(extent, 2) for extent in extents]))
    if key not in specialization.orders:
        specialization.orders[key] = output_orders(graph, small, extents)
    orders = specialization.orders[key]
    dtypes = specialization.output_dtypes
    strides = [
        _strides(shape, order, dtype.itemsize) for shape, order, dtype in zip(shapes, orders, dtypes, strict=True)
    ]
    nests = tuple(_nest_geometry(nest, dims, inputs, strides) for nest in specialization.plan.nests)
    return CallGeometry(extents=dims, shapes=shapes, orders=orders, nests=nests)


def make_launch(
    specialization: Specialization, loaded: LoadedKernel, geometry: CallGeometry, thread_limit: int
) -> Launch:
    """Everything that a call of this form needs, computed once."""
    graph = specialization.graph
    nests = [
        NestLaunch(geometry=nest_geometry, element_cost=nest.element_cost)
        for nest_geometry, nest in zip(geometry.nests, specialization.plan.nests, strict=True)
    ]
    count = graph.input_count + len(graph.outputs)
    dtypes = specialization.output_dtypes
    allocate = tuple(
        allocator(shape, order, dtype)
        for shape, order, dtype in zip(geometry.shapes, geometry.orders, dtypes, strict=True)
    )
    scalar_format = "".join(_PACKED[code_of(dtype)] for dtype in graph.scalar_dtypes)
    is_cast_to_integer = any(
        isinstance(node, Apply)
        and node.operation == "cast"
        and node.dtype.kind in "iu"
        and graph.nodes[node.operands[0]].dtype.kind in "fc"
        for node in graph.nodes
    )
    return Launch(
        specialization=specialization,
        kernel=loaded.kernel,
        prepared=loaded.kernel.prepare(nests, count, thread_limit),
        input_indices=_indices(specialization.inputs),
        scalar_indices=_indices(specialization.scalars),
        has_complex_scalars=any(dtype.kind == "c" for dtype in graph.scalar_dtypes),
        allocate=allocate,
        pack=struct.Struct(f"={count}Q{scalar_format}").pack,
        finish=_finisher(specialization),
        # 16: the kernel asks for it. 8, where a float becomes an integer: NumPy's value of an invalid cast depends on
        # its vector code, so NumPy computes it even where errstate ignores the error.
        replay_bits=16 | (8 if is_cast_to_integer else 0),
    )


def allocator(shape: tuple[int, ...], order: AxisOrder, dtype: np.dtype) -> Allocate:
    """A function that makes an uninitialised array of this shape whose axes lie in memory in this order."""
    if order == tuple(range(len(shape))) or math.prod(shape) <= 1:
        return partial(np.empty, shape, dtype)
    if order == tuple(reversed(range(len(shape)))):
        return partial(np.empty, shape, dtype, "F")
    permuted = tuple(shape[axis] for axis in order)
    inverse = tuple(order.index(axis) for axis in range(len(order)))
    return lambda: np.empty(permuted, dtype).transpose(inverse)


def _computes_outside_loops(graph: Graph, dims: Sequence[int]) -> bool:
    """Whether a value that may report a floating-point error has elements though a dimension of the call is empty.

    Such a value is computed inside the loop over its consumer, which then does not run.
    """
    return any(
        may_report(graph, node) and all(dim == ONE or dims[dim] != 0 for dim in node.dims) for node in graph.nodes
    )


def _refuse_backward_products(graph: Graph, inputs: Sequence[np.ndarray]) -> None:
    """NumPy 2.4 rounds products of complex64 once where it walks forwards, twice where an operand runs backwards.

    Kernels round as it does forwards; backwards the original runs. Found by fuzzing; complex128 has no such difference.
    """
    for node in graph.nodes:
        if isinstance(node, Apply) and node.operation in ("multiply", "square") and node.dtype == np.dtype("c8"):
            for operand in node.operands:
                source = graph.nodes[operand]
                while isinstance(source, View):
                    source = graph.nodes[source.operand]
                if isinstance(source, Input) and _runs_backwards(inputs[source.index]):
                    raise refuse(
                        Code.UNSUPPORTED_ARRAY,
                        "NumPy rounds products of complex64 arrays in a way of its own where one runs backwards",
                    )


def _runs_backwards(array: np.ndarray) -> bool:
    return any(stride < 0 and extent > 1 for stride, extent in zip(array.strides, array.shape, strict=True))


def _dim_extents(graph: Graph, inputs: Sequence[np.ndarray], extents: Sequence[int]) -> tuple[int, ...]:
    dims = []
    for sources in graph.dims:
        found = [
            inputs[source.index].shape[source.axis] if isinstance(source, InputExtent) else extents[source.slot]
            for source in sources
        ]
        if any(extent != found[0] for extent in found):
            raise refuse(Code.SHAPE_MISMATCH, "shapes do not match: NumPy raises its own error")
        dims.append(found[0])
    return tuple(dims)


def _strides(shape: tuple[int, ...], order: AxisOrder, itemsize: int) -> tuple[int, ...]:
    strides = [0] * len(shape)
    step = itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def _nest_geometry(
    nest: Nest, dims: Sequence[int], inputs: Sequence[np.ndarray], output_strides: Sequence[tuple[int, ...]]
) -> NestGeometry:
    operands: list[Store | Load] = [*nest.stores, *nest.loads]
    strides = [
        _by_loop_axis(
            operand, output_strides[operand.output] if isinstance(operand, Store) else inputs[operand.index].strides
        )
        for operand in operands
    ]
    return merge_dims(
        [dims[dim] for dim in nest.dims],
        strides,
        [operand.dtype.itemsize for operand in operands],
        [isinstance(operand, Store) or inputs[operand.index].flags.aligned for operand in operands],
    )


def _by_loop_axis(operand: Store | Load, strides: Sequence[int]) -> tuple[int, ...]:
    return tuple(0 if axis is None else strides[axis] for axis in operand.axes)


def _indices(expressions: Sequence[HostExpression]) -> tuple[int, ...] | None:
    indices = tuple(expression.index for expression in expressions if isinstance(expression, HostArgument))
    return indices if len(indices) == len(expressions) else None


def _finisher(specialization: Specialization) -> Callable[[Sequence[Any], Sequence[Any]], Any]:
    """A function of outputs and arguments that puts the result together."""
    outputs = specialization.graph.outputs
    recipe = specialization.result
    if isinstance(recipe, OutputRecipe) and not outputs[recipe.index].is_scalar:
        index = recipe.index
        return lambda made, _: made[index]

    def finish(made: Sequence[Any], arguments: Sequence[Any]) -> Any:
        arrays = [array[()] if output.is_scalar else array for array, output in zip(made, outputs, strict=True)]
        return _built(recipe, arrays, arguments, {})

    return finish


def _built(recipe: Recipe, arrays: Sequence[Any], arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    """The object of a recipe; a recipe that stands in two places is one object in both."""
    if id(recipe) not in known:
        known[id(recipe)] = _build(recipe, arrays, arguments, known)
    return known[id(recipe)]


def _build(recipe: Recipe, arrays: Sequence[Any], arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    match recipe:
        case OutputRecipe(index=index):
            return arrays[index]
        case HostRecipe(expression=expression):
            return expression.evaluate(arguments)
        case ViewRecipe(base=base, axes=axes, part=part):
            return _view(_built(base, arrays, arguments, known), axes, part)
        case ContainerRecipe(kind=kind, items=items, keys=keys):
            values = [_built(item, arrays, arguments, known) for item in items]
            return dict(zip(keys, values, strict=True)) if kind is dict else kind(values)


def _view(array: np.ndarray, axes: tuple[int | None, ...], part: str | None) -> Any:
    """A view, a new object even where the axes stay as they are."""
    if part is not None:
        return getattr(array, part)
    moved = array.transpose([axis for axis in axes if axis is not None])
    return moved[tuple([np.newaxis if axis is None else slice(None) for axis in axes])] if None in axes else moved
