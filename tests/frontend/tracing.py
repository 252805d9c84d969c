"""Trace a function and run its graph with NumPy: what a call means, without a kernel."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import (
    ContainerRecipe,
    HostRecipe,
    NumberRecipe,
    OutputRecipe,
    Recipe,
    TracedFunction,
    ViewRecipe,
    build_graph,
)
from pyfuse.graph.evaluate import evaluate
from pyfuse.graph.nodes import Output
from pyfuse.graph.pipeline import run_passes
from pyfuse.graph.verify import verify
from pyfuse.prepared_function import prepare
from tests.parity.text import function_from


def function_of(expression: str, names: Sequence[str]) -> Callable[..., Any]:
    """A function of the named parameters that returns an expression of them and of NumPy, ``np``."""
    return function_from(f"def traced({', '.join(names)}):\n    return {expression}\n")


def trace(function: Callable[..., Any], *arguments: Any) -> TracedFunction:
    """A plain function traced for a call with positional arguments. Raises CannotFuse as the compiler does."""
    prepared = prepare(function)
    assert prepared.source is not None, prepared.refusal
    names = [argument.arg for argument in prepared.source.node.args.args]
    return build_graph(function, prepared.source, names, arguments)  # type: ignore[arg-type]


def evaluated(traced: TracedFunction, *arguments: Any) -> Any:
    """What the traced function gives for a call, which may have other sizes than the one it was traced for."""
    assert all(guard.holds(arguments) for guard in traced.guards), [guard.text for guard in traced.guards]
    graph = run_passes(traced.graph)
    verify(graph)
    inputs = [expression.evaluate(arguments) for expression in traced.inputs]
    scalars = [expression.evaluate(arguments) for expression in traced.scalars]
    extents = [int(expression.evaluate(arguments)) for expression in traced.extents]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = evaluate(graph, inputs, scalars, extents)
    outputs = [
        (value[()] if isinstance(value, np.ndarray) else value) if output.is_scalar else np.asarray(value)
        for value, output in zip(outputs, graph.outputs, strict=True)
    ]
    return _made(traced.result, outputs, arguments)


def would_replay(traced: TracedFunction, *arguments: Any) -> bool:
    """Whether a kernel would ask for the original because of an element, beyond floating-point flags."""
    conditions = [node.operands[0] for node in traced.graph.nodes if getattr(node, "operation", "") == "replay_if"]
    outputs = tuple(Output(node=condition) for condition in conditions)
    inputs = [expression.evaluate(arguments) for expression in traced.inputs]
    scalars = [expression.evaluate(arguments) for expression in traced.scalars]
    with np.errstate(all="ignore"):
        return any(np.any(value) for value in evaluate(replace(traced.graph, outputs=outputs), inputs, scalars))


def _made(recipe: Recipe, outputs: Sequence[Any], arguments: Sequence[Any]) -> Any:
    match recipe:
        case OutputRecipe(index=index):
            return outputs[index]
        case NumberRecipe(index=index):
            return outputs[index].item()
        case HostRecipe(expression=expression):
            return expression.evaluate(arguments)
        case ContainerRecipe(kind=kind, items=items):
            return kind(_made(item, outputs, arguments) for item in items)
        case ViewRecipe(base=base, axes=axes, part=part):
            array = np.asarray(_made(base, outputs, arguments))
            if part:
                return getattr(array, part)
            kept = [axis for axis in axes if axis is not None]
            dropped = tuple(axis for axis in range(array.ndim) if axis not in kept)
            rank = {axis: position for position, axis in enumerate(sorted(kept))}
            moved = np.squeeze(array, dropped).transpose([rank[axis] for axis in kept])
            return moved[tuple(np.newaxis if axis is None else slice(None) for axis in axes)]
        case _:
            raise AssertionError(recipe)


def assert_same(actual: Any, expected: Any) -> None:
    """Raise AssertionError unless two results have the same types, dtypes, shapes, memory orders and bits."""
    assert type(actual) is type(expected), (type(actual), type(expected))
    if isinstance(expected, tuple | list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
        return
    if not isinstance(expected, np.ndarray | np.generic):
        assert actual == expected
        return
    assert actual.dtype == expected.dtype, (actual.dtype, expected.dtype)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    assert _bits(actual) == _bits(expected), (actual, expected)
    assert _order(actual) == _order(expected), (actual.strides, expected.strides)


def _bits(value: Any) -> bytes:
    array = np.array(value, order="C")
    if array.dtype.kind in "fc":
        parts = array.reshape(-1).view(np.dtype(f"f{array.real.dtype.itemsize}"))
        parts[np.isnan(parts)] = np.nan
    return array.tobytes()


def _order(value: Any) -> list[int]:
    return [
        axis for axis in np.argsort([-abs(stride) for stride in value.strides], kind="stable") if value.shape[axis] > 1
    ]


def assert_means(expression: str, **values: Any) -> TracedFunction:
    """An expression over the values is traced, and its graph gives what NumPy gives. Warnings are not looked at."""
    function = function_of(expression, list(values))
    copies = [value.copy(order="K") if isinstance(value, np.ndarray) else value for value in values.values()]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = function(*copies)
    traced = trace(function, *values.values())
    assert_same(evaluated(traced, *values.values()), expected)
    return traced


def refusal(expression: str, **values: Any) -> str:
    """The code and message with which an expression over the values is refused."""
    try:
        trace(function_of(expression, list(values)), *values.values())
    except CannotFuse as error:
        return f"{error.diagnostic.code}: {error.diagnostic.message}"
    raise AssertionError(f"{expression} is traced")
