"""A nest without reductions as C: rows, and in each the innermost loop over elements.

``geometry`` holds the outer extents, for each operand its outer strides and its inner stride, in bytes, and the start
of each operand that has one.
"""

from __future__ import annotations

from pyfuse.array_layout import BROADCAST, NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.cpu.step_text import (
    StepText,
    hidden_zero,
    indented,
    nest_text,
    next_row,
    row_indices,
)
from pyfuse.graph.loop_plan import ApplyStep, LoadStep, Nest, Step


def write_map(
    name: str, nest: Nest, layout: NestLayout, input_count: int, stored_truth: str = "pf_b1"
) -> tuple[str, set[str]]:
    """The text of a nest's functions, and the library functions that it calls."""
    steps = StepText(nest, layout, input_count, stored_truth)
    hoisted, inner = _bodies(nest, layout, steps)
    body = [
        *hidden_zero([*hoisted, *inner]),
        *row_indices(layout.outer_rank),
        "for (pf_i8 outer = outer_begin; outer < outer_end; ++outer) {",
        *indented(1, row_pointers(layout, steps)),
        *indented(1, hoisted),
        *indented(1, ["#pragma GCC ivdep", "for (pf_i8 i = inner_begin; i < inner_end; ++i) {"]),
        *indented(2, inner),
        *indented(1, ["}"]),
        *indented(1, next_row(layout.outer_rank)),
        "}",
        "return status;",
    ]
    is_careful = any(functions()[call].takes_careful for call in steps.calls)
    return nest_text(name, body, is_careful=is_careful), steps.calls


def row_pointers(layout: NestLayout, steps: StepText) -> list[str]:
    """The address of each operand's row, and the strides of those that are neither unit nor broadcast."""
    rank, operands = layout.outer_rank, steps.operands()
    starts = steps.start_indices()
    lines = []
    for position, (operand, _, _) in enumerate(operands):
        first = rank + position * (rank + 1)
        index = ["outer"] if rank == 1 else [f"x{axis}" for axis in range(rank)]
        offset = "".join(f" + {name} * geometry[{first + axis}]" for axis, name in enumerate(index[:rank]))
        if position in starts:
            offset += f" + geometry[{rank + len(operands) * (rank + 1) + starts[position]}]"
        lines += steps.pointer(position, f"operands[{operand}]{offset}")
        if not steps.is_unit(position) and not steps.is_still(position):
            lines.append(f"const pf_i8 d{position} = geometry[{first + rank}];")
    return lines


def _bodies(nest: Nest, layout: NestLayout, steps: StepText) -> tuple[list[str], list[str]]:
    """Declarations before the inner loop, and the inner loop's body."""
    hoisted: list[str] = []
    inner: list[str] = []
    varying: set[int] = set()
    for position, step in enumerate(nest.steps):
        if _varies(step, varying, layout, len(nest.stores)):
            varying.add(position)
        if steps.is_opaque(position):
            hoisted += steps.opaque_constant(position)
            continue
        target = inner if position in varying else hoisted
        target += steps.declaration(position)
    for position, store in enumerate(nest.stores):
        inner.append(f"{steps.element(position)} = {steps.names[store.step]};")
    return hoisted, inner


def _varies(step: Step, varying: set[int], layout: NestLayout, store_count: int) -> bool:
    """Whether a step's value changes along the inner loop, given how the operands lie."""
    match step.source:
        case LoadStep(load=load):
            return not layout.operands[store_count + load].startswith(BROADCAST)
        case ApplyStep(operands=operands):
            return any(operand in varying for operand in operands)
        case _:
            return False
