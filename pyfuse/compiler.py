"""The order of stages: function and arguments to a specialisation, specialisation and layout to a loaded kernel."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import field
from types import FunctionType
from typing import Any

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.interface import BuiltKernel, Kernel, KernelSource
from pyfuse.backend.registry import backend_named
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.frontend.build_graph import Recipe, build_graph
from pyfuse.graph.loop_plan import LoopPlan, plan_loops, plan_text
from pyfuse.graph.nodes import Graph
from pyfuse.graph.output_layouts import AxisOrder, Miniature
from pyfuse.graph.pipeline import run_passes
from pyfuse.graph.text import graph_text
from pyfuse.host_values import Guard, HostExpression
from pyfuse.prepared_function import PreparedFunction
from pyfuse.records import dataclass


@dataclass(frozen=True, kw_only=True)
class LoadedKernel:
    """A kernel for one layout, with how it came to be."""

    source: KernelSource
    built: BuiltKernel
    kernel: Kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class Specialization:
    """A function specialised to one signature and set of guarded facts; its kernels are one for each layout.

    Attributes:
        graph: after all passes.
        traced_text: the graph before them.
        plan: its loop nests.
        inputs, scalars, extents, guards, result: as in ``TracedFunction``.
        kernels: loaded so far, by the layouts of the nests.
        orders: axis orders of the outputs, by miniature inputs and extents.
        lock: held while a kernel is built, so that each is built once.
    """

    graph: Graph
    traced_text: str
    plan: LoopPlan
    inputs: tuple[HostExpression, ...]
    scalars: tuple[HostExpression, ...]
    extents: tuple[HostExpression, ...]
    guards: tuple[Guard, ...]
    result: Recipe
    kernels: dict[tuple[NestLayout, ...], LoadedKernel] = field(default_factory=dict)
    orders: dict[tuple[tuple[Miniature, ...], tuple[int, ...]], tuple[AxisOrder, ...]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def output_dtypes(self) -> tuple[np.dtype, ...]:
        """Of each kernel output."""
        return tuple(self.graph.nodes[output.node].dtype for output in self.graph.outputs)


def specialize(prepared: PreparedFunction, arguments: Sequence[Any], dump: Dump) -> Specialization:
    """Trace the function for these arguments, run the passes, plan the loops.

    Raises:
        CannotFuse: something cannot be fused for these arguments.
    """
    assert isinstance(prepared.function, FunctionType)
    assert prepared.source is not None and prepared.binder is not None
    traced = build_graph(prepared.function, prepared.source, prepared.binder.names, arguments)
    text = graph_text(traced.graph)
    dump("graph", text)
    dump("types", "".join(f"{guard.text}\n" for guard in traced.guards))
    graph = run_passes(traced.graph, lambda name, after: dump("passes", f"after {name}\n{graph_text(after)}"))
    plan = plan_loops(graph)
    dump("plan", plan_text(plan))
    return Specialization(
        graph=graph,
        traced_text=text,
        plan=plan,
        inputs=traced.inputs,
        scalars=traced.scalars,
        extents=traced.extents,
        guards=traced.guards,
        result=traced.result,
    )


def write_source(specialization: Specialization, layouts: tuple[NestLayout, ...]) -> KernelSource:
    """The text of the kernel for a layout. Raises CannotFuse for an operation without text."""
    backend = backend_named("cpu")
    return backend.write(specialization.plan, layouts, specialization.graph.input_count)


def load_kernel(
    specialization: Specialization, layouts: tuple[NestLayout, ...], config: Config, dump: Dump
) -> tuple[LoadedKernel, bool]:
    """The kernel for a layout, built and loaded once however many threads ask.

    Returns:
        The kernel, and whether this call loaded it.

    Raises:
        CannotFuse: it cannot be written, built or loaded.
    """
    with specialization.lock:
        if layouts in specialization.kernels:
            return specialization.kernels[layouts], False
        backend = backend_named("cpu")
        source = write_source(specialization, layouts)
        dump("source", source.text)
        if dump.wants("asm"):
            dump("asm", backend.assembly_of(source, config))
        built = backend.build(source, config)
        dump(
            "cache", f"{built.path.name}: {'found' if built.was_cached else f'built in {built.build_seconds:.3f} s'}\n"
        )
        kernel = backend.load(source, built, config)
        loaded = LoadedKernel(source=source, built=built, kernel=kernel)
        specialization.kernels[layouts] = loaded
        return loaded, True
