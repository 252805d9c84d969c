"""Run a graph slowly with NumPy: the oracle of every pass, and the way output layouts are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.loops import body_of
from pyfuse.graph.nodes import (
    ALONG,
    CONCATENATED,
    ONE,
    TAKE,
    Apply,
    Assemble,
    Carried,
    Constant,
    Gather,
    Graph,
    HostExtent,
    Input,
    InputExtent,
    Looped,
    LoopIndex,
    Node,
    Reduce,
    Reshape,
    Scalar,
    Scan,
    Slice,
    View,
)
from pyfuse.graph.ops import by_name, callable_of
from pyfuse.host_values import cut_of


def evaluate(
    graph: Graph, inputs: Sequence[np.ndarray], scalars: Sequence[Any] = (), extents: Sequence[int] = ()
) -> list[Any]:
    """The outputs of a graph as NumPy computes them, operation by operation.

    Args:
        graph: a verified graph.
        inputs: one array for each input, of the graph's dtypes and ranks.
        scalars: one number for each scalar.
        extents: one whole number for each ``HostExtent``.

    Returns:
        One array or NumPy scalar for each output, discarded ones included.
    """
    values = evaluate_nodes(graph, inputs, scalars, extents)
    return [values[output.node] for output in graph.outputs]


def evaluate_nodes(
    graph: Graph,
    inputs: Sequence[np.ndarray],
    scalars: Sequence[Any] = (),
    extents: Sequence[int] = (),
    *,
    is_miniature: bool = False,
) -> list[Any]:
    """The value of every node, as ``evaluate``.

    Args:
        graph, inputs, scalars, extents: as for ``evaluate``.
        is_miniature: extents are at most two, so that slices start at the first element, and pieces that are put
            together need not fit: only the memory order of the values means something.
    """
    values: list[Any] = []

    def value_of(node: Node) -> Any:
        return _value(graph, node, values, inputs, scalars, extents, is_miniature)

    finished: set[int] = set()
    for node in graph.nodes:
        if isinstance(node, Looped) and node.loop not in finished:
            finished.add(node.loop)
            _run_further_iterations(graph, node.loop, values, value_of, is_miniature=is_miniature)
        values.append(value_of(node))
    return values


def _run_further_iterations(
    graph: Graph, number: int, values: list[Any], value_of: Callable[[Node], Any], *, is_miniature: bool
) -> None:
    """Bring the values of a loop's body from the first iteration, in which they are, to the last.

    Raises:
        CannotFuse: of a miniature, memory orders after the second iteration are others than after the first.
    """
    loop = graph.loops[number]
    turns = range(int(values[loop.start]), int(values[loop.stop]), loop.step)
    body = [index for index in body_of(graph.nodes, number) if index < len(values)]
    assert turns or is_miniature, "a loop runs at least once"
    for turn in turns[1:] if not is_miniature else (1,):
        following = {carried: values[update] for carried, update in loop.updates}
        for index in body:
            node = graph.nodes[index]
            if isinstance(node, LoopIndex):
                values[index] = node.dtype.type(turn)
            else:
                values[index] = following[index] if isinstance(node, Carried) else value_of(node)
        if is_miniature and any(not _lie_alike(values[update], following[carried]) for carried, update in loop.updates):
            raise refuse(Code.UNSUPPORTED_ARRAY, "the memory order of an array changes from iteration to iteration")


def _lie_alike(one: Any, other: Any) -> bool:
    """Whether NumPy chooses the same memory order for what is computed of either."""
    return _order(np.asarray(one)) == _order(np.asarray(other))


def _order(array: np.ndarray) -> list[tuple[int, int]]:
    """Axes that are longer than one, from the outermost in memory to the innermost, and which way they run."""
    axes = sorted((-abs(stride), axis) for axis, stride in enumerate(array.strides) if array.shape[axis] > 1)
    return [(axis, int(np.sign(array.strides[axis]))) for _, axis in axes]


def _value(
    graph: Graph,
    node: Node,
    values: list[Any],
    inputs: Sequence[np.ndarray],
    scalars: Sequence[Any],
    extents: Sequence[int],
    is_miniature: bool,
) -> Any:
    match node:
        case Input(index=index):
            return inputs[index]
        case Scalar(slot=slot):
            return node.dtype.type(scalars[slot])
        case Constant(value=value):
            if not node.dims:
                return node.dtype.type(value)
            return np.full(_shape(graph, node, inputs, extents), value, node.dtype)
        case View():
            return _view(values[node.operand], node)
        case Apply():
            return _apply(graph, node, values)
        case Reduce():
            return _reduce(node, values)
        case Scan():
            ufunc: Any = callable_of(by_name(node.operation))
            return ufunc.accumulate(values[node.operand], axis=node.axis, dtype=node.dtype)
        case Slice():
            extent = _shape(graph, node, inputs, extents)[node.axis]
            if is_miniature:
                return _miniature_slice(node, values[node.operand], extent)
            return cut_of(values[node.operand], node.axis, number_at(node.start, extents), extent, node.step)
        case Reshape():
            shape = _shape(graph, node, inputs, extents)
            return np.ones(shape, node.dtype) if is_miniature else np.reshape(values[node.operand], shape)
        case LoopIndex(loop=loop):
            return values[graph.loops[loop].start]
        case Carried(initial=initial):
            return values[initial]
        case Looped(operand=operand):
            return values[operand]
        case Assemble():
            result = _empty_assembly(node, values, _shape(graph, node, inputs, extents))
            return result if is_miniature else _assemble(node, values, result, extents)
        case Gather():
            indices = [values[index] for index in node.indices]
            return _gather(node, values[node.operand], [_zeros_like(i) for i in indices] if is_miniature else indices)
        case _:
            raise AssertionError(f"unknown node {node!r}")


def _apply(graph: Graph, node: Apply, values: list[Any]) -> Any:
    operands = [values[operand] for operand in node.operands]
    if node.operation == "cast":
        return _cast(node, operands[0], values)
    operation = by_name(node.operation)
    function = callable_of(operation)
    if not isinstance(function, np.ufunc):
        return function(*operands)
    types = (*(graph.nodes[operand].dtype for operand in node.operands), *([None] * operation.result_count))
    # The loop's own dtypes: NumPy looks a signature up by type number, and 'q' of the loop 'qQ->?' is not the 'l' of an
    # int64 array.
    signature = function.resolve_dtypes(types)
    results = function(*operands, signature=signature, casting="unsafe")
    return results[node.result] if operation.result_count > 1 else results


def _cast(node: Apply, operand: Any, values: list[Any]) -> Any:
    if node.kept_layout is not None:
        kept = values[node.kept_layout]
        target = _with_strides_of(kept) if node.is_implicit else np.empty_like(kept, dtype=node.dtype)
        np.copyto(target, operand, casting="unsafe")
        return target
    if node.is_implicit:
        return operand  # the loop that reads it casts, as NumPy's does: no array, no layout of its own
    return operand.astype(node.dtype)


def _with_strides_of(array: np.ndarray) -> np.ndarray:
    """A new array in place of one that is written over: no order is chosen again, as ``empty_like`` would."""
    if not array.size:
        return np.empty_like(array)
    reach = [(extent - 1) * stride for extent, stride in zip(array.shape, array.strides, strict=True)]
    first = -sum(step for step in reach if step < 0)
    memory = bytearray(first + sum(step for step in reach if step > 0) + array.itemsize)
    return np.ndarray(array.shape, array.dtype, memory, first, array.strides)


def _view(operand: Any, node: View) -> Any:
    array = np.asarray(operand)
    kept = [axis for axis in node.axes if axis is not None]
    dropped = tuple(axis for axis in range(array.ndim) if axis not in kept)
    moved = np.squeeze(array, dropped)
    rank = {axis: position for position, axis in enumerate(sorted(kept))}
    moved = moved.transpose([rank[axis] for axis in kept])
    index = tuple(np.newaxis if axis is None else slice(None) for axis in node.axes)
    return moved[index]


def _reduce(node: Reduce, values: list[Any]) -> Any:
    operation, operand = by_name(node.operation), values[node.operand]
    function: Any = callable_of(operation)
    if operation.finds_an_index:
        axis = None if len(node.axes) == operand.ndim else node.axes[0]
        return function(operand, axis=axis)
    options = {} if node.initial is None else {"initial": values[node.initial]}
    if node.where is not None:
        options["where"] = values[node.where]
    return function.reduce(operand, axis=node.axes, dtype=node.dtype, **options)


def _miniature_slice(node: Slice, operand: Any, extent: int) -> Any:
    chosen = operand[(slice(None),) * node.axis + (slice(0, extent),)]
    return chosen if node.step > 0 else np.flip(chosen, node.axis)


def _empty_assembly(node: Assemble, values: list[Any], shape: tuple[int, ...]) -> Any:
    if node.layout == CONCATENATED:
        like = np.concatenate([values[piece] for piece in node.pieces], node.axis)
        return np.ones_like(like, dtype=node.dtype, shape=shape)
    if isinstance(node.layout, int):
        return np.ones_like(values[node.layout], dtype=node.dtype, shape=shape)
    return np.ones(shape, node.dtype)


def _assemble(node: Assemble, values: list[Any], result: Any, extents: Sequence[int]) -> Any:
    for piece, first in zip(node.pieces, node.starts, strict=True):
        start = number_at(first, extents)
        count = values[piece].shape[node.axis]
        result[(slice(None),) * node.axis + (slice(start, start + count * node.step, node.step),)] = values[piece]
    return result


def _gather(node: Gather, operand: Any, indices: list[Any]) -> Any:
    if node.kind == TAKE:
        return np.take(operand, indices[0], node.axes[0], mode=node.mode)  # type: ignore[call-overload]
    if node.kind == ALONG:
        return np.take_along_axis(operand, indices[0], node.axes[0])
    entries: list[Any] = [slice(None)] * operand.ndim
    for axis, index in zip(node.axes, indices, strict=True):
        entries[axis] = index
    return operand[tuple(entries)]


def _zeros_like(index: Any) -> Any:
    """An index of the same form that is inside of every miniature."""
    return _with_strides_of(index) if isinstance(index, np.ndarray) else type(index)(0)


def number_at(number: int | HostExtent, extents: Sequence[int]) -> int:
    """A whole number that is known, or that the call has computed."""
    return number if isinstance(number, int) else extents[number.slot]


def _shape(graph: Graph, node: Node, inputs: Sequence[np.ndarray], extents: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if dim == ONE else _extent(graph, dim, inputs, extents) for dim in node.dims)


def _extent(graph: Graph, dim: int, inputs: Sequence[np.ndarray], extents: Sequence[int]) -> int:
    source = graph.dims[dim][0]
    if isinstance(source, InputExtent):
        return int(inputs[source.index].shape[source.axis])
    return extents[source.slot]
