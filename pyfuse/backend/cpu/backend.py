"""The CPU backend's three jobs: write C, build it with the system compiler, load it through cffi."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pyfuse.array_layout import NestLayout
from pyfuse.backend.artifact_store import ArtifactStore, open_store
from pyfuse.backend.cpu import codegen
from pyfuse.backend.cpu.notes import generator_files, note_key
from pyfuse.backend.cpu.toolchain import (
    Toolchain,
    ToolchainError,
    assembly,
    cpu_identity,
    find_toolchain,
    remembered_toolchain,
)
from pyfuse.backend.interface import BuiltKernel, KernelSource
from pyfuse.config import Config
from pyfuse.errors import CannotFuse
from pyfuse.graph.loop_plan import LoopPlan

if TYPE_CHECKING:
    from pyfuse.backend.cpu.kernel import CpuKernel

name = "cpu"

_toolchains: dict[tuple[str | Path | None, ...], Toolchain | CannotFuse] = {}  # what was found, or why nothing was
_lock = threading.Lock()


def load_ahead() -> None:
    """Have all that every first call needs, whatever it is of: cffi with the modules on it, and facts of this machine.

    ``import pyfuse`` alone does not, because a program may fuse nothing. What cannot be loaded is a reason of calls.
    """
    with suppress(ImportError):
        import_module("pyfuse.backend.cpu.kernel")
    generator_files()
    cpu_identity()


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


def noted(plan: LoopPlan, layouts: Sequence[NestLayout], config: Config) -> tuple[BuiltKernel, CpuKernel] | None:
    """The kernel of a plan, where the store has a note of which library that is, and all is built; else None.

    The text need not be written to find it, which takes longer than all else in a process that finds its kernels built.

    Raises:
        CannotFuse: no compiler works, as was found before.
    """
    from pyfuse.backend.cpu.kernel import CpuKernel, is_runtime_built, load_runtime, open_library

    store = open_store(config)
    with _lock:
        found = _toolchains.get(_toolchain_key(config, store))
    if isinstance(found, CannotFuse):
        raise CannotFuse(found.diagnostic)
    toolchain = found or remembered_toolchain(config, store)
    key = None if toolchain is None else note_key(toolchain, plan, layouts)
    content = None if key is None else store.get(key)
    if toolchain is None or content is None:
        return None
    library, nest_count = json.loads(content)
    if store.get(library) is None or not is_runtime_built(toolchain, store):
        return None
    try:
        opened, runtime = open_library(store.path(library)), load_runtime(toolchain, store)
    except CannotFuse:
        return None
    built = BuiltKernel(path=store.path(library), was_cached=True, build_seconds=0.0)
    return built, CpuKernel(opened, nest_count, runtime)


def note(
    plan: LoopPlan, layouts: Sequence[NestLayout], source: KernelSource, built: BuiltKernel, config: Config
) -> None:
    """Have ``noted`` find a kernel from now on, in other processes too."""
    toolchain, store = prepare_toolchain(config)
    key = note_key(toolchain, plan, layouts)
    if key is not None and built.path.parent == store.folder and not store.path(key).exists():
        store.put(key, json.dumps([built.path.name, source.nest_count]).encode())


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
