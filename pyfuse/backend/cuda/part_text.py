"""One result for all elements, as two CUDA kernels: the parts of many blocks, and their combination by one block.

How many blocks there are depends on the number of elements only, and so does the order in which parts are combined.
"""

from __future__ import annotations

from dataclasses import replace

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.step_text import block, without_unused
from pyfuse.backend.cuda.device_fold import WARP, all_parts, joined_parts
from pyfuse.backend.cuda.kernel_text import WrittenNest, finished_kernel
from pyfuse.backend.cuda.launch_shape import THREADS, NestShape, Walk
from pyfuse.backend.cuda.reduction_text import ReductionText, each
from pyfuse.graph.loop_plan import ReductionNest

_BATCH_BYTES = 32  # loads in flight


def write_parts(
    names: tuple[str, str], nest: ReductionNest, layout: NestLayout, input_count: int, *, has_scalars: bool
) -> list[WrittenNest]:
    """The two kernels of a nest.

    Args:
        names: of the kernels.
        nest, layout, has_scalars: as in ``map_text.write_map``.
        input_count: arrays before the outputs among the kernel's operands.

    Raises:
        CannotFuse: an operation has no text.
    """
    text = ReductionText(nest, layout, input_count, 0)
    sinks = text.sinks(0)
    loads = text.loads(sinks)
    largest = max([4, *[nest.steps[position].dtype.itemsize for position in loads]])
    count = max(1, _BATCH_BYTES // largest)
    shape = NestShape(
        per_thread=count, widest=THREADS, height=1, walk=Walk.PARTS, reduced=layout.lead_rank + layout.row_rank
    )
    index = f"base + k * (pf_index){THREADS}"
    with text.steps.scope():
        element = [f"const pf_index j = {index};", *text.values(sinks), *text.taken(text.folds, count)]
    step = f"gridDim.x * (pf_index){count * THREADS}"
    first = f"blockIdx.x * (pf_index){count * THREADS} + threadIdx.x"
    parts = [
        *text.length(),
        *text.pointers([]),
        *text.row_values(sinks),
        *all_parts(text.folds, count),
        *block(
            f"for (pf_index base = {first}; base < length; base += {step})",
            [*text.load_declarations(loads, count), *each(count, text.batch(loads, index)), *each(count, element)],
        ),
        *joined_parts(text.folds, count),
        *_over_block(text),
        *block("if (threadIdx.x == 0)", _kept_parts(text, input_count)),
    ]
    whole = ReductionText(nest, layout, input_count, 0)
    return [
        finished_kernel(names[0], without_unused(parts), shape, text.steps.calls, has_scalars=has_scalars),
        finished_kernel(
            names[1],
            without_unused(_combined(whole, input_count)),
            replace(shape, walk=Walk.WHOLE),
            whole.steps.calls,
            has_scalars=has_scalars,
        ),
    ]


def _over_block(text: ReductionText) -> list[str]:
    return [line for fold in text.folds for line in (*fold.over_lanes(), *fold.over_warps(THREADS // WARP))]


def _memory(text: ReductionText, number: int, place: int, input_count: int) -> str:
    """The partial results of an accumulation: its values, or where they were found."""
    fold, temporary = text.folds[number], text.nest.partials[number][place]
    kind = "pf_i8" if place else c_type(fold.part_dtype)
    return f"(({kind} *)operands.at[{input_count + temporary}])"


def _kept_parts(text: ReductionText, input_count: int) -> list[str]:
    """The block's result goes to memory."""
    lines = []
    for number, fold in enumerate(text.folds):
        lines.append(f"{_memory(text, number, 0, input_count)}[blockIdx.x] = {fold.part};")
        if fold.finds_an_index:
            lines.append(f"{_memory(text, number, 1, input_count)}[blockIdx.x] = {fold.place};")
    return lines


def _combined(text: ReductionText, input_count: int) -> list[str]:
    """All blocks' results put together, and what follows from them."""
    taken = []
    for number, fold in enumerate(text.folds):
        other_place = ""
        if fold.finds_an_index:
            other_place = f"{_memory(text, number, 1, input_count)}[i]"
        taken += fold.merge(f"{_memory(text, number, 0, input_count)}[i]", other_place)
    return [
        *text.pointers([]),
        *all_parts(text.folds),
        *block(f"for (int i = threadIdx.x; i < (int)geometry.at[0]; i += {THREADS})", taken),
        *_over_block(text),
        *text.initial_values(text.folds),
        *[line for fold in text.folds for line in fold.finished()],
        *block("if (threadIdx.x == 0)", text.epilogue()),
    ]
