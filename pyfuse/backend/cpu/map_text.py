"""A nest without reductions as C: rows, and in each the innermost loop over elements.

``geometry`` holds the outer extents, for each operand its outer strides and its inner stride, in bytes, and the start
of each operand that has one.
"""

from __future__ import annotations

from collections.abc import Collection

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.cpu import held_places
from pyfuse.backend.cpu.step_text import (
    StepText,
    hidden_zero,
    indented,
    nest_text,
    next_row,
    row_indices,
    without_unused,
)
from pyfuse.graph.loop_plan import Nest


def write_map(name: str, nest: Nest, layout: NestLayout, input_count: int) -> tuple[str, set[str]]:
    """The text of a nest's functions, and the library functions that it calls."""
    steps = StepText(nest, layout, input_count)
    moving = {position for position in range(len(nest.steps)) if steps.moves(position)}
    held = held_places.held_gathers(nest, layout, steps)
    hoisted, inner = _bodies(nest, steps, moving, held)
    pointers = _pointers(layout, steps)
    begin, end = ("first", "last") if held else ("inner_begin", "inner_end")
    rows = [
        *row_indices(layout.outer_rank),
        "for (pf_i8 outer = outer_begin; outer < outer_end; ++outer) {",
        *indented(1, pointers),
        *indented(1, hoisted),
        *indented(1, ["#pragma GCC ivdep", f"for (pf_i8 i = {begin}; i < {end}; ++i) {{"]),
        *indented(2, inner),
        *indented(1, ["}"]),
        *indented(1, next_row(layout.outer_rank)),
        "}",
    ]
    loops = held_places.by_stretches(nest, layout, steps, held, pointers, rows) if held else rows
    body = [*hidden_zero(loops), *steps.gathered_axes(), *loops, "return status;"]
    if any(load.gathered for load in nest.loads):
        body = without_unused(body)
    is_careful = any(functions()[call].takes_careful for call in steps.calls)
    return nest_text(name, body, is_careful=is_careful), steps.calls


def _pointers(layout: NestLayout, steps: StepText) -> list[str]:
    """The address of each operand's row, and the strides of those that are neither unit nor broadcast."""
    rank, operands = layout.outer_rank, steps.operands()
    starts = steps.start_indices()
    lines = []
    for position, (operand, _, _) in enumerate(operands):
        first = rank + position * (rank + 1)
        index = ["outer"] if rank == 1 else [f"x{axis}" for axis in range(rank)]
        offset = "".join(f" + {name} * geometry[{first + axis}]" for axis, name in enumerate(index[:rank]))
        if position in starts:
            offset += f" + geometry[{steps.first_start() + starts[position]}]"
        lines += steps.pointer(position, f"operands[{operand}]{offset}")
        if not steps.is_unit(position) and not steps.is_still(position):
            lines.append(f"const pf_i8 d{position} = geometry[{first + rank}];")
    return lines


def _bodies(nest: Nest, steps: StepText, moving: Collection[int], held: Collection[int]) -> tuple[list[str], list[str]]:
    """Declarations before the inner loop, and the inner loop's body; places of ``held`` gathers are known."""
    hoisted: list[str] = []
    inner: list[str] = []
    needed = held_places.needed_steps(nest, held) if held else range(len(nest.steps))
    for position in sorted(needed):
        if steps.is_opaque(position):
            hoisted += steps.opaque_constant(position)
            continue
        target = inner if position in moving else hoisted
        target += held_places.element(steps, position) if position in held else steps.declaration(position)
    for position, store in enumerate(nest.stores):
        inner.append(f"{steps.element(position)} = {steps.names[store.step]};")
    return hoisted, inner
