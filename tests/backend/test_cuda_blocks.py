"""Are blocks of threads high where rows of what is read are shared between rows of results, and only there?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_texts import COMPILER, cuda_source, run_on_shim, same_bits

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")


def stencil(x: Any) -> Any:
    return x[1:-1, 1:-1] + x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]


def chain(x: Any, y: Any, z: Any) -> Any:
    return x * y + z


def widest(function: Any, *arguments: Any) -> int:
    return cuda_source(function, *arguments).shapes[0].widest


@pytest.mark.parametrize("code", ["f4", "f8"])
def test_neighbours_in_an_array_are_read_by_blocks_of_four_rows(code: str) -> None:
    assert widest(stencil, np.ones((600, 1200), code)) == 64
    assert widest(stencil, np.ones((3, 600, 1200), code)[1]) == 64


def test_other_operands_are_read_by_blocks_of_one_row() -> None:
    x = np.ones((600, 1200))
    assert widest(chain, x, x, x) == 256
    assert widest(chain, x, x[:1], x[:, :1]) == 256
    assert widest(chain, x[:, :1000], x[:, :1000], np.ones((600, 1000))) == 256
    assert widest(chain, x[:, :1000:2], x[:, :1000:2], x[:, :1000:2]) == 16


@needs_compiler
@pytest.mark.parametrize("shape", [(3, 3), (7, 70), (9, 258), (6, 1030)])
def test_a_stencil_of_any_size_is_numpys(shape: tuple[int, int], tmp_path: Path) -> None:
    x = np.random.default_rng(3).random(shape).astype("f4")
    assert same_bits(run_on_shim(tmp_path, stencil, x), stencil(x))
