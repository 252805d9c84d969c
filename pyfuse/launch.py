"""A kernel ready for arrays of one exact form: everything that a call need not compute again."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pyfuse.array_layout import NestGeometry
from pyfuse.backend.cpu.caches import last_level_cache_bytes
from pyfuse.backend.cpu.dispatch import new_array
from pyfuse.backend.cpu.map_text import can_stream
from pyfuse.backend.interface import Kernel, NestLaunch, PreparedLaunch, Writes, record_size
from pyfuse.call_geometry import CallGeometry, part_count
from pyfuse.call_result import finisher
from pyfuse.compiler import LoadedKernel, Specialization
from pyfuse.graph.loop_plan import Nest, Style, has_open_loop
from pyfuse.graph.nodes import Apply, Graph, code_of
from pyfuse.graph.output_layouts import AxisOrder
from pyfuse.host_values import HostArgument, HostExpression
from pyfuse.records import dataclass

# How each dtype is packed into a 16-byte scalar slot. struct raises for a number that does not fit, as NumPy would.
PACKED = {
    "b1": "?15x", "i1": "b15x", "i2": "h14x", "i4": "i12x", "i8": "q8x", "u1": "B15x", "u2": "H14x", "u4": "I12x",
    "u8": "Q8x", "f2": "e14x", "f4": "f12x", "f8": "d8x", "c8": "2f8x", "c16": "2d",
}  # fmt: skip

# Status bits of a kernel (docs/c-library.md, rule 5) that np.errstate decides about.
REPLAY = 16  # PF_REPLAY of the C library: the original must run, whatever errstate says
REPORTED = ((1, "divide"), (2, "over"), (4, "under"), (8, "invalid"))

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


@dataclass(frozen=True, kw_only=True)
class InPlaceStores:
    """Outputs that are arrays of the caller which the kernel reads.

    Attributes:
        targets: of each output, which argument it is.
        steps: of each argument from one element of the kernel's row to the next, in bytes;
            None for what is no such array.
    """

    targets: tuple[int, ...]
    steps: tuple[int | None, ...]


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
        own_stores: the outputs are arrays of the caller; None where all are new.
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
    own_stores: DirectStores | InPlaceStores | None = None

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
    own_stores: DirectStores | InPlaceStores | None = None,
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
    if isinstance(own_stores, InPlaceStores):
        count += 1
        own_arrays += (NewArray(shape=(record_size(thread_limit),), order=(0,), dtype=np.dtype(np.int64)),)
        nests = [replace(nest, writes=Writes.IF_CLEAR) for nest in nests]
    prepared = loaded.kernel.prepare(nests, count, thread_limit)
    scalar_format = "".join(PACKED[code_of(dtype)] for dtype in graph.scalar_dtypes)
    return Launch(
        specialization=specialization,
        kernel=loaded.kernel,
        prepared=prepared,
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
        finish=finisher(specialization),
        # REPLAY: the kernel asks for it. 8, where a float becomes an integer: NumPy's value of an invalid cast depends
        # on its vector code, so NumPy computes it even where errstate ignores the error.
        replay_bits=REPLAY | (8 if _casts_to_integers(graph) else 0),
        own_stores=own_stores,
    )


def _casts_to_integers(graph: Graph) -> bool:
    return any(
        isinstance(node, Apply)
        and node.operation == "cast"
        and node.dtype.kind in "iu"
        and graph.nodes[node.operands[0]].dtype.kind in "fc"
        for node in graph.nodes
    )


def must_report(status: int, replay_bits: int) -> bool:
    """Whether NumPy would report what a kernel met, under the ``np.errstate`` in force."""
    if status & replay_bits:
        return True
    modes: Mapping[str, object] = np.geterr()
    return any(status & bit and modes[name] != "ignore" for bit, name in REPORTED)


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
            numbers = (*outer, *strides, *laid.starts)
            writes = Writes.PAST_CACHES if _goes_past_caches(nest, laid) else Writes.AS_THEY_COME
            launches.append(
                NestLaunch(
                    geometry=numbers, outer=math.prod(outer), inner=inner, depth=1, element_cost=cost, writes=writes
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
