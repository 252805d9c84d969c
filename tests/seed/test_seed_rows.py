"""Every row of ``rows.py``: the answer, and that it came from a kernel where the row says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.decorator import FusedFunction
from tests.parity.outcome import assert_same_outcome, observe
from tests.seed.rows import ROWS, Row

UNICODE_CACHE = """
import numpy as np, pyfuse
@pyfuse.fuse
def doubled(x):
    return np.abs(x) * 2
x = np.array([-1.5, 2.0, -0.0])
assert np.array_equal(doubled(x), np.abs(x) * 2)
info = doubled.cache_info()
assert (info.fallback_calls, info.kernels) == (0, 1), doubled.fallback_reasons()
"""


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_row_does_what_numpy_does_and_fuses_where_it_says_so(row: Row) -> None:
    fused = pyfuse.fuse(row.function)
    for arguments in row.calls:
        expected = observe(row.function, arguments)
        actual = observe(fused, arguments)
        assert (expected.error is not None) == (row.expect == "raises")
        assert_same_outcome(actual, expected, row.ulp, row.scale)
    _check_counters(row, fused)


def _check_counters(row: Row, fused: FusedFunction[..., Any]) -> None:
    info = fused.cache_info()
    if row.expect in ("fallback", "raises"):
        assert (info.fused_calls, info.fallback_calls) == (0, len(row.calls))
    if row.expect == "fuse":
        assert info.fallback_calls == 0, fused.fallback_reasons()
        assert info.fused_calls == len(row.calls)
        assert 1 <= info.kernels <= len(row.calls)
    if row.keys is not None:
        assert info.currsize == row.keys


def test_names_of_rows_are_unique() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_cache_and_temporary_folders_may_have_spaces_and_letters_beyond_ascii(tmp_path: Path) -> None:
    """L02, abs_cpu_unicode_temp_dir."""
    folder = tmp_path / "tmp ünï code"
    folder.mkdir()
    script = tmp_path / "script.py"
    script.write_text(UNICODE_CACHE, encoding="utf-8")
    environment = {**os.environ, "TMPDIR": str(folder), "PYFUSE_CACHE_DIR": str(folder / "cäche")}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any((folder / "cäche").rglob("*.so"))


def test_bfloat16_falls_back_because_of_its_dtype() -> None:
    """L07, cuda_bfloat16."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed; a void dtype stands in below")
    fused = pyfuse.fuse(_doubled)
    x = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    assert_same_outcome(observe(fused, (x,)), observe(_doubled, (x,)))
    assert fused.fallback_reasons() == {"unsupported-dtype": 1}


@pytest.mark.parametrize("dtype", ["V2", [("re", "f4"), ("im", "f4")]], ids=["void", "structured"])
def test_dtypes_that_numpy_does_not_compute_with_fall_back(dtype: Any) -> None:
    fused = pyfuse.fuse(_doubled)
    x = np.zeros(3, dtype)
    assert_same_outcome(observe(fused, (x,)), observe(_doubled, (x,)))
    assert fused.fallback_reasons() == {"unsupported-dtype": 1}


def _doubled(x: Any) -> Any:
    return x + x
