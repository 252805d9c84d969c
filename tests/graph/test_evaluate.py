"""Does the slow evaluator mean what NumPy means where dtypes are subtle?"""

from __future__ import annotations

import numpy as np

from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.evaluate import evaluate
from pyfuse.graph.nodes import ALONG, INDEX, TAKE, Origin, Output

HERE = Origin()


def test_a_loop_is_run_in_the_dtype_that_the_graph_says() -> None:
    draft = GraphDraft()
    x = draft.add_input(np.dtype("f4"), [False], HERE)
    wide = draft.cast(x, np.dtype("f8"), HERE, is_implicit=True)
    (total,) = draft.apply("add", (wide, wide), (np.dtype("f8"),), HERE)
    (result,) = evaluate(draft.finish([Output(node=total)]), [np.array([0.1], "f4")])
    assert result.dtype == np.float64
    assert result[0] == 2 * float(np.float32(0.1))


def test_a_read_by_indices_is_numpys() -> None:
    table, index = np.arange(12.0).reshape(3, 4), np.array([[2, -1], [0, 1]])
    for kind, mode, expected in (
        (INDEX, "raise", table[:, index]),
        (TAKE, "wrap", np.take(table, index, 1, mode="wrap")),
        (ALONG, "raise", np.take_along_axis(table[:2], index, 1)),
    ):
        draft = GraphDraft()
        x, i = (draft.add_input(array.dtype, [False, False], HERE) for array in (table, index))
        node = draft.gather(x, [i], [1], 0 if kind == ALONG else 1, kind, HERE, mode)
        (result,) = evaluate(draft.finish([Output(node=node)]), [table[:2] if kind == ALONG else table, index])
        assert np.array_equal(result, expected) and result.strides == expected.strides


def test_a_loop_goes_from_iteration_to_iteration() -> None:
    draft = GraphDraft()
    x = draft.add_input(np.dtype("f8"), [False], HERE)
    bounds = [draft.add_constant(number, np.dtype("i8")) for number in (5, 0)]
    loop = draft.add_loop(bounds[0], bounds[1], -2)
    index = draft.loop_index(loop, HERE)
    wide = draft.cast(index, np.dtype("f8"), HERE, is_implicit=True)
    before, now = draft.carry(loop, x, HERE), draft.carry(loop, x, HERE)
    (following,) = draft.apply("add", (now, wide), (np.dtype("f8"),), HERE)
    draft.update(before, now)
    draft.update(now, following)
    outputs = [Output(node=draft.looped(loop, node, HERE)) for node in (following, before, now, index)]
    results = evaluate(draft.finish(outputs), [np.array([10.0])])
    assert [np.ravel(result).tolist() for result in results] == [[19.0], [15.0], [18.0], [1]]


def test_a_store_keeps_the_memory_order_of_its_target() -> None:
    draft = GraphDraft()
    x, y = (draft.add_input(np.dtype("f8"), [False, False], HERE) for _ in range(2))
    stored = draft.store(x, y, HERE)
    target = np.zeros((2, 3), order="F")
    (result,) = evaluate(draft.finish([Output(node=stored)]), [target, np.ones((2, 3))])
    assert result.flags.f_contiguous
    assert not target.any()


def test_a_view_shares_memory_with_what_it_is_a_view_of() -> None:
    draft = GraphDraft()
    x = draft.add_input(np.dtype("f8"), [False, True], HERE)
    viewed = draft.view(x, (None, 0), HERE)
    given = np.arange(3.0)[:, np.newaxis]
    (result,) = evaluate(draft.finish([Output(node=viewed)]), [given])
    assert result.tolist() == [[0.0, 1.0, 2.0]]
    assert np.shares_memory(result, given)


def test_a_filled_array_takes_its_extent_from_the_call() -> None:
    draft = GraphDraft()
    filled = draft.add_constant(7, np.dtype("i4"), (draft.add_extent(),))
    (result,) = evaluate(draft.finish([Output(node=filled)]), [], extents=[3])
    assert result.dtype == np.int32
    assert result.tolist() == [7, 7, 7]


def test_unsigned_and_signed_64_bit_integers_are_compared_without_rounding() -> None:
    draft = GraphDraft()
    x = draft.add_input(np.dtype("u8"), [False], HERE)
    y = draft.add_input(np.dtype("i8"), [False], HERE)
    (less,) = draft.apply("less", (x, y), (np.dtype("b1"),), HERE)
    (result,) = evaluate(draft.finish([Output(node=less)]), [np.array([2**63], "u8"), np.array([-1], "i8")])
    assert result.tolist() == [False]
