"""Pass: leave out what no output needs, unless NumPy would report a floating-point error from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyfuse.graph.loops import body_of, loop_bodies, needed_of_loop, renumbered_loops
from pyfuse.graph.nodes import (
    Apply,
    Gather,
    Graph,
    Input,
    Looped,
    Node,
    Output,
    Reduce,
    Scalar,
    Scan,
    Slice,
    layout_node,
    operands_of,
    renumbered,
)
from pyfuse.graph.ops import by_name


def keep_reporting_values(graph: Graph) -> Graph:
    """Unused values whose computation may raise a floating-point flag become discarded outputs.

    NumPy computes them and warns; a kernel that left them out would lose the warning.
    """
    used = _reachable(graph, for_reports=True)
    users: set[int] = {operand for node in graph.nodes for operand in operands_of(node)}
    inside = loop_bodies(graph)  # what may report there is needed for a carried value: the frontend sees to that
    discarded = [
        Output(node=index, is_discarded=True)
        for index, node in enumerate(graph.nodes)
        if index not in used
        and index not in inside
        and may_report(graph, node)
        and not _is_part_of_used(graph, node, used)
        and (index not in users or not _all_users_report(graph, index))
    ]
    return replace(graph, outputs=graph.outputs + tuple(discarded)) if discarded else graph


def drop_unused_values(graph: Graph) -> Graph:
    """Nodes that no output reaches are left out; inputs and scalars stay, they are the kernel's parameters."""
    used = _reachable(graph, for_reports=False)
    kept = [index for index, node in enumerate(graph.nodes) if index in used or isinstance(node, Input | Scalar)]
    number = {index: position for position, index in enumerate(kept)}
    nodes = tuple(renumbered(graph.nodes[index], number) for index in kept)
    outputs = tuple(replace(output, node=number[output.node]) for output in graph.outputs)
    return replace(graph, nodes=nodes, outputs=outputs, loops=renumbered_loops(graph.loops, number))


def _reachable(graph: Graph, *, for_reports: bool) -> set[int]:
    """Nodes that outputs need.

    Args:
        graph: of a kernel.
        for_reports: only those all of whose elements are computed. Else also those whose memory order is needed.
    """
    pending = [output.node for output in graph.outputs]
    seen: set[int] = set()
    slices: dict[tuple[int, int, int], set[int]] = {}
    parts: dict[int, set[str]] = {}
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        node = graph.nodes[index]
        if for_reports and isinstance(node, Slice):
            siblings = slices.setdefault((node.operand, node.axis, node.siblings), set())
            siblings.add(index)
            if not node.siblings or len(siblings) < node.siblings:
                continue
        if for_reports and isinstance(node, Apply) and node.operation in ("real", "imag"):
            # The compiler leaves out the part of a complex result that nobody looks at, and the flags that it raises.
            seen_parts = parts.setdefault(node.operands[0], set())
            seen_parts.add(node.operation)
            if len(seen_parts) < 2:
                continue
        if for_reports and _is_known_to_be_false(node):
            continue
        pending += operands_of(node)
        pending += needed_of_loop(graph, index)
        layout = layout_node(node)
        if not for_reports and layout is not None:
            pending.append(layout)
    return seen


def _is_known_to_be_false(node: Node) -> bool:
    """x < x and x > x: the compiler knows what comes out, and computes x for nothing else."""
    return isinstance(node, Apply) and node.operation in ("less", "greater") and len(set(node.operands)) == 1


_REPORTING_INTEGER_OPERATIONS = frozenset(
    {"floor_divide", "remainder", "fmod", "divmod", "power", "reciprocal", "replay_if"}
)


def may_report(graph: Graph, node: Node) -> bool:
    """Whether computing the node can set a flag.

    Floating or complex arithmetic, an integer division, a cast that may not fit, and a read by index arrays can.
    """
    if isinstance(node, Looped):
        return _loop_reports(graph, node)
    return node_may_report(graph.nodes, node)


def node_may_report(nodes: Sequence[Node], node: Node) -> bool:
    """``may_report`` of a node that is none of ``Looped``, in a graph or while it is written."""
    if isinstance(node, Reduce | Scan):
        return by_name(node.operation).may_raise_flags and nodes[node.operand].dtype.kind in "fc"
    if isinstance(node, Gather):
        return node.mode == "raise"  # an index may be out of range
    if not isinstance(node, Apply):
        return False
    kinds = {nodes[operand].dtype.kind for operand in node.operands}
    if node.operation == "cast":
        is_from_float = nodes[node.operands[0]].dtype != node.dtype and not kinds.isdisjoint("fc")
        return is_from_float or node.dtype == np.dtype("f2")
    if node.operation in ("real", "imag"):
        return False
    if "c" in kinds:
        return True  # NumPy's complex order comparisons report NaN
    if not by_name(node.operation).may_raise_flags:
        return False
    return not kinds.isdisjoint("fc") or node.operation in _REPORTING_INTEGER_OPERATIONS


def _loop_reports(graph: Graph, node: Looped) -> bool:
    """Whether a carried value comes out of the loop, and something there may report."""
    is_carried = any(update == node.operand for _, update in graph.loops[node.loop].updates)
    return is_carried and any(may_report(graph, graph.nodes[index]) for index in body_of(graph.nodes, node.loop))


def _is_part_of_used(graph: Graph, node: Node, used: set[int]) -> bool:
    """Another result of the same application is used: the computation happens anyway."""
    return (
        isinstance(node, Apply)
        and by_name(node.operation).result_count > 1
        and any(
            isinstance(other, Apply) and other.operation == node.operation and other.operands == node.operands
            for other in (graph.nodes[index] for index in used)
        )
    )


def _all_users_report(graph: Graph, index: int) -> bool:
    """A value that only feeds other kept values need not be an output itself."""
    return all(may_report(graph, node) for node in graph.nodes if index in operands_of(node))
