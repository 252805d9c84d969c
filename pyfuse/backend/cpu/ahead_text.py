"""Rows of one array that a nest reads beside each other, asked for ahead of where the processor's own prefetching is.

Only where results go past the caches: what is read comes from memory then (``c_library/memory.c``: ``pf_fetch_ahead``).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu.step_text import StepText

LEAST_READS = 3  # of one type: two arrays that are read once each are fetched well


class AheadText:
    """What a row's text needs for it; nothing where no array is read at several places."""

    def __init__(self, layout: NestLayout, steps: StepText) -> None:
        self._steps = steps
        self._groups = _groups(steps) if layout.outer_rank > 0 else []
        if self._groups:
            steps.calls.update(("pf_last_of_rows", "pf_fetch_ahead"))

    def declarations(self) -> list[str]:
        """For each type of elements, the row that lies last in memory, once the pointers of a row are known."""
        lines = []
        for group in self._groups:
            rows = ", ".join(f"p{position}" for position in group)
            last = f"pf_last_of_rows((const void *const[]){{{rows}}}, {len(group)})"
            lines.append(f"const char *const ahead{group[0]} = in_tiles ? {last} : 0;")
        return lines

    def fetches(self) -> list[str]:
        """Before the elements from ``begin`` to before ``end`` are computed."""
        lines = []
        for group in self._groups:
            size = f"(pf_i8)sizeof({self._steps.element_type(group[0])})"
            name = f"ahead{group[0]}"
            lines.append(f"if ({name} != 0) pf_fetch_ahead({name} + begin * {size}, (end - begin) * {size});")
        return lines


def _groups(steps: StepText) -> list[Sequence[int]]:
    """Operands that may be rows of one array: of one type, read element by element."""
    by_type: dict[str, list[int]] = {}
    for position, (_, _, is_written) in enumerate(steps.operands()):
        if not is_written and steps.is_unit(position) and not steps.is_turned(position):
            by_type.setdefault(steps.element_type(position), []).append(position)
    return [group for group in by_type.values() if len(group) >= LEAST_READS]
