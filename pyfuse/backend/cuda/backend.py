"""The CUDA backend's jobs: build CUDA text for a device, and load it there."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from pyfuse.backend.artifact_store import ArtifactStore, open_store
from pyfuse.backend.cuda.kernel import CudaDevice, CudaKernel
from pyfuse.backend.cuda.launch_shape import CudaSource
from pyfuse.backend.cuda.toolchain import Compiler, built_module, find_compilers, is_in_store
from pyfuse.backend.interface import BuiltKernel
from pyfuse.config import Config
from pyfuse.errors import CannotFuse

_compilers: dict[tuple[str | Path | None, ...], list[Compiler] | CannotFuse] = {}  # what was found, or why nothing was
_lock = threading.Lock()


def load(source: CudaSource, device: CudaDevice, config: Config) -> tuple[BuiltKernel, CudaKernel]:
    """Build the text, or find it built, and load it; the device's context is active.

    Raises:
        CannotFuse: there is no compiler, it failed, the disk or the driver refused.
    """
    compilers, store = prepare_compilers(config)
    started = time.perf_counter()
    code, path, was_cached = built_module(compilers, store, source.text, device.capability)
    seconds = 0.0 if was_cached else time.perf_counter() - started
    built = BuiltKernel(path=path, was_cached=was_cached, build_seconds=seconds)
    return built, CudaKernel(device, source, code)


def is_built(source: CudaSource, device: CudaDevice, config: Config) -> bool:
    """Whether ``load`` needs no compiler. Raises CannotFuse where there is none, or none that knows the device."""
    compilers, store = prepare_compilers(config)
    return is_in_store(compilers, store, source.text, device.capability)


def prepare_compilers(config: Config) -> tuple[list[Compiler], ArtifactStore]:
    """The compilers and the store that the settings mean; looked for once in a process.

    Raises:
        CannotFuse: there is no compiler.
    """
    store = open_store(config)
    key = (*map(os.environ.get, ("PATH", "CUDA_HOME", "CUDA_PATH")), store.folder)
    with _lock:
        if key not in _compilers:
            try:
                _compilers[key] = find_compilers(store)
            except CannotFuse as refusal:
                _compilers[key] = refusal
        found = _compilers[key]
    if isinstance(found, CannotFuse):
        raise CannotFuse(found.diagnostic)
    return found, store
