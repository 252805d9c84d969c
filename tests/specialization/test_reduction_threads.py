"""Are large reductions shared by threads, and the same bits, NumPy's, whatever their number?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.fresh_process import run_program
from tests.parity.outcome import assert_same

pytestmark = pytest.mark.usefixtures("c_compiler")

THREADS = (1, 2, 3, 7)


def numbers(*shape: int, dtype: str = "f8") -> np.ndarray:
    """Numbers of such different sizes that another order of adding them gives another sum."""
    values = np.random.default_rng(len(shape))
    return (values.normal(size=shape) * 10.0 ** values.uniform(-4, 4, shape)).astype(dtype)


def full(x: Any) -> Any:
    return x.sum(), x.max(), np.argmin(x)


def product(x: Any) -> Any:
    return np.prod(1 + x * 1e-8)


def full_in_pieces(x: Any) -> Any:
    return x.sum(dtype=np.float64), x.mean(dtype=np.float64)


def rows(x: Any) -> Any:
    return x.sum(axis=1), x.min(axis=1), np.argmax(x, axis=1)


def columns(x: Any) -> Any:
    return x.sum(axis=0), x.max(axis=0), np.argmin(x, axis=0)


def planes(x: Any) -> Any:
    return x.sum(axis=(0, 2))


def softmax(x: Any) -> Any:
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def standardised(x: Any) -> Any:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def running(x: Any) -> Any:
    return np.cumsum(x, axis=-1), np.cumsum(x, axis=0)


def joined(x: Any) -> Any:
    return np.concatenate([x * 2, x.sum(axis=1, keepdims=True), x], axis=1)


SAME_BITS = [
    (full, numbers(1_000_003)),
    (full, numbers(700, 1500)),
    (full, numbers(1_000_003, dtype="f4")),
    (full, numbers(700, 1500, dtype="c16")),
    (full_in_pieces, numbers(1_000_003, dtype="f4")),
    (full_in_pieces, numbers(700, 3000, dtype="f4")[:, ::2]),
    (product, numbers(300_001)),
    (rows, numbers(5000, 200)),
    (rows, numbers(3, 300_001)),
    (rows, numbers(300_001, 4)),
    (rows, numbers(1500, 700).T),
    (columns, numbers(1500, 700)),
    (columns, numbers(5, 200_001)),
    (columns, numbers(300_001, 3)),
    (planes, numbers(40, 30, 700)),
    (standardised, numbers(1500, 700)),
    (running, numbers(1500, 700)),
    (running, numbers(1_000_003)),
    (joined, numbers(1500, 700)),
]


@pytest.mark.parametrize(("function", "x"), SAME_BITS, ids=lambda value: getattr(value, "__name__", None))
def test_any_number_of_threads_gives_numpys_bits(function: Any, x: np.ndarray) -> None:
    fused, expected = pyfuse.fuse(function), function(x)
    for threads in THREADS:
        with pyfuse.config.set(num_threads=threads):
            assert_same(fused(x), expected)
    info = fused.cache_info()
    assert (info.fused_calls, info.fallback_calls, info.kernels) == (len(THREADS), 0, 1), fused.fallback_reasons()


def test_any_number_of_threads_gives_one_softmax() -> None:
    fused, x = pyfuse.fuse(softmax), numbers(1500, 700) % 10
    expected, results = softmax(x), []
    for threads in THREADS:
        with pyfuse.config.set(num_threads=threads):
            results.append(fused(x))
    assert {result.tobytes() for result in results} == {results[0].tobytes()}
    assert_same(results[0], expected, ulp=8)
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (len(THREADS), 0)


# Counts the pool's threads: ``num_threads`` of them, less the caller, come as soon as a nest is worth it.
COUNTED = """\
import os, sys, time
import numpy as np, pyfuse

x = np.linspace(0.0, 1.0, 4_000_000).reshape(2000, 2000)
functions = {
    "full": lambda x: x.sum(),
    "rows": lambda x: x.sum(axis=1),
    "columns": lambda x: x.sum(axis=0),
    "softmax": lambda x: np.exp(x - x.max(axis=1, keepdims=True)) / x.sum(axis=1, keepdims=True),
    "running": lambda x: np.cumsum(x, axis=1),
    "cast": lambda x: x.sum(dtype=np.complex128),
    "product": lambda x: x.prod(),
    "small": lambda x: x[:10].sum(axis=1),
}
function = functions[sys.argv[1]]
fused = pyfuse.fuse(function)
with pyfuse.config.set(num_threads=3):
    fused(x)
assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()
time.sleep(0.1)  # a thread names itself
names = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
print(names.count("pyfuse\\n"))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("name", ["full", "rows", "columns", "softmax", "running", "cast"])
def test_threads_come_for_a_large_reduction(tmp_path: Path, name: str) -> None:
    assert run_program(tmp_path / "program.py", COUNTED, name).stdout == "2\n"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("name", ["product", "small"])
def test_no_thread_comes_where_one_element_follows_the_other_or_there_are_few(tmp_path: Path, name: str) -> None:
    assert run_program(tmp_path / "program.py", COUNTED, name).stdout == "0\n"
