"""``ufunc.reduce`` and the functions that are one: every argument, every dtype; what is refused has its reason."""

from __future__ import annotations

import numpy as np
import pytest

from pyfuse.graph.nodes import Reduce
from tests.frontend.examples import CODES, WHOLE, assert_means_for, numpy_raises, values_of
from tests.frontend.tracing import assert_means, assert_same, evaluated, function_of, refusal, trace

FOR_ALL = (
    "np.sum(x)",
    "np.sum(x, axis=0)",
    "np.sum(x, -1, keepdims=True)",
    "np.sum(t, axis=(2, 0))",
    "np.sum(t, axis=(0, 2), keepdims=True)",
    "np.sum(x, keepdims=np._NoValue)",
    "np.sum(x + x, axis=1)",
    "np.sum(x, dtype=complex)",
    "np.sum(x[:, ::-2], axis=0)",
    "x.sum()",
    "x.sum(axis=1)",
    "np.min(x)",
    "np.max(x, axis=1)",
    "np.amin(t, axis=(1, 2), keepdims=True)",
    "np.amax(x, axis=0, out=np.zeros(5, x.dtype))",
    "x.min(axis=0)",
    "x.max()",
    "np.min(x, axis=0, initial=None)",
    "np.any(x)",
    "np.all(x, axis=0)",
    "x.any(axis=1, keepdims=True)",
    "x.all()",
    "np.any(x, axis=0, where=m)",
    "np.sum(x, axis=0, where=m)",
    "np.sum(x, axis=1, where=m, initial=2)",
    "np.sum(x, where=m[:, :1], keepdims=True)",
    "np.all(x, where=m[0])",
    "np.any(x, axis=0, out=np.zeros(5, bool))",
    "np.count_nonzero(x)",
    "np.count_nonzero(x, axis=0)",
    "np.count_nonzero(x, axis=(0, 1), keepdims=True)",
    "np.argmin(x)",
    "np.argmax(x, axis=0)",
    "np.argmax(t, axis=1, keepdims=True)",
    "np.argmax(x, axis=0, out=np.zeros(5, np.int64))",
    "x.argmin(-1)",
    "np.add.reduce(x)",
    "np.add.reduce(t, (0, 1))",
    "np.logical_xor.reduce(x, axis=1)",
    "np.fmax.reduce(x)",
    "np.maximum.reduce(x, axis=None)",
    "np.multiply.outer(v, x)",
    "np.less.outer(v, v)",
)  # fmt: skip

FOR_SOME = (
    ("np.sum(x, axis=(0, 1), out=np.zeros((), x.dtype))", "b"),
    ("np.sum(x, 0, None, np.zeros(5, x.dtype))", "b"),
    ("np.divide.reduce(x, axis=1)", "c"),
    ("x.prod(1, keepdims=True)", "c"),
    ("np.prod(x, axis=0)", "c"),
    ("np.sum(x, dtype=np.float32, axis=0)", "c"),
    ("np.sum(x, dtype=np.int64)", "c"),
    ("np.sum(x, axis=0, out=np.zeros(5))", "c"),
    ("np.prod(x, where=m)", "f", "c"),
    ("np.sum(x, initial=3)",),
    ("np.sum(x, axis=0, initial=n)",),
    ("np.max(x, axis=1, initial=2)", "b"),
    ("np.max(x, axis=1, initial=2, where=m)", "b", "c"),
    ("np.min(x, initial=x.dtype.type(1), where=m)", "c"),
    ("np.ptp(x)", "b"),
    ("np.ptp(x, axis=1, keepdims=True)", "b"),
    ("np.ptp(x, axis=0, out=np.zeros(5, x.dtype))", "b"),
    ("np.subtract.reduce(x)", "b"),
    ("np.bitwise_or.reduce(x, axis=None)", "f", "c"),
    ("np.bitwise_and.reduce(x, axis=0, where=m)", "f", "c"),
    ("np.sum(t, axis=0, out=np.zeros((4, 5), t.dtype))", "b", "f", "c"),
)


