"""``PYFUSE_VERIFY``: is a fused result the original's?"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyfuse.errors import VerificationError
from pyfuse.host_values import freeze
from pyfuse.launch import Launch

_ROUNDING = 1e4  # units of the dtype's epsilon: what a transcendental function's own rounding may grow to
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def is_verifiable(launch: Launch | None) -> bool:
    """Whether the original may compute a call again: not on a device's arrays, nor where it would store twice."""
    return launch is not None and not launch.specialization.stores


def verify(result: Any, expected: Any) -> None:
    """Compare a fused result with the original's.

    Raises:
        VerificationError: they differ in structure, type, dtype, shape, memory order, or by more than rounding.
    """
    if type(result) is not type(expected):
        raise VerificationError(
            f"the fused result is a {type(result).__name__}, the original's a {type(expected).__name__}"
        )
    if isinstance(expected, tuple | list | dict):
        _verify_items(result, expected)
    elif isinstance(expected, np.ndarray | np.generic):
        _verify_numbers(result, expected)
    elif isinstance(expected, _PLAIN) and freeze(result) != freeze(expected):
        raise VerificationError(f"the fused result is {result!r}, the original's {expected!r}")


def _verify_items(result: Any, expected: Any) -> None:
    keys = list(expected) if isinstance(expected, dict) else range(len(expected))
    if len(result) != len(expected) or (isinstance(expected, dict) and list(result) != keys):
        raise VerificationError(f"the fused result holds {len(result)} items, the original's {len(expected)}")
    for key in keys:
        verify(result[key], expected[key])


def _verify_numbers(result: Any, expected: Any) -> None:
    if result.dtype != expected.dtype or result.shape != expected.shape:
        raise VerificationError(
            f"the fused result is {result.dtype}{result.shape}, the original's {expected.dtype}{expected.shape}"
        )
    if _walk(result) != _walk(expected):
        raise VerificationError("the fused result lies in memory in another order than the original's")
    if not _are_close(result, expected):
        raise VerificationError("the fused result differs from the original's by more than rounding")


def _walk(array: Any) -> tuple[int, ...]:
    """The strides that matter: an axis of one element may have any."""
    if array.size == 0:
        return ()
    return tuple(stride for stride, extent in zip(array.strides, array.shape, strict=True) if extent != 1)


def _are_close(result: Any, expected: Any) -> bool:
    if expected.dtype.kind not in "fc":
        return bool(np.array_equal(result, expected))
    tolerance = _ROUNDING * float(np.finfo(expected.dtype).eps)
    with np.errstate(all="ignore"):
        return bool(np.allclose(result, expected, rtol=tolerance, atol=0, equal_nan=True))
