"""Sums of products of whole numbers and booleans, exact in any order; those of floating numbers stay NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.frontend.input_views import view_function
from pyfuse.frontend.known_arguments import NONE, as_array, static
from pyfuse.frontend.reducing import reduce_ufunc
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, Value, constant
from pyfuse.graph.infer import result_type
from pyfuse.graph.nodes import ONE

Handler = Callable[..., Value]

# Of a function that takes two arrays: their axes by letter, and the result's, by the arrays' ranks.
_MATRIX_FORMS = {(1, 1): "i,i->", (2, 1): "ij,j->i", (1, 2): "i,ij->j"}
_INNER_FORMS = {(1, 1): "i,i->", (2, 1): "ij,j->i", (1, 2): "j,ij->i"}
_VECTOR_FORMS = {(1, 1): "i,i->"}


def product(name: str) -> Handler:
    """The handler of ``np.dot``, ``np.matmul`` and ``@``, ``np.inner`` or ``np.vdot``.

    Source: numpy/_core/src/multiarray/arraytypes.c.src (``@name@_dot``), numpy/_core/src/umath/matmul.c.src.
    """
    forms = {"inner": _INNER_FORMS, "vdot": _VECTOR_FORMS}.get(name, _MATRIX_FORMS)

    def handler(tracer: Tracer, a: Value, b: Value) -> Value:
        arrays = [as_array(tracer, value) for value in (a, b)]
        form = forms.get((tracer.rank(arrays[0]), tracer.rank(arrays[1])))
        _refuse_inexact(tracer, name, arrays)
        if form is None:
            raise refuse(Code.UNSUPPORTED_OPERATION, f"'{name}' of arrays of these ranks is not fused", tracer.span)
        inputs, _, output = form.partition("->")
        return _sum_of_products(tracer, arrays, inputs.split(","), output, is_strict=True)

    return handler


def einsum(tracer: Tracer, subscripts: Value, *operands: Value) -> Value:
    """``np.einsum`` of whole numbers or booleans, to a number or a row.

    Source: NumPy's reference of ``numpy.einsum``; numpy/_core/src/multiarray/einsum.cpp.
    """
    text = static(tracer, subscripts)
    arrays = [as_array(tracer, operand) for operand in operands]
    if not isinstance(text, str) or "." in text:
        raise refuse(Code.UNSUPPORTED_OPERATION, "this form of einsum is not fused", tracer.span)
    _refuse_inexact(tracer, "einsum", arrays)
    inputs, arrow, output = text.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow:
        output = "".join(letter for letter in sorted(set(inputs) - {","}) if inputs.count(letter) == 1)
    fits = len(terms) == len(arrays) and all(
        len(term) == tracer.rank(array) and len(set(term)) == len(term)
        for term, array in zip(terms, arrays, strict=True)
    )
    if not fits or not set(output) <= set(inputs) - {","} or len(output) > 1:
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            "einsum is fused for results of at most one axis, and operands without a repeated letter",
            tracer.span,
        )
    if len(arrays) == 1 and len(output) == len(terms[0]):
        raise refuse(Code.UNSUPPORTED_OPERATION, "einsum that gives a view of its operand is not fused", tracer.span)
    return _sum_of_products(tracer, arrays, terms, output, is_strict=False)


def trace(
    tracer: Tracer, a: Value, offset: Value = constant(0), axis1: Value = constant(0), axis2: Value = constant(1),
    dtype: Value = NONE, out: Value = NONE,
) -> Value:  # fmt: skip
    """``np.trace`` and ``array.trace`` of an array that the call gives: the sum of its diagonal.

    Source: numpy/_core/src/multiarray/calculation.c, ``PyArray_Trace``.
    """
    diagonal = view_function(np.diagonal)(tracer, as_array(tracer, a), offset, axis1, axis2)
    return reduce_ufunc(tracer, "add", diagonal, constant(-1), dtype, out)


def linalg_trace(tracer: Tracer, x: Value, /, *, offset: Value = constant(0), dtype: Value = NONE) -> Value:
    """``np.linalg.trace``: of the last two axes."""
    return trace(tracer, x, offset, constant(-2), constant(-1), dtype)


def _refuse_inexact(tracer: Tracer, name: str, arrays: Sequence[ArrayValue]) -> None:
    if any(tracer.dtype(array).kind in "fc" for array in arrays):
        raise refuse(
            Code.UNSUPPORTED_OPERATION,
            f"'{name}' of floating numbers is not fused: vector and matrix products stay with NumPy's BLAS",
            tracer.span,
            hints=("np.sum(a * b) is fused",),
        )


def _sum_of_products(
    tracer: Tracer, arrays: Sequence[ArrayValue], terms: Sequence[str], output: str, *, is_strict: bool
) -> ArrayValue:
    """Products of elements by letters, summed over those that the output has not, in the operands' common dtype."""
    dtype = result_type([tracer.dtype(array) for array in arrays])
    if dtype.kind not in "biu":
        raise refuse(Code.UNSUPPORTED_OPERATION, "this product is computed in floating numbers", tracer.span)
    if is_strict:
        _check_extents(tracer, arrays, terms)
    letters = output + "".join(sorted(set("".join(terms)) - set(output)))
    spread = [_spread(tracer, array, term, letters, dtype) for array, term in zip(arrays, terms, strict=True)]
    multiply, add = ("logical_and", "logical_or") if dtype.kind == "b" else ("multiply", "add")
    total = reduce(lambda first, second: tracer.apply_named(multiply, first, second), spread)
    summed = tuple(constant(axis) for axis in range(len(output), len(letters)))
    if not summed:
        return total
    return reduce_ufunc(tracer, add, total, summed, constant(dtype))


def _spread(tracer: Tracer, array: ArrayValue, term: str, letters: str, dtype: np.dtype) -> ArrayValue:
    view = tracer.view(array, tuple(term.index(letter) if letter in term else None for letter in letters))
    return ArrayValue(node=tracer.draft.cast(tracer.node_of(view), dtype, tracer.origin(), is_implicit=True))


def _check_extents(tracer: Tracer, arrays: Sequence[ArrayValue], terms: Sequence[str]) -> None:
    """Nothing is broadcast: an extent of one meets extents of one only."""
    is_single: dict[str, bool] = {}
    for array, term in zip(arrays, terms, strict=True):
        for letter, dim in zip(term, tracer.draft.dims(tracer.node_of(array)), strict=True):
            if is_single.setdefault(letter, dim == ONE) != (dim == ONE):
                raise refuse(Code.NUMPY_RAISES, "the shapes do not match: NumPy raises its own error", tracer.span)
