"""Does an inner loop, called as tiles call it, give NumPy's bits? Each is asked once, before it is used."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from pyfuse.backend.cpu.dispatch import tile_launch
from pyfuse.backend.tiles.numpy_loops import UfuncLoop
from pyfuse.backend.tiles.program import LOOP

COUNT = 67  # elements: vectors of every width, and a rest
_CORNERS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.0,
    np.inf,
    -np.inf,
    np.nan,
    1e-310,
    1e300,
    -1e300,
    1e-40,
    1e5,
    88.0,
    -745.0,
)
_NO_LOOP = (1, 1, -1, -1, 1, -1)
_STEP_OF_ONE_LOOP = (LOOP, 0, 0, 0, 0)  # kind, function, not single, no size, no offset


@cache
def has_numpys_bits(loop: UfuncLoop, operands: tuple[np.dtype, ...]) -> bool:
    """Whether a loop's results are those of its ufunc on the same operands, which NumPy chooses a loop for itself."""
    ufunc: Any = loop.ufunc
    samples = [_sample(dtype, number) for number, dtype in enumerate(operands)]
    with np.errstate(all="ignore"):
        try:
            expected = ufunc(*samples)
        except (ValueError, ArithmeticError):  # integers to negative powers
            samples = [np.absolute(sample) for sample in samples]
            expected = ufunc(*samples)
    wanted = expected if isinstance(expected, tuple) else (expected,)
    if tuple(result.dtype for result in wanted) != loop.results:
        return False
    made = [np.empty(COUNT, dtype) for dtype in loop.results]
    arrays = [*samples, *made]
    launch = tile_launch(
        operand_count=len(arrays),
        nest_count=1,
        description=_description(arrays, len(samples)),
        functions=((ufunc, loop.number),),
        constants=b"",
        scratch=0,
        may_raise=loop.may_raise,
        is_long=False,
    )
    launch.start(np.array([id(one) for one in arrays], np.uint64).tobytes())
    return all(actual.tobytes() == result.tobytes() for actual, result in zip(made, wanted, strict=True))


@cache
def _sample(dtype: np.dtype, number: int) -> np.ndarray:
    """Corners and ordinary values, other ones for each operand."""
    ramp = np.linspace(-4.0 - number, 7.0 + number, COUNT - len(_CORNERS))
    values = np.roll(np.concatenate([_CORNERS, ramp]), 5 * number)
    if dtype.kind in "iu":
        values = np.nan_to_num(values, posinf=9, neginf=-9).clip(-99, 99).astype(np.int64)
    with np.errstate(all="ignore"):
        return (values + 1j * np.roll(values, 3) if dtype.kind == "c" else values).astype(dtype)


def _description(arrays: list[np.ndarray], operand_count: int) -> bytes:
    """A nest of one dimension, which is one tile: what ``read_nest`` of tile_runner.c reads."""
    places = [number for place, one in enumerate(arrays) for number in (place, place, 0, one.itemsize, one.itemsize)]
    values = [number for place, one in enumerate(arrays) for number in (place, one.itemsize)]
    step = (*_STEP_OF_ONE_LOOP, operand_count, len(arrays) - operand_count, *values)
    numbers = (len(arrays), 0, 0, COUNT, COUNT, len(arrays), *places, 0, 0, 0, 1, *step, *_NO_LOOP)
    return np.array(numbers, np.intp).tobytes()
