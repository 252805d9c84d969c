"""Arrays of every form: rank, order, strides, broadcasting, emptiness, alignment, writability; results lie as NumPy's."""

# ruff: noqa: E501 - programs on one line
from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

BINARY = (
    "def f(x, y):\n    s = x + y\n    return s, x * 2 - y, (s > 0), -x, y.astype('f4'), np.where(x > y, x, 1), s.copy()"
)


def _filled(shape: tuple[int, ...], dtype: str = "f8") -> np.ndarray:
    return (np.arange(int(np.prod(shape))) % 23 - 7).reshape(shape).astype(dtype)


def _layouts() -> dict[str, np.ndarray]:
    """(4, 6, 5) arrays that lie in memory in different ways."""
    shape = (4, 6, 5)
    arrays = {f"axes {order}": _permuted(shape, order) for order in itertools.permutations(range(3))}
    arrays["every second row"] = _filled((8, 6, 5))[::2]
    arrays["every second element"] = _filled((4, 6, 10))[..., ::2]
    arrays["backwards"] = _filled(shape)[::-1, ::-1, ::-1]
    arrays["backwards along the last axis"] = _filled(shape)[..., ::-1]
    arrays["a corner"] = _filled((7, 9, 8))[1:5, 2:8, 3:8]
    arrays["broadcast rows"] = np.broadcast_to(_filled((5,)), shape)
    arrays["broadcast columns"] = np.broadcast_to(_filled((4, 6, 1)), shape)
    arrays["broadcast middle"] = np.broadcast_to(_filled((4, 1, 5)), shape)
    arrays["one number"] = np.broadcast_to(np.array(2.5), shape)
    arrays["unaligned"] = _unaligned(shape)
    arrays["field of a record"] = _field(shape)
    arrays["mixed"] = _filled((6, 4, 5)).swapaxes(0, 1)
    return arrays


def _permuted(shape: tuple[int, ...], order: tuple[int, ...]) -> np.ndarray:
    inverse = np.argsort(order)
    return _filled(tuple(shape[axis] for axis in order)).transpose(inverse)


def _unaligned(shape: tuple[int, ...], dtype: str = "f8") -> np.ndarray:
    values = _filled(shape, dtype)
    memory = np.zeros(values.nbytes + 1, "u1")
    array = memory[1:].view(dtype).reshape(shape)
    array[...] = values
    assert not array.flags.aligned
    return array


def _field(shape: tuple[int, ...]) -> np.ndarray:
    records = np.zeros(shape, [("tag", "u1"), ("value", "f8")])
    records["value"] = _filled(shape)
    return records["value"]


LAYOUTS = _layouts()


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_with_every_other(name: str) -> None:
    fused = pyfuse.fuse(function_from(BINARY))
    for other in LAYOUTS.values():
        assert_fused(fused, LAYOUTS[name], other)
    assert fused.cache_info().fused_calls == len(LAYOUTS)


SHAPES = [
    ((), ()), ((3,), ()), ((3,), (1,)), ((2, 3), (3,)), ((2, 3), (2, 1)), ((1, 3), (2, 1)), ((1,), (1, 1, 1)),
    ((4, 1, 5), (6, 1)), ((2, 1, 3, 1), (4, 1, 5)), ((1, 1), (1, 1)), ((0,), (1,)), ((0, 3), (3,)), ((2, 0, 4), (4,)),
    ((0, 1), (1, 5)), ((2, 3, 2, 3), (3, 1, 3)), ((1, 2, 1, 2, 1, 2), (2, 1, 2, 1)), ((2,) * 8, (2,) * 7), ((7, 1), (1, 7)),
]  # fmt: skip


def test_ranks_and_broadcasting() -> None:
    fused = pyfuse.fuse(function_from(BINARY))
    for first, second in SHAPES:
        if 0 in first + second:  # NumPy may report an error of the values that the empty ones are made with
            arguments = (_filled(first), _filled(second))
            assert_same_outcome(observe(fused, arguments), observe(fused.__wrapped__, arguments))
            continue
        for order in "CF":
            assert_fused(fused, _filled(first).copy(order), _filled(second).copy(order))
            assert_fused(fused, _filled(second).copy(order), _filled(first))


def test_shapes_that_do_not_match_raise_numpys_error() -> None:
    fused = pyfuse.fuse(function_from(BINARY))
    for first, second in (((3,), (4,)), ((2, 3), (2,)), ((0,), (3,))):
        assert_falls_back(fused, _filled(first), _filled(second), reason="shape-mismatch")
    assert_fused(fused, _filled((3,)), _filled((3,)))


def test_outputs_of_different_shapes_share_a_kernel() -> None:
    fused = pyfuse.fuse(function_from("def f(a, b, c):\n    s = a + 1\n    return s, s * b, s * b + c, b - 1, 2 - c"))
    assert_fused(fused, _filled((4, 1)), _filled((1, 5)), _filled((3, 4, 5)))
    assert fused.cache_info().kernels == 1


SCALARS = [
    2.5,
    3,
    1j,
    True,
    np.float64(2.5),
    np.float32(0.1),
    np.int8(-3),
    np.uint64(7),
    np.bool_(True),
    np.complex64(1j),
]


