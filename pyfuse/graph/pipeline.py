"""The passes, in order, with a hook after each."""

from __future__ import annotations

from collections.abc import Callable

from pyfuse.graph.drop_unused_values import drop_unused_values, keep_reporting_values
from pyfuse.graph.nodes import Graph
from pyfuse.graph.share_equal_values import share_equal_values
from pyfuse.graph.verify import verify

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (share_equal_values, keep_reporting_values, drop_unused_values)


def run_passes(graph: Graph, after_each: Callable[[str, Graph], None] = lambda _name, _graph: None) -> Graph:
    """Apply every pass; verify after each.

    Args:
        graph: a graph as the frontend wrote it.
        after_each: called with a pass's name and its result.
    """
    verify(graph)
    for transform in PASSES:
        graph = transform(graph)
        verify(graph)
        after_each(transform.__name__, graph)
    return graph
