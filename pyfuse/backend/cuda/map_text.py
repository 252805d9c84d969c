"""A nest without reductions as a CUDA kernel: each thread computes a few elements of a row, a block's width apart.

All loads come first, and none is behind a branch: indices beyond the last element are those of the last one, whose
value is computed again and not stored. (A load behind a branch would wait for the division before it: measured, a
quarter of the time of an LSTM cell.) Loads are of single elements, so no alignment but the element's own is needed; a
thread has 16 bytes of the widest operand. Full blocks of float32 come before all that (``four_text``).
"""

from __future__ import annotations

import numpy as np

from pyfuse.array_layout import BROADCAST, STRIDED, NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.step_text import indented, turns_text
from pyfuse.backend.cuda.device_steps import DeviceSteps
from pyfuse.backend.cuda.four_text import FLOATS, in_fours
from pyfuse.backend.cuda.kernel_text import ROW_BLOCK, WrittenNest, finished_kernel
from pyfuse.backend.cuda.launch_shape import LEAST_NUMBERS, THREADS, NestShape, NestTraits
from pyfuse.backend.cuda.loop_text import loop_lines
from pyfuse.graph.element_cost import repeated_steps
from pyfuse.graph.loop_plan import ApplyStep, GatherStep, Load, LoadStep, Nest, Store
from pyfuse.graph.ops import Cost, by_name

BYTES_OF_A_THREAD = 16  # of the widest operand: with 4, a copy of float32 runs at 0.8 of the ceiling
_INSIDE = [
    "const pf_index beside = first + k * (pf_index)blockDim.x;",
    "const pf_index i = beside < columns ? beside : columns - 1;",
]
WIDTH_ACROSS_MEMORY = 16  # threads along columns that lie apart in an operand: rows beside them share its cache lines
WIDTH_OF_PARTS = 64  # of a block that reads rows which it shares: four rows of results then read six, not twelve


def write_map(
    name: str, nest: Nest, layout: NestLayout, input_count: int, *, traits: NestTraits, has_scalars: bool
) -> WrittenNest:
    """The kernel of a nest.

    Args:
        name: of the kernel; it ends in the nest's number.
        nest, layout: what to write.
        input_count: arrays before the outputs among the kernel's operands.
        traits: of the nest.
        has_scalars: whether the kernel takes scalars, needed here or not.

    Raises:
        CannotFuse: an operation has no text.
    """
    steps = DeviceSteps(nest, layout, input_count)
    shape = shape_of(nest, layout, traits)
    varying = varying_steps(nest, layout)
    repeated = repeated_steps(nest.steps)
    hoisted: list[str] = []
    inner: list[str] = []
    loads: list[str] = []
    arrays: list[str] = []
    for position, step in enumerate(nest.steps):
        if position in repeated:
            continue
        if position not in varying:
            hoisted += steps.declaration(position)
        elif isinstance(step.source, LoadStep):
            operand = steps.load_position(step.source.load)
            arrays.append(f"{c_type(step.dtype)} loaded_{position}[{shape.per_thread}];")
            loads.append(f"loaded_{position}[k] = {steps.element(operand)};")
            inner += steps.declaration(position, f"loaded_{position}[k]")
        else:
            inner += steps.declaration(position)
    if nest.loop is not None:
        hoisted.append(f"const pf_u8 turns = {turns_text(nest.loop, steps.names)};")
        inner += loop_lines(nest, steps)
    stores = [f"{steps.element(position)} = {steps.names[store.step]};" for position, store in enumerate(nest.stores)]
    every = ["#pragma unroll", f"for (int k = 0; k < {shape.per_thread}; ++k) {{"]
    takes_fours = traits.is_even and shape.per_thread == FLOATS and not steps.has_gathers
    body = [
        *_place(layout, shape),
        *_pointers(layout, steps),
        *steps.gathered_axes(),
        *hoisted,
        *(in_fours(nest, steps, varying, inner) if takes_fours else []),
        *arrays,
        *(
            [*every, *indented(1, [*_INSIDE, *loads]), "}"]
            if loads else []
        ),
        *every,
        *indented(1, [*_index(steps), *inner, f"if ({'beside' if steps.has_gathers else 'i'} < columns) {{"]),
        *indented(2, stores),
        *indented(1, ["}"]),
        "}",
    ]  # fmt: skip
    return finished_kernel(name, body, shape, steps.calls, has_scalars=has_scalars)