def test_numpy_scalars_and_0d_arrays_with_arrays() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return x * y, y + x, x - 1, x == y"))
    for dtype, scalar in itertools.product(("i1", "i4", "f2", "f4", "f8", "c8"), SCALARS):
        assert_fused(fused, _filled((3,), dtype), scalar)
        assert_fused(fused, _filled((3,), dtype), np.array(scalar))
    assert_fused(fused, np.array(1.5, "f4"), np.array(2.0))
    assert_fused(fused, np.array(1.5, "f4"), 2.0)


def test_every_dtype_with_every_other() -> None:
    codes = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
    names = [f"v{number}" for number in range(len(codes))]
    sums = ", ".join(f"{one} * {other}" for one, other in itertools.combinations_with_replacement(names, 2))
    fused = pyfuse.fuse(function_from(f"def f({', '.join(names)}):\n    return {sums}"))
    assert_fused(fused, *[_filled((30,), code) for code in codes])
    assert fused.cache_info().kernels == 1


CASTS = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")


@pytest.mark.parametrize("source", CASTS)
def test_casts_from_every_dtype_to_every_other(source: str) -> None:
    kinds = [code for code in CASTS if not (np.dtype(source).kind == "c" and np.dtype(code).kind not in "cb")]
    casts = ", ".join(f"x.astype('{code}')" for code in kinds)
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {casts}"))
    assert_fused(fused, np.abs(_filled((40,), source)) if source != "?" else _filled((40,), source))
    if np.dtype(source).kind in "biu":
        limits = [0, 1] if source == "?" else [np.iinfo(source).min, np.iinfo(source).max, 1]
        assert_fused(fused, np.array(limits * 7, source))


def test_a_bool_array_of_other_bytes_reads_as_true() -> None:
    fused = pyfuse.fuse(
        function_from("def f(m, x):\n    return np.where(m, x, 0), m & (x > 0), m + x, m.astype(int), ~m, m")
    )
    assert_fused(fused, np.array([0, 1, 2, 255, 0, 7], "u1").view(bool), _filled((6,)))


def test_read_only_memory_and_memory_maps(tmp_path: Path) -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return x * 2 + 1"))
    frozen = _filled((5,))
    frozen.setflags(write=False)
    assert_fused(fused, frozen)
    path = tmp_path / "numbers"
    _filled((5,)).tofile(path)
    mapped = np.memmap(path, "f8", "r")
    assert_same_outcome(observe(fused, (mapped,)), observe(fused.__wrapped__, (mapped,)))
    assert_fused(fused, np.asarray(mapped))
    assert_fused(fused, np.frombuffer(path.read_bytes(), "f8"))


class _Units(np.ndarray):
    """A subclass with rules of its own."""


OTHER_ARRAYS: dict[str, tuple[Any, str]] = {
    "object": (np.array([1, 2.5], object), "unsupported-dtype"),
    "datetime": (np.array(["2020-01-01"], "M8[D]"), "unsupported-dtype"),
    "timedelta": (np.array([3, 4], "m8[s]"), "unsupported-dtype"),
    "long double": (np.array([1.5, 2.5], "g"), "unsupported-dtype"),
    "text": (np.array(["a", "b"]), "unsupported-dtype"),
    "big endian": (np.array([1.5, 2.5], ">f8"), "unsupported-dtype"),
    "subclass": (np.array([1.5, 2.5]).view(_Units), "unsupported-array"),
    "masked": (np.ma.masked_array([1.5, 2.5], [True, False]), "unsupported-array"),
    "matrix": (np.asmatrix([[1.5, 2.5]]), "unsupported-array"),
}


@pytest.mark.parametrize("name", OTHER_ARRAYS)
def test_other_arrays_stay_with_numpy(name: str) -> None:
    array, reason = OTHER_ARRAYS[name]
    fused = pyfuse.fuse(function_from("def f(x):\n    return x + x"))
    expected, actual = observe(fused.__wrapped__, (array,)), observe(fused, (array,))
    assert actual.error == expected.error
    assert type(actual.result) is type(expected.result)
    assert np.array_equal(actual.result, expected.result) or expected.error
    assert fused.fallback_reasons() == {reason: 1}


def test_views_follow_numpys_order_through_transposes() -> None:
    fused = pyfuse.fuse(
        function_from(
            "def f(x, y):\n    return x.T + y.T, x + y.T.T, (x * 2).T + 1, x[None] + y[:, None], np.moveaxis(x, 0, 2) * 2"
        )
    )
    for name, array in LAYOUTS.items():
        cube = array[:4, :4, :4]
        assert_fused(fused, cube, LAYOUTS["axes (0, 1, 2)"][:4, :4, :4])
        assert_fused(fused, cube, cube.T), name


