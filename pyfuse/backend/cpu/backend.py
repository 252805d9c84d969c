"""The CPU backend's three jobs: write C, build it with the system compiler, load it through cffi."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyfuse.array_layout import NestLayout
from pyfuse.backend.artifact_store import ArtifactStore, open_store
from pyfuse.backend.cpu import codegen
from pyfuse.backend.cpu.toolchain import Toolchain, ToolchainError, assembly, find_toolchain, remembered_toolchain
from pyfuse.backend.interface import BuiltKernel, KernelSource
from pyfuse.config import Config
from pyfuse.errors import CannotFuse
from pyfuse.graph.loop_plan import LoopPlan
from pyfuse.graph.plan_text import plan_text

if TYPE_CHECKING:
    from pyfuse.backend.cpu.kernel import CpuKernel

name = "cpu"

_toolchains: dict[tuple[str | Path | None, ...], Toolchain | CannotFuse] = {}  # what was found, or why nothing was
_lock = threading.Lock()


def write(plan: LoopPlan, layouts: Sequence[NestLayout]) -> KernelSource:
    """The C text of a kernel. Raises CannotFuse for an operation without C text."""
    return codegen.write(plan, layouts)


def build(source: KernelSource, config: Config) -> BuiltKernel:
    """Compile the text, or find it compiled. Raises CannotFuse: no compiler, it failed, or the disk refused."""
    from pyfuse.backend.cpu.kernel import build_runtime_meanwhile, built_library

    toolchain, store = prepare_toolchain(config)
    build_runtime_meanwhile(toolchain, store)
    started = time.perf_counter()
    path, was_cached = built_library(toolchain, store, source.text)
    seconds = 0.0 if was_cached else time.perf_counter() - started
    return BuiltKernel(path=path, was_cached=was_cached, build_seconds=seconds)


def may_be_built(plan: LoopPlan, layouts: Sequence[NestLayout], config: Config) -> bool:
    """Whether a kernel for a plan was built into the store once, by a file that says no more than that.

    Which text a plan has now is another question, which ``is_built`` answers: writing it takes 2 ms and more.

    Raises:
        CannotFuse: no compiler works, as was found before.
    """
    store = open_store(config)
    with _lock:
        found = _toolchains.get(_toolchain_key(config, store))
    if isinstance(found, CannotFuse):
        raise CannotFuse(found.diagnostic)
    return store.path(_plan_key(plan, layouts)).exists()


def note_built(plan: LoopPlan, layouts: Sequence[NestLayout], config: Config) -> None:
    """Leave such a file."""
    store, key = open_store(config), _plan_key(plan, layouts)
    if not store.path(key).exists():
        store.put(key, b"")


def _plan_key(plan: LoopPlan, layouts: Sequence[NestLayout]) -> str:
    return "plan-" + hashlib.sha256(f"{plan_text(plan)}{layouts!r}".encode()).hexdigest()


def is_built(source: KernelSource, config: Config) -> bool:
    """Whether ``build`` and ``load`` need no compiler: a few milliseconds, if that.

    Raises:
        CannotFuse: no compiler works, as was found before.
    """
    from pyfuse.backend.cpu.kernel import is_built_library, is_runtime_built

    store = open_store(config)
    with _lock:
        found = _toolchains.get(_toolchain_key(config, store))
    if isinstance(found, CannotFuse):
        raise CannotFuse(found.diagnostic)
    toolchain = found or remembered_toolchain(config, store)
    return (
        toolchain is not None and is_built_library(toolchain, store, source.text) and is_runtime_built(toolchain, store)
    )


def load(source: KernelSource, built: BuiltKernel, config: Config) -> CpuKernel:
    """Load a built kernel and, once in a process, the runtime. Raises CannotFuse when the system refuses."""
    from pyfuse.backend.cpu.kernel import CpuKernel, load_runtime, loaded_library, open_library

    toolchain, store = prepare_toolchain(config)
    runtime = load_runtime(toolchain, store)
    try:
        library = open_library(built.path)
    except CannotFuse:  # it was built for another system library, or removed meanwhile
        if not built.was_cached:
            raise
        library = loaded_library(toolchain, store, source.text)
    return CpuKernel(library, source.nest_count, runtime)


def assembly_of(source: KernelSource, config: Config) -> str:
    """The kernel's assembly, for ``PYFUSE_DEBUG=asm``, or why there is none. Raises CannotFuse: no compiler works."""
    toolchain = prepare_toolchain(config)[0]
    try:
        return assembly(toolchain, source.text)
    except ToolchainError as error:
        return f"; no assembly: {error}\n"


def prepare_toolchain(config: Config) -> tuple[Toolchain, ArtifactStore]:
    """The compiler and the store that the settings mean; looked for once in a process.

    Raises:
        CannotFuse: no compiler works.
    """
    store = open_store(config)
    key = _toolchain_key(config, store)
    with _lock:
        if key not in _toolchains:
            try:
                _toolchains[key] = find_toolchain(config, store)
            except CannotFuse as refusal:
                _toolchains[key] = refusal
        found = _toolchains[key]
    if isinstance(found, CannotFuse):
        raise CannotFuse(found.diagnostic)
    return found, store


def _toolchain_key(config: Config, store: ArtifactStore) -> tuple[str | Path | None, ...]:
    return (config.cc, os.environ.get("CC"), os.environ.get("PATH"), store.folder)


def _after_fork() -> None:
    """In a child: a thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
