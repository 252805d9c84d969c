"""The order of stages: function and arguments to a specialisation, specialisation and layout to a loaded kernel."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.interface import BuiltKernel, Kernel, KernelSource
from pyfuse.backend.registry import backend_named
from pyfuse.background import Build, builders
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.diagnostics import Code, Diagnostic, refuse
from pyfuse.errors import CannotFuse
from pyfuse.fallback import mistakes_as_reasons
from pyfuse.frontend.build_graph import HostRecipe, Recipe, StoreRecipe, build_graph
from pyfuse.graph.loop_plan import LoopPlan
from pyfuse.graph.nodes import Graph, is_bfloat16
from pyfuse.graph.output_layouts import AxisOrder, Miniature
from pyfuse.graph.pipeline import run_passes
from pyfuse.graph.plan_loops import plan_loops
from pyfuse.graph.plan_text import plan_text
from pyfuse.graph.reduction_forms import ReductionForm, reductions_of
from pyfuse.graph.text import graph_text
from pyfuse.host_values import Guard, HostArgument, HostConstant, HostExpression
from pyfuse.prepared_function import PreparedFunction
from pyfuse.records import dataclass

Forms = tuple[ReductionForm, ...]
KernelKey = tuple[Forms, tuple[NestLayout, ...]]


@dataclass(frozen=True, kw_only=True)
class LoadedKernel:
    """A kernel for one layout, with how it came to be: nothing of one that needs no compiler."""

    source: KernelSource | None
    built: BuiltKernel | None
    kernel: Kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class Specialization:
    """A function specialised to one signature and set of guarded facts; its kernels are one for each layout.

    Attributes:
        graph: after all passes.
        traced_text: the graph before them.
        plans: its loop nests, by the forms of its reductions.
        inputs, scalars, extents, guards, result, stores, reads_extents: as in ``TracedFunction``.
        kernels: loaded so far, by the forms of the reductions and the layouts of the nests.
        builds: begun in the background and not yet asked for.
        failures: why there is no kernel, where that was found.
        tiled: kernels that need no compiler, or None where there is none.
        orders: axis orders of nodes, by miniature inputs and extents.
        lock: held while a kernel is built, so that each is built once.
    """

    graph: Graph
    traced_text: str
    inputs: tuple[HostExpression, ...]
    scalars: tuple[HostExpression, ...]
    extents: tuple[HostExpression, ...]
    guards: tuple[Guard, ...]
    result: Recipe
    stores: tuple[StoreRecipe, ...] = ()
    reads_extents: bool = False
    plans: dict[Forms, LoopPlan] = field(default_factory=dict)
    kernels: dict[KernelKey, LoadedKernel] = field(default_factory=dict)
    builds: dict[KernelKey, Build[LoadedKernel]] = field(default_factory=dict)
    failures: dict[KernelKey, Diagnostic] = field(default_factory=dict)
    tiled: dict[KernelKey, Kernel | None] = field(default_factory=dict)
    orders: dict[tuple[tuple[Miniature, ...], tuple[int, ...]], dict[int, AxisOrder]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def output_dtypes(self) -> tuple[np.dtype, ...]:
        """Of each kernel output."""
        return tuple(self.graph.nodes[output.node].dtype for output in self.graph.outputs)

    @property
    def targets(self) -> tuple[int, ...] | None:
        """The arguments that the outputs go into, in their order, where that is all that becomes of them."""
        stores, result = self.stores, self.result
        if (
            not stores
            or not isinstance(result, HostRecipe)
            or not isinstance(result.expression, HostArgument | HostConstant)
        ):
            return None
        if [store.index for store in stores] != list(range(len(self.graph.outputs))):
            return None
        if not all(isinstance(array, HostArgument) for store in stores for array in store.apart):
            return None
        targets = tuple(store.target.index for store in stores if isinstance(store.target, HostArgument))
        return targets if len(set(targets)) == len(stores) else None

    @property
    def overwrites(self) -> bool:
        """Whether outputs go into whole arguments, of which the kernel reads some."""
        read = {expression.index for expression in self.inputs if isinstance(expression, HostArgument)}
        return self.targets is not None and not read.isdisjoint(self.targets)


class StillBuilding(CannotFuse):
    """The kernel is being built in the background, so the original runs.

    Attributes:
        build: what is going on.
    """

    def __init__(self, build: Build[LoadedKernel]) -> None:
        super().__init__(_STILL_BUILDING)
        self.build = build


_STILL_BUILDING = Diagnostic(
    code=Code.BUILDING,
    message="the kernel is being built; the original runs meanwhile",
    hints=("fuse(wait=True), PYFUSE_WAIT=1 or f.compile(...) wait for it",),
)


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
    specialization = Specialization(
        graph=graph,
        traced_text=text,
        inputs=traced.inputs,
        scalars=traced.scalars,
        extents=traced.extents,
        guards=traced.guards,
        result=traced.result,
        stores=traced.stores,
        reads_extents=traced.reads_extents,
    )
    if not reductions_of(graph):  # plans of reductions depend on the call's arrays: see load_kernel
        dump("plan", plan_text(plan_for(specialization, ())))
    return specialization


def specialize_for_cpu(prepared: PreparedFunction, arguments: Sequence[Any], dump: Dump) -> Specialization:
    """As ``specialize``. Raises CannotFuse for a dtype that only kernels of a device hold, too."""
    found = specialize(prepared, arguments, dump)
    if any(is_bfloat16(node.dtype) for node in found.graph.nodes):
        raise refuse(Code.UNSUPPORTED_DTYPE, "bfloat16 is fused on a device only, and stays with NumPy here")
    return found


def plan_for(specialization: Specialization, forms: Forms) -> LoopPlan:
    """The loop plan for reductions of these forms, made once."""
    if forms not in specialization.plans:
        plan = plan_loops(specialization.graph, forms)
        specialization.plans[forms] = replace(plan, overwrites=specialization.overwrites)
    return specialization.plans[forms]


def write_source(specialization: Specialization, forms: Forms, layouts: tuple[NestLayout, ...]) -> KernelSource:
    """The text of the kernel for a plan and layout. Raises CannotFuse for an operation without text."""
    return backend_named("cpu").write(plan_for(specialization, forms), layouts)


def load_kernel(
    specialization: Specialization,
    forms: Forms,
    layouts: tuple[NestLayout, ...],
    config: Config,
    dump: Dump,
    *,
    waits: bool = True,
) -> tuple[LoadedKernel, bool]:
    """The kernel for a plan and layout, built and loaded once however many threads ask.

    Args:
        specialization: whose kernel.
        forms, layouts: which.
        config: the settings.
        dump: where the texts go.
        waits: whether to wait for a compiler; if not, and one is needed, it is begun in the background.

    Returns:
        The kernel, and whether it is new to the caller.

    Raises:
        CannotFuse: it cannot be written, built or loaded.
        StillBuilding: it is being built.
    """
    key = (forms, layouts)
    with specialization.lock:
        if key in specialization.kernels:
            return specialization.kernels[key], False
        if key in specialization.failures:
            raise CannotFuse(specialization.failures[key])
        build = specialization.builds.get(key)
        if build is None or build.is_lost():
            plan = plan_for(specialization, forms)
            if forms:
                dump("plan", plan_text(plan))
            loaded = _noted(plan, layouts, config, dump)
            if loaded is None and waits:
                with _failures_noted(specialization, key):
                    loaded = _built(plan, layouts, config, dump)
            if loaded is not None:
                specialization.kernels[key] = loaded
                return loaded, True
            build = specialization.builds[key] = builders.start(partial(_built_safely, plan, layouts, config, dump))
        if build.is_pending() and not waits:
            raise StillBuilding(build)
        build.wait()
        del specialization.builds[key]
        with _failures_noted(specialization, key):
            loaded = specialization.kernels[key] = build.result()
        return loaded, True


@contextmanager
def _failures_noted(specialization: Specialization, key: KernelKey) -> Iterator[None]:
    """Keep why a text cannot be built or loaded, so that no other call tries again; a compiler may still be found."""
    try:
        yield
    except CannotFuse as failure:
        if failure.diagnostic.code in (Code.COMPILER_FAILED, Code.LOAD_FAILED):
            specialization.failures[key] = failure.diagnostic
        raise


def _noted(plan: LoopPlan, layouts: tuple[NestLayout, ...], config: Config, dump: Dump) -> LoadedKernel | None:
    """A kernel that an earlier process has built; None where nobody knows of one, or its text is to be shown."""
    found = None if dump.wants("source") or dump.wants("asm") else backend_named("cpu").noted(plan, layouts, config)
    if found is None:
        return None
    built, kernel = found
    dump("cache", f"{built.path.name}: found\n")
    return LoadedKernel(source=None, built=built, kernel=kernel)


def _built_safely(plan: LoopPlan, layouts: tuple[NestLayout, ...], config: Config, dump: Dump) -> LoadedKernel:
    with mistakes_as_reasons():
        return _built(plan, layouts, config, dump)


def _built(plan: LoopPlan, layouts: tuple[NestLayout, ...], config: Config, dump: Dump) -> LoadedKernel:
    backend = backend_named("cpu")
    source = backend.write(plan, layouts)
    dump("source", source.text)
    if dump.wants("asm"):
        dump("asm", backend.assembly_of(source, config))
    built = backend.build(source, config)
    dump("cache", f"{built.path.name}: {'found' if built.was_cached else f'built in {built.build_seconds:.3f} s'}\n")
    loaded = LoadedKernel(source=source, built=built, kernel=backend.load(source, built, config))
    backend.note(plan, layouts, source, built, config)
    return loaded