def test_like_arrays_and_copies_keep_the_order_numpy_gives_them() -> None:
    fused = pyfuse.fuse(
        function_from(
            "def f(x):\n    return (np.zeros_like(x), np.full_like(x, 3), x.copy(), np.copy(x), np.array(x), x.astype('f8'),"
            " x.astype('i8'), np.ones(x.shape) + x, np.select([x > 0], [x]), np.nan_to_num(x), np.round(x, 1), np.clip(x, 0, 1),"
            " np.piecewise(x, [x > 0], [1]), np.isclose(x, 1), np.asarray(x, 'f4'), np.where(True, x, x))"
        )
    )
    for array in LAYOUTS.values():
        assert_fused(fused, array)


@pytest.mark.parametrize(
    "array",
    [
        np.lib.stride_tricks.as_strided(_filled((40,)), (1, 3, 3), (24, 8, 48)),
        np.lib.stride_tricks.as_strided(_filled((400,)), (1, 17, 1), (272, 16, 272)),
        np.lib.stride_tricks.as_strided(_filled((40,)), (1, 8), (8, 16)),
        np.lib.stride_tricks.as_strided(_filled((40,)), (3, 1), (8, 999 * 8)),
        _filled((5, 2, 5)).transpose(2, 0, 1)[::-1],
    ],
    ids=lambda array: str(array.strides),
)
def test_strides_of_axes_of_extent_one_decide_the_order_of_copies_as_in_numpy(array: np.ndarray) -> None:
    fused = pyfuse.fuse(
        function_from(
            "def f(x):\n    a = np.zeros_like(x[None])\n    np.add(x, 1, out=a, where=x > 0)\n    b = np.ceil(x[None])\n    b += x\n"
            "    return a, b, x.copy(), np.copy(x), x + 1, np.zeros_like(x), np.copy(x + 1), x.astype('f4'), np.round(x, 1)"
        )
    )
    assert_fused(fused, array)


def test_large_arrays_in_several_threads_have_the_same_bits() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return np.exp(x * 1e-6) + y, x - y"))
    x, y = np.arange(600_000.0).reshape(600, 1000), np.arange(1000.0)
    with pyfuse.config.set(num_threads=1):
        alone = fused(x, y)
    with pyfuse.config.set(num_threads=4):
        assert_fused(fused, x, y, ulp=4)
        together = fused(x, y)
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_products_of_complex64_arrays_that_run_backwards_are_numpys_own() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return x * y, x * x"))
    random = np.random.default_rng(3)
    x, y = (random.standard_normal((2, 40)).view("c16").astype("c8") for _ in range(2))
    for given in ((x[:, ::-1], y), (x, y[::-1]), (x[:, ::-1], y[:, ::-1])):
        assert_same_outcome(observe(fused, given), observe(fused.__wrapped__, given))
    assert fused.fallback_reasons() == {"unsupported-array": 3}
    assert_same_outcome(observe(fused, (x, y)), observe(fused.__wrapped__, (x, y)))
    assert fused.cache_info().fused_calls == 1


def test_a_complex_number_is_rounded_and_widened_again_wherever_it_stands() -> None:
    """gcc 12.2 drops the two casts of neighbours in straight-line code (a scalar tail): see toolchain.OPTIONAL_FLAGS."""
    fused = pyfuse.fuse(function_from("def f(x):\n    return x.astype('c8').astype('c16')"))
    numbers = np.random.default_rng(5).standard_normal((40, 2)).view("c16")[:, 0]
    for length in range(2, 40):
        assert_fused(fused, numbers[:length])
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize("product", ["t *= y", "np.multiply(t, y, out=t)", "np.square(t, out=t)", "t **= 2"])
@pytest.mark.parametrize("shape", [(1,), (1, 1), (2,), (1, 2)])
def test_one_complex_number_multiplied_in_place(shape: tuple[int, ...], product: str) -> None:
    """NumPy takes a result at its operand's address for an overlap, and then rounds twice."""
    fused = pyfuse.fuse(function_from(f"import numpy as np\ndef f(x, y):\n    t = x + 0\n    {product}\n    return t"))
    numbers = np.random.default_rng(6).standard_normal((40, 2, *shape, 2)).view("c16")[..., 0]
    for x, y in numbers:
        assert_same_outcome(observe(fused, (x, y)), observe(fused.__wrapped__, (x, y)))
    assert fused.cache_info().fused_calls == (40 if 2 in shape else 0)


@pytest.mark.parametrize("text", ["x / 1e-3 + -1", "x * (2.5 + 0j) - 1", "(x * x) + (-1 + 0j)", "1 - x * x"])
def test_a_complex_product_and_a_number_are_rounded_twice(text: str) -> None:
    """gcc 12.2 fuses a product with a subtraction in one part and an addition in the other."""
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {text}"))
    numbers = (np.random.default_rng(0).standard_normal(4000) * 2e4).view("c16")
    for dtype in ("c8", "c16"):
        assert_fused(fused, numbers.astype(dtype))


@pytest.mark.xfail(
    sys.platform == "linux",
    strict=True,
    reason="NumPy writes a commutative operation into its right operand where that is a temporary of 256 KiB or more "
    "(numpy/_core/src/multiarray/temp_elision.c), so the result has that operand's memory order",
)
def test_a_large_temporary_gives_its_memory_order() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return (x < y) * (x + 1.0)"))
    rows = np.ones((200, 300))
    assert_fused(fused, np.asfortranarray(rows), rows)
