"""Are operands with steps of a few elements, and operands in another order than the results', read as NumPy does?"""

from __future__ import annotations

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

SUM = "def f(x, y):\n    return x + y, x * y"
STEPS = (2, 3, 4, 5, -1, -2, -3)
LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130)


def _filled(shape: tuple[int, ...], dtype: str = "f8") -> np.ndarray:
    return (np.arange(int(np.prod(shape))) % 23 - 7).reshape(shape).astype(dtype)


# --- steps --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "u2", "i1", "b1"])
def test_operands_with_steps(dtype: str) -> None:
    fused = pyfuse.fuse(function_from(SUM))
    for step in STEPS:
        for length in LENGTHS:
            x = _filled((abs(step) * length,), dtype)[::step][:length]
            assert_fused(fused, x, _filled((length,), dtype)[::-1])


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_parts_of_complex_numbers_are_every_second_number(dtype: str) -> None:
    fused = pyfuse.fuse(function_from(SUM))
    for length in LENGTHS:
        z = _filled((length,), dtype) * (1 + 2j)
        assert_fused(fused, z.real, z.imag)
        assert_fused(fused, z[::2], z[::2].copy())


def test_steps_along_the_last_axis_of_several() -> None:
    fused = pyfuse.fuse(function_from(SUM))
    image = _filled((5, 9, 4), "u1")
    assert_fused(fused, image[..., 0], image[..., 3])
    assert_fused(fused, image[:, ::2, 1:4], image[:, ::2, :3][..., ::-1])
    table = _filled((6, 20), "f4")
    assert_fused(fused, table[:, ::2], table[::-1, 1::2])
    assert_fused(fused, table[:, ::3], np.arange(7.0))


def test_what_is_stepped_over_raises_no_flag() -> None:
    program = pyfuse.fuse(function_from("def f(x, y):\n    return x / y, np.sqrt(x)"))
    for length in LENGTHS:
        for step in (2, 3, 4, -1):
            memory = np.full(abs(step) * length, np.inf, "f4")
            memory[::step] = 0  # 0 / 0 and inf * 0 lie between
            x, y = memory[::step][:length], np.full(abs(step) * length, 0, "f4")[::step][:length]
            x[...], y[...] = 2, 4
            assert_fused(program, x, y, modes={"all": "warn"})  # so no flag was up
            y[-1] = 0  # of the last element the kernel must tell
            expected = observe(program.__wrapped__, (x, y), {"all": "warn"})
            assert len(expected.warned) == 1
            assert_same_outcome(observe(program, (x, y), {"all": "warn"}), expected)
