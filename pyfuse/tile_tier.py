"""The tier that needs no compiler: what answers while a kernel is built, and where none can be."""

from __future__ import annotations

from pyfuse.backend.tiles.kernel import tile_kernel
from pyfuse.call_geometry import CallGeometry
from pyfuse.compiler import LoadedKernel, Specialization
from pyfuse.diagnostics import Code
from pyfuse.launch import Launch, make_launch

# Estimated picoseconds of a kernel from which tiles pay while it is built: making their launch takes about as long as a
# few calls of the original with little to do, and these calls go the Python way.
LEAST_WORK = 10_000_000

# Reasons for which there is no kernel although there is a plan.
WITHOUT_KERNEL = frozenset({Code.BUILDING, Code.NO_COMPILER, Code.COMPILER_FAILED, Code.LOAD_FAILED})


def tile_launch(
    specialization: Specialization, geometry: CallGeometry, thread_limit: int, least_work: int = 0
) -> Launch | None:
    """A launch over tiles, each operation by NumPy's own inner loop.

    Args:
        specialization, geometry: of the call.
        thread_limit: of the settings.
        least_work: estimated picoseconds on one core, below which it is not worth it.

    Returns:
        None where it is not worth it, or the plan does more than tiles can do.
    """
    key = (geometry.forms, geometry.layouts)
    if key not in specialization.tiled:
        specialization.tiled[key] = tile_kernel(geometry.plan, geometry.layouts)
    kernel = specialization.tiled[key]
    if kernel is None:
        return None
    launch = make_launch(specialization, LoadedKernel(source=None, built=None, kernel=kernel), geometry, thread_limit)
    return launch if launch.work >= least_work else None
