"""Stores into arrays of the caller that the kernel reads: ``a += b * c`` without an array between.

Where such a kernel meets an error that NumPy reports, the original cannot compute the call again. So the kernel goes
tile by tile, and leaves everything as it was from the first tile on that has met one (``pf_leaves``, memory.c).
What it did before met nothing, and the function does the same to every element: so the original runs on the parts of
the arrays that were left, and reports what it would have reported of the whole (docs/decisions/0011).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pyfuse.backend.cpu.kept_tiles import can_keep
from pyfuse.backend.cpu.map_text import can_stream
from pyfuse.call_geometry import CallGeometry
from pyfuse.compiler import Specialization
from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.direct_stores import may_stop
from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import HostRecipe
from pyfuse.graph.loop_plan import Nest
from pyfuse.graph.nodes import Apply, Constant, Input, Scalar
from pyfuse.host_values import HostArgument, HostCall, HostExpression
from pyfuse.launch import REPORTED, InPlaceStores, Launch
from pyfuse.memory_overlap import may_overlap
from pyfuse.runner import Arguments, Run, does_not_fit

# Of all arrays that are stored. Below, the copy costs less: see dispatcher.c, SCRATCH_BYTES.
LEAST_BYTES = 1 << 13
# Where tiles stay in registers. A call of a += b * c, copied and in place: 2 KiB 130 and 150 ns, 3 KiB 182 and 170,
# 8,000 bytes 365 and 270; of a /= b; a += c, whose tiles do not, 8,000 of doubles 472 and 441, of floats 371 and 418.
LEAST_KEPT_BYTES = 3 << 10

REPORT = Diagnostic(
    code=Code.FLOATING_POINT_REPORT,
    message="a floating-point error is to be reported: NumPy computes the rest of the call and reports it itself",
    hints=("np.errstate(...='ignore') around the call says that it is expected",),
)


class LeftInPlace(CannotFuse):
    """A kernel has met an error that is reported, and has left parts of the caller's arrays as they were.

    Attributes:
        stores: of the launch.
        specialization: likewise.
        parts: where each part begins and ends, in elements of the kernel's row.
    """

    def __init__(self, stores: InPlaceStores, specialization: Specialization, parts: list[tuple[int, int]]) -> None:
        super().__init__(REPORT)
        self.stores = stores
        self.specialization = specialization
        self.parts = parts

    def run_the_rest(self, function: Callable[..., Any], arguments: Arguments) -> Any:
        """The original on what was left; the function's result."""
        steps = self.stores.steps
        whole = [_parts_of(argument, step, self.parts) for argument, step in zip(arguments, steps, strict=True)]
        function(*whole)
        if len(self.parts) > 1:
            for target in self.stores.targets:
                begin = 0
                for part in _views_of(arguments[target], steps[target], self.parts):
                    part[...] = whole[target][..., begin : begin + part.size]
                    begin += part.size
        result = self.specialization.result
        assert isinstance(result, HostRecipe)
        return result.expression.evaluate(arguments)


def _parts_of(argument: Any, step: int | None, parts: Sequence[tuple[int, int]]) -> Any:
    """An argument as the original is given it: a view of the one part, or a copy of all."""
    if step is None:
        return argument
    views = list(_views_of(argument, step, parts))
    return views[0] if len(views) == 1 else np.concatenate(views, axis=-1)


