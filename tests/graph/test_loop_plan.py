"""Does the loop plan walk each output once, read through views, and know what stays constant along a row?"""

from __future__ import annotations

import numpy as np

from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.element_cost import PICOSECONDS
from pyfuse.graph.loop_plan import ApplyStep, GatherStep, LoopPlan
from pyfuse.graph.nodes import INDEX, ONE, Origin, Output
from pyfuse.graph.ops import Cost
from pyfuse.graph.plan_loops import plan_loops
from pyfuse.graph.plan_text import plan_text

F8, I8 = np.dtype("f8"), np.dtype("i8")
HERE = Origin()


def plan_of(draft: GraphDraft, *nodes: int) -> LoopPlan:
    return plan_loops(draft.finish([Output(node=node) for node in nodes]))


def test_outputs_of_one_shape_share_a_nest_and_their_common_steps() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    (negative,) = draft.apply("negative", (root,), (F8,), HERE)
    (nest,) = plan_of(draft, root, negative).nests
    assert [store.output for store in nest.stores] == [0, 1]
    assert len(nest.loads) == 1
    assert len([step for step in nest.steps if isinstance(step.source, ApplyStep)]) == 2


def test_a_read_by_indices_walks_what_the_indices_leave_in_place() -> None:
    draft = GraphDraft()
    table, index = draft.add_input(F8, [False, False], HERE), draft.add_input(I8, [False], HERE)
    (nest,) = plan_of(draft, draft.gather(table, [index], [1], 1, INDEX, HERE)).nests
    assert nest.dims == (0, 2)
    (read,) = [load for load in nest.loads if load.gathered]
    assert (read.axes, read.gathered, read.gathered_dims) == ((0, None), (1,), (1,))
    (source,) = [step.source for step in nest.steps if isinstance(step.source, GatherStep)]
    assert nest.steps[source.operands[0]].varies_along == {1}


def test_what_is_computed_and_read_by_indices_is_in_memory_before() -> None:
    draft = GraphDraft()
    x, index = draft.add_input(F8, [False], HERE), draft.add_input(I8, [False], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    plan = plan_of(draft, draft.gather(root, [index], [0], 0, INDEX, HERE))
    assert len(plan.nests) == 2 and len(plan.temporaries) == 1
    returned = plan_of(draft, root, draft.gather(root, [index], [0], 0, INDEX, HERE))
    assert len(returned.nests) == 2 and not returned.temporaries


def test_a_dear_index_of_whole_rows_is_computed_once() -> None:
    draft = GraphDraft()
    table, x = draft.add_input(F8, [False, False], HERE), draft.add_input(F8, [False], HERE)
    (value,) = draft.apply("exp", (x,), (F8,), HERE)
    index = draft.cast(value, I8, HERE, is_implicit=False)
    assert len(plan_of(draft, draft.gather(table, [index], [1], 1, INDEX, HERE)).nests) == 2


def test_outputs_of_other_shapes_get_nests_of_their_own() -> None:
    draft = GraphDraft()
    x, y = draft.add_input(F8, [False, False], HERE), draft.add_input(F8, [False], HERE)
    (total,) = draft.apply("add", (x, y), (F8,), HERE)
    (root,) = draft.apply("sqrt", (y,), (F8,), HERE)
    plan = plan_of(draft, total, root)
    assert [nest.dims for nest in plan.nests] == [(0, 1), (1,)]
    assert [[store.output for store in nest.stores] for nest in plan.nests] == [[0], [1]]


def test_axes_of_extent_one_are_not_walked() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False, True], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    (nest,) = plan_of(draft, root).nests
    assert nest.dims == (0,)
    assert nest.stores[0].axes == (0,)


def test_a_broadcast_operand_has_no_axis_along_the_others_dimension() -> None:
    draft = GraphDraft()
    column, row = draft.add_input(F8, [False, True], HERE), draft.add_input(F8, [True, False], HERE)
    (table,) = draft.apply("multiply", (column, row), (F8,), HERE)
    (nest,) = plan_of(draft, table).nests
    assert [load.axes for load in nest.loads] == [(0, None), (None, 1)]
    assert [step.varies_along for step in nest.steps] == [{0}, {1}, {0, 1}]


def test_a_transposed_operand_is_read_through_its_axes() -> None:
    draft = GraphDraft()
    x, y = (draft.add_input(F8, [False, False], HERE) for _ in range(2))
    (total,) = draft.apply("add", (x, draft.view(y, (1, 0), HERE)), (F8,), HERE)
    (nest,) = plan_of(draft, total).nests
    assert [load.axes for load in nest.loads] == [(0, 1), (1, 0)]


