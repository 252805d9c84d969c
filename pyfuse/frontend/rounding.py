"""``np.round`` and ``array.round``."""

from __future__ import annotations

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.array_makers import copy_array
from pyfuse.frontend.known_arguments import NONE, as_array, is_none, whole_number
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant

_PROBE = np.zeros(1, int)
_GIVES_WHOLE_NUMBERS_BACK = np.round(_PROBE) is _PROBE  # NumPy 2.1 does, later ones copy


def round_array(tracer: Tracer, a: Value, decimals: Value = constant(0), out: Value = NONE) -> Value:
    """``np.round``: rint, scaled by a power of ten where decimals are asked for."""
    array = as_array(tracer, a)
    places = whole_number(tracer, decimals)
    kind = tracer.dtype(array).kind
    if not is_none(out) or kind == "c" or (kind in "iu" and places < 0) or kind == "b":
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of round is not fused", tracer.span)
    if kind in "iu":
        if array.is_scalar or (tracer.rank(array) > 0 and _GIVES_WHOLE_NUMBERS_BACK):
            return array
        copied = copy_array(tracer, array, "K")
        return copied if tracer.rank(array) else ArrayValue(node=copied.node, is_scalar=True)
    if places == 0:
        return tracer.apply_named("rint", array)
    scale = constant(float(10 ** abs(places)))
    before, after = ("multiply", "divide") if places > 0 else ("divide", "multiply")
    scaled = tracer.apply_named(before, array, scale)
    rounded = tracer.apply_named(after, tracer.apply_named("rint", scaled), scale)
    # NumPy computes this in an array made by PyArray_Empty(..., PyArray_ISFORTRAN(a)), not in order 'K'.
    laid_out = tracer.apply_raw("contiguous_either", [tracer.node_of(array)], tracer.dtype(rounded))
    node = tracer.draft.store(tracer.node_of(laid_out), tracer.node_of(rounded), tracer.origin(), is_implicit=True)
    return ArrayValue(node=node, is_scalar=rounded.is_scalar)
