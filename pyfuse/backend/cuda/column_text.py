"""Reductions across memory, as a CUDA kernel: neighbouring threads take neighbouring results.

Where many elements make one result, 32 rows of threads share them, and the parts go through shared memory, where they
are turned over: then a warp has all parts of one result.
"""

from __future__ import annotations

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.step_text import block, without_unused
from pyfuse.backend.cuda.device_fold import WARP, all_parts, joined_parts
from pyfuse.backend.cuda.kernel_text import ROW_BLOCK, WrittenNest, finished_kernel
from pyfuse.backend.cuda.launch_shape import LEAST_NUMBERS, THREADS, NestShape, NestTraits, Walk
from pyfuse.backend.cuda.reduction_text import ReductionText, each
from pyfuse.graph.loop_plan import ReductionNest

_FEW = 64  # elements of a result, which one thread takes alone
_BATCH_BYTES = 16  # loads in flight


def write_columns(
    name: str, nest: ReductionNest, layout: NestLayout, input_count: int, *, length: NestTraits, has_scalars: bool
) -> WrittenNest:
    """The kernel of a nest; arguments and errors as in ``row_text.write_rows``."""
    outer = layout.outer_rank
    text = ReductionText(nest, layout, input_count, outer + 1)
    sinks = text.sinks(0)
    loads = text.loads(sinks)
    is_shared = length.bound > _FEW
    largest = max([4, *[nest.steps[position].dtype.itemsize for position in loads]])
    count = max(1, _BATCH_BYTES // largest)
    shape = NestShape(
        per_thread=count, widest=WARP if is_shared else THREADS, height=WARP if is_shared else 1, walk=Walk.COLUMNS
    )
    columns, index = f"geometry.at[{LEAST_NUMBERS + outer}]", f"base + k * (pf_index){shape.height}"
    with text.steps.scope():
        element = [f"const pf_index j = {index};", *text.values(sinks), *text.taken(text.folds, count)]
    loop = block(
        f"for (pf_index base = threadIdx.y; base < length; base += {count * shape.height})",
        [*text.load_declarations(loads, count), *each(count, text.batch(loads, index)), *each(count, element)],
    )
    place = [f"x{axis}" for axis in range(outer)]
    body = [
        f"const pf_index row = {ROW_BLOCK};",
        "if (row >= geometry.at[0]) return;",
        f"const pf_index first = blockIdx.x * (pf_index){shape.widest};",
        f"const pf_index beyond = first + threadIdx.x, last = {columns} - 1;",
        "const pf_index column = beyond < last ? beyond : last;",
        *text.length(),
        *text.kept_indices("row", outer),
        *text.pointers([*place, "column"]),
        *text.row_values(sinks),
        *all_parts(text.folds, count),
        *loop,
        *joined_parts(text.folds, count),
    ]
    if is_shared:
        result = _results_of_warps(text, place)
    else:
        result = [
            *text.initial_values(text.folds),
            *[line for fold in text.folds for line in fold.finished()],
            *block("if (beyond <= last)", text.epilogue()),
        ]
    return finished_kernel(name, without_unused([*body, *result]), shape, text.steps.calls, has_scalars=has_scalars)


def _results_of_warps(text: ReductionText, place: list[str]) -> list[str]:
    """Each warp has the parts of one column: they are put together, and its first thread stores what follows."""
    size = max(fold.part_dtype.itemsize for fold in text.folds)
    size = max([size, *[8 for fold in text.folds if fold.finds_an_index]])
    lines = [f"__shared__ pf_u8 turned[{WARP * (WARP + 1) * size // 8}];"]
    for fold in text.folds:
        lines += _turned_over(fold.part, c_type(fold.part_dtype))
        if fold.finds_an_index:
            lines += _turned_over(fold.place, "pf_i8")
        lines += fold.over_lanes()
    text.forget_row_values()
    own = [
        "const pf_index column = first + threadIdx.y;",
        *text.pointers([*place, "column"]),
        *text.initial_values(text.folds),
        *[line for fold in text.folds for line in fold.finished()],
        *text.epilogue(),
    ]
    return [*lines, *block("if (threadIdx.x == 0 && first + threadIdx.y <= last)", own)]


def _turned_over(variable: str, kind: str) -> list[str]:
    """A variable of the thread at (x, y) of the block goes to the thread at (y, x)."""
    shared = f"(({kind} (*)[{WARP + 1}])turned)"
    return [
        "__syncthreads();",
        f"{shared}[threadIdx.y][threadIdx.x] = {variable};",
        "__syncthreads();",
        f"{variable} = {shared}[threadIdx.x][threadIdx.y];",
    ]
