"""Where things stand in the numbers that a nest with reductions is given: ``geometry`` in its C text.

All extents first (kept, lead, row), then for each operand all its strides in bytes, the start of each operand that has
one, strides and extents of axes along which indices choose, and the parameters (see ``array_layout.NestGeometry``).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu.step_text import StepText


class GeometryText:
    """C text that reads the geometry of one nest.

    Args:
        steps: of the nest.
        kept, lead, row: numbers of merged dimensions.
    """

    def __init__(self, steps: StepText, kept: int, lead: int, row: int) -> None:
        self.kept, self.lead, self.row = kept, lead, row
        self._rank = kept + lead + row
        self._starts = steps.start_indices()
        self._first_start = steps.first_start()
        self._first_parameter = self._first_start + len(self._starts) + len(steps.gathered_axes())

    def extent(self, axis: int) -> str:
        """Of one dimension, counted through kept, lead and row."""
        return f"geometry[{axis}]"

    def row_extent(self, axis: int) -> str:
        """Of one dimension of the row."""
        return self.extent(self.kept + self.lead + axis)

    def stride(self, position: int, axis: int) -> str:
        """Of an operand along one dimension."""
        return f"geometry[{self._rank + position * self._rank + axis}]"

    def offset(self, position: int, first_axis: int, indices: Sequence[str]) -> str:
        """`` + index * stride`` for each index, the first of which belongs to ``first_axis``."""
        return "".join(
            f" + {index} * {self.stride(position, first_axis + place)}" for place, index in enumerate(indices)
        )

    def start(self, position: int) -> str:
        """`` + start`` for an operand that does not start at its first element."""
        if position not in self._starts:
            return ""
        return f" + geometry[{self._first_start + self._starts[position]}]"

    def parameter(self, number: int) -> str:
        """One of the parameters."""
        return f"geometry[{self._first_parameter + number}]"


def of_rows(steps: StepText, layout: NestLayout) -> GeometryText:
    """The geometry of a nest whose innermost loop runs along the row."""
    return GeometryText(steps, layout.outer_rank, layout.lead_rank, layout.row_rank)


def of_columns(steps: StepText, layout: NestLayout) -> GeometryText:
    """The geometry of a nest whose innermost loop runs along the last kept dimension."""
    return GeometryText(steps, layout.outer_rank + 1, 0, layout.row_rank)
