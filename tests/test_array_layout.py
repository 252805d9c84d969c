"""Are dimensions ordered by how memory is walked, and joined exactly where every array allows it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyfuse.array_layout import NestGeometry, merge_dims


def geometry(*arrays: np.ndarray) -> NestGeometry:
    """Of arrays of one shape, the first of which is written."""
    return merge_dims(
        arrays[0].shape,
        [array.strides for array in arrays],
        [array.itemsize for array in arrays],
        [array.flags.aligned for array in arrays],
    )


def table(rows: int = 3, columns: int = 5) -> np.ndarray:
    return np.zeros((rows, columns))


def test_contiguous_arrays_are_one_loop() -> None:
    found = geometry(table(), table())
    assert (found.extents, found.strides) == ((15,), ((8,), (8,)))
    assert str(found.layout) == "0:u,u"


def test_arrays_in_fortran_order_are_one_loop() -> None:
    found = geometry(np.asfortranarray(table()), np.asfortranarray(table()))
    assert (found.extents, str(found.layout)) == ((15,), "0:u,u")


def test_arrays_of_other_orders_are_not_merged() -> None:
    found = geometry(table(), np.asfortranarray(table()))
    assert (found.extents, found.strides) == ((3, 5), ((40, 8), (8, 24)))
    assert str(found.layout) == "1:u,s"


def test_the_written_array_decides_the_order() -> None:
    found = geometry(np.asfortranarray(table()), table())
    assert (found.extents, str(found.layout)) == ((5, 3), "1:u,s")


def test_a_broadcast_row_keeps_the_rows_apart() -> None:
    found = geometry(table(), np.broadcast_to(np.zeros(5), (3, 5)))
    assert (found.extents, found.strides) == ((3, 5), ((40, 8), (0, 8)))


def test_a_broadcast_column_has_an_inner_stride_of_nothing() -> None:
    found = geometry(table(), np.broadcast_to(np.zeros((3, 1)), (3, 5)))
    assert str(found.layout) == "1:u,b"


def test_a_number_broadcast_along_every_axis_does_not_keep_them_apart() -> None:
    found = geometry(table(), np.broadcast_to(np.zeros(()), (3, 5)))
    assert (found.extents, str(found.layout)) == ((15,), "0:u,b")


def test_evenly_spaced_elements_are_one_loop() -> None:
    found = geometry(np.zeros((2, 3, 10))[:, :, ::2])
    assert (found.extents, found.strides, str(found.layout)) == ((30,), ((16,),), "0:s")


def test_a_gap_between_rows_keeps_them_apart() -> None:
    found = geometry(np.zeros((2, 3, 10))[:, :, :5])
    assert (found.extents, found.strides) == ((6, 5), ((80, 8),))


def test_extents_of_one_are_left_out() -> None:
    found = geometry(np.zeros((3, 1, 5))[:, :, ::2], np.zeros((3, 1, 3)))
    assert found.layout.outer_rank == 1
    assert found.extents == (3, 3)


def test_an_array_of_rank_zero_is_a_loop_of_one() -> None:
    found = geometry(np.zeros(()), np.zeros(()))
    assert (found.extents, found.strides) == ((1,), ((0,), (0,)))


def test_an_empty_array_stays_empty() -> None:
    assert int(np.prod(geometry(np.zeros((0, 5))).extents)) == 0
    assert int(np.prod(geometry(np.zeros((5, 0))).extents)) == 0


def test_an_array_that_runs_backwards_is_strided() -> None:
    found = geometry(np.zeros(5), np.zeros(5)[::-1])
    assert (found.strides, str(found.layout)) == (((8,), (-8,)), "0:u,s")


def test_an_unaligned_array_is_marked() -> None:
    room = np.zeros(41, "u1")
    assert str(geometry(np.zeros(5), np.ndarray((5,), "f8", room, 1)).layout) == "0:u,un"


def test_items_of_other_sizes_are_merged_alike() -> None:
    found = geometry(table(), np.zeros((3, 5), "i1"))
    assert (found.extents, found.strides, str(found.layout)) == ((15,), ((8,), (1,)), "0:u,u")


@st.composite
def same_shaped_arrays(draw: st.DrawFn) -> Sequence[np.ndarray]:
    """Up to three arrays over one buffer each, sliced, turned and broadcast at random."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=0, max_size=4)))
    arrays: list[np.ndarray] = []
    for _ in range(draw(st.integers(1, 3))):
        steps = [draw(st.sampled_from((1, 1, 2, -1, 0))) if arrays else draw(st.sampled_from((1, 2))) for _ in shape]
        order = draw(st.permutations(range(len(shape))))
        room = tuple(1 if steps[axis] == 0 else shape[axis] * abs(steps[axis]) for axis in order)
        whole = np.zeros(room).transpose(np.argsort(order))
        sliced = whole[tuple(slice(None, None, step or None) for step in steps)]
        arrays.append(np.broadcast_to(sliced, shape))
    return arrays


@given(same_shaped_arrays())
def test_merging_visits_the_same_addresses_of_every_array_together(arrays: Sequence[np.ndarray]) -> None:
    found = geometry(*arrays)
    expected = _visited(arrays[0].shape, [array.strides for array in arrays])
    assert sorted(_visited(found.extents, found.strides)) == sorted(expected)


def _visited(extents: Sequence[int], strides: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The byte offsets of all arrays at each step of the loops."""
    return [
        tuple(sum(i * step for i, step in zip(index, steps, strict=True)) for steps in strides)
        for index in np.ndindex(*extents)
    ]
