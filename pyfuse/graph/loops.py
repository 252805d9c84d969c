"""Loops inside a graph: what belongs to a loop's body, and what a loop needs beside the operands of its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyfuse.graph.nodes import Carried, Graph, Loop, Looped, LoopIndex, Node, layout_node, operands_of


def body_of(nodes: Sequence[Node], loop: int) -> list[int]:
    """The nodes whose value changes from iteration to iteration, in order; ``Looped`` is what comes after."""
    changing: set[int] = set()
    for index, node in enumerate(nodes):
        if isinstance(node, LoopIndex | Carried):
            if node.loop == loop:
                changing.add(index)
        elif not isinstance(node, Looped) and any(operand in changing for operand in _read_by(node)):
            changing.add(index)
    return sorted(changing)


def loop_bodies(graph: Graph) -> frozenset[int]:
    """The nodes of the bodies of all loops."""
    return frozenset(index for loop in range(len(graph.loops)) for index in body_of(graph.nodes, loop))


def needed_of_loop(graph: Graph, index: int) -> tuple[int, ...]:
    """What a node needs of its loop, beside its operands: bounds, and the update of a carried value."""
    node = graph.nodes[index]
    if isinstance(node, Carried):
        return (update_of(graph, index),)
    if isinstance(node, Looped | LoopIndex):
        return (graph.loops[node.loop].start, graph.loops[node.loop].stop)
    return ()


def update_of(graph: Graph, index: int) -> int:
    """The node whose value the next iteration finds in the place of a carried one."""
    node = graph.nodes[index]
    assert isinstance(node, Carried)
    return dict(graph.loops[node.loop].updates)[index]


def renumbered_loops(loops: Sequence[Loop], number: Mapping[int, int]) -> tuple[Loop, ...]:
    """The loops with other indices for nodes; a carried value that has none is left out.

    A loop that nothing is left of keeps its place, so that the others keep their numbers.
    """
    return tuple(
        replace(
            loop,
            start=number.get(loop.start, 0),
            stop=number.get(loop.stop, 0),
            updates=tuple((number[carried], number[update]) for carried, update in loop.updates if carried in number),
        )
        for loop in loops
    )


def _read_by(node: Node) -> tuple[int, ...]:
    kept = layout_node(node)
    return operands_of(node) if kept is None else (*operands_of(node), kept)