@pytest.mark.parametrize("expression", FOR_ALL)
def test_a_reduction_of_every_dtype_is_numpys(expression: str) -> None:
    assert_means_for(expression)


@pytest.mark.parametrize(("expression", "refused"), [(first, rest) for first, *rest in FOR_SOME])
def test_a_reduction_is_numpys_or_refused_where_its_order_or_a_cast_is_not(expression: str, refused: list[str]) -> None:
    assert_means_for(expression, *refused)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("np.sum(x, axis=2)", "out of bounds"),
        ("np.sum(x, axis=(0, 0))", "repeated axis"),
        ("np.sum(x, axis=[0])", "list is no axis"),
        ("np.sum(x, axis=0.5)", "no whole number"),
        ("np.argmax(x, axis=(0, 1))", "one axis"),
        ("np.subtract.reduce(x, axis=(0, 1))", "one axis only"),
        ("np.bitwise_or.reduce(x)", "cannot reduce"),
        ("np.frexp.reduce(x)", "cannot reduce"),
        ("np.sum(x, where=x)", "must be boolean"),
        ("np.max(x, where=m)", "needs 'initial='"),
        ("np.add.reduce(x, 0, None, np.zeros(5), True)", "another shape"),
    ],
)
def test_what_numpy_raises_for_is_left_to_numpy(expression: str, reason: str) -> None:
    values = values_of(expression, "f8")
    if "m" in expression.replace("max", "").replace("sum", "") or "where=x" in expression:
        values["x"] = values["x"].astype("i8") if "where=x" in expression else values["x"]
    assert numpy_raises(expression, **values)
    message = refusal(expression, **values)
    assert message.startswith("numpy-raises") and reason in message


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("np.sum(x, axis=())", "along no axis"),
        ("np.sum(x.sum())", "0-d array"),
        ("np.prod(x * 1.5, where=m)", "depends on the mask"),
        ("np.sum(x, initial=None)", "identity"),
        ("np.sum(x, initial=np.float32(2))", "'initial=' of another dtype"),
        ("np.hypot.reduce(x)", "rounds"),
        ("np.fmod.reduce(x)", "way of its own"),
        ("np.prod(x + 1j)", "way of its own"),
        ("np.add.reduceat(x, [0, 1])", "'add.reduceat' is not fused"),
        ("np.add.at(x, 0, 1)", "'add.at' is not fused"),
        ("np.matmul.outer(x, x)", "not fused"),
        ("np.any(x, axis=0, out=np.zeros(5))", "reduction in bool into an array of float64"),
        ("np.sum(t, axis=0, out=np.zeros((4, 5)))", "depends on it"),
    ],
)
def test_what_a_kernel_does_not_repeat_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression, **values_of(expression, "f8"))


@pytest.mark.parametrize("code", CODES)
def test_one_specialisation_reduces_arrays_of_other_sizes(code: str) -> None:
    function = function_of("(np.sum(x, axis=0), np.mean(x), x.var(axis=1))", ["x"])
    small, large = (np.ones(shape, code) for shape in ((3, 4), (9, 7)))
    assert_same(evaluated(trace(function, small), large), function(large))


def test_a_reduction_names_the_loops_dtype_and_the_cast_is_inside_it() -> None:
    graph = assert_means("np.sum(x)", x=np.arange(6, dtype="i2")).graph
    (node,) = [node for node in graph.nodes if isinstance(node, Reduce)]
    assert (node.dtype, graph.nodes[node.operand].dtype) == (np.dtype("i8"), np.dtype("i8"))
    assert graph.nodes[node.operand].is_implicit  # type: ignore[attr-defined]


def test_elements_that_do_not_count_are_the_identity_whatever_the_dtype() -> None:
    for code in WHOLE:
        assert_means("np.bitwise_and.reduce(x, where=m)", x=np.array([7, 1, 3], code), m=np.array([True, False, True]))
        assert_means("np.bitwise_and.reduce(x, where=m)", x=np.array([7, 1, 3], code), m=np.zeros(3, bool))
