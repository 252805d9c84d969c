"""Pass: leave out what no output needs, unless NumPy would report a floating-point error from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyfuse.graph.nodes import Apply, Graph, Input, Node, Output, Scalar, View, operands_of
from pyfuse.graph.ops import by_name


def keep_reporting_values(graph: Graph) -> Graph:
    """Unused values whose computation may raise a floating-point flag become discarded outputs.

    NumPy computes them and warns; a kernel that left them out would lose the warning.
    """
    used = _reachable(graph, through_layouts=False)
    users: set[int] = {operand for node in graph.nodes for operand in operands_of(node)}
    discarded = [
        Output(node=index, is_discarded=True)
        for index, node in enumerate(graph.nodes)
        if index not in used
        and may_report(graph, node)
        and not _is_part_of_used(graph, node, used)
        and (index not in users or not _all_users_report(graph, index))
    ]
    return replace(graph, outputs=graph.outputs + tuple(discarded)) if discarded else graph


def drop_unused_values(graph: Graph) -> Graph:
    """Nodes that no output reaches are left out; inputs and scalars stay, they are the kernel's parameters."""
    used = _reachable(graph, through_layouts=True)
    kept = [index for index, node in enumerate(graph.nodes) if index in used or isinstance(node, Input | Scalar)]
    number = {index: position for position, index in enumerate(kept)}
    nodes = tuple(_renumbered(graph.nodes[index], number) for index in kept)
    outputs = tuple(replace(output, node=number[output.node]) for output in graph.outputs)
    return replace(graph, nodes=nodes, outputs=outputs)


def _reachable(graph: Graph, *, through_layouts: bool) -> set[int]:
    """Nodes whose values outputs need; ``through_layouts``: also those whose memory order only is needed."""
    pending = [output.node for output in graph.outputs]
    seen: set[int] = set()
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        node = graph.nodes[index]
        pending += operands_of(node)
        if through_layouts and isinstance(node, Apply) and node.kept_layout is not None:
            pending.append(node.kept_layout)
    return seen


_REPORTING_INTEGER_OPERATIONS = frozenset({"floor_divide", "remainder", "fmod", "divmod", "power", "reciprocal"})


def may_report(graph: Graph, node: Node) -> bool:
    """Whether computing the node can set a flag.

    Floating or complex arithmetic, an integer division, and a cast that may not fit can.
    """
    if not isinstance(node, Apply):
        return False
    kinds = {graph.nodes[operand].dtype.kind for operand in node.operands}
    if node.operation == "cast":
        is_from_float = graph.nodes[node.operands[0]].dtype != node.dtype and not kinds.isdisjoint("fc")
        return is_from_float or node.dtype == np.dtype("f2")
    if "c" in kinds:
        return True  # NumPy's complex order comparisons report NaN
    if not by_name(node.operation).may_raise_flags:
        return False
    return not kinds.isdisjoint("fc") or node.operation in _REPORTING_INTEGER_OPERATIONS


def _is_part_of_used(graph: Graph, node: Node, used: set[int]) -> bool:
    """Another result of the same application is used: the computation happens anyway."""
    assert isinstance(node, Apply)
    return by_name(node.operation).result_count > 1 and any(
        isinstance(other, Apply) and other.operation == node.operation and other.operands == node.operands
        for other in (graph.nodes[index] for index in used)
    )


def _all_users_report(graph: Graph, index: int) -> bool:
    """A value that only feeds other kept values need not be an output itself."""
    return all(may_report(graph, node) for node in graph.nodes if index in operands_of(node))


def _renumbered(node: Node, number: dict[int, int]) -> Node:
    match node:
        case Apply():
            kept = None if node.kept_layout is None else number[node.kept_layout]
            return replace(node, operands=tuple(number[i] for i in node.operands), kept_layout=kept)
        case View():
            return replace(node, operand=number[node.operand])
        case _:
            return node
