"""Functions of as many operations as are asked for, to see how the time to compile them grows."""

from __future__ import annotations

import itertools
import linecache
import random
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Operations, and what a statement computes with them: x, y and z are doubles; results are limited to -2..2.
_STATEMENTS = (
    (2, "{x} * 0.5 + {y}"),
    (2, "({x} - {y}) * 0.25"),
    (2, "np.where({x} < {y}, {y}, {z})"),
    (3, "np.exp(-({x} * {x}))"),
    (2, "np.maximum({x}, {y}) * 0.75"),
    (4, "np.where(({x} > 0.5) & ({y} < 1.0), {x}, {z})"),
    (4, "({x} + single * 0.125) * 0.5"),
    (5, "np.sqrt(np.abs({x})) * 0.5 + {y} * 0.25"),
    (5, "({x} * 0.25) + (whole & 3) * 0.125"),
)
_REACH = 8  # values behind that a statement may read
_numbers = itertools.count()


def long_function(operations: int) -> FunctionType:
    """A function of about so many mixed operations on two arrays of doubles, one of singles and one of integers."""
    choose = random.Random(operations)
    names = ["a", "b"]
    lines = ["def long_function(a, b, single, whole):"]
    count, statements = 1, itertools.cycle(_STATEMENTS)
    while count < operations:
        cost, text = next(statements)
        y, z = choose.choices(names[-_REACH:], k=2)
        name = f"t{len(names)}"
        lines.append(f"    {name} = np.clip({text.format(x=names[-1], y=y, z=z)}, -2.0, 2.0)")
        names.append(name)
        count += cost + 1
    return _defined([*lines, f"    return {names[-1]} + {names[-2]}"])


def make_inputs(size: int) -> tuple[NDArray[Any], ...]:
    """The arguments of such a function."""
    numbers = np.random.default_rng(7)
    a, b, single = numbers.uniform(-2.0, 2.0, (3, size))
    return a, b, single.astype(np.float32), numbers.integers(0, 100, size).astype(np.int32)


def _defined(lines: list[str]) -> FunctionType:
    """The function, with its source where ``inspect`` looks for it."""
    text = "\n".join(lines) + "\n"
    file = f"<long function {next(_numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, Any] = {"np": np}
    exec(compile(text, file, "exec"), space)
    function = space["long_function"]
    assert isinstance(function, FunctionType)
    return function
