"""A loop plan as CUDA text. Only text: nothing is built here.

Each nest is one kernel::

    extern "C" __global__ void pyfuse_nest_0(operands, scalars, geometry)

whose parameters are structures of numbers: the addresses of inputs, outputs and temporaries, the scalars in 16 bytes
each, and the nest's rows, columns, extents and strides (``launch_shape`` says how many threads run it). There is no
``#include``, so the text alone decides what is built.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import UNALIGNED, NestLayout
from pyfuse.array_walks import without_known_walks
from pyfuse.backend.cuda.column_text import write_columns
from pyfuse.backend.cuda.device_fold import lane_exchanges
from pyfuse.backend.cuda.kernel_text import WrittenNest
from pyfuse.backend.cuda.launch_shape import CudaSource, NestTraits, is_scan, number_count
from pyfuse.backend.cuda.library_text import device_closure, device_prelude, in_cuda_words
from pyfuse.backend.cuda.map_text import write_map
from pyfuse.backend.cuda.part_text import write_parts
from pyfuse.backend.cuda.row_text import write_rows
from pyfuse.backend.cuda.scan_text import write_scan
from pyfuse.backend.cuda.tile_text import write_tiles
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.loop_plan import LoopPlan, Nest, ReductionNest, Style
from pyfuse.graph.nodes import is_bfloat16


def write(
    plan: LoopPlan, layouts: Sequence[NestLayout], *, is_wide: bool, traits: Sequence[NestTraits] | None = None
) -> CudaSource:
    """The CUDA text of a kernel.

    Args:
        plan: what to compute.
        layouts: how the operands of each nest lie in memory; one for each nest, operands in the order stores, loads.
        is_wide: whether indices and strides need 64 bits.
        traits: of each nest, as ``launch_shape.nest_traits`` has them; not needed where nothing is reduced.

    Raises:
        CannotFuse: an operation has no text for a device, or an operand is not aligned.
    """
    written: list[WrittenNest] = []
    counts: list[int] = []
    layouts = [without_known_walks(layout) for layout in layouts]
    for nest, layout, own in zip(plan.nests, layouts, traits or [NestTraits()] * len(layouts), strict=True):
        if any(operand.endswith(UNALIGNED) for operand in layout.operands):
            raise refuse(Code.UNSUPPORTED_ARRAY, "an array's elements do not lie at multiples of their size")
        if isinstance(nest, ReductionNest) and any(
            is_bfloat16(nest.steps[accumulation.step].dtype) for accumulation in nest.accumulations
        ):
            raise refuse(Code.UNSUPPORTED_OPERATION, "reductions of bfloat16 are not fused: cast to float32 before")
        written += _kernels(len(written), nest, layout, plan, own)
        counts += [number_count(nest, layout)] * (len(written) - len(counts))
    calls = {call for nest in written for call in nest.calls}
    parts = [
        device_prelude(),
        *lane_exchanges("".join(nest.text for nest in written)),
        "\n".join(_parameter_types(plan, counts, is_wide=is_wide)),
        *device_closure(sorted(calls)),
        *[in_cuda_words(nest.text) for nest in written],
    ]
    return CudaSource(
        language="cuda",
        text="\n\n".join(parts) + "\n",
        nest_count=len(written),
        is_wide=is_wide,
        shapes=tuple(nest.shape for nest in written),
    )


def _kernels(
    number: int, nest: Nest | ReductionNest, layout: NestLayout, plan: LoopPlan, own: NestTraits
) -> list[WrittenNest]:
    """The kernels of a nest: several where parts of it are combined afterwards."""
    name, has_scalars = f"pyfuse_nest_{number}", bool(plan.scalar_dtypes)
    if isinstance(nest, Nest) and own.turned and nest.loop is None:
        return [write_tiles(name, nest, layout, plan.input_count, own.turned, has_scalars=has_scalars)]
    if isinstance(nest, Nest):
        return [write_map(name, nest, layout, plan.input_count, traits=own, has_scalars=has_scalars)]
    if is_scan(nest):
        names = [f"pyfuse_nest_{number + part}" for part in range(3)]
        return write_scan(names, nest, layout, plan.input_count, traits=own, has_scalars=has_scalars)
    match nest.style:
        case Style.ROWS:
            return [write_rows(name, nest, layout, plan.input_count, length=own, has_scalars=has_scalars)]
        case Style.COLUMNS:
            return [write_columns(name, nest, layout, plan.input_count, length=own, has_scalars=has_scalars)]
        case Style.PARTS:
            pair = (name, f"pyfuse_nest_{number + 1}")
            return write_parts(pair, nest, layout, plan.input_count, has_scalars=has_scalars)


def _parameter_types(plan: LoopPlan, counts: Sequence[int], *, is_wide: bool) -> list[str]:
    """The structures that the kernels' parameters are made of; ``counts``: numbers in the geometry of each."""
    count = plan.input_count + plan.output_count + len(plan.temporaries)
    slots = len(plan.scalar_dtypes)
    return [
        f"typedef pf_{'i8' if is_wide else 'i4'} pf_index;",
        f"struct pf_operands {{ char *at[{count}]; }};",
        *([f"struct pf_scalars {{ pf_u8 at[{2 * slots}]; }};"] if slots else []),
        *[f"struct pf_geometry_{number} {{ pf_index at[{numbers}]; }};" for number, numbers in enumerate(counts)],
    ]
