"""Pass: compute once what is computed twice."""

from __future__ import annotations

from dataclasses import replace

from pyfuse.graph.loops import renumbered_loops
from pyfuse.graph.nodes import Constant, Graph, Node, renumbered


def share_equal_values(graph: Graph) -> Graph:
    """Nodes that apply the same operation to the same operands become one.

    True for every operation of the table: all are functions of their operands alone, and a floating-point error that is
    reported twice by NumPy is reported by the original function, which then runs.
    """
    first: dict[object, int] = {}
    stands_for: list[int] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        node = renumbered(node, stands_for)
        key = _key(node)
        if key in first:
            stands_for.append(first[key])
            continue
        first[key] = len(nodes)
        stands_for.append(len(nodes))
        nodes.append(node)
    outputs = tuple(replace(output, node=stands_for[output.node]) for output in graph.outputs)
    loops = renumbered_loops(graph.loops, dict(enumerate(stands_for)))
    return replace(graph, nodes=tuple(nodes), outputs=outputs, loops=loops)


def _key(node: Node) -> object:
    if isinstance(node, Constant):  # 0.0 == -0.0 == 0 == False, and NaN is not NaN: compare the text
        return (Constant, repr(node.value), node.dtype, node.dims)
    return node
