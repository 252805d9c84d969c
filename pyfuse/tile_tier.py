"""The tier that needs no compiler: what answers while a kernel is built, and where none can be."""

from __future__ import annotations

from pyfuse.call_geometry import CallGeometry
from pyfuse.compiler import LoadedKernel, Specialization
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.nodes import Apply, Graph
from pyfuse.graph.ops import Exactness, by_name
from pyfuse.launch import Launch, make_launch, nest_launches

# Whose exp, sin and other functions kernels compute with that are not exact: what ``fuse(math=...)`` says.
OWN_MATH, NUMPYS_MATH = "pyfuse", "numpy"

# Estimated picoseconds of a kernel from which tiles pay while it is built: their launch takes 1 ms to make, their calls
# go the Python way (4 us), and all that for the tenth of a second that a compiler takes.
LEAST_WORK = 20_000_000

# Reasons for which there is no kernel although there is a plan.
WITHOUT_KERNEL = frozenset({Code.BUILDING, Code.NO_COMPILER, Code.COMPILER_FAILED, Code.LOAD_FAILED})


def inexact_operation(graph: Graph) -> Apply | None:
    """The first operation of a graph that kernels do not compute to NumPy's last bit, or None."""
    for node in graph.nodes:
        if (
            isinstance(node, Apply)
            and by_name(node.operation).exactness is not Exactness.BITS
            and node.dtype.kind in "fc"
        ):
            return node
    return None


def launch_with_numpys_math(specialization: Specialization, geometry: CallGeometry, thread_limit: int) -> Launch | None:
    """A launch over tiles where a kernel would not have NumPy's last bit, which ``fuse(math="numpy")`` asks for.

    Returns:
        None where a kernel has NumPy's bits.

    Raises:
        CannotFuse: tiles cannot do it.
    """
    inexact = inexact_operation(specialization.graph)
    if inexact is None:
        return None
    launch = tile_launch(specialization, geometry, thread_limit)
    if launch is None:
        raise refuse(
            Code.NUMPYS_MATH,
            f"NumPy's own {inexact.operation} is asked for, which reaches elementwise functions only",
            inexact.origin.span,
            notes=(
                "fuse(math='numpy'): a function that also reduces, reads by indices or loops is NumPy's altogether",
            ),
        )
    return launch


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
    if sum(nest.outer * nest.inner * nest.element_cost for nest in nest_launches(geometry)) < least_work:
        return None
    key = (geometry.forms, geometry.layouts)
    if key not in specialization.tiled:
        from pyfuse.backend.tiles.kernel import tile_kernel  # five files that functions of small arrays do without

        specialization.tiled[key] = tile_kernel(geometry.plan, geometry.layouts)
    kernel = specialization.tiled[key]
    if kernel is None:
        return None
    return make_launch(specialization, LoadedKernel(source=None, built=None, kernel=kernel), geometry, thread_limit)
