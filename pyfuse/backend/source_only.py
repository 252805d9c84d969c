"""A backend that writes kernel text and builds nothing: text can be read and tested where no compiler is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu import codegen
from pyfuse.backend.interface import BuiltKernel, KernelSource
from pyfuse.config import Config
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.loop_plan import LoopPlan

name = "source_only"


def write(plan: LoopPlan, layouts: Sequence[NestLayout]) -> KernelSource:
    """The C text of a kernel, as the CPU backend writes it. Raises CannotFuse for an operation without C text."""
    return codegen.write(plan, layouts)


def build(source: KernelSource, config: Config) -> NoReturn:  # noqa: ARG001  as in the other backends
    """Refuse: nothing is built here.

    Raises:
        CannotFuse: always.
    """
    raise refuse(
        Code.NO_COMPILER,
        f"the backend '{name}' writes kernel text and builds nothing",
        hints=("the backend 'cpu' builds it",),
    )


def noted(plan: LoopPlan, layouts: Sequence[NestLayout], config: Config) -> None:
    """Nothing is built here."""


def note(
    plan: LoopPlan, layouts: Sequence[NestLayout], source: KernelSource, built: BuiltKernel, config: Config
) -> None:
    """Nothing is built here."""


def load(source: KernelSource, built: BuiltKernel, config: Config) -> NoReturn:  # noqa: ARG001  as in the other backends
    """Refuse: nothing was built here.

    Raises:
        CannotFuse: always.
    """
    raise refuse(Code.LOAD_FAILED, f"the backend '{name}' loads no kernels", hints=("the backend 'cpu' loads them",))


def assembly_of(source: KernelSource, config: Config) -> str:  # noqa: ARG001  as in the other backends
    """Why there is no assembly."""
    return f"; no assembly: the backend '{name}' writes kernel text and builds nothing\n"
