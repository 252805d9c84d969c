"""What the operation table says of errors, asked of NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import application
from pyfuse.graph.ops import OPERATIONS, Operation, callable_of

SHOWING = [operation for operation in OPERATIONS.values() if operation.shows_errors]
VALUES = (0.0, -0.0, 1.0, -1.5, 2.0, 1e-30, 1e-160, 1e30, 1e160, 3e38, 1.7e308, np.inf, -np.inf, np.nan)


def applied(operation: Operation, operands: list[np.ndarray]) -> np.ndarray:
    if operation.name == "cast":
        other = np.float64 if operands[0].dtype == np.float32 else np.float32
        return operands[0].astype(other)
    return callable_of(operation)(*operands)


@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("operation", SHOWING, ids=lambda operation: operation.name)
def test_errors_show(operation: Operation, code: str) -> None:
    with np.errstate(all="ignore"):
        values = np.array(VALUES).astype(code)
    for given in itertools.product(values, repeat=operation.operand_count):
        met: list[str] = []
        with np.errstate(call=lambda kind, _, met=met: met.append(kind), all="call", under="ignore"):
            result = applied(operation, [np.array([value]) for value in given])
        is_met = bool(met) or not np.isfinite(given).all()
        assert not is_met or not np.isfinite(result).any(), f"{operation.name} of {given} is {result}"


@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("operation", SHOWING, ids=lambda operation: operation.name)
def test_what_shows_errors_has_no_flags_of_its_own(operation: Operation, code: str) -> None:
    dtypes = [np.dtype(code)] * operation.operand_count
    for result in (np.dtype("f4"), np.dtype("f8")) if operation.name == "cast" else dtypes[:1]:
        calls = application(operation.name, ["x"] * len(dtypes), dtypes, result).calls
        assert not any(functions()[call].takes_status or functions()[call].takes_careful for call in calls)
