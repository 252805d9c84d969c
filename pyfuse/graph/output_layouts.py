"""In which order the axes of arrays lie in memory: NumPy is asked, with miniature arrays.

NumPy decides the memory order of a result operation by operation (order 'K'), from the strides of the operands. Running
the graph on arrays of at most two elements along each axis, whose strides stand in the same order as those of the call,
gives NumPy's own answer in a microsecond for each operation, whatever rule this version of NumPy has.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.evaluate import evaluate_nodes
from pyfuse.graph.nodes import Gather, Graph, Input, View

MAX_MINIATURE_RANK = 12  # 2**12 elements
_GAP = 3  # miniature strides are powers of it: no two axes then merge or touch by accident

AxisOrder = tuple[int, ...]  # axes from the outermost in memory to the innermost
Miniature = tuple[tuple[int, ...], tuple[int, ...]]  # shape, strides in elements


def miniatures(inputs: Sequence[np.ndarray]) -> tuple[Miniature, ...]:
    """For each array the shape and strides of its miniature: all that the order of the outputs depends on."""
    return tuple(_miniature(array) for array in inputs)


def node_orders(
    graph: Graph, nodes: Sequence[int], shapes: Sequence[Miniature], extents: Sequence[int]
) -> dict[int, AxisOrder]:
    """The axis order that NumPy would give each of some nodes.

    Args:
        graph: a verified graph.
        nodes: which.
        shapes: of the call's inputs, by ``miniatures``.
        extents: one whole number for each computed extent of the graph.

    Raises:
        CannotFuse: the rank is too high to ask NumPy.
    """
    ranks = [len(graph.nodes[node].dims) for node in nodes]
    if all(_is_c_contiguous(shape, strides) for shape, strides in shapes) and not _moves_axes(graph):
        return {node: tuple(range(rank)) for node, rank in zip(nodes, ranks, strict=True)}
    if max([*ranks, *(len(shape) for shape, _ in shapes)], default=0) > MAX_MINIATURE_RANK:
        raise refuse(Code.UNSUPPORTED_ARRAY, f"arrays of more than {MAX_MINIATURE_RANK} axes are fused in C order only")
    types = {node.index: node.dtype for node in graph.nodes if isinstance(node, Input)}
    inputs = [_array(types.get(number, np.dtype("f8")), *shape) for number, shape in enumerate(shapes)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = [min(extent, 2) for extent in extents]
        values = evaluate_nodes(graph, inputs, [1] * len(graph.scalar_dtypes), small, is_miniature=True)
    return {node: _order(np.asarray(values[node])) for node in nodes}


def _miniature(array: np.ndarray) -> Miniature:
    shape = tuple([extent if extent < 2 else 2 for extent in array.shape])
    if array.flags.c_contiguous:
        return shape, _c_strides(shape)
    if array.flags.f_contiguous:
        return shape, _c_strides(shape[::-1])[::-1]
    # Strides of axes of extent one too: a copy in order 'K' sorts by them (numpy/_core/src/multiarray/ctors.c).
    sizes = sorted({abs(stride) for stride in array.strides if stride})
    strides = []
    for stride in array.strides:
        magnitude = _GAP ** (1 + sizes.index(abs(stride))) if stride else 0  # never one: it is not contiguous
        strides.append(magnitude if stride >= 0 else -magnitude)
    return shape, tuple(strides)


def _array(dtype: np.dtype, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    reach = [(extent - 1) * stride for extent, stride in zip(shape, strides, strict=True) if extent > 1]
    before = -sum(step for step in reach if step < 0)
    after = sum(step for step in reach if step > 0)
    memory = np.ones(before + after + 1, dtype)
    step = dtype.itemsize
    return np.ndarray(shape, dtype, memory, before * step, tuple(stride * step for stride in strides))


def _order(array: np.ndarray) -> AxisOrder:
    """Axes by stride; of two with the same stride the one of extent one lies inside, or the strides would differ."""
    return tuple(sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), array.shape[axis] <= 1, axis)))


def _c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = []
    step = 1
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


def _is_c_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    return all(
        extent <= 1 or stride == natural
        for extent, stride, natural in zip(shape, strides, _c_strides(shape), strict=True)
    )


def _moves_axes(graph: Graph) -> bool:
    """Whether an operand is seen with its axes moved: then C-ordered inputs need not give C-ordered outputs.

    ``a[:, index]`` is one whose axes that the index walks lie outermost in memory.
    """
    return any(isinstance(node, View | Gather) for node in graph.nodes)
