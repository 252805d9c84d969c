"""Do the modelled order and form of a reduction give NumPy's bits, when plain Python combines the elements so?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.nodes import Graph, Origin, Output, Reduce
from pyfuse.graph.ops import Fold, by_name
from pyfuse.graph.reduction_forms import ReductionForm, form_of, walk_of
from pyfuse.graph.reduction_order import ReductionOrder, reduction_order

HERE = Origin()
WALKS_AS_BEFORE_2_3 = np.lib.NumpyVersion(np.__version__) < "2.3.0.dev0"
# dtypes of the array and of the loop: a cast goes through NumPy's buffers.
LOOPS = (
    ("f8", "f8"), ("f4", "f4"), ("f2", "f2"), ("c8", "c8"), ("c16", "c16"),
    ("f4", "f8"), ("i4", "f8"), ("f2", "f4"), ("f8", "f4"), ("f4", "f2"), ("c8", "c16"),
)  # fmt: skip
EXTENTS = (1, 1, 2, 3, 4, 5, 7, 8, 9, 17, 33, 129, 300)
LONG = (1000, 4097, 8191, 8192, 8193, 20_000)  # of one axis: around the 8192 elements of NumPy's buffers
MOST_ELEMENTS = 40_000
BUFFERS = (8192, 8192, 1024, 64, 16)


# --- NumPy's sums in plain steps ----------------------------------------------------------------------------------


def pairwise(rows: np.ndarray) -> np.ndarray:
    """NumPy's pairwise sum of every row.

    Source: numpy/_core/src/umath/loops_utils.h.src, ``pairwise_sum``: 8 sums side by side in blocks of 128 numbers, of
    which a complex element is two; longer stretches are halved at a multiple of 8.
    """
    numbers = 2 if rows.dtype.kind == "c" else 1
    lanes, count = 8 // numbers, rows.shape[1]
    if count < lanes:
        return left_to_right(np.full(len(rows), complex(-0.0, -0.0) if numbers == 2 else -0.0, rows.dtype), rows)
    if count * numbers > 128:
        half = count * numbers // 2
        half = (half - half % 8) // numbers
        return pairwise(rows[:, :half]) + pairwise(rows[:, half:])
    sums = rows[:, :lanes]
    whole = count - count % lanes
    for start in range(lanes, whole, lanes):
        sums = sums + rows[:, start : start + lanes]
    while sums.shape[1] > 1:
        sums = sums[:, ::2] + sums[:, 1::2]
    return left_to_right(sums[:, 0], rows[:, whole:])


def left_to_right(total: np.ndarray, rows: np.ndarray) -> np.ndarray:
    for column in rows.T:
        total = total + column
    return total


def in_rows(array: np.ndarray, axes: Sequence[int], lead: Sequence[int], row: Sequence[int]) -> np.ndarray:
    """Elements by result, index of ``lead``, index of ``row``."""
    kept = [axis for axis in range(array.ndim) if axis not in axes]
    ones = [axis for axis in axes if axis not in (*lead, *row)]
    assert all(array.shape[axis] == 1 for axis in ones), (lead, row)
    sizes = [int(np.prod([array.shape[axis] for axis in group], dtype=int)) for group in (kept, lead, row)]
    return array.transpose([*kept, *ones, *lead, *row]).reshape(sizes)


def summed(start: np.ndarray, elements: np.ndarray, chunk: int, *, is_pairwise: bool) -> np.ndarray:
    """Sums of every result's elements; float16 is added in float32 and rounded once a call of NumPy's loop."""
    wide = np.dtype("f4") if elements.dtype == np.dtype("f2") else elements.dtype
    total = start
    for lead in range(elements.shape[1]):
        for begin in range(0, elements.shape[2], chunk):
            piece = elements[:, lead, begin : begin + chunk].astype(wide)
            addend = pairwise(piece) if is_pairwise else piece[:, 0]
            total = (total.astype(wide) + addend).astype(elements.dtype)
    return total


def sum_by_order(array: np.ndarray, axes: Sequence[int], loop: np.dtype, initial: Any, order: ReductionOrder) -> Any:
    outer, inner = ([axis for group in groups for axis in group] for groups in (order.outer, order.inner))
    elements = in_rows(array, axes, outer, inner).astype(loop)
    start = np.full(len(elements), initial, loop)
    return summed(start, elements, order.chunk if order.is_inner else 1, is_pairwise=order.is_inner)


def result_by_form(
    name: str, array: np.ndarray, axes: Sequence[int], loop: np.dtype, initial: Any, form: ReductionForm, chunk: int
) -> Any:
    """What a kernel of this form would compute, result by result."""
    elements = in_rows(array, axes, form.lead, form.row).astype(loop)
    fold, count = by_name(name).fold(loop), elements.shape[1] * elements.shape[2]
    start = None if initial is None else np.full(len(elements), initial, loop)
    if form.is_short:
        assert start is not None and not form.lead
        return start + left_to_right(np.full(len(elements), -0.0, loop), elements[:, 0])
    if fold is Fold.PAIRWISE and form.is_inner:
        assert start is not None and bool(chunk) == form.is_chunked
        return summed(start, elements, chunk or elements.shape[2], is_pairwise=True)
    combine, flat = getattr(np, name), elements.reshape(len(elements), count)
    total, rest = (flat[:, 0], flat[:, 1:]) if start is None else (start, flat)
    for column in rest.T:
        total = combine(total, column)
    return total


def assert_same_bits(actual: Any, expected: Any, what: object) -> None:
    actual, expected = np.ravel(actual), np.ravel(expected)
    assert actual.dtype == expected.dtype, what
    part = f"f{expected.real.itemsize}" if expected.dtype.kind == "c" else expected.dtype
    one, other = actual.view(part), expected.view(part)
    bits = f"u{one.itemsize}"
    same = one.view(bits) == other.view(bits)
    if one.dtype.kind == "f":
        same |= np.isnan(one) & np.isnan(other)
    assert same.all(), what


# --- random arrays ------------------------------------------------------------------------------------------------


class Draws:
    """Arrays in every way in which they lie in memory; one seed, one sequence."""

    def __init__(self, seed: int) -> None:
        self.chance, self._values = random.Random(seed), np.random.default_rng(seed)

    def shape(self) -> tuple[int, ...]:
        shape = [self.chance.choice(EXTENTS) for _ in range(self.chance.choice((1, 2, 2, 3, 3, 4)))]
        if self.chance.random() < 0.4:
            shape[self.chance.randrange(len(shape))] = self.chance.choice(LONG)
        while np.prod(shape) > MOST_ELEMENTS:
            place = self.chance.randrange(len(shape))
            if shape[place] < 1000:
                shape[place] = self.chance.choice((1, 2, 3))
        return tuple(shape)

    def axes(self, rank: int) -> tuple[int, ...]:
        return tuple(axis for axis in range(rank) if self.chance.random() < 0.5) or (self.chance.randrange(rank),)

    def array(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Axes in any order in memory, with gaps, backwards, repeated, overlapping or off their alignment."""
        order = list(range(len(shape)))
        way = self.chance.choice(("C", "F", "any", "steps", "repeated", "windows"))
        if way == "windows":  # as np.lib.stride_tricks.sliding_window_view makes them
            flat = self._elements(sum(shape), np.dtype(dtype))
            return np.lib.stride_tricks.as_strided(flat, shape, flat.strides * len(shape))
        if way == "F":
            order.reverse()
        elif way != "C":
            self.chance.shuffle(order)
        steps = [self.chance.choice((1, 1, 1, 2, 3, -1, -2)) if way == "steps" else 1 for _ in shape]
        is_repeated = [way == "repeated" and self.chance.random() < 0.4 for _ in shape]
        room = [1 if once else extent * abs(step) for extent, step, once in zip(shape, steps, is_repeated, strict=True)]
        flat = self._elements(int(np.prod(room)), np.dtype(dtype))
        whole = flat.reshape([room[axis] for axis in order]).transpose(np.argsort(order))
        return np.broadcast_to(whole[tuple(slice(None, None, step) for step in steps)], shape)

    def _elements(self, count: int, dtype: np.dtype) -> np.ndarray:
        if dtype.kind == "i":
            return self._values.integers(-(2**30), 2**30, count).astype(dtype)
        reach = {2: 2, 4: 6, 8: 12}[dtype.itemsize // (2 if dtype.kind == "c" else 1)]
        drawn = self._values.normal(size=(2, count)) * 10.0 ** self._values.uniform(-reach, reach, (2, count))
        drawn[self._values.random((2, count)) < 0.03] = -0.0
        values = (drawn[0] + 1j * drawn[1] if dtype.kind == "c" else drawn[0]).astype(dtype)
        if self.chance.random() < 0.1:
            unaligned = np.zeros(values.nbytes + 1, "u1")[1:].view(dtype)
            unaligned[:] = values
            return unaligned
        return values


def reduce_graph(name: str, array: np.ndarray, axes: Sequence[int], loop: np.dtype) -> Graph:
    draft = GraphDraft()
    x = draft.add_input(array.dtype, [extent == 1 for extent in array.shape], HERE)
    cast = draft.cast(x, loop, HERE, is_implicit=True)
    return draft.finish([Output(node=draft.reduce(name, cast, axes, loop, HERE))])


def form_at(name: str, array: np.ndarray, axes: Sequence[int], loop: np.dtype) -> tuple[ReductionForm, int]:
    """The form of a reduction of an array of the call, and the length of pieces, under the buffer size in force."""
    graph = reduce_graph(name, array, axes, loop)
    node = graph.nodes[-1]
    assert isinstance(node, Reduce)
    inputs = (array,)
    dims = [array.shape[source.axis] for ((source,),) in zip(graph.dims, strict=True)]  # type: ignore[union-attr]
    form, pieces = form_of(node, walk_of(graph, node.operand, inputs, dims, {}), np.getbufsize())
    return form, pieces.length


@pytest.fixture
def buffers() -> Iterator[None]:
    """NumPy's buffer size, put back afterwards."""
    before = np.getbufsize()
    yield
    np.setbufsize(before)


@pytest.mark.usefixtures("buffers")
@pytest.mark.parametrize("seed", range(6))
def test_sums_in_the_modelled_order_have_numpys_bits(seed: int) -> None:
    draws, buffered = Draws(seed), 0
    for _ in range(150):
        np.setbufsize(draws.chance.choice(BUFFERS))
        source, target = draws.chance.choice(LOOPS)
        array, loop = draws.array(draws.shape(), source), np.dtype(target)
        axes = draws.axes(array.ndim)
        is_buffered = array.dtype != loop or not array.flags.aligned
        order = reduction_order(
            array.shape, array.strides, axes, is_buffered=is_buffered, buffer_size=np.getbufsize(),
            legacy=WALKS_AS_BEFORE_2_3,
        )  # fmt: skip
        with np.errstate(all="ignore"):
            expected = np.add.reduce(array, axis=axes, dtype=loop)
            actual = sum_by_order(array, axes, loop, 0, order)
        assert_same_bits(actual, expected, (array.shape, array.strides, source, target, axes, order))
        buffered += order.chunk not in (0, order.row)
    assert buffered > 10, "rows are cut in pieces now and then"


@pytest.mark.usefixtures("buffers")
@pytest.mark.parametrize("seed", range(6))
def test_reductions_of_the_modelled_form_have_numpys_bits(seed: int) -> None:
    draws, forms = Draws(100 + seed), set()
    for _ in range(150):
        np.setbufsize(draws.chance.choice(BUFFERS))
        source, target = draws.chance.choice(LOOPS)
        array, loop = draws.array(draws.shape(), source), np.dtype(target)
        axes, name = draws.axes(array.ndim), draws.chance.choice(("add", "add", "add", "multiply", "subtract"))
        if name != "add":
            if by_name(name).fold(loop) is not Fold.IN_ORDER or loop == np.dtype("f2") or array.size > 5000:
                continue
            axes = axes[:1] if name == "subtract" else axes
        initial = draws.chance.choice((None, None, -0.0, 0.1, 1e3)) if loop.kind == "f" else None
        options = {} if initial is None else {"initial": initial}
        start = initial if initial is not None else {"add": 0, "multiply": 1, "subtract": None}[name]
        form, chunk = form_at(name, array, axes, loop)
        with np.errstate(all="ignore"):
            expected = getattr(np, name).reduce(array, axis=axes, dtype=loop, **options)
            actual = result_by_form(name, array, axes, loop, start, form, chunk)
        assert_same_bits(actual, expected, (name, array.shape, array.strides, source, target, axes, initial, form))
        forms.add((form.is_inner, form.is_chunked, form.is_short, bool(form.lead)))
    assert forms >= {(True, False, False, False), (False, False, False, False), (True, True, False, False)}


# --- the rules, one by one ----------------------------------------------------------------------------------------

# What is summed, the order, and elements of a row and of a call of NumPy's loop.
RULES: dict[str, tuple[str, tuple[int, ...], str, int, int]] = {
    "the axis that is innermost in memory makes the row": ("z(100, 8)", (1,), "-> 1", 8, 8),
    "along another axis elements are added one after the other": ("z(100, 8)", (0,), "0 ->", 0, 0),
    "Fortran order is C order of the other axes": ("z(100, 8).T", (0,), "-> 0", 8, 8),
    "neighbours without a gap are one row": ("z(3, 4, 5)", (1, 2), "-> 1,2", 20, 20),
    "a kept axis in between ends the row": ("z(3, 4, 5)", (0, 2), "0 -> 2", 5, 5),
    "all axes but the innermost are added one after the other": ("z(3, 4, 5)", (0, 1), "0,1 ->", 0, 0),
    "an axis of one element is not there": ("z(3, 1, 5)", (0, 2), "-> 0,2", 15, 15),
    "axes are sorted by stride": ("z(2, 4, 3).transpose(0, 2, 1)", (1, 2), "-> 2,1", 12, 12),
    "nothing runs backwards": ("z(3, 4)[::-1, ::-1]", (0, 1), "-> 0,1", 12, 12),
    "neighbours with equal gaps are one row": ("z(100, 100)[:, ::2]", (0, 1), "-> 0,1", 5000, 5000),
    "a small array with other gaps is glued to one row": ("z(7, 40, 6)[:, :20, ::2]", (0, 1, 2), "-> 0|1,2", 420, 420),
    "of two rows one copy is as good as two calls": ("z(2, 200)[:, :100]", (0, 1), "-> 0|1", 200, 200),
    "a repeated element is an element": ("np.broadcast_to(z(3, 1), (3, 9))", (1,), "-> 1", 9, 9),
    "a repeated axis lies outside": ("np.broadcast_to(z(9), (3, 9))", (0,), "0 ->", 0, 0),
    "what is read in place is one call": ("z(20000)", (0,), "-> 0", 20_000, 20_000),
    "what is cast is cut at the size of the buffer": ("z(20000).astype('f4')", (0,), "-> 0", 20_000, 8192),
    "rows that do not fill the buffer are not cut": ("z(3, 5000).astype('f4')", (1,), "-> 1", 5000, 5000),
    "a row of several axes is cut anywhere": ("z(2, 7500).astype('f4')", (0, 1), "-> 0,1", 15_000, 8192),
}  # fmt: skip


def order_text(order: ReductionOrder) -> str:
    """Such as ``0,1 -> 2``: groups of axes that are walked around the row, and those of the row."""
    outer, inner = ("|".join(",".join(map(str, group)) for group in groups) for groups in (order.outer, order.inner))
    return f"{outer} -> {inner}".strip()


def z(*shape: int) -> np.ndarray:
    """Numbers whose sum depends on the order."""
    return np.random.default_rng(1).normal(size=shape) * 10.0 ** np.random.default_rng(2).uniform(-8, 8, shape)


@pytest.mark.skipif(WALKS_AS_BEFORE_2_3, reason="as NumPy walks from 2.3 on")
@pytest.mark.parametrize("rule", RULES)
def test_rule_of_the_order(rule: str) -> None:
    text, axes, expected, row, chunk = RULES[rule]
    array: np.ndarray = eval(text, {"z": z, "np": np})
    loop = np.dtype("f8")
    order = reduction_order(array.shape, array.strides, axes, is_buffered=array.dtype != loop)
    assert (order_text(order), order.row, order.chunk) == (expected, row, chunk)
    total = np.add.reduce(array, axis=axes, dtype=loop)
    assert_same_bits(sum_by_order(array, axes, loop, 0, order), total, order)


def test_a_mask_is_walked_beside_the_array() -> None:
    strides = z(8, 100).strides
    order = reduction_order((8, 100), strides, (0, 1), is_buffered=False, mask_strides=(1, 8))
    assert order_text(order) == "-> 0|1", "together they do not make one row without a copy"
    assert reduction_order((8, 100), strides, (0, 1), is_buffered=False, mask_strides=(100, 1)).inner == ((0, 1),)


def test_before_2_3_the_row_was_all_of_the_reduced_axes_that_lie_innermost() -> None:
    array = z(100, 2000)[:, :1000:2]
    now, before = (
        reduction_order(array.shape, array.strides, (0, 1), is_buffered=False, legacy=legacy)
        for legacy in (False, True)
    )
    assert (now.inner, before.inner) == (((0,), (1,)), ((0,), (1,)))
    assert (now.chunk, before.chunk) == (8000, 8192)


def test_nothing_is_walked_of_an_empty_array() -> None:
    assert reduction_order((0, 5), (0, 0), (1,), is_buffered=False) == ReductionOrder((), (), 0, 0)


@pytest.mark.parametrize(
    ("array", "axes", "expected"),
    [
        (z(9, 8), (1,), ReductionForm(lead=(), row=(1,), is_inner=True)),
        (z(9, 7), (1,), ReductionForm(lead=(), row=(1,), is_inner=False, is_short=True)),
        (z(9, 7).astype("c16"), (1,), ReductionForm(lead=(), row=(1,), is_inner=True)),
        (z(9, 3).astype("c16"), (1,), ReductionForm(lead=(), row=(1,), is_inner=False, is_short=True)),
        (np.ones((9, 3), "f2"), (1,), ReductionForm(lead=(), row=(1,), is_inner=True)),
        (z(7), (0,), ReductionForm(lead=(), row=(0,), is_inner=True)),
        (z(9, 7), (0,), ReductionForm(lead=(), row=(0,), is_inner=False)),
        (z(9, 7), (0, 1), ReductionForm(lead=(), row=(0, 1), is_inner=True)),
        (z(3, 4, 9), (0, 2), ReductionForm(lead=(0,), row=(2,), is_inner=True)),
        (z(3, 4, 5), (0, 2), ReductionForm(lead=(0,), row=(2,), is_inner=True)),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else None,
)
def test_form_of_a_sum(array: np.ndarray, axes: tuple[int, ...], expected: ReductionForm) -> None:
    assert form_at("add", array, axes, array.dtype) == (expected, 0)


def test_form_of_a_cast_sum_of_long_rows_is_in_pieces() -> None:
    array = z(2, 9000).astype("f4")
    form, chunk = form_at("add", array, (1,), np.dtype("f8"))
    assert (form, chunk) == (ReductionForm(lead=(), row=(1,), is_inner=True, is_chunked=True), 8192)
    assert form_at("add", array, (1,), np.dtype("f4"))[1] == (8192 if WALKS_AS_BEFORE_2_3 else 0)


@pytest.mark.parametrize("name", ["maximum", "bitwise_xor", "argmax"])
def test_where_the_order_does_not_matter_there_is_one_row(name: str) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    axes = (2,) if name == "argmax" else (0, 2)
    form, chunk = form_at(name, array, axes, array.dtype)
    assert (form, chunk) == (ReductionForm(lead=(), row=axes, is_inner=True), 0)
