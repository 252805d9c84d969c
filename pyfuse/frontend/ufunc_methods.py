"""Methods of ufuncs: ``np.add.reduce``, ``np.multiply.accumulate``, ``np.subtract.outer``."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinFunctionType

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.reductions import ufunc_outer, ufunc_reduce
from pyfuse.frontend.scans import ufunc_accumulate
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import Value
from pyfuse.graph.ops import NOT_FUSED_UFUNCS, by_callable

Handler = Callable[..., Value]

_METHODS: dict[str, Callable[[str], Handler]] = {
    "reduce": ufunc_reduce,
    "accumulate": ufunc_accumulate,
    "outer": ufunc_outer,
}


def handler_of(function: object) -> Handler | None:
    """The handler ``(tracer, *arguments, **keywords)`` of a method of a ufunc, or None if it is none."""
    owner = getattr(function, "__self__", None)
    if not isinstance(function, BuiltinFunctionType) or not isinstance(owner, np.ufunc):
        return None
    operation, made = by_callable(owner), _METHODS.get(function.__name__)
    if operation is None or made is None:
        return _refusing(owner.__name__, function.__name__)
    return made(operation.name)


def _refusing(ufunc: str, method: str) -> Handler:
    def handler(tracer: Tracer, *_: Value, **__: Value) -> Value:
        reason = f": {NOT_FUSED_UFUNCS[ufunc]}" if ufunc in NOT_FUSED_UFUNCS else ""
        raise refuse(Code.UNKNOWN_CALL, f"'{ufunc}.{method}' is not fused{reason}", tracer.span)

    return handler
