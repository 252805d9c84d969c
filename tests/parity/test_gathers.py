"""Reads by integer arrays: values, order, errors and what is shared, as NumPy has them; and that they are fused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.graph.infer import FUSED_CODES
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

NUMBERS = np.random.default_rng(5)
ROW = NUMBERS.normal(size=9)
TABLE = NUMBERS.normal(size=(6, 8))
CUBE = NUMBERS.normal(size=(4, 5, 3))
FIRST = np.array([0, 2, 1, -1, 2, -3])
SECOND = np.array([1, 0, 2, -2, 0, 1], "i4")
BLOCK = np.array([[0, 1, 2], [2, -1, 0]], "i2")
IMAGE = NUMBERS.integers(0, 9, (7, 6)).astype("u1")


def fused_of(body: str, names: str = "a, i, j") -> Any:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return pyfuse.fuse(function_from(f"def f({names}):\n{lines}"))


FUSED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "a lookup table": ("return a[i] * 2 + 1", (ROW, IMAGE)),
    "rows": ("return a[i] - a[j]", (TABLE,)),
    "rows by a table of indices": ("return a[i] + 1, a[i]", (TABLE, BLOCK)),
    "the last axis": ("return a[..., i] * 2, a[..., i]", (CUBE,)),
    "a middle axis": ("return a[:, i], a[:, i] + 1, a[:, i][:, ::2]", (CUBE, BLOCK)),
    "pairs": ("return a[i, j], a[i, j] * 2", (CUBE,)),
    "pairs that stand apart": ("return a[i, :, j], a[i, :, j] + 1", (CUBE,)),
    "pairs behind an axis": ("return a[:, i, j], a[..., j, i] + 1", (CUBE,)),
    "triples": ("return a[i, j, i] + 1", (CUBE,)),
    "a grid": ("return a[i[:, None], j], a[i, j[:, None]] * 2", (TABLE,)),
    "beside a number": ("return a[0, i], a[i, -1], a[:, 1, j], a[0, :, j], a[i, :, 2] + 1", (CUBE,)),
    "beside a slice": ("return a[1:, i], a[::-1, :, j], a[i, 1:3] * 2, a[1:, ::2, j]", (CUBE,)),
    "beside a new axis": ("return a[None, i], a[i, None], a[i, None, j], a[:, None, i] + 1", (CUBE,)),
    "with an Ellipsis between": ("return a[i, ..., j] + 1, a[..., i, j]", (CUBE,)),
    "a computed index": ("return a[np.clip((j * 2.5).astype(int), 0, 5)] * 2", (TABLE,)),
    "an index by an index": ("return a[j[np.abs(i)]] + 1", (TABLE,)),
    "of an index": ("return a[i][j] + a[i][1:].sum()", (ROW,)),
    "a transposed source": ("return a.T[i], a.T[:, i] * 2, a.T[i, j] + 1", (CUBE, FIRST % 3, SECOND % 3)),
    "a part of complex numbers": ("return (a + 1j).real[i], (a * 1j)[i].imag", (TABLE,)),
    "a computed source": ("return (a * 2)[i] + 1, np.cumsum(a, axis=0)[j]", (TABLE,)),
    "a slice of a computed source": ("y = a * 2\nreturn y[1:][i % 4], y[:, ::-2][:, j % 3]", (TABLE,)),
    "the source of a reduction": ("s = a.sum(axis=1)\nreturn s[i] * 2, a / s[i[:, None]]", (TABLE,)),
    "a source that is returned": ("y = a * 2\nreturn y, y[i], y[:, j], y.T[i]", (np.asfortranarray(TABLE),)),
    "a reshaped source": ("y = a * 2\nreturn y.reshape(-1)[i] + 1, y[:, None][j], y.T[None, i]", (TABLE,)),
    "a filled source": ("return np.ones(8)[i] + np.full((3, 6), 2.0)[j]", (TABLE,)),
    "sums": ("y = a[i]\nreturn y.sum(), y.sum(axis=0), y.sum(axis=1), y.mean(axis=0)", (TABLE,)),
    "sums of other orders": ("y = a[:, i]\nreturn y.sum(axis=0), y.sum(axis=1), y.max(axis=-1), y.std()", (CUBE,)),
    "extremes": ("return a[i].argmax(axis=1), a[i].min(axis=0), a[i, j].argmin()", (CUBE,)),
    "scans": ("return np.cumsum(a[i], axis=1), np.cumsum(a[i], axis=0)", (TABLE,)),
    "centred rows": ("y = a[i]\nreturn y - y.mean(axis=1, keepdims=True)", (TABLE,)),
    "joined": ("return np.concatenate([a[i], a[j] * 2])", (TABLE,)),
    "a number that is found": ("return a[a.argmax()], a[j.max()] + 1", (ROW,)),
    "take": ("return np.take(a, i), np.take(a, i, axis=0) + 1, a.take(j, 1), np.take(a, i, -1) * 2", (CUBE, BLOCK)),
    "take of a table of indices": ("return np.take(a, i, axis=1), a.take(i, axis=2) + 1", (CUBE, BLOCK)),
    "take that clips": ("return np.take(a, i * 3, mode='clip'), a.take(j * 7, 0, mode='clip') + 1", (TABLE,)),
    "take that wraps": ("return np.take(a, i * 9, mode='wrap'), a.take(j * 17, 1, mode='wrap') + 1", (TABLE,)),
    "the same places in every row": (
        "return np.take(a, i, 2) * 2, np.take(a[:, :4], j, 1), np.take(a, i[j] + 1, -1), np.take(a[::2], j[i], 2) * 3",
        (CUBE, np.array([0, 1, -2, 1, 0]), np.array([0, 1, 2, -3, 1])),
    ),
    "long rows of the same places": (
        "return np.take(a, i, 1), np.take(a, i, 1)[::-1] + i, np.take(a, i + j, -1, mode='wrap')",
        (TABLE, np.arange(1300) % 8 - 4, np.arange(1300)),
    ),
    "take of a list": ("return np.take(a, [0, 2, -1], axis=-1) * 2, a.take([[0], [1]], 0)", (CUBE,)),
    "take by a mask": ("return np.take(a, a > 0)", (ROW,)),
    "take_along_axis": (
        "return np.take_along_axis(a, i, 0), np.take_along_axis(a, i[:, :1], 1) * 2, np.take_along_axis(a, j, None)",
        (TABLE, np.abs(BLOCK[:1].repeat(6, 0).repeat(3, 1)[:, :8]), SECOND),
    ),
    "a list": ("return a[[0, 2, -1]] + 1, a[:, [[0], [1]]], a[[0, 1], [2, 0]]", (TABLE,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUSED)
def test_a_read_by_indices_is_fused(name: str) -> None:
    body, arguments = FUSED[name]
    fused = fused_of(body)
    assert_fused(fused, *arguments, *(FIRST, SECOND)[len(arguments) - 1 :], calls=2)
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize("code", sorted(code for code in FUSED_CODES if code[0] in "iu"))
def test_every_integer_type_is_an_index(code: str) -> None:
    fused = fused_of("return a[i], a[i] * 2, np.take(a, i)")
    values = np.array([3, 0, 8, 1, 1]) if code[0] == "u" else np.array([3, -9, 8, -1, 1])
    assert_fused(fused, ROW, values.astype(code), SECOND)


@pytest.mark.parametrize("code", sorted(FUSED_CODES))
def test_every_type_is_read(code: str) -> None:
    source = np.arange(60).astype(code).reshape(12, 5)
    fused = fused_of("return a[i], a[:, j], a[i, j], a[i].copy()")
    assert_fused(fused, source, FIRST, SECOND % 3)


def test_any_byte_that_is_not_zero_is_true() -> None:
    source = np.arange(60, dtype="u1").reshape(12, 5).view("?")
    assert_fused(fused_of("return ~a[i], a[:, j] & a[:, i % 5], a[i, j].sum()"), source, FIRST, SECOND % 3)


def _unaligned(array: np.ndarray) -> np.ndarray:
    memory = np.zeros(array.nbytes + 1, "u1")
    made: np.ndarray = np.ndarray(array.shape, array.dtype, memory, 1)
    made[...] = array
    return made


def _read_only(array: np.ndarray) -> np.ndarray:
    made = array.copy()
    made.flags.writeable = False
    return made


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "steps": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: np.ascontiguousarray(array[::-1])[::-1],
    "turned": lambda array: np.ascontiguousarray(array.T).T,
    "unaligned": _unaligned,
    "read-only": _read_only,
    "one row many times": lambda array: np.broadcast_to(array[:1], array.shape),
}


@pytest.mark.parametrize("index_layout", LAYOUTS)
@pytest.mark.parametrize("source_layout", LAYOUTS)
def test_arrays_may_lie_in_any_way(source_layout: str, index_layout: str) -> None:
    fused = fused_of("return a[i], a[:, i], a[..., i] + 1, a[i, i], a[i].sum(axis=-1)")
    index = np.array([[0, 2, 1], [-1, -3, 2]])
    assert_fused(fused, LAYOUTS[source_layout](CUBE), LAYOUTS[index_layout](index), SECOND)


@pytest.mark.parametrize(
    "index", [np.array(2), np.array(-1, "i1"), np.array([2]), np.array([[1]]), np.zeros((1, 4), int)]
)
def test_indices_of_few_elements(index: np.ndarray) -> None:
    assert_fused(fused_of("return a[i] + 1, a[:, i], a[i, i], np.take(a, i, 1)"), CUBE, index, SECOND)


def test_a_result_is_an_array_of_its_own() -> None:
    fused = fused_of("return a[i], np.take(a, i, 0), a[j]")
    first, second = fused(TABLE, FIRST, SECOND), fused(TABLE, FIRST, SECOND)
    assert fused.cache_info().fused_calls == 2
    for one, other in zip(first, second, strict=True):
        assert one.flags.writeable and one.base is None
        assert not np.shares_memory(one, TABLE) and not np.shares_memory(one, other)


def test_a_number_that_chooses_a_row_gives_a_view_and_stays_with_numpy() -> None:
    fused = fused_of("return a[j.max()]")
    assert_falls_back(fused, TABLE, FIRST, SECOND, reason="unsupported-operation")
    assert np.shares_memory(fused(TABLE, FIRST, SECOND), TABLE)


def test_an_ellipsis_that_stands_for_no_axis_parts_index_arrays_and_stays_with_numpy() -> None:
    assert_falls_back(fused_of("return a[:, i, ..., j]"), CUBE, FIRST, SECOND, reason="unsupported-operation")


def test_one_kernel_reads_tables_of_any_size() -> None:
    fused = fused_of("return a[i] * 2")
    for size in (3, 9, 300):
        for count in (2, 4, 1000):
            fused(np.arange(size) * 0.5, np.arange(count) % size, SECOND)
    assert fused.cache_info().kernels == 1
    assert_fused(fused, ROW, FIRST, SECOND)


def test_large_arrays_are_shared_among_threads() -> None:
    fused = fused_of("return a[i] * 2 + 1, a[i].sum(), a[j].max()")
    index = NUMBERS.integers(-9, 9, 1_200_000)
    assert_fused(fused, ROW, index, index.astype("i1"), calls=2)


# --- what is out of range ---------------------------------------------------------------------------------------------

OUT_OF_RANGE = {
    "a lookup table": "return a[0, 0][i] * 2",
    "the same place in every row": "return np.take(a, i, axis=2)",
    "a lookup table beside much else": "return np.sqrt(np.abs(np.floor(a[0, 0][i]) * 3 + 1) / 7)",
    "an index inside of an index": "return a[j[i]]",
    "one": "return a[i] * 2",
    "the second of two": "return a[j, i] + 1",
    "an axis in the middle": "return a[:, i].sum(axis=1)",
    "take": "return np.take(a, i, axis=1)",
    "take_along_axis": "return np.take_along_axis(a, i[:, None, None], axis=0)",
    "a number beside it": "return a[i[0], :, j] + 1",
    "what nobody uses": "a[i]\nreturn a + 1",
    "what a slice leaves out": "return a[i][:1] + 1",
    "what a mask leaves out": "return np.where(a[j] > 9, a[i], 0.0)",
    "of a computed array": "return (a * 2)[i]",
    "a column reduced": "return a[i].sum(axis=0)",
    "a full sum": "return a[i].sum()",
    "a scan": "return np.cumsum(a[i], axis=0)",
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
@pytest.mark.parametrize("wrong", [99, -99, 2**40, -(2**40)])
def test_an_index_out_of_range_raises_numpys_error(name: str, wrong: int) -> None:
    fused = fused_of(OUT_OF_RANGE[name])
    inside = np.array([0, 1, 2, -1])
    outside = np.array([0, 1, 2, wrong])
    if name == "a number beside it":
        outside = outside[::-1].copy()
    arguments = (CUBE, outside, np.array([1, 0, 2, -2]))
    expected = observe(fused.__wrapped__, arguments)
    assert expected.error is not None and expected.error[0] is IndexError
    for _ in range(2):
        assert_same_outcome(observe(fused, arguments), expected)
    assert fused.cache_info().fallback_calls == 2
    assert_fused(fused, CUBE, inside, arguments[2])


def test_nothing_is_written_before_an_index_is_found_to_be_out_of_range() -> None:
    fused = fused_of("a += 1\na *= a[j] * 0 + 2\nb = a[:2] * 3\nreturn b[i], np.sqrt(a * a), a / 3", "a, i, j")
    for index in (np.array([0, 1]), np.array([0, 7]), np.array([0, 1])):
        given, plain = ROW.copy(), ROW.copy()
        arguments = (given, index, np.arange(9))
        assert_same_outcome(observe(fused, arguments), observe(fused.__wrapped__, (plain, *arguments[1:])))
        assert given.tobytes() == plain.tobytes()


def test_no_element_outside_of_a_source_is_read() -> None:
    memory = np.full(30, np.nan)
    source = memory[10:20]
    source[...] = 1.0
    fused = fused_of("return np.take(a, i, mode='clip').sum(), np.take(a, i, mode='wrap').sum()")
    assert_fused(fused, source, np.arange(-40, 40), SECOND)


# --- empty arrays -----------------------------------------------------------------------------------------------------

EMPTY = {
    "an empty index": (TABLE, np.array([], int)),
    "an empty table of indices": (TABLE, np.zeros((2, 0), int)),
    "an empty source": (TABLE[:0], np.array([0])),
    "both": (TABLE[:0], np.array([], int)),
    "another axis is empty": (TABLE[:, :0], np.array([0, 1])),
    "another axis is empty, and the index is wrong": (TABLE[:, :0], np.array([0, 99])),
}


@pytest.mark.parametrize("name", EMPTY)
def test_where_something_is_empty_numpy_answers(name: str) -> None:
    source, index = EMPTY[name]
    fused = fused_of("return a[i] + 1, a[i]")
    assert_falls_back(fused, source, index, SECOND, reason="unsupported-array")
    assert_fused(fused, TABLE, FIRST, SECOND)


# --- what is no read by indices ---------------------------------------------------------------------------------------

WRONG = {
    "indices of floats": ("return a[i] + 1", np.array([0.0, 1.0])),
    "more indices than axes": ("return a[i, i, i] + 1", FIRST),
    "shapes that do not match": ("return a[i, j] + 1", np.array([0, 1, 2])),
    "take by floats": ("return np.take(a, i) + 1", np.array([0.0, 1.0])),
    "take_along_axis of another rank": ("return np.take_along_axis(a, i, 0)", FIRST),
    "take_along_axis by a mask": ("return np.take_along_axis(a, i, 0)", np.ones((6, 8), bool)),
    "an unknown mode": ("return np.take(a, i, mode='wild')", FIRST),
    "an axis that is not there": ("return np.take(a, i, axis=3)", FIRST),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_raises_numpys_error(name: str) -> None:
    body, index = WRONG[name]
    fused = fused_of(body)
    arguments = (TABLE, index, SECOND)
    expected = observe(fused.__wrapped__, arguments)
    assert expected.error is not None
    for _ in range(2):
        assert_same_outcome(observe(fused, arguments), expected)
    assert fused.cache_info().fused_calls == 0


def test_a_mask_is_no_index_though_numbers_were() -> None:
    fused = fused_of("return a[i] + 1")
    assert_fused(fused, ROW, FIRST, SECOND)
    assert_falls_back(fused, ROW, ROW > 0, SECOND, reason="unsupported-operation")
    assert_fused(fused, ROW, FIRST, SECOND)


DEPEND_ON_VALUES = {
    "a mask": ("z = y[y > 1]", "a mask selects"),
    "a mask and an index": ("z = y.reshape(3, 3)[y[:3] > 1, 0]", "a mask selects"),
    "np.nonzero": ("z = np.nonzero(y > 1)", "np.nonzero gives"),
    ".nonzero": ("z = (y > 1).nonzero()", ".nonzero() gives"),
    "np.where": ("z = np.where(y > 1)", "np.where with one argument gives"),
    "np.flatnonzero": ("z = np.flatnonzero(y > 1)", "np.flatnonzero gives"),
    "np.argwhere": ("z = np.argwhere(y > 1)", "np.argwhere gives"),
    "np.compress": ("z = np.compress(y > 1, y)", "np.compress gives"),
    "np.extract": ("z = np.extract(y > 1, y)", "np.extract gives"),
    "np.place": ("z = 0\nnp.place(y, y > 1, [1.0, 2.0])", "np.place counts"),
    "a store by indices": ("z = 0\ny[i] = 3.0", "a store into elements that an index array chooses"),
    "a sum into elements": ("z = 0\ny[i] += 3.0", "a store into elements that an index array chooses"),
    "a store by a list": ("z = 0\ny[[0, 1]] = 3.0", "a store into elements that an index array chooses"),
    "np.putmask that casts": ("z = 0\nnp.putmask(y, y > 1, a.astype('f4'))", "np.putmask"),
}


@pytest.mark.parametrize("name", DEPEND_ON_VALUES)
def test_what_depends_on_values_stays_in_the_driver_and_the_rest_is_fused(name: str) -> None:
    lines, reason = DEPEND_ON_VALUES[name]
    fused = fused_of(f"y = a * 2 + 1\n{lines}\nw = np.sqrt(np.abs(y)) * 3 - 1\nreturn w, z")
    for _ in range(2):
        assert_same_outcome(observe(fused, (ROW, FIRST, SECOND)), observe(fused.__wrapped__, (ROW, FIRST, SECOND)))
    info = fused.cache_info()
    assert (info.fused_calls, info.partly_fused_calls, info.fallback_calls) == (0, 2, 0)
    shown = str(fused.explain(ROW, FIRST, SECOND))
    assert reason in shown and lines.splitlines()[-1] in shown
    assert "2 regions" in shown


# --- stores -----------------------------------------------------------------------------------------------------------

PUTMASK = {
    "a number": "np.putmask(y, y > 1, 0.5)",
    "a number of the call": "np.putmask(y, y > 1, a[0])",
    "an array": "np.putmask(y, y > 1, a * 3)",
    "a mask of another array": "np.putmask(y, a < 0, -1)",
    "its own elements": "np.putmask(y, y > 1, y[::-1])",
}


@pytest.mark.parametrize("name", PUTMASK)
def test_putmask_is_a_store(name: str) -> None:
    fused = fused_of(f"y = a * 2 + 1\n{PUTMASK[name]}\nreturn y, np.sqrt(np.abs(y))")
    assert_fused(fused, ROW, FIRST, SECOND)
    assert_fused(fused, ROW[::-1], FIRST, SECOND)


@pytest.mark.parametrize(
    "line",
    [
        "np.putmask(y, y > 1, 1j)",
        "np.putmask(y, y > 1, a.astype('f4'))",
        "np.putmask(y, y > 1, y[:2] * 2)",
        "np.putmask(y, y[:3] > 1, 2.0)",
        "np.putmask(y, y.reshape(3, 3) > 1, 2.0)",
        "np.putmask(y, i, 2.0)",
        "np.putmask(y, y > 1, y + 1j)",
    ],
)  # fmt: skip
def test_other_forms_of_putmask_are_numpys(line: str) -> None:
    fused = fused_of(f"y = a * 2 + 1\n{line}\nreturn y, np.sqrt(np.abs(y)) * 3")
    index = np.arange(9) % 2
    for _ in range(2):
        assert_same_outcome(observe(fused, (ROW, index, SECOND)), observe(fused.__wrapped__, (ROW, index, SECOND)))
    assert fused.cache_info().fused_calls == 0


def test_putmask_reaches_the_callers_array() -> None:
    fused = fused_of("y = np.sqrt(np.abs(a)) * 2 + a\nnp.putmask(a, y > 1, y)\nreturn y")
    for _ in range(2):
        given, plain = ROW.copy(), ROW.copy()
        assert_same_outcome(observe(fused, (given, FIRST, SECOND)), observe(fused.__wrapped__, (plain, FIRST, SECOND)))
        assert given.tobytes() == plain.tobytes()
    assert fused.cache_info().fused_calls == 2


def test_a_read_sees_what_was_stored_before_and_not_what_comes_after() -> None:
    fused = fused_of(
        "y = a * 2\nfirst = y[i]\ny += 1\nsecond = y[i]\nk = i + 0\nk += 1\nreturn first, second, y[k], y[i]"
    )
    assert_fused(fused, ROW, FIRST, SECOND)


def test_a_read_of_the_callers_array_sees_what_was_stored_into_it() -> None:
    fused = fused_of("b = a[i] * 2 + a[j]\na += np.sqrt(np.abs(a)) * 3\nc = a[i] * 2 + a[j]\nreturn b, c")
    for _ in range(2):
        given, plain = ROW.copy(), ROW.copy()
        assert_same_outcome(observe(fused, (given, FIRST, SECOND)), observe(fused.__wrapped__, (plain, FIRST, SECOND)))
        assert given.tobytes() == plain.tobytes()
    assert fused.cache_info().fused_calls == 2


def test_what_is_read_may_be_stored_into_the_callers_arrays() -> None:
    fused = fused_of("y = np.sqrt(np.abs(a[i])) * 3 + a[j]\nout[:] = y + y[j]\nreturn y", "a, i, j, out")
    for index in (FIRST, FIRST, np.array([0, 1, 2, 3, 4, 55])):
        given, plain = np.zeros(6), np.zeros(6)
        actual, expected = (
            observe(fused, (ROW, index, SECOND, given)),
            observe(fused.__wrapped__, (ROW, index, SECOND, plain)),
        )
        assert_same_outcome(actual, expected)
        assert given.tobytes() == plain.tobytes()
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (2, 1)


def test_the_values_of_an_index_are_read_at_every_call() -> None:
    fused = fused_of("return a[i] * 2")
    index = FIRST.copy()
    assert_fused(fused, ROW, index, SECOND)
    index[0] = 5
    assert_fused(fused, ROW, index, SECOND)


def test_numbers_in_a_list_are_those_of_the_call() -> None:
    fused = fused_of("return a[[0, n, -n]] * 2", "a, n")
    for number in (1, 2, 3):
        assert_fused(fused, ROW, number)
    assert fused.cache_info().kernels == 1


def test_an_index_that_numpy_sorts_is_read_by_in_the_kernel() -> None:
    fused = fused_of("order = np.argsort(a)\nreturn a[order] * 2 + 1")
    assert_same_outcome(observe(fused, (ROW, FIRST, SECOND)), observe(fused.__wrapped__, (ROW, FIRST, SECOND)))
    assert fused.cache_info().partly_fused_calls == 1
    assert "region_0, line 3: 1 fused calls, 0 as ordinary Python" in str(fused.explain(ROW, FIRST, SECOND))


def test_booleans_are_read_beside_a_loop_in_the_kernel() -> None:
    """Where booleans are computed with as wider integers, they are bytes in memory."""
    fused = fused_of("x = a\nfor _ in range(n):\n    x = x * x * 0.5 + a\nreturn x, flags[i]", "a, n, flags, i")
    assert_fused(fused, ROW / 4, 7, ROW > 0, FIRST)


# --- gaps -------------------------------------------------------------------------------------------------------------


@pytest.mark.xfail(strict=True, reason="stores by index arrays need a kernel that scatters, in NumPy's order")
def test_a_store_by_indices_is_fused() -> None:
    assert_fused(fused_of("y = a * 2\ny[i] = 1.0\nreturn y + 1"), ROW, FIRST, SECOND)


@pytest.mark.xfail(
    strict=True, reason="a sum of what a mask selects could be one with where=, in NumPy's order of sums"
)
def test_a_reduction_of_what_a_mask_selects_is_fused() -> None:
    assert_fused(fused_of("return a[a > 0].max()"), ROW, FIRST, SECOND)
