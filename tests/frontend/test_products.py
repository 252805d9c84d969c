"""Sums of products and norms: whole numbers exactly, floating ones where NumPy's own order is known."""

from __future__ import annotations

import pytest

from tests.frontend.examples import FLOATING, assert_means_for, values_of
from tests.frontend.tracing import refusal

WHOLE_ONLY = (
    "np.dot(v, v)",
    "v @ v",
    "v.dot(v)",
    "np.inner(v, v)",
    "np.vdot(v, v)",
    "np.dot(x, v[:5])",
    "v[:4] @ x",
    "np.inner(x, v[:5])",
    "np.inner(v[:5], x)",
    "np.matmul(v, v)",
    "np.einsum('i,i->', v, v)",
    "np.einsum('i,i', v, v)",
    "np.einsum('ij->i', x)",
    "np.einsum('ij,ij->j', x, y)",
    "np.einsum('ij, j', x, v[:5])",
    "np.einsum('i,i->i', v, v)",
)
FOR_ALL = (
    "np.trace(x)",
    "np.trace(x, offset=1)",
    "x.trace()",
    "np.trace(t, axis1=0, axis2=2)",
    "np.linalg.trace(x)",
    "np.linalg.norm(v, axis=0)",
    "np.linalg.norm(x, axis=1)",
    "np.linalg.norm(x, axis=0, keepdims=True)",
    "np.linalg.norm(x, 1, axis=1)",
    "np.linalg.norm(x, np.inf, axis=1)",
    "np.linalg.norm(x, -np.inf, axis=1)",
    "np.linalg.norm(v, 1)",
    "np.linalg.norm(x, 0, axis=1)",
    "np.linalg.norm(x, axis=(0, 1))",
    "np.linalg.norm(x, 1)",
    "np.linalg.norm(x, np.inf)",
    "np.linalg.norm(x, -1, keepdims=True)",
    "np.linalg.norm(t, -np.inf, axis=(2, 0))",
    "np.linalg.norm(t, 1, axis=(0, 1), keepdims=True)",
    "np.linalg.norm(x, 0.5, axis=0)",
    "np.linalg.norm(x, 3, axis=1)",
    "np.linalg.vector_norm(x, axis=0)",
)


@pytest.mark.parametrize("expression", WHOLE_ONLY)
def test_a_sum_of_products_of_whole_numbers_is_numpys(expression: str) -> None:
    assert_means_for(expression, "f", "c")


@pytest.mark.parametrize("expression", FOR_ALL)
def test_a_norm_of_every_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("v @ v", "BLAS"),
        ("np.einsum('i,i', v, v)", "BLAS"),
        ("np.linalg.norm(v)", "BLAS product"),
        ("np.linalg.norm(x, 'fro')", "BLAS product"),
        ("np.linalg.norm(x, 2)", "singular values"),
        ("np.linalg.norm(x, 'nuc', axis=(0, 1))", "singular values"),
        ("np.linalg.norm(v, 'fro', axis=0)", "no norm of vectors"),
        ("np.linalg.norm(t, 1)", "one or two axes"),
        ("np.trace(x + x)", "not fused yet"),
    ],
)
def test_what_is_not_repeated_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, FLOATING[-1]))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("np.matmul(x, y.T)", "these ranks"),
        ("np.dot(v, 2)", "these ranks"),
        ("v @ v[:1]", "do not match"),
        ("np.einsum('ij->ji', x)", "at most one axis"),
        ("np.einsum('i->i', v)", "view"),
        ("np.einsum('...i->i', x)", "not fused"),
    ],
)
def test_products_of_whole_numbers_that_are_not_fused_say_why(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, "i4"))
