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
from pyfuse.backend.cuda.launch_shape import CudaSource, NestShape, number_count
from pyfuse.backend.cuda.library_text import device_closure, device_prelude, in_cuda_words
from pyfuse.backend.cuda.map_text import write_map
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.loop_plan import Load, LoopPlan, Nest, ReductionNest, Store


def write(plan: LoopPlan, layouts: Sequence[NestLayout], *, is_wide: bool) -> CudaSource:
    """The CUDA text of a kernel.

    Args:
        plan: what to compute.
        layouts: how the operands of each nest lie in memory; one for each nest, operands in the order stores, loads.
        is_wide: whether indices and strides need 64 bits.

    Raises:
        CannotFuse: an operation has no text for a device, an operand is not aligned, or the plan reduces.
    """
    texts: list[str] = []
    shapes: list[NestShape] = []
    calls: set[str] = set()
    for number, (nest, layout) in enumerate(zip(plan.nests, layouts, strict=True)):
        if any(operand.endswith(UNALIGNED) for operand in layout.operands):
            raise refuse(Code.UNSUPPORTED_ARRAY, "an array's elements do not lie at multiples of their size")
        if not isinstance(nest, Nest):
            raise refuse(Code.UNSUPPORTED_OPERATION, "reductions and scans are not fused on a device yet")
        written = write_map(
            f"pyfuse_nest_{number}", nest, layout, plan.input_count, has_scalars=bool(plan.scalar_dtypes)
        )
        texts.append(written.text)
        shapes.append(written.shape)
        calls |= written.calls
    parts = [
        device_prelude(),
        "\n".join(_parameter_types(plan, layouts, is_wide=is_wide)),
        *device_closure(sorted(calls)),
        *map(in_cuda_words, texts),
    ]
    return CudaSource(
        language="cuda",
        text="\n\n".join(parts) + "\n",
        nest_count=len(texts),
        is_wide=is_wide,
        shapes=tuple(shapes),
    )


def _parameter_types(plan: LoopPlan, layouts: Sequence[NestLayout], *, is_wide: bool) -> list[str]:
    """The structures that a kernel's parameters are made of."""
    count = plan.input_count + plan.output_count + len(plan.temporaries)
    slots = len(plan.scalar_dtypes)
    return [
        f"typedef pf_{'i8' if is_wide else 'i4'} pf_index;",
        f"struct pf_operands {{ char *at[{count}]; }};",
        *([f"struct pf_scalars {{ pf_u8 at[{2 * slots}]; }};"] if slots else []),
        *(
            f"struct pf_geometry_{number} {{ pf_index at[{number_count(layout, _start_count(nest))}]; }};"
            for number, (nest, layout) in enumerate(zip(plan.nests, layouts, strict=True))
        ),
    ]


def _start_count(nest: Nest | ReductionNest) -> int:
    operands: list[Store | Load] = [*nest.stores, *nest.loads]
    return sum(bool(operand.offsets) for operand in operands)