def _views_of(array: np.ndarray, step: int | None, parts: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Parts of an array's elements, in the order of memory, as arrays of the same rank."""
    assert step is not None
    row = as_strided(array, (array.size,), (step,))
    for begin, end in parts:
        yield row[begin:end].reshape((1,) * (array.ndim - 1) + (end - begin,))


def in_place_stores(
    specialization: Specialization, geometry: CallGeometry, arguments: Arguments, inputs: Sequence[np.ndarray]
) -> InPlaceStores | None:
    """Which arguments a call's kernel may write into, which it reads; None where it must not, or it is not worth it.

    Args:
        specialization: what runs.
        geometry: of the call, for outputs that lie as the arrays do that are stored into.
        arguments: of the call.
        inputs: the kernel's.
    """
    targets = specialization.targets
    if targets is None or not _does_the_same_to_all(specialization, arguments):
        return None
    if len(geometry.nests) != 1:
        return None
    (nest,), plan = geometry.nests, geometry.plan.nests[0]
    if not isinstance(plan, Nest) or not geometry.plan.overwrites or not can_stream(plan, nest.layout):
        return None  # its text does not look before it writes
    if len(nest.extents) != 1 or any(nest.starts) or geometry.temporaries:
        return None
    arrays = [arguments[target] for target in targets]
    if sum(array.nbytes for array in arrays) < (LEAST_KEPT_BYTES if can_keep(plan) else LEAST_BYTES):
        return None
    steps: list[int | None] = [None] * len(arguments)
    if any(step != store.dtype.itemsize for store, (step,) in zip(plan.stores, nest.strides, strict=False)):
        return None
    for load, (step,) in zip(plan.loads, nest.strides[len(plan.stores) :], strict=True):
        expression = specialization.inputs[load.index]
        assert isinstance(expression, HostArgument)
        if inputs[load.index].shape == arrays[0].shape:
            steps[expression.index] = step
        elif inputs[load.index].size != 1:
            return None
    for target, array in zip(targets, arrays, strict=True):
        is_dense = steps[target] == array.itemsize and array.size == nest.extents[0] and array.shape == arrays[0].shape
        if (
            not is_dense
            or not array.flags.aligned
            or array.dtype != specialization.output_dtypes[targets.index(target)]
        ):
            return None
    if any(
        type(given) is np.ndarray and given.size != 1 and step is None
        for given, step in zip(arguments, steps, strict=True)
    ):
        return None  # it has no part in what is stored, but the original may look at it
    return InPlaceStores(targets=targets, steps=tuple(steps))


def _does_the_same_to_all(specialization: Specialization, arguments: Arguments) -> bool:
    """Whether parts of the arrays could be given to the function as well as the whole."""
    graph = specialization.graph
    arrays = [index for index, argument in enumerate(arguments) if isinstance(argument, np.ndarray)]
    return (
        not specialization.reads_extents
        and not specialization.extents
        and not graph.loops
        and all(isinstance(node, Input | Scalar | Constant | Apply) for node in graph.nodes)
        and all(isinstance(expression, HostArgument) for expression in specialization.inputs)
        and not any(_mentions(guard.expression, arrays) for guard in specialization.guards)
    )


def _mentions(expression: HostExpression, arguments: Sequence[int]) -> bool:
    if isinstance(expression, HostCall):
        return any(_mentions(operand, arguments) for operand in expression.operands)
    return isinstance(expression, HostArgument) and expression.index in arguments


def reported_bits(replay_bits: int) -> int:
    """Status bits that end a kernel which stores in place; negative where it must not begin: a report may raise."""
    bits = -1 if may_stop() else reported_modes()
    return bits if bits < 0 else bits | replay_bits


def reported_modes() -> int:
    """Status bits that ``np.errstate`` has reported, without raising; negative where it may raise."""
    modes: Mapping[str, Any] = np.geterr()
    if any(mode in ("raise", "call") for mode in modes.values()):
        return -1
    return sum(bit for bit, name in REPORTED if modes[name] != "ignore")


def raise_left(launch: Launch, record: Sequence[int]) -> NoReturn:
    """Raise what a call's record tells of the parts that were left."""
    assert isinstance(launch.own_stores, InPlaceStores)
    parts: list[tuple[int, int]] = []
    for begin, end in sorted((record[place], record[place + 1]) for place in range(2, 2 + 2 * record[1], 2)):
        if parts and parts[-1][1] == begin:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((begin, end))
    raise LeftInPlace(launch.own_stores, launch.specialization, parts)


def may_go_in_place(stores: InPlaceStores, reads: Sequence[int], arguments: Arguments) -> bool:
    """Whether nothing else that a call reads lies in what it stores.

    Args:
        stores: of the launch.
        reads: the arguments that its kernel reads.
        arguments: of the call.
    """
    for number, index in enumerate(stores.targets):
        target = arguments[index]
        others = [other for other in (*reads, *stores.targets[:number]) if other != index]
        if not target.flags.writeable or any(may_overlap(target, arguments[other]) for other in others):
            return False
    return True


def run_in_place(launch: Launch, otherwise: Run) -> Run:
    """The way of a launch whose kernel writes into arrays of the caller that it reads.

    Args:
        launch: made for that.
        otherwise: the way of calls for which it must not.
    """
    assert isinstance(launch.own_stores, InPlaceStores)
    address, start, pack = launch.prepared.address, launch.prepared.start, launch.pack
    specialization, stores, reads = launch.specialization, launch.own_stores, launch.input_indices
    result = specialization.result
    assert isinstance(result, HostRecipe)
    size, replay_bits = launch.own_arrays[-1], launch.replay_bits
    assert not isinstance(size, int) and reads is not None

    def run(arguments: Arguments) -> tuple[Any, int]:
        bits = reported_bits(replay_bits)
        if bits < 0 or not may_go_in_place(stores, reads, arguments):
            return otherwise(arguments)
        arrays = [arguments[index] for index in (*reads, *stores.targets)]
        record = np.zeros(size.shape, size.dtype)
        record[0] = bits
        try:
            scalars = launch.scalars(arguments) if specialization.scalars else ()
            packed = pack(*map(address, arrays), address(record), *scalars)
        except MemoryError:
            raise
        except Exception as error:
            raise does_not_fit(error) from error
        start(packed)
        if record[1]:
            raise_left(launch, record.tolist())
        return result.expression.evaluate(arguments), 0

    return run
