"""Functions with reductions whose kernels were once wrong, or did not build: found by random graphs."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_fused
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

TABLE = np.random.default_rng(1).normal(size=(9, 50)) * 10
CUBE = np.random.default_rng(2).normal(size=(4, 30, 50))
# Repeated along its first axis.
COMPLEX = np.broadcast_to(CUBE[0, :9, :8] * (1 + 2j), (2, 9, 8))

# Expression over the arguments, and the arguments.
CORNERS: dict[str, tuple[Any, ...]] = {
    # a product in order, from a number of the call
    "np.prod(x, initial=y)": (TABLE[0] / 10, 2.5),
    "np.subtract.reduce(x, initial=y)": (TABLE[0], np.float64(0.1)),
    # one of two results, in rows, in columns and after them
    "np.modf(x.sum(axis=1))[1]": (TABLE,),
    "np.modf(x.sum(axis=0))[1]": (TABLE,),
    "np.modf(x)[1].sum(axis=1)": (TABLE,),
    "np.modf(x)[1].sum(axis=0)": (TABLE,),
    "np.frexp(x)[1].max()": (TABLE,),
    "np.divmod(x, 3.0)[1].sum(axis=1), np.divmod(x, 3.0)[0].sum(axis=1)": (TABLE,),
    "x.sum(axis=1) + np.modf(y)[0]": (CUBE, CUBE[:, 0, :1]),
    "x.sum(axis=1) + np.modf(y)[1]": (CUBE, CUBE[:, 0, :1]),
    # what is stored in a pass that reduces straight from memory
    "x.sum(axis=1), np.isnan(x)": (TABLE,),
    "x.argmin(axis=1), x * 2": (TABLE,),
    # a part of complex numbers of an array that is repeated
    "x.imag.sum(axis=(0, 1)), x.real.sum(axis=(0, 1))": (COMPLEX,),
    "x.imag * 2": (COMPLEX,),
    # a mask whose dimensions turn out equal to each other
    "(y + y.T > 0).any(axis=0, where=(z * x) > 0)": (TABLE[0, :9], TABLE[:, :9], TABLE[:, 9:18]),
}


@pytest.mark.parametrize("expression", CORNERS)
def test_corner(expression: str) -> None:
    arguments = CORNERS[expression]
    names = ", ".join("xyz"[: len(arguments)])
    assert_fused(pyfuse.fuse(function_from(f"def f({names}):\n    return {expression}")), *arguments, calls=2)


def columns_with(case: str, dtype: str) -> Any:
    """More columns than a kernel takes at a time, the special values in few of them or in all."""
    table = np.random.default_rng(4).integers(-3, 1, (20, 700)).astype(dtype)
    match case:
        case "zeros of both signs":
            table = np.copysign(np.minimum(np.abs(table), 1) - 1, np.random.default_rng(5).normal(size=table.shape))
        case "NaN first":
            table[0, 3] = np.nan
        case "NaN last":
            table[-1, 650] = -np.nan
        case "NaN in a row":
            table[7] = np.nan
        case "infinities":
            table[3, 10], table[4, 20], table[5, 30] = np.inf, -np.inf, np.nan
        case "nothing but the worst":
            table[:, :5], table[:, 5:9] = -np.inf, np.inf
            table[1, 2] = np.nan
    return table.astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "case", ["zeros of both signs", "NaN first", "NaN last", "NaN in a row", "infinities", "nothing but the worst"]
)
@pytest.mark.parametrize("result", ["x.max(axis=0)", "x.min(axis=0)", "x.max(axis=0), x.min(axis=0), x.argmax(axis=0)"])
def test_extremes_of_columns(result: str, case: str, dtype: str) -> None:
    """Folded in the hope that no NaN comes by: when one does the values are NumPy's, and no flag is raised."""
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return {result}"))
    assert_fused(fused, columns_with(case, dtype), modes={"all": "warn"}, calls=2)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("rows", [63, 64, 65, 130, 300])
