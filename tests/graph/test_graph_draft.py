"""Does a graph under construction unify dimensions as broadcasting demands, and number them in order?"""

from __future__ import annotations

import numpy as np
import pytest

from pyfuse.diagnostics import Code
from pyfuse.errors import CannotFuse
from pyfuse.graph import draft as draft_module
from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.nodes import ONE, Apply, Constant, HostExtent, InputExtent, Origin, Output, View
from pyfuse.graph.verify import verify

F8, I4 = np.dtype("f8"), np.dtype("i4")
HERE = Origin()


def array(draft: GraphDraft, *extents_are_one: bool) -> int:
    return draft.add_input(F8, extents_are_one, HERE)


def test_dimensions_that_meet_in_an_operation_become_one() -> None:
    draft = GraphDraft()
    x, y = array(draft, False, False), array(draft, False)
    (total,) = draft.apply("add", (x, y), (F8,), HERE)
    assert draft.dims(total) == draft.dims(x)
    assert draft.dims(y) == draft.dims(x)[1:]


def test_dimensions_stay_apart_until_something_joins_them() -> None:
    draft = GraphDraft()
    x, y = array(draft, False), array(draft, False)
    assert draft.dims(x) != draft.dims(y)


def test_an_extent_of_one_takes_the_other_operands_dimension() -> None:
    draft = GraphDraft()
    column, row = array(draft, False, True), array(draft, True, False)
    (table,) = draft.apply("multiply", (column, row), (F8,), HERE)
    assert draft.dims(table) == (draft.dims(column)[0], draft.dims(row)[1])
    assert draft.dims(column)[1] == draft.dims(row)[0] == ONE


def test_unifying_reaches_nodes_that_were_written_before() -> None:
    draft = GraphDraft()
    x, y, z = array(draft, False), array(draft, False), array(draft, False)
    (early,) = draft.apply("add", (y, z), (F8,), HERE)
    draft.apply("add", (x, y), (F8,), HERE)
    assert draft.dims(early) == draft.dims(x) == draft.dims(z)


def test_a_finished_graph_lists_everything_whose_extent_a_dimension_is() -> None:
    draft = GraphDraft()
    x, y = array(draft, False), array(draft, False)
    (total,) = draft.apply("add", (x, y), (F8,), HERE)
    graph = draft.finish([Output(node=total)])
    assert graph.dims == ((InputExtent(index=0, axis=0), InputExtent(index=1, axis=0)),)
    verify(graph)


def test_dimensions_are_numbered_in_order_of_first_appearance() -> None:
    draft = GraphDraft()
    array(draft, False, True, False)
    y = array(draft, False)
    graph = draft.finish([Output(node=y)])
    assert [node.dims for node in graph.nodes] == [(0, ONE, 1), (2,)]


def test_a_computed_extent_joins_the_input_that_it_meets() -> None:
    draft = GraphDraft()
    x = array(draft, False)
    zeros = draft.add_constant(0.0, F8, (draft.add_extent(),))
    (total,) = draft.apply("add", (zeros, x), (F8,), HERE)
    graph = draft.finish([Output(node=total)])
    assert graph.dims == ((InputExtent(index=0, axis=0), HostExtent(slot=0)),)
    assert graph.extent_count == 1


def test_the_source_of_a_dimension_is_the_first_array_that_has_it() -> None:
    draft = GraphDraft()
    x, y = array(draft, False), array(draft, False)
    draft.apply("add", (y, x), (F8,), HERE)
    assert draft.source(draft.dims(y)[0]) == InputExtent(index=0, axis=0)


def test_one_node_is_written_for_each_result_of_an_operation() -> None:
    draft = GraphDraft()
    x = array(draft, False)
    quotient, rest = draft.apply("divmod", (x, x), (F8, F8), HERE)
    first, second = draft[quotient], draft[rest]
    assert isinstance(first, Apply) and isinstance(second, Apply)
    assert (first.result, second.result) == (0, 1)


def test_an_implicit_cast_to_its_own_dtype_writes_nothing() -> None:
    draft = GraphDraft()
    x = array(draft, False)
    assert draft.cast(x, F8, HERE, is_implicit=True) == x


def test_an_explicit_cast_to_its_own_dtype_is_a_copy() -> None:
    draft = GraphDraft()
    x = array(draft, False)
    copy = draft.cast(x, F8, HERE, is_implicit=False)
    assert copy != x
    assert draft[copy].dtype == F8


def test_a_store_takes_dtype_shape_and_memory_order_of_its_target() -> None:
    draft = GraphDraft()
    target = draft.add_constant(0, I4, (draft.add_extent(),))
    value = draft.add_scalar(F8, HERE)
    stored = draft[draft.store(target, value, HERE)]
    assert isinstance(stored, Apply)
    assert (stored.dtype, stored.dims, stored.kept_layout) == (I4, draft.dims(target), target)


def test_a_store_of_a_larger_shape_is_left_to_numpy() -> None:
    draft = GraphDraft()
    target, value = array(draft, False), array(draft, False, False)
    with pytest.raises(CannotFuse) as refusal:
        draft.store(target, value, HERE)
    assert refusal.value.diagnostic.code is Code.NUMPY_RAISES


def test_a_store_into_an_extent_of_one_of_more_elements_is_left_to_numpy() -> None:
    draft = GraphDraft()
    target, value = array(draft, True), array(draft, False)
    with pytest.raises(CannotFuse):
        draft.store(target, value, HERE)


def test_a_view_moves_dimensions_and_makes_new_ones_of_extent_one() -> None:
    draft = GraphDraft()
    x = array(draft, False, False)
    rows, columns = draft.dims(x)
    viewed = draft.view(x, (1, None, 0), HERE)
    assert draft.dims(viewed) == (columns, ONE, rows)
    assert isinstance(draft[viewed], View)


def test_a_transposed_operand_joins_rows_with_columns() -> None:
    draft = GraphDraft()
    x, y = array(draft, False, False), array(draft, False, False)
    draft.apply("add", (x, draft.view(y, (1, 0), HERE)), (F8,), HERE)
    assert draft.dims(y) == draft.dims(x)[::-1]


def test_a_square_matrix_added_to_its_own_transpose_has_one_dimension() -> None:
    draft = GraphDraft()
    x = array(draft, False, False)
    (total,) = draft.apply("add", (x, draft.view(x, (1, 0), HERE)), (F8,), HERE)
    graph = draft.finish([Output(node=total)])
    assert graph.dims == ((InputExtent(index=0, axis=0), InputExtent(index=0, axis=1)),)


def test_a_node_keeps_the_first_name_that_the_user_gave_it() -> None:
    draft = GraphDraft()
    x = draft.add_constant(1.0, F8)
    draft.rename(x, Origin(name="first"))
    draft.rename(x, Origin(name="second"))
    assert draft[x].origin.name == "first"


def test_names_are_no_part_of_what_a_node_is() -> None:
    assert Constant(dtype=F8, dims=(), value=1.0, origin=Origin(name="a")) == Constant(dtype=F8, dims=(), value=1.0)


def test_a_graph_that_unrolls_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_module, "MAX_NODES", 3)
    draft = GraphDraft()
    for _ in range(3):
        draft.add_constant(1.0, F8)
    with pytest.raises(CannotFuse) as refusal:
        draft.add_constant(1.0, F8)
    assert refusal.value.diagnostic.code is Code.TOO_LARGE
