"""NumPy functions inside a fused function, beyond ufuncs: which handler says what a call means on values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyfuse.frontend import array_facts, array_makers, axis_calls, choosing
from pyfuse.frontend.rounding import round_array
from pyfuse.frontend.values import Value

Handler = Callable[..., Value]


def handler_of(function: object) -> Handler | None:
    """The handler ``(tracer, *arguments, **keywords)`` of a NumPy function, or None."""
    try:
        return _HANDLERS.get(function)
    except TypeError:  # unhashable callable
        return None


_HANDLERS: dict[Any, Handler] = {
    np.where: choosing.where,
    np.clip: choosing.clip,
    np.select: choosing.select,
    np.piecewise: choosing.piecewise,
    np.nan_to_num: choosing.nan_to_num,
    np.round: round_array,
    np.around: round_array,
    np.full: array_makers.full,
    np.full_like: array_makers.full_like,
    np.zeros: array_makers.filled(0),
    np.ones: array_makers.filled(1),
    np.zeros_like: array_makers.filled_like(0),
    np.ones_like: array_makers.filled_like(1),
    np.copy: array_makers.copy_of,
    np.array: array_makers.array_of,
    np.asarray: array_makers.asarray,
    np.asanyarray: array_makers.asarray,
    np.transpose: axis_calls.transpose,
    np.permute_dims: axis_calls.transpose,
    np.expand_dims: axis_calls.expand_dims,
    np.moveaxis: axis_calls.moveaxis,
    np.swapaxes: axis_calls.swapaxes,
    np.shape: array_facts.shape,
    np.ndim: array_facts.ndim,
    np.size: array_facts.size,
    np.result_type: array_facts.result_type_of,
    np.iscomplexobj: array_facts.kind_test(lambda kind: kind == "c"),
    np.isrealobj: array_facts.kind_test(lambda kind: kind != "c"),
    np.isscalar: array_facts.isscalar,
    np.real: array_facts.real_of,
    np.imag: array_facts.imag_of,
}
