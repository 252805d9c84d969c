"""The CPU backend's three jobs: write C, build it with the system compiler, load it through cffi."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pyfuse.array_layout import NestLayout
from pyfuse.backend.artifact_store import ArtifactStore, open_store
from pyfuse.backend.cpu import codegen
from pyfuse.backend.cpu.toolchain import Toolchain, assembly, find_toolchain
from pyfuse.backend.interface import BuiltKernel, KernelSource
from pyfuse.config import Config
from pyfuse.graph.loop_plan import LoopPlan

name = "cpu"

_toolchains: dict[tuple[str | None, Path], Toolchain] = {}
_lock = threading.Lock()


def write(plan: LoopPlan, layouts: Sequence[NestLayout], input_count: int) -> KernelSource:
    """The C text of a kernel. Raises CannotFuse for an operation without C text."""
    return codegen.write(plan, layouts, input_count)


def build(source: KernelSource, config: Config) -> BuiltKernel:
    """Compile the text, or find it compiled. Raises CannotFuse: no compiler, it failed, or the disk refused."""
    from pyfuse.backend.cpu.kernel import built_library

    toolchain, store = prepare_toolchain(config)
    started = time.perf_counter()
    path, was_cached = built_library(toolchain, store, source.text)
    seconds = 0.0 if was_cached else time.perf_counter() - started
    return BuiltKernel(path=path, was_cached=was_cached, build_seconds=seconds)


def load(source: KernelSource, built: BuiltKernel, config: Config):  # type: ignore[no-untyped-def]
    """Load a built kernel and, once in a process, the runtime. Raises CannotFuse when the system refuses."""
    from pyfuse.backend.cpu.kernel import CpuKernel, load_runtime, open_library

    toolchain, store = prepare_toolchain(config)
    runtime = load_runtime(toolchain, store)
    return CpuKernel(open_library(built.path, store), source.nest_count, runtime)


def assembly_of(source: KernelSource, config: Config) -> str:
    """The kernel's assembly, for ``PYFUSE_DEBUG=asm``."""
    return assembly(prepare_toolchain(config)[0], source.text)


def prepare_toolchain(config: Config) -> tuple[Toolchain, ArtifactStore]:
    """The compiler and the store that the settings mean; each compiler is looked for once in a process.

    Raises:
        CannotFuse: no compiler works.
    """
    store = open_store(config)
    key = (config.cc, store.folder)
    with _lock:
        if key not in _toolchains:
            _toolchains[key] = find_toolchain(config, store)
        return _toolchains[key], store
