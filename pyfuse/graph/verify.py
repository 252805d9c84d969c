"""What must hold of every graph; run after each pass."""

from __future__ import annotations

from pyfuse.graph.infer import is_fused_dtype
from pyfuse.graph.loops import body_of, loop_bodies, needed_of_loop
from pyfuse.graph.nodes import (
    ALONG,
    ONE,
    Apply,
    Assemble,
    Carried,
    Dims,
    Gather,
    Graph,
    Input,
    Looped,
    LoopIndex,
    Reduce,
    Reshape,
    Scalar,
    Scan,
    Slice,
    View,
    operands_of,
)
from pyfuse.graph.ops import OPERATIONS


def verify(graph: Graph) -> None:
    """Check the invariants of a graph.

    Raises:
        AssertionError: an operand comes after its user, a dtype is not fused, a dimension, input, scalar or operation
            does not exist, or broadcasting does not give a node's dimensions.
    """
    for index, node in enumerate(graph.nodes):
        where = f"node %{index}: {node!r}"
        assert is_fused_dtype(node.dtype), where
        assert all(dim == ONE or 0 <= dim < len(graph.dims) for dim in node.dims), where
        assert all(0 <= operand < index for operand in operands_of(node)), where
        match node:
            case Input():
                assert 0 <= node.index < graph.input_count, where
            case Scalar():
                assert node.dtype == graph.scalar_dtypes[node.slot] and node.dims == (), where
            case View():
                _verify_view(graph, node, where)
            case Apply():
                _verify_apply(graph, node, where)
            case Reduce():
                _verify_reduce(graph, node, where)
            case Scan():
                operand = graph.nodes[node.operand]
                assert (operand.dtype, operand.dims) == (node.dtype, node.dims), where
                assert 0 <= node.axis < len(node.dims) and OPERATIONS[node.operation].operand_count == 2, where
            case Slice():
                assert _without(node.dims, node.axis) == _without(graph.nodes[node.operand].dims, node.axis), where
                assert node.step != 0 and node.dtype == graph.nodes[node.operand].dtype, where
            case Reshape():
                assert node.dtype == graph.nodes[node.operand].dtype, where
            case Assemble():
                pieces = [graph.nodes[piece] for piece in node.pieces]
                assert len(node.starts) == len(pieces) > 0, where
                assert {piece.dtype for piece in pieces} == {node.dtype}, where
                assert {_without(piece.dims, node.axis) for piece in pieces} == {_without(node.dims, node.axis)}, where
            case Gather():
                _verify_gather(graph, node, where)
    _verify_loops(graph)
    for output in graph.outputs:
        assert 0 <= output.node < len(graph.nodes), output
        assert not output.is_scalar or not graph.nodes[output.node].dims, output


def _verify_loops(graph: Graph) -> None:
    """Bodies are elementwise, apart from each other, and left through ``Looped`` only; carried values keep their type.

    Raises:
        AssertionError: that is not so.
    """
    for number, loop in enumerate(graph.loops):
        where = f"loop {number}: {loop!r}"
        assert loop.step != 0, where
        body = body_of(graph.nodes, number)
        for carried, update in loop.updates:
            own, other, initial = graph.nodes[carried], graph.nodes[update], graph.nodes[_initial(graph, carried)]
            assert own.loop == number if isinstance(own, Carried) else False, where
            assert (own.dtype, own.dims) == (other.dtype, other.dims) == (initial.dtype, initial.dims), where
        for index in body:
            node = graph.nodes[index]
            assert isinstance(node, Apply | View | Carried | LoopIndex), f"{where} has {node!r}"
            assert getattr(node, "loop", number) == number, f"{where} has {node!r} of another"
    inside = loop_bodies(graph)
    assert len(inside) == sum(len(body_of(graph.nodes, number)) for number in range(len(graph.loops))), "loops mix"
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Looped):
            assert all(member < index for member in body_of(graph.nodes, node.loop)), f"node %{index}: {node!r}"
        if isinstance(node, Carried):
            assert node.initial not in inside, f"node %{index}: {node!r}"
        if isinstance(node, Looped):
            operand = graph.nodes[node.operand]
            assert (operand.dtype, operand.dims) == (node.dtype, node.dims), f"node %{index}: {node!r}"
            bounds = [graph.nodes[bound] for bound in needed_of_loop(graph, index)]
            assert all(bound.dims == () and bound.dtype.kind == "i" for bound in bounds), f"node %{index}: {node!r}"
    assert not any(output.node in inside for output in graph.outputs), "an output is inside a loop"


def _initial(graph: Graph, index: int) -> int:
    node = graph.nodes[index]
    assert isinstance(node, Carried)
    return node.initial


def _verify_view(graph: Graph, node: View, where: str) -> None:
    operand = graph.nodes[node.operand]
    kept = [axis for axis in node.axes if axis is not None]
    assert len(set(kept)) == len(kept), where
    assert all(operand.dims[axis] == ONE for axis in range(len(operand.dims)) if axis not in kept), where
    assert node.dims == tuple(ONE if axis is None else operand.dims[axis] for axis in node.axes), where


def _verify_reduce(graph: Graph, node: Reduce, where: str) -> None:
    operation, operand = OPERATIONS[node.operation], graph.nodes[node.operand]
    assert operation.finds_an_index or (operation.operand_count == 2 and operand.dtype == node.dtype), where
    assert len(set(node.axes)) == len(node.axes) and all(0 <= axis < len(operand.dims) for axis in node.axes), where
    assert node.dims == tuple(dim for axis, dim in enumerate(operand.dims) if axis not in node.axes), where
    assert node.initial is None or graph.nodes[node.initial].dims == (), where
    assert node.where is None or len(graph.nodes[node.where].dims) <= len(operand.dims), where


def _verify_gather(graph: Graph, node: Gather, where: str) -> None:
    operand, indices = graph.nodes[node.operand], [graph.nodes[index] for index in node.indices]
    assert node.dtype == operand.dtype and all(index.dtype.kind in "biu" for index in indices), where
    assert len(indices) == len(node.axes) > 0 and node.mode in ("raise", "wrap", "clip"), where
    assert list(node.axes) == sorted(set(node.axes)) and all(axis < len(operand.dims) for axis in node.axes), where
    if node.kind == ALONG:
        assert len(indices[0].dims) == len(operand.dims) == len(node.dims) and len(indices) == 1, where
        return
    rest = tuple(dim for axis, dim in enumerate(operand.dims) if axis not in node.axes)
    count = max(len(index.dims) for index in indices)
    chosen = node.dims[node.place : node.place + count]
    assert node.dims[: node.place] + node.dims[node.place + count :] == rest, where
    for index in indices:
        assert all(dim in (ONE, own) for dim, own in zip(index.dims, chosen[count - len(index.dims) :], strict=True)), (
            where
        )


def _without(dims: Dims, axis: int) -> Dims:
    return dims[:axis] + dims[axis + 1 :]


def _verify_apply(graph: Graph, node: Apply, where: str) -> None:
    operation = OPERATIONS[node.operation]
    assert len(node.operands) == operation.operand_count and node.result < operation.result_count, where
    rank = len(node.dims)
    for operand in node.operands:
        dims = graph.nodes[operand].dims
        assert len(dims) <= rank, where
        for dim, own in zip(dims, node.dims[rank - len(dims) :], strict=True):
            assert dim in (ONE, own), where


def verified(graph: Graph) -> Graph:
    """The graph itself, after ``verify``."""
    verify(graph)
    return graph
