"""The operands of a nest as C: where they are, and the elements that its innermost loop is at."""

from __future__ import annotations

import numpy as np

from pyfuse.array_layout import BROADCAST, KNOWN_STEPS, TURNED, UNALIGNED, UNIT, NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu import gather_text
from pyfuse.graph.loop_plan import Load, Nest, ReductionNest, Step, Store, Style


class OperandText:
    """What is read and written by one nest.

    Args:
        nest: whose operands.
        layout: how they lie, in the order stores, loads.
        input_count: arrays before the outputs in ``operands``.
        stored_truth: the C type of a boolean in memory.
    """

    def __init__(self, nest: Nest | ReductionNest, layout: NestLayout, input_count: int, stored_truth: str) -> None:
        self._nest = nest
        self._layout = layout
        self._input_count = input_count
        self._stored_truth = stored_truth

    def operands(self) -> list[tuple[int, np.dtype, bool]]:
        """Position in ``operands``, dtype, and whether it is written, in the layout's order."""
        stores = [(self._input_count + store.output, store.dtype, True) for store in self._nest.stores]
        return stores + [(load.index, load.dtype, False) for load in self._nest.loads]

    def start_indices(self) -> dict[int, int]:
        """For each operand that does not start at its first element, its number among these."""
        operands: list[Store | Load] = [*self._nest.stores, *self._nest.loads]
        moved = [place for place, operand in enumerate(operands) if operand.offsets]
        return {place: number for number, place in enumerate(moved)}

    def step(self, position: int) -> Step:
        """One of the steps."""
        return self._nest.steps[position]

    def layout_of(self, position: int) -> str:
        """How an operand lies, as ``NestLayout`` has it."""
        return self._layout.operands[position]

    def load_position(self, load: int) -> int:
        """The operand of a load, in the layout's order."""
        return len(self._nest.stores) + load

    def element_type(self, position: int) -> str:
        """The C type of an operand's elements in memory."""
        name = self.memory_type(self.operands()[position][1])
        return f"{name}_unaligned" if self._layout.operands[position].endswith(UNALIGNED) else name

    def is_gathered(self, position: int) -> bool:
        """Whether an operand is read at computed places."""
        first = len(self._nest.stores)
        return position >= first and bool(self._nest.loads[position - first].gathered)

    def first_start(self) -> int:
        """Where in ``geometry`` the starts of operands begin: behind extents and strides."""
        count, outer = len(self.operands()), self._layout.outer_rank
        if isinstance(self._nest, Nest):
            return outer + count * (outer + 1)
        inner = self._layout.row_rank + (1 if self._nest.style is Style.COLUMNS else self._layout.lead_rank)
        return (outer + inner) * (1 + count)

    def gathered_axes(self) -> list[str]:
        """Declarations of the axes along which computed places choose."""
        first = self.first_start() + len(self.start_indices())
        return gather_text.gathered_axes(self._nest.loads, len(self._nest.stores), first)

    def memory_type(self, dtype: np.dtype) -> str:
        """The C type of an aligned element in memory."""
        return self._stored_truth if dtype.kind == "b" else c_type(dtype)

    def is_unit(self, position: int) -> bool:
        """Whether the innermost loop walks an operand element by element, and no computed places are added."""
        return self._layout.operands[position].startswith(UNIT) and not self.is_gathered(position)

    def is_still(self, position: int) -> bool:
        """Whether the innermost loop does not move in an operand."""
        return self._layout.operands[position].startswith(BROADCAST)

    def is_turned(self, position: int) -> bool:
        """Whether the innermost loop walks a turned copy of an operand, element by element: see ``turned_text``."""
        return self._layout.operands[position][1:2] == TURNED

    def known_step(self, position: int) -> int | None:
        """How many elements the innermost loop moves in an operand, where its text says so."""
        if self.is_unit(position) or self.is_turned(position):
            return 1
        return KNOWN_STEPS.get(self._layout.operands[position][1:2])

    def needs_stride(self, position: int) -> bool:
        """Whether ``d<position>`` is in the text of an operand's elements."""
        return self.known_step(position) is None and not self.is_still(position)

    def element(self, position: int) -> str:
        """The element that the innermost loop is at; ``p<position>`` and ``d<position>`` are pointer and stride."""
        known = self.known_step(position)
        if known is not None:
            return f"p{position}[{'i' if known == 1 else f'i * {known}'}]"
        step = "" if self.is_still(position) else f" + i * d{position}"
        return self.element_at(position, f"p{position}{step}")

    def element_at(self, position: int, address: str) -> str:
        """The element at an address."""
        const = "" if position < len(self._nest.stores) else "const "
        return f"*({const}{self.element_type(position)} *)({address})"

    def pointer(self, position: int, address: str) -> list[str]:
        """Declarations of ``p<position>``, and of ``d<position>`` where it is needed: see ``element``."""
        is_stored = position < len(self._nest.stores)
        const = "" if is_stored else "const "
        if self.known_step(position) is not None:
            element = self.element_type(position)
            restrict = "restrict " if is_stored else ""
            return [f"{const}{element} *{restrict}p{position} = ({const}{element} *)({address});"]
        return [f"{const}char *p{position} = {address};"]

    def row_address(self, position: int) -> str:
        """Where the row of an operand begins, in a nest without reductions."""
        rank, starts = self._layout.outer_rank, self.start_indices()
        index = ["outer"] if rank == 1 else [f"x{axis}" for axis in range(rank)]
        first = rank + position * (rank + 1)
        offset = "".join(f" + {name} * geometry[{first + axis}]" for axis, name in enumerate(index[:rank]))
        if position in starts:
            offset += f" + geometry[{self.first_start() + starts[position]}]"
        return f"operands[{self.operands()[position][0]}]{offset}"

    def row_stride(self, position: int) -> str:
        """The stride of an operand along its row, in a nest without reductions."""
        rank = self._layout.outer_rank
        return f"geometry[{rank + position * (rank + 1) + rank}]"
