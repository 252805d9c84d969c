"""The acceptance rows of tests/seed on CuPy arrays: NumPy's answers, all from kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

import pyfuse
from tests.gpu.conftest import _of_cupy
from tests.seed.rows import ROWS, Row


def moved(cupy: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _of_cupy(cupy)(value) if value.ndim else cupy.asarray(value)
    if isinstance(value, tuple | list):
        return type(value)([moved(cupy, item) for item in value])
    return {key: moved(cupy, item) for key, item in value.items()} if isinstance(value, dict) else value


def assert_near(cupy: Any, result: Any, expected: Any) -> None:
    if isinstance(expected, tuple | list):
        assert len(result) == len(expected)
        for mine, theirs in zip(result, expected, strict=True):
            assert_near(cupy, mine, theirs)
    elif isinstance(expected, dict):
        assert_near(cupy, list(result.values()), list(expected.values()))
    elif isinstance(expected, np.ndarray | np.generic):
        mine = cupy.asnumpy(result)
        assert (mine.dtype, mine.shape) == (expected.dtype, expected.shape)
        bound = 32 * float(np.finfo(expected.dtype).eps) if expected.dtype.kind in "fc" else 0
        size = float(np.abs(expected[np.isfinite(expected)]).max(initial=1)) if expected.dtype.kind in "fc" else 1
        assert np.allclose(mine, expected, rtol=bound, atol=bound * size, equal_nan=True)


def test_rows_give_numpys_answers_on_a_device(cupy: Any) -> None:
    rows = [row for row in ROWS if row.expect == "fuse"]
    outcomes = {row.name: _outcome(cupy, row) for row in rows}
    left = {name: reason for name, reason in outcomes.items() if reason is not None}
    assert left == {}
    assert len(rows) > 50


def _outcome(cupy: Any, row: Row) -> str | None:
    """Why a row did not fuse, or None; answers of fused calls are checked."""
    fused = pyfuse.fuse(row.function, strict=True)
    for arguments in row.calls:
        with np.errstate(all="ignore"):
            expected = row.function(*arguments)
        try:
            result = fused(*moved(cupy, arguments))
        except pyfuse.FuseError as refusal:
            return str(refusal).splitlines()[0]
        if fused.cache_info().fused_calls:
            assert_near(cupy, result, expected)
    return None if fused.cache_info().fused_calls == len(row.calls) else str(fused.fallback_reasons())
