"""A kernel ready for arrays of one exact form: everything that a call need not compute again."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyfuse.array_layout import NestGeometry
from pyfuse.backend.cpu.caches import last_level_cache_bytes
from pyfuse.backend.cpu.dispatch import new_array
from pyfuse.backend.cpu.map_text import can_stream
from pyfuse.backend.interface import Kernel, NestLaunch, PreparedLaunch
from pyfuse.call_geometry import CallGeometry, part_count
from pyfuse.compiler import LoadedKernel, Specialization
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import (
    ContainerRecipe,
    CutRecipe,
    HostRecipe,
    NumberRecipe,
    OutputRecipe,
    Recipe,
    ReshapeRecipe,
    StoreRecipe,
    ViewRecipe,
)
from pyfuse.graph.loop_plan import Nest, Style, has_open_loop
from pyfuse.graph.nodes import Apply, code_of
from pyfuse.graph.output_layouts import AxisOrder
from pyfuse.host_values import HostArgument, HostCall, HostConstant, HostExpression, cut_of, evaluation_of, view_of
from pyfuse.memory_overlap import may_overlap, overlaps_itself
from pyfuse.records import dataclass

# How each dtype is packed into a 16-byte scalar slot. struct raises for a number that does not fit, as NumPy would.
PACKED = {
    "b1": "?15x", "i1": "b15x", "i2": "h14x", "i4": "i12x", "i8": "q8x", "u1": "B15x", "u2": "H14x", "u4": "I12x",
    "u8": "Q8x", "f2": "e14x", "f4": "f12x", "f8": "d8x", "c8": "2f8x", "c16": "2d",
}  # fmt: skip

# Status bits of a kernel (docs/c-library.md, rule 5) that np.errstate decides about.
_REPORTED = ((1, "divide"), (2, "over"), (4, "under"), (8, "invalid"))

# Results go past the caches in rows of so many elements, where a nest touches so many times the last-level cache.
LEAST_STREAMED = 1024
CACHES_FILLED = 2

Allocate = Callable[[], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class NewArray:
    """An array that a call makes: what ``allocator`` takes."""

    shape: tuple[int, ...]
    order: AxisOrder
    dtype: np.dtype


@dataclass(frozen=True, kw_only=True)
class DirectStores:
    """Outputs that are arrays of the caller.

    Attributes:
        strides: in bytes, by number of the output: all outputs.
        read: which inputs the kernel reads.
    """

    strides: Mapping[int, tuple[int, ...]]
    read: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Launch:
    """A call of one exact form.

    Attributes:
        specialization: what it belongs to.
        kernel: to launch.
        prepared: geometry and limits, as the kernel's backend keeps them.
        input_indices: parameters that are the inputs, or None where inputs must be evaluated.
        scalar_indices: likewise of the scalars.
        outputs: the arrays that the kernel fills.
        allocate: makes each output.
        own_arrays: the kernel's temporaries; a number stands for the output or temporary whose memory is shared.
        temporaries: make them; a number as above.
        work: estimated picoseconds on one core; 0 where nothing is known.
        depends_on_buffer: whether results depend on the size of NumPy's buffers.
        input_key: as in ``CallGeometry``.
        pack: addresses and scalars to bytes.
        replay_bits: status bits that mean "the original must run" whatever errstate says.
        direct: the kernel stores into the caller's arrays; None where all outputs are new.
    """

    specialization: Specialization
    kernel: Kernel
    prepared: PreparedLaunch
    input_indices: tuple[int, ...] | None
    scalar_indices: tuple[int, ...] | None
    has_complex_scalars: bool
    outputs: tuple[NewArray, ...]
    allocate: tuple[Allocate, ...]
    own_arrays: tuple[NewArray | int, ...]
    temporaries: tuple[Allocate | int, ...]
    work: int
    depends_on_buffer: bool
    input_key: tuple[object, ...]
    pack: Callable[..., bytes]
    finish: Callable[[Sequence[Any], Sequence[Any]], Any]
    replay_bits: int
    direct: DirectStores | None = None

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


def make_launch(
    specialization: Specialization,
    loaded: LoadedKernel,
    geometry: CallGeometry,
    thread_limit: int,
    direct: DirectStores | None = None,
) -> Launch:
    """Everything that a call of this form needs, computed once."""
    graph = specialization.graph
    count = graph.input_count + len(graph.outputs) + len(geometry.temporaries)
    dtypes = specialization.output_dtypes
    outputs = tuple(
        NewArray(shape=shape, order=tuple(order), dtype=dtype)
        for shape, order, dtype in zip(geometry.shapes, geometry.orders, dtypes, strict=True)
    )
    own_arrays = tuple(
        NewArray(shape=(size,), order=(0,), dtype=temporary.dtype) if temporary.shares is None else temporary.shares
        for size, temporary in zip(geometry.temporaries, geometry.plan.temporaries, strict=True)
    )
    nests = nest_launches(geometry)
    scalar_format = "".join(PACKED[code_of(dtype)] for dtype in graph.scalar_dtypes)
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
        outputs=outputs,
        allocate=tuple(map(_allocate, outputs)),
        own_arrays=own_arrays,
        temporaries=tuple(made if isinstance(made, int) else _allocate(made) for made in own_arrays),
        work=0
        if has_open_loop(geometry.plan)
        else sum(nest.outer * nest.inner * max(0, nest.depth * nest.element_cost) for nest in nests),
        depends_on_buffer=geometry.depends_on_buffer,
        input_key=geometry.input_key,
        pack=struct.Struct(f"={count}Q{scalar_format}").pack,
        finish=_finisher(specialization),
        # 16: the kernel asks for it. 8, where a float becomes an integer: NumPy's value of an invalid cast depends on
        # its vector code, so NumPy computes it even where errstate ignores the error.
        replay_bits=16 | (8 if is_cast_to_integer else 0),
        direct=direct,
    )


def must_report(status: int, replay_bits: int) -> bool:
    """Whether NumPy would report what a kernel met, under the ``np.errstate`` in force."""
    if status & replay_bits:
        return True
    modes: Mapping[str, object] = np.geterr()
    return any(status & bit and modes[name] != "ignore" for bit, name in _REPORTED)


def all_buffers(launch: Launch) -> list[np.ndarray]:
    """New arrays for everything that a launch writes: outputs, then temporaries."""
    buffers = [allocate() for allocate in launch.allocate]
    for temporary in launch.temporaries:
        buffers.append(buffers[temporary] if isinstance(temporary, int) else temporary())
    return buffers


def _allocate(made: NewArray) -> Allocate:
    return allocator(made.shape, made.order, made.dtype)


def allocator(shape: tuple[int, ...], order: AxisOrder, dtype: np.dtype) -> Allocate:
    """A function that makes an uninitialised array of this shape whose axes lie in memory in this order."""
    if order == tuple(range(len(shape))) or math.prod(shape) <= 1:
        return partial(new_array, shape, dtype, False)
    if order == tuple(reversed(range(len(shape)))):
        return partial(new_array, shape, dtype, True)
    permuted = tuple(shape[axis] for axis in order)
    inverse = tuple(order.index(axis) for axis in range(len(order)))
    return lambda: new_array(permuted, dtype, False).transpose(inverse)


def nest_launches(geometry: CallGeometry) -> list[NestLaunch]:
    """The nests of a kernel in numbers; a row in parts is two of them."""
    launches = []
    for nest, laid in zip(geometry.plan.nests, geometry.nests, strict=True):
        strides = [stride for strides in laid.strides for stride in strides]
        cost = nest.element_cost
        if isinstance(nest, Nest):
            *outer, inner = laid.extents
            numbers, past = (*outer, *strides, *laid.starts), _goes_past_caches(nest, laid)
            launches.append(
                NestLaunch(
                    geometry=numbers, outer=math.prod(outer), inner=inner, depth=1, element_cost=cost, past_caches=past
                )
            )
            continue
        numbers = (*laid.extents, *strides, *laid.starts, *laid.parameters)
        layout = laid.layout
        length = math.prod(laid.extents[len(laid.extents) - layout.row_rank - layout.lead_rank :])
        outer_count = math.prod(laid.extents[: layout.outer_rank])
        match nest.style:
            case Style.ROWS:
                made = [(outer_count, 1, length)]
            case Style.COLUMNS:
                made = [(outer_count, laid.extents[layout.outer_rank], length)]
            case Style.PARTS:
                parts = part_count(laid)
                made = [(parts, 1, max(1, length // parts)), (1, 1, 1)]
        launches += [
            NestLaunch(geometry=numbers, outer=rows, inner=cells, depth=depth, element_cost=cost)
            for rows, cells, depth in made
        ]
    return launches


def _goes_past_caches(nest: Nest, laid: NestGeometry) -> bool:
    """Whether what a nest writes had better not go through the caches.

    There must be no room for it beside what is read: then a line would be read from memory only to be overwritten. What
    fits would still be there for whoever reads the result (docs/decisions/0016).
    """
    if laid.extents[-1] < LEAST_STREAMED or not can_stream(nest, laid.layout):
        return False
    itemsizes = [store.dtype.itemsize for store in nest.stores] + [load.dtype.itemsize for load in nest.loads]
    touched: int = sum(
        itemsize * math.prod(extent for extent, stride in zip(laid.extents, strides, strict=True) if stride != 0)
        for itemsize, strides in zip(itemsizes, laid.strides, strict=True)
    )
    return 0 < CACHES_FILLED * last_level_cache_bytes() < touched


def _indices(expressions: Sequence[HostExpression]) -> tuple[int, ...] | None:
    indices = tuple(expression.index for expression in expressions if isinstance(expression, HostArgument))
    return indices if len(indices) == len(expressions) else None


def _finisher(specialization: Specialization) -> Callable[[Sequence[Any], Sequence[Any]], Any]:
    """A function of outputs and arguments that puts the result together, and what is stored into its place."""
    outputs, stores = specialization.graph.outputs, specialization.stores
    recipe = specialization.result
    if not stores and isinstance(recipe, OutputRecipe) and not outputs[recipe.index].is_scalar:
        index = recipe.index
        return lambda made, _: made[index]
    if stores and isinstance(recipe, HostRecipe) and isinstance(recipe.expression, HostArgument | HostConstant):
        return _storer(stores, recipe.expression)

    def finish(made: Sequence[Any], arguments: Sequence[Any]) -> Any:
        arrays = [array[()] if output.is_scalar else array for array, output in zip(made, outputs, strict=True)]
        known: dict[int, Any] = {}
        try:
            result = built_result(recipe, arrays, arguments, known)
            targets = [_evaluated(store.target, arguments, known) for store in stores]
            apart = [[_evaluated(array, arguments, known) for array in store.apart] for store in stores]
        except MemoryError:
            raise
        except Exception as error:  # an index out of range, or a number's own: the original raises it again, in order
            raise _raises(error) from error
        for target, others in zip(targets, apart, strict=True):
            check_store(target, others)
        for store, target in zip(stores, targets, strict=True):
            target[...] = arrays[store.index]
        return result

    return finish


def _storer(stores: Sequence[StoreRecipe], result: HostArgument | HostConstant) -> Callable[..., Any]:
    """``_finisher`` where the result is an object of the call, and nothing but stores is to be done."""
    indices, count = [store.index for store in stores], len(stores)
    evaluate = evaluation_of(
        [*(store.target for store in stores), *(array for store in stores for array in store.apart)]
    )
    ends = list(itertools.accumulate((len(store.apart) for store in stores), initial=count))
    read = result.evaluate

    def finish(made: Sequence[Any], arguments: Sequence[Any]) -> Any:
        try:
            found = evaluate(arguments)
        except MemoryError:
            raise
        except Exception as error:
            raise _raises(error) from error
        for number in range(count):
            check_store(found[number], found[ends[number] : ends[number + 1]])
        for number in range(count):
            found[number][...] = made[indices[number]]
        return read(arguments)

    return finish


def _raises(error: Exception) -> CannotFuse:
    return refuse(Code.HOST_ERROR, "computing a result raises", notes=(str(error),))


def check_store(target: np.ndarray, others: Sequence[np.ndarray]) -> None:
    """Whether what a kernel has made may go into an array of the caller.

    Args:
        target: the array.
        others: arrays that are read after the store.

    Raises:
        CannotFuse: NumPy raises, or the order of reads and stores matters.
    """
    flags = target.flags
    if not flags.writeable:
        raise refuse(Code.HOST_ERROR, "an array is read-only: NumPy raises its own error")
    if not flags.c_contiguous and overlaps_itself(target):
        raise refuse(Code.HOST_ERROR, "elements of an array share memory: the order of stores matters")
    if others and any(may_overlap(target, other) for other in others):
        raise refuse(Code.HOST_ERROR, "an array is read after a store into its memory: the original does it in order")


def built_result(recipe: Recipe, arrays: Sequence[Any], arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    """The object of a recipe; a recipe that stands in two places is one object in both."""
    if id(recipe) not in known:
        known[id(recipe)] = _build(recipe, arrays, arguments, known)
    return known[id(recipe)]


def _build(recipe: Recipe, arrays: Sequence[Any], arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    match recipe:
        case OutputRecipe(index=index):
            return arrays[index]
        case NumberRecipe(index=index):
            return arrays[index].item()
        case HostRecipe(expression=expression):
            return _evaluated(expression, arguments, known)
        case ViewRecipe(base=base, axes=axes, part=part):
            return view_of(built_result(base, arrays, arguments, known), axes, part)
        case CutRecipe(base=base, axis=axis, start=start, extent=extent, step=step):
            first, count = (int(_evaluated(number, arguments, known)) for number in (start, extent))
            return cut_of(built_result(base, arrays, arguments, known), axis, first, count, step)
        case ReshapeRecipe(base=base, extents=extents):
            shape = [int(_evaluated(number, arguments, known)) for number in extents]
            return built_result(base, arrays, arguments, known).reshape(shape)
        case ContainerRecipe(kind=kind, items=items, keys=keys):
            values = [built_result(item, arrays, arguments, known) for item in items]
            return dict(zip(keys, values, strict=True)) if kind is dict else kind(values)


def _evaluated(expression: HostExpression, arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    """The value of an expression; a part of several results is computed once, so that they share its memory."""
    if not isinstance(expression, HostCall):
        return expression.evaluate(arguments)
    if id(expression) not in known:
        operands = [_evaluated(operand, arguments, known) for operand in expression.operands]
        known[id(expression)] = expression.function(*operands)
    return known[id(expression)]