def test_extremes_of_long_columns_with_nan_anywhere(rows: int, dtype: str) -> None:
    """NaN are looked for chunk by chunk: behind infinities that are none, in the first row, in several chunks."""
    fused = pyfuse.fuse(function_from("def f(x):\n    return x.max(axis=0), x.min(axis=0), x.max(axis=(0, 1))"))
    random = np.random.default_rng(rows)
    cube = random.normal(size=(rows, 3, 200)).astype(dtype)
    for specials in ([np.inf], [np.nan], [-np.inf, np.inf], [np.inf, np.nan, -np.nan]):
        for special in specials:
            cube[random.integers(0, rows, 150), random.integers(0, 3, 150), random.integers(0, 200, 150)] = special
        assert_fused(fused, cube, modes={"all": "warn"})
        assert_fused(fused, np.asfortranarray(cube), modes={"all": "warn"})


@pytest.mark.parametrize("width", [1, 63, 64, 65, 1024, 1025, 3000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 1.0])
def test_place_of_a_boolean(share: float, width: int) -> None:
    """The search ends with the first one, in whichever tile; any byte but zero is true."""
    fused = pyfuse.fuse(function_from("def f(x):\n    return x.argmax(axis=1), x.argmin(axis=1)"))
    table = np.random.default_rng(width).random((7, width)) < share
    assert_fused(fused, table)
    assert_fused(fused, (table * np.uint8(7)).view(bool))


FEW_COLUMNS = [
    "x.argmax(axis=0), x.argmin(axis=0)",
    "x.any(axis=-2), x.all(axis=-2), np.count_nonzero(x, axis=-2)",
    "np.bitwise_or.reduce(x, axis=0), x.sum(axis=0), x.argmax(axis=0)",
    "x.max(axis=-2), x.min(axis=-2), x.argmin(axis=-2)",
    "x.sum(axis=0, initial=3), x.max(axis=0, initial=1)",
    "(x + y).argmax(axis=0)",
    "(x + y[:, :1]).argmin(axis=0)",
    "(x + y[:1]).argmin(axis=0)",
]


@pytest.mark.parametrize("dtype", ["i1", "i4", "i8", "?", "f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("result", FEW_COLUMNS)
def test_few_columns(result: str, dtype: str) -> None:
    """Several reduced elements lie side by side in the accumulators: of equals, and of NaN, the first is found."""
    if "bitwise" in result and np.dtype(dtype).kind in "fc":
        result = result.replace("np.bitwise_or.reduce(x, axis=0), ", "")
    if dtype == "?":
        result = result.replace(", x.max(axis=0, initial=1)", "")
    fused = pyfuse.fuse(function_from(f"import numpy as np\ndef f(x, y):\n    return {result}"))
    random = np.random.default_rng(11)
    for columns in (1, 2, 3, 5, 30, 64, 65):
        for rows in (1, 7, 8, 9, 31, 260, 1003):
            first = random.integers(0, 3, (2 * rows, 2 * columns)).astype(dtype)
            second = random.integers(0, 2, (2 * rows, 2 * columns)).astype(dtype)
            if np.dtype(dtype).kind in "fc" and rows % 2:
                first[random.integers(0, 2 * rows, 2), random.integers(0, 2 * columns, 2)] = np.nan
            tight = first[:rows, :columns].copy(), second[:rows, :columns].copy()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert_fused(fused, *tight)
                if rows > 31:
                    assert_fused(fused, first[::2, ::2], second[::2, ::2])
                    assert_fused(fused, first[:rows, :columns], tight[1])
                    assert_fused(fused, tight[0][::-1, ::-1], second[:rows, :columns])


@pytest.mark.parametrize("dtype", ["i8", "f4", "c8"])
def test_few_columns_on_a_middle_axis(dtype: str) -> None:
    fused = pyfuse.fuse(function_from("def f(x):\n    return x.argmax(axis=1), x.any(axis=1), x.argmin(axis=(1))"))
    values = np.random.default_rng(12).integers(-2, 3, (9, 50, 3)).astype(dtype)
    assert_fused(fused, values)
    assert_fused(fused, values[:, ::-1])


def test_many_reductions_fit_on_a_small_stack() -> None:
    """Kernels keep a buffer for each reduction on the stack, and run on the caller's thread too."""
    sums = [f"(x * {number}.5).sum(axis={axis})" for number in range(20) for axis in (1, 0, None)]
    fused = pyfuse.fuse(function_from(f"def f(x):\n    return ({', '.join(sums)})"))
    table = np.random.default_rng(3).normal(size=(70, 1100))
    assert_fused(fused, table)
    before = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=fused, args=(table,))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert fused.cache_info().fused_calls == 2
