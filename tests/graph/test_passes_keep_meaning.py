"""Do the passes, and the compiled kernel, answer what NumPy answers for random graphs?"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfuse import config
from pyfuse.backend.cpu.kernel import address_of
from pyfuse.call_geometry import call_geometry
from pyfuse.compiler import Specialization, load_kernel
from pyfuse.debug import Dump
from pyfuse.frontend.build_graph import ContainerRecipe, OutputRecipe
from pyfuse.graph.nodes import (
    ALONG,
    CONCATENATED,
    INDEX,
    ONE,
    TAKE,
    Assemble,
    Gather,
    Graph,
    HostExtent,
    Reduce,
    Scan,
    Slice,
)
from pyfuse.graph.ops import OPERATIONS
from pyfuse.graph.pipeline import run_passes
from pyfuse.graph.text import graph_text
from pyfuse.host_values import HostArgument
from pyfuse.launch import all_buffers, make_launch
from tests.graph.random_graphs import RandomGraph, random_graph

REPLAY = 16  # a status bit: the kernel asks for NumPy's own answer
KERNELS = 30


def drawn_by(seed: int) -> RandomGraph:
    chance = random.Random(seed)
    return random_graph(lambda options: options[chance.randrange(len(options))], 40, is_for_kernel=True)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_passes_keep_every_output_of_a_random_graph(chance: random.Random, size: int) -> None:
    drawn = random_graph(lambda options: options[chance.randrange(len(options))], size)
    after = run_passes(drawn.graph)
    assert len([output for output in after.outputs if not output.is_discarded]) == len(drawn.graph.outputs)
    for actual, expected in zip(drawn.evaluate(after), drawn.evaluate(), strict=False):
        assert_same_bits(actual, expected)
        assert np.asarray(actual).strides == np.asarray(expected).strides


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_passes_change_nothing_when_run_again(chance: random.Random, size: int) -> None:
    once = run_passes(random_graph(lambda options: options[chance.randrange(len(options))], size).graph)
    assert graph_text(run_passes(once)) == graph_text(once)


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize("seed", range(KERNELS))
def test_a_kernel_answers_a_random_graph_bit_for_bit(seed: int) -> None:
    drawn = drawn_by(seed)
    outputs, orders, status = run_kernel(drawn)
    if status & REPLAY:
        pytest.skip("the kernel asks for NumPy's own answer")
    for actual, expected, order in zip(outputs, drawn.evaluate(), orders, strict=False):
        assert_same_bits(actual, expected)
        steps = [abs(np.asarray(expected).strides[axis]) for axis in order if np.shape(expected)[axis] > 1]
        assert steps == sorted(steps, reverse=True)


def test_random_graphs_for_kernels_hold_every_form_of_reduction_and_piece() -> None:
    nodes = [node for seed in range(2 * KERNELS) for node in run_passes(drawn_by(seed).graph).nodes]
    reductions = [node for node in nodes if isinstance(node, Reduce)]
    folded = {name for name, operation in OPERATIONS.items() if operation.folds or operation.finds_an_index}
    assert {node.operation for node in reductions} == folded
    assert {node.initial is None for node in reductions} == {True, False}
    assert {len(node.axes) for node in reductions} == {1, 2, 3}
    assert {node.operation for node in nodes if isinstance(node, Scan)} >= {"add", "multiply"}
    slices = [node for node in nodes if isinstance(node, Slice)]
    assert {node.step for node in slices} == {1, 2, 3, -1, -2}
    assert {node.siblings for node in slices} == {0, 2, 3}
    assert {(type(node.start), node.dims[node.axis] == ONE) for node in slices} == {
        (kind, is_one) for kind in (int, HostExtent) for is_one in (True, False)
    }
    joined = [node for node in nodes if isinstance(node, Assemble)]
    assert {node.step for node in joined} == {1, 2, 3}
    assert {node.layout if isinstance(node.layout, str) else "like another" for node in joined} == {
        "C", CONCATENATED, "like another"
    }  # fmt: skip
    gathers = [node for node in nodes if isinstance(node, Gather)]
    assert {node.kind for node in gathers} == {INDEX, TAKE, ALONG}
    assert {node.mode for node in gathers} == {"raise", "wrap", "clip"}
    assert {len(node.axes) for node in gathers} == {1, 2}


def run_kernel(drawn: RandomGraph) -> tuple[list[np.ndarray], tuple[tuple[int, ...], ...], int]:
    """Compile and launch the graph: outputs, their axis orders, and status bits."""
    specialization = specialization_of_graph(run_passes(drawn.graph))
    geometry = call_geometry(specialization, drawn.inputs, drawn.extents)
    settings_now = config.current()
    dump = Dump(settings_now, "random_graph", 0)
    loaded, _ = load_kernel(specialization, geometry.forms, geometry.layouts, settings_now, dump)
    launch = make_launch(specialization, loaded, geometry, thread_limit=1)
    buffers = all_buffers(launch)
    outputs = buffers[: len(launch.allocate)]
    addresses = [address_of(array) for array in (*drawn.inputs, *buffers)]
    packed = launch.pack(*addresses, *launch.scalars(drawn.scalars))
    kernel: Any = launch.kernel
    return outputs, geometry.orders, kernel.launch(launch.prepared, packed)


def specialization_of_graph(graph: Graph) -> Specialization:
    """A graph as if a function had been traced to it; its scalars are the arguments of the call."""
    count = len(graph.outputs)
    return Specialization(
        graph=graph,
        traced_text="",
        inputs=tuple(HostArgument(index=index, text=f"a{index}") for index in range(graph.input_count)),
        scalars=tuple(HostArgument(index=slot, text=f"s{slot}") for slot in range(len(graph.scalar_dtypes))),
        extents=(),
        guards=(),
        result=ContainerRecipe(kind=tuple, items=tuple(OutputRecipe(index=index) for index in range(count))),
    )


def assert_same_bits(actual: Any, expected: Any) -> None:
    """Equal dtypes, shapes and bits, except that one NaN is as good as another."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind == "c":
        assert_same_bits(actual.real, expected.real)
        assert_same_bits(actual.imag, expected.imag)
        return
    differs = np.array(actual).view(f"u{actual.itemsize}") != np.array(expected).view(f"u{actual.itemsize}")
    if expected.dtype.kind == "f":
        differs &= ~(np.isnan(actual) & np.isnan(expected))
    assert not differs.any(), f"{actual[differs][:4]} is not {expected[differs][:4]}"
