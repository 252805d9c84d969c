"""Are equal computations joined, and only equal ones?"""

from __future__ import annotations

import math

import numpy as np

from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.nodes import Apply, Constant, Graph, Number, Origin, Output
from pyfuse.graph.share_equal_values import share_equal_values

F8, F4 = np.dtype("f8"), np.dtype("f4")
HERE = Origin()


def operations(graph: Graph) -> list[str]:
    return [node.operation for node in graph.nodes if isinstance(node, Apply)]


def shared_constants(*numbers: tuple[Number, np.dtype]) -> int:
    draft = GraphDraft()
    nodes = [draft.add_constant(value, dtype) for value, dtype in numbers]
    graph = share_equal_values(draft.finish([Output(node=node) for node in nodes]))
    return len([node for node in graph.nodes if isinstance(node, Constant)])


def test_the_same_operation_on_the_same_operands_is_computed_once() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    roots = [draft.apply("sqrt", (x,), (F8,), HERE)[0] for _ in range(2)]
    (total,) = draft.apply("add", roots, (F8,), HERE)
    graph = share_equal_values(draft.finish([Output(node=total)]))
    assert operations(graph) == ["sqrt", "add"]
    assert graph.nodes[graph.outputs[0].node].dims == (0,)


def test_sharing_goes_through_chains() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    ends = []
    for _ in range(2):
        (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
        ends.append(draft.apply("negative", (root,), (F8,), HERE)[0])
    graph = share_equal_values(draft.finish([Output(node=end) for end in ends]))
    assert operations(graph) == ["sqrt", "negative"]
    assert [output.node for output in graph.outputs] == [2, 2]


def test_operands_in_another_order_are_another_value() -> None:
    draft = GraphDraft()
    x, y = draft.add_input(F8, [False], HERE), draft.add_input(F8, [False], HERE)
    pair = [draft.apply("add", operands, (F8,), HERE)[0] for operands in ((x, y), (y, x))]
    graph = share_equal_values(draft.finish([Output(node=node) for node in pair]))
    assert operations(graph) == ["add", "add"]


def test_casts_to_other_dtypes_stay_apart() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    pair = [draft.cast(x, np.dtype(code), HERE, is_implicit=False) for code in ("f4", "i4")]
    graph = share_equal_values(draft.finish([Output(node=node) for node in pair]))
    assert operations(graph) == ["cast", "cast"]


def test_two_results_of_one_operation_stay_apart() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    pair = draft.apply("divmod", (x, x), (F8, F8), HERE)
    graph = share_equal_values(draft.finish([Output(node=node) for node in pair]))
    assert [output.node for output in graph.outputs] == [1, 2]


def test_stores_into_arrays_of_other_memory_order_stay_apart() -> None:
    draft = GraphDraft()
    x, y = draft.add_input(F8, [False, False], HERE), draft.add_input(F8, [False, False], HERE)
    value = draft.add_scalar(F8, HERE)
    pair = [draft.store(target, value, HERE) for target in (x, y)]
    graph = share_equal_values(draft.finish([Output(node=node) for node in pair]))
    assert operations(graph) == ["cast", "cast"]


def test_a_store_follows_its_target_to_the_shared_node() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    first, second = (draft.apply("negative", (x,), (F8,), HERE)[0] for _ in range(2))
    stored = draft.store(second, x, HERE)
    graph = share_equal_values(draft.finish([Output(node=first), Output(node=stored)]))
    node = graph.nodes[graph.outputs[1].node]
    assert isinstance(node, Apply)
    assert node.kept_layout == graph.outputs[0].node


def test_equal_constants_are_one() -> None:
    assert shared_constants((1.5, F8), (1.5, F8)) == 1
    assert shared_constants((math.nan, F8), (math.nan, F8)) == 1


def test_zeros_of_either_sign_stay_apart() -> None:
    assert shared_constants((0.0, F8), (-0.0, F8)) == 2
    assert shared_constants((complex(0.0, 0.0), np.dtype("c16")), (complex(0.0, -0.0), np.dtype("c16"))) == 2


def test_equal_numbers_of_other_types_stay_apart() -> None:
    assert shared_constants((1, np.dtype("i8")), (True, np.dtype("b1")), (1.0, F8), (1.0, F4)) == 4
