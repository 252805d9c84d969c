"""Arrays of every dtype for tests of what functions mean, and what an expression does for each of them."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

from pyfuse.graph.infer import FUSED_CODES
from tests.frontend.tracing import assert_means, function_of, refusal

CODES = sorted(FUSED_CODES)
FLOATING = ("f2", "f4", "f8")
COMPLEX = ("c8", "c16")
WHOLE = tuple(code for code in CODES if code[0] in "biu")

SHAPES = {"x": (4, 5), "y": (4, 5), "t": (3, 4, 5), "v": (7,)}


def values_of(expression: str, code: str) -> dict[str, Any]:
    """The values that an expression names: ``x y t v`` of a dtype, ``m`` booleans, ``w`` float64, ``n`` a number.

    Half of the dtypes come in Fortran order.
    """
    random = np.random.default_rng(CODES.index(code))
    order = "CF"[CODES.index(code) % 2]
    known: dict[str, Any] = {name: _array(random, code, shape, order) for name, shape in SHAPES.items()}
    known |= {"m": _array(random, "b1", (4, 5), order), "w": _array(random, "f8", (4, 5), order), "n": 7}
    return {name: value for name, value in known.items() if re.search(rf"\b{name}\b", expression)}


def _array(random: np.random.Generator, code: str, shape: tuple[int, ...], order: Any) -> np.ndarray:
    numbers: Any = random.standard_normal(shape) * 3
    if code[0] == "b":
        numbers = numbers > 0
    if code[0] == "u":
        numbers = abs(numbers) * 9
    if code[0] == "c":
        numbers = numbers + 1j * random.standard_normal(shape)
    return np.asarray(numbers).astype(code).copy(order=order)


def assert_means_for(expression: str, *refused: str, codes: tuple[str, ...] = tuple(CODES)) -> None:
    """An expression gives what NumPy gives for each dtype; those of ``refused`` (kinds or codes) are refused."""
    for code in codes:
        values = values_of(expression, code)
        if code in refused or code[0] in refused:
            assert refusal(expression, **values), code
        else:
            assert_means(expression, **values)


def numpy_raises(expression: str, **values: Any) -> bool:
    """Whether NumPy raises for an expression."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            function_of(expression, list(values))(*values.values())
    except Exception:
        return True
    return False
