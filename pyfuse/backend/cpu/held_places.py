"""Places that are the same for every row of a nest, as C: looked up once for all rows, a stretch of the row at a time.

``np.take(image, [2, 1, 0], axis=-1)`` would otherwise check three indices for each pixel: 1.1 ns a pixel, not 2.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu import gather_text
from pyfuse.backend.cpu.step_text import StepText, block, row_indices, without_unused
from pyfuse.graph.loop_plan import GatherStep, Nest, operands_of_step

STRETCH = 512  # offsets: 4 KiB
MOST_HELD = 8


def held_gathers(nest: Nest, layout: NestLayout, steps: StepText) -> tuple[int, ...]:
    """The steps whose places depend on nothing but the place in the row.

    Of all steps it has been asked whether they move.
    """
    found = [
        position
        for position, step in enumerate(nest.steps)
        if layout.outer_rank
        and isinstance(step.source, GatherStep)
        and all(steps.is_single(index) for index in step.source.operands)
        and len(frozenset().union(*(nest.steps[index].varies_along for index in step.source.operands))) == 1
    ]
    needed = needed_steps(nest, found)
    held = tuple(position for position in found if position in needed)
    return held if len(held) <= MOST_HELD else ()


def needed_steps(nest: Nest, held: Collection[int]) -> set[int]:
    """What a row computes when those places are known."""
    pending, found = [store.step for store in nest.stores], set[int]()
    while pending:
        position = pending.pop()
        if position not in found:
            found.add(position)
            pending += () if position in held else operands_of_step(nest.steps[position])
    return found


def element(steps: StepText, position: int) -> list[str]:
    """The declaration of an element whose place is held."""
    # gcc makes no vectors of the loop where the offset goes through an empty statement: see ``c_library/places.c``.
    offset = [f"pf_i8 o{position} = held{position}[i - first];", f'__asm__("" : "+r"(o{position}));']
    return [*offset, *gather_text.element_there(steps, position, f" + o{position}", "p")]


def by_stretches(
    nest: Nest, layout: NestLayout, steps: StepText, held: Sequence[int], pointers: Sequence[str], rows: Sequence[str]
) -> list[str]:
    """The loop over stretches of the row: in each the places, then all rows.

    Args:
        nest, layout, steps: whose text it is.
        held: of ``held_gathers``.
        pointers: declarations of where the operands of one row are.
        rows: the loop over rows from element ``first`` to ``last``.
    """
    fill: list[str] = []
    inner: list[str] = []
    with steps.scope():
        for position in steps.cone([index for place in held for index in operands_of_step(nest.steps[place])]):
            if steps.is_opaque(position):
                fill += steps.opaque_constant(position)
            else:
                (inner if steps.is_moving(position) else fill).extend(steps.declaration(position))
        for position in held:
            lines, offset = gather_text.places(steps, position)
            inner += block("", [*lines, f"held{position}[i - first] = {offset.removeprefix(' + ')};"])
    first_row = row_indices(layout.outer_rank) or ["const pf_i8 outer = outer_begin;"]
    loop = block("for (pf_i8 i = first; i < last; ++i)", inner)
    return [
        *[f"pf_i8 held{position}[{STRETCH}];" for position in held],
        *block(
            f"for (pf_i8 first = inner_begin; first < inner_end; first += {STRETCH})",
            [
                f"const pf_i8 last = inner_end - first < {STRETCH} ? inner_end : first + {STRETCH};",
                *block("", without_unused([*first_row, *pointers, *fill, *loop])),
                *without_unused(rows),
            ],
        ),
    ]