def _index(steps: DeviceSteps) -> list[str]:
    """The place of an element that is computed; what is read at computed places must be of one that there is."""
    return _INSIDE if steps.has_gathers else ["const pf_index i = first + k * (pf_index)blockDim.x;"]


def shape_of(nest: Nest, layout: NestLayout, traits: NestTraits) -> NestShape:
    """How many elements a thread computes: 16 bytes of the widest operand, or one where arithmetic takes the time."""
    is_across = any(operand.startswith(STRIDED) for operand in layout.operands)
    widest = WIDTH_OF_PARTS if traits.is_of_parts else THREADS
    widest = WIDTH_ACROSS_MEMORY if is_across and layout.outer_rank else widest
    if _is_dear(nest):
        return NestShape(per_thread=1, widest=widest)
    operands: list[Store | Load] = [*nest.stores, *nest.loads]
    largest = max(operand.dtype.itemsize for operand in operands)
    return NestShape(per_thread=max(1, BYTES_OF_A_THREAD // max(4, largest)), widest=widest)


def _is_dear(nest: Nest) -> bool:
    """Whether functions of doubles, or a loop, decide the time: more elements a thread then cost registers."""
    return nest.loop is not None or any(
        isinstance(step.source, ApplyStep)
        and step.dtype in (np.dtype("f8"), np.dtype("c16"))
        and by_name(step.source.operation).cost >= Cost.FUNCTION
        for step in nest.steps
    )


def varying_steps(nest: Nest, layout: NestLayout) -> set[int]:
    """Steps whose value changes along the columns."""
    varying: set[int] = set()
    for position, step in enumerate(nest.steps):
        match step.source:
            case GatherStep(load=load, operands=operands):
                is_walked = not layout.operands[len(nest.stores) + load].startswith(BROADCAST)
                changes = is_walked or any(operand in varying for operand in operands)
            case LoadStep(load=load):
                changes = not layout.operands[len(nest.stores) + load].startswith(BROADCAST)
            case ApplyStep(operands=operands):
                changes = any(operand in varying for operand in operands)
            case _:
                changes = False
        if changes:
            varying.add(position)
    return varying


def _place(layout: NestLayout, shape: NestShape) -> list[str]:
    """The thread's row, the indices of its outer dimensions, and its first column."""
    lines = ["const pf_index columns = geometry.at[1];"]
    step = f"({shape.per_thread} * (pf_index)blockDim.x)" if shape.per_thread > 1 else "(pf_index)blockDim.x"
    if layout.outer_rank == 0:
        return [*lines, f"const pf_index first = blockIdx.x * {step} + threadIdx.x;"]
    lines += [
        f"const pf_index row = {ROW_BLOCK} * blockDim.y + threadIdx.y;",
        "if (row >= geometry.at[0]) return;",
        f"const pf_index first = blockIdx.x * {step} + threadIdx.x;",
    ]
    if layout.outer_rank == 1:
        return [*lines, "const pf_index x0 = row;"]
    lines.append("pf_index rest = row;")
    for axis in reversed(range(1, layout.outer_rank)):
        extent = f"geometry.at[{LEAST_NUMBERS + axis}]"
        lines.append(f"const pf_index x{axis} = rest % {extent}; rest /= {extent};")
    return [*lines, "const pf_index x0 = rest;"]


def _pointers(layout: NestLayout, steps: DeviceSteps) -> list[str]:
    """The address of each operand's row, and the strides of those that are neither unit nor broadcast."""
    rank, operands = layout.outer_rank, steps.operands()
    starts = steps.start_indices()
    lines = []
    for position, (operand, _, _) in enumerate(operands):
        first = LEAST_NUMBERS + rank + position * (rank + 1)
        offset = "".join(f" + x{axis} * geometry.at[{first + axis}]" for axis in range(rank))
        if position in starts:
            offset += f" + geometry.at[{LEAST_NUMBERS + rank + len(operands) * (rank + 1) + starts[position]}]"
        lines += steps.device_pointer(position, f"operands.at[{operand}]{offset}")
        if not steps.is_unit(position) and not steps.is_still(position):
            lines.append(f"const pf_index d{position} = geometry.at[{first + rank}];")
    return lines
