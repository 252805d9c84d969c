"""The kernel of a specialisation on a device: found, built now, or in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pyfuse.backend.cuda import backend
from pyfuse.backend.cuda.codegen import write
from pyfuse.backend.cuda.kernel import CudaDevice
from pyfuse.backend.cuda.launch_shape import CudaSource, needs_wide, nest_traits
from pyfuse.background import builders
from pyfuse.call_geometry import CallGeometry
from pyfuse.compiler import LoadedKernel, Specialization, StillBuilding
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.fallback import mistakes_as_reasons


def source_of(geometry: CallGeometry) -> CudaSource:
    """The text of a kernel. Raises CannotFuse for an operation without text for a device."""
    traits = nest_traits(geometry.plan, geometry.nests)
    return write(geometry.plan, geometry.layouts, is_wide=needs_wide(geometry.nests), traits=traits)


def loaded_kernel(
    specialization: Specialization,
    geometry: CallGeometry,
    device: CudaDevice,
    config: Config,
    dump: Dump,
    *,
    waits: bool,
    on_new: Callable[[], None],
) -> LoadedKernel:
    """The kernel for a geometry, built and loaded once however many threads ask.

    Args:
        specialization: whose kernel.
        geometry: of the call.
        device: where it is to run.
        config: the settings.
        dump: where the text goes.
        waits: whether to wait for a compiler; if not, and one is needed, it is begun in the background.
        on_new: called for a kernel that is new.

    Raises:
        CannotFuse: it cannot be written, built or loaded.
        StillBuilding: it is being built.
    """
    source = source_of(geometry)
    key: Any = (geometry.forms, geometry.layouts, source.text, id(device))
    with specialization.lock:
        if key in specialization.kernels:
            return specialization.kernels[key]
        build = specialization.builds.get(key)
        if build is None or build.is_lost():
            dump("source", source.text)
            make = partial(_built, source, device, config)
            if waits or backend.is_built(source, device, config):
                loaded = specialization.kernels[key] = make()
                on_new()
                return loaded
            build = specialization.builds[key] = builders.start(make)
        if build.is_pending() and not waits:
            raise StillBuilding(build)
        build.wait()
        del specialization.builds[key]
        loaded = specialization.kernels[key] = build.result()
        on_new()
        return loaded


def _built(source: CudaSource, device: CudaDevice, config: Config) -> LoadedKernel:
    with mistakes_as_reasons(), device.active():
        built, kernel = backend.load(source, device, config)
    return LoadedKernel(source=source, built=built, kernel=kernel)