def test_a_view_of_a_view_is_read_through_both() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False, False, False], HERE)
    turned = draft.view(draft.view(x, (1, 2, 0), HERE), (1, 2, 0), HERE)
    (root,) = draft.apply("sqrt", (turned,), (F8,), HERE)
    (nest,) = plan_of(draft, root).nests
    assert nest.loads[0].axes == (2, 0, 1)


def test_an_array_read_straight_and_transposed_is_two_loads() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False, False], HERE)
    (total,) = draft.apply("add", (x, draft.view(x, (1, 0), HERE)), (F8,), HERE)
    (nest,) = plan_of(draft, total).nests
    assert [(load.index, load.axes) for load in nest.loads] == [(0, (0, 1)), (0, (1, 0))]


def test_a_value_computed_straight_and_transposed_is_computed_twice() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False, False], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    (total,) = draft.apply("add", (root, draft.view(root, (1, 0), HERE)), (F8,), HERE)
    (nest,) = plan_of(draft, total).nests
    operations = [step.source.operation for step in nest.steps if isinstance(step.source, ApplyStep)]
    assert operations == ["sqrt", "sqrt", "add"]


def test_operands_come_before_their_users() -> None:
    draft = GraphDraft()
    x, y = (draft.add_input(F8, [False], HERE) for _ in range(2))
    (product,) = draft.apply("multiply", (y, x), (F8,), HERE)
    (total,) = draft.apply("add", (x, product), (F8,), HERE)
    (nest,) = plan_of(draft, total).nests
    for position, step in enumerate(nest.steps):
        if isinstance(step.source, ApplyStep):
            assert all(operand < position for operand in step.source.operands)


def test_a_chain_of_thousands_of_operations_is_flattened() -> None:
    draft = GraphDraft()
    node = draft.add_input(F8, [False], HERE)
    for _ in range(5000):
        (node,) = draft.apply("negative", (node,), (F8,), HERE)
    (nest,) = plan_of(draft, node).nests
    assert len(nest.steps) == 5001


def test_a_value_that_is_constant_along_a_row_costs_nothing_an_element() -> None:
    def cost(*is_one: bool) -> int:
        draft = GraphDraft()
        x, table = draft.add_input(F8, is_one, HERE), draft.add_input(F8, [False, False], HERE)
        (light,) = draft.apply("negative", (x,), (F8,), HERE)
        (product,) = draft.apply("multiply", (light, table), (F8,), HERE)
        return plan_of(draft, product).nests[0].element_cost

    assert cost(False, True) + PICOSECONDS[Cost.SIMPLE] == cost(True, False)


def test_a_dear_value_that_is_broadcast_along_rows_is_computed_once() -> None:
    def plan(*is_one: bool) -> LoopPlan:
        draft = GraphDraft()
        x, table = draft.add_input(F8, is_one, HERE), draft.add_input(F8, [False, False], HERE)
        (heavy,) = draft.apply("exp", (x,), (F8,), HERE)
        (product,) = draft.apply("multiply", (heavy, table), (F8,), HERE)
        return plan_of(draft, product)

    held = plan(True, False)
    assert [nest.dims for nest in held.nests] == [(0,), (1, 0)]
    assert [temporary.dims for temporary in held.temporaries] == [(ONE, 0)]
    assert [load.index for load in held.nests[1].loads] == [3, 1]
    once_a_row = plan(False, True)
    assert len(once_a_row.nests) == 1
    assert not once_a_row.temporaries


def test_an_array_of_one_element_is_a_nest_over_nothing() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [], HERE)
    (root,) = draft.apply("sqrt", (x,), (F8,), HERE)
    (nest,) = plan_of(draft, root).nests
    assert (nest.dims, nest.stores[0].axes, nest.loads[0].axes) == ((), (), ())


def test_the_text_of_a_plan_says_what_is_read_computed_and_written() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False, True], Origin(name="x"))
    scale = draft.add_scalar(F8, Origin(name="scale"))
    (scaled,) = draft.apply("multiply", (x, scale), (F8,), HERE)
    quotient, rest = draft.apply("divmod", (scaled, draft.add_constant(2.0, F8)), (F8, F8), HERE)
    assert plan_text(plan_of(draft, rest)) == (
        "nest 0 over [d0], 1222 ps an element\n"
        "  t0 = load a0[0] : f8  # x\n"
        "  t1 = scalar s0 : f8  # scale\n"
        "  t2 = multiply t0, t1 : f8\n"
        "  t3 = constant 2.0 : f8\n"
        "  t4 = divmod.1 t2, t3 : f8\n"
        "  store t4 to out0 : f8[0]\n"
    )
    assert quotient != rest
