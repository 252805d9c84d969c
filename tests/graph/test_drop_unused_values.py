"""Is left out what nobody needs, and kept what NumPy would warn about?"""

from __future__ import annotations

import numpy as np
import pytest

from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.drop_unused_values import drop_unused_values, keep_reporting_values
from pyfuse.graph.nodes import INDEX, TAKE, Apply, Gather, Graph, Input, Origin, Output, Scalar
from pyfuse.graph.pipeline import PASSES, run_passes

F8, F4, I4, B1 = (np.dtype(code) for code in ("f8", "f4", "i4", "b1"))
HERE = Origin()


def kept_operations(graph: Graph) -> list[str]:
    return [node.operation for node in run_passes(graph).nodes if isinstance(node, Apply)]


def unused(operation: str, dtype: str, *result_dtypes: str) -> Graph:
    """A graph that computes an operation and returns its operand's negative."""
    draft = GraphDraft()
    x = draft.add_input(np.dtype(dtype), [False], HERE)
    count = 2 if operation in ("divide", "floor_divide", "power", "divmod", "add") else 1
    draft.apply(operation, (x,) * count, [np.dtype(code) for code in result_dtypes], HERE)
    (used,) = draft.apply("negative", (x,), (np.dtype(dtype),), HERE)
    return draft.finish([Output(node=used)])


@pytest.mark.parametrize(
    ("operation", "dtype", "result_dtypes"),
    [
        ("divide", "f8", ["f8"]),
        ("log", "f4", ["f4"]),
        ("add", "c16", ["c16"]),
        ("floor_divide", "i4", ["i4"]),
        ("divmod", "i4", ["i4", "i4"]),
        ("power", "i8", ["i8"]),
        ("frexp", "f8", ["f8", "i4"]),
    ],
)
def test_an_unused_value_that_may_report_is_still_computed(
    operation: str, dtype: str, result_dtypes: list[str]
) -> None:
    graph = run_passes(unused(operation, dtype, *result_dtypes))
    assert operation in [node.operation for node in graph.nodes if isinstance(node, Apply)]
    assert [output.is_discarded for output in graph.outputs].count(False) == 1


@pytest.mark.parametrize(
    ("operation", "dtype", "result_dtype"), [("add", "i4", "i4"), ("isnan", "f8", "b1"), ("floor", "f8", "f8")]
)
def test_a_quiet_unused_value_is_left_out(operation: str, dtype: str, result_dtype: str) -> None:
    assert kept_operations(unused(operation, dtype, result_dtype)) == ["negative"]


@pytest.mark.parametrize(("kind", "mode", "count"), [(INDEX, "raise", 1), (TAKE, "raise", 1), (TAKE, "clip", 0)])
def test_an_unused_read_by_indices_is_kept_where_an_index_may_be_out_of_range(kind: str, mode: str, count: int) -> None:
    draft = GraphDraft()
    x, index = draft.add_input(F8, [False], HERE), draft.add_input(I4, [False], HERE)
    draft.gather(x, [index], [0], 0, kind, HERE, mode)
    (used,) = draft.apply("negative", (x,), (F8,), HERE)
    nodes = run_passes(draft.finish([Output(node=used)])).nodes
    assert sum(isinstance(node, Gather) for node in nodes) == count


def test_a_chain_of_reporting_values_is_kept_through_its_end() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    draft.apply("log", (root,), (F8,), HERE)
    (used,) = draft.apply("isnan", (x,), (B1,), HERE)
    graph = keep_reporting_values(draft.finish([Output(node=used)]))
    assert [output.node for output in graph.outputs if output.is_discarded] == [2]


def test_a_reporting_value_that_only_feeds_a_quiet_one_is_kept_itself() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    draft.apply("isnan", (root,), (B1,), HERE)
    (used,) = draft.apply("isfinite", (x,), (B1,), HERE)
    assert kept_operations(draft.finish([Output(node=used)])) == ["sqrt", "isfinite"]


def test_the_other_result_of_a_used_operation_needs_no_output() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    quotient, _ = draft.apply("divmod", (x, x), (F8, F8), HERE)
    graph = run_passes(draft.finish([Output(node=quotient)]))
    assert len(graph.outputs) == 1


def test_an_unused_cast_is_kept_beside_a_used_one_to_another_dtype() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    draft.cast(x, F4, HERE, is_implicit=False)  # NumPy warns of overflow
    used = draft.cast(x, np.dtype("c16"), HERE, is_implicit=False)
    assert kept_operations(draft.finish([Output(node=used)])) == ["cast", "cast"]


def test_an_unused_cast_of_integers_to_float16_is_kept() -> None:
    draft = GraphDraft()
    x = draft.add_input(I4, [False], HERE)
    draft.cast(x, np.dtype("f2"), HERE, is_implicit=False)  # NumPy warns of overflow
    (used,) = draft.apply("negative", (x,), (I4,), HERE)
    assert kept_operations(draft.finish([Output(node=used)])) == ["cast", "negative"]


def test_inputs_and_scalars_stay_because_they_are_parameters() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    draft.add_input(F8, [False], HERE)
    draft.add_scalar(F8, HERE)
    draft.add_constant(1.0, F8)
    (used,) = draft.apply("negative", (x,), (F8,), HERE)
    graph = drop_unused_values(draft.finish([Output(node=used)]))
    assert [type(node) for node in graph.nodes] == [Input, Input, Scalar, Apply]
    assert graph.outputs == (Output(node=3),)


def test_an_array_whose_memory_order_is_needed_stays() -> None:
    draft = GraphDraft()
    x, y = draft.add_input(I4, [False, False], HERE), draft.add_input(I4, [False, False], HERE)
    (target,) = draft.apply("invert", (x,), (I4,), HERE)
    stored = draft.store(target, y, HERE)
    graph = drop_unused_values(draft.finish([Output(node=stored)]))
    node = graph.nodes[graph.outputs[0].node]
    assert isinstance(node, Apply) and node.kept_layout is not None
    target_node = graph.nodes[node.kept_layout]
    assert isinstance(target_node, Apply) and target_node.operation == "invert"


def test_the_hook_sees_every_pass_by_name_in_order() -> None:
    seen: list[str] = []
    run_passes(unused("log", "f8", "f8"), lambda name, graph: seen.append(f"{name} {len(graph.outputs)}"))
    assert seen == ["share_equal_values 1", "keep_reporting_values 2", "drop_unused_values 2"]
    assert len(PASSES) == len(seen)
