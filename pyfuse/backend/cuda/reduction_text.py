"""What the kernels of all nests with reductions share: places in geometry, elements of operands, values of a batch.

A thread takes a batch of elements of the row at a time: it loads all of them first, as in ``map_text``, and then
computes and takes in one after the other. ``q<n>`` points to an operand's row, ``loaded_<n>[k]`` is an element of the
batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.gather_text import element_there, places
from pyfuse.backend.cpu.step_text import block
from pyfuse.backend.cuda.device_fold import DeviceFold
from pyfuse.backend.cuda.device_steps import DeviceSteps
from pyfuse.backend.cuda.launch_shape import LEAST_NUMBERS
from pyfuse.graph.loop_plan import EPILOGUE, GatherStep, LoadStep, ReducedStep, ReductionNest, Store, Style


class ReductionText:
    """Writes parts of one nest's kernel.

    Args:
        nest, layout, input_count: as in ``StepText``.
        kept: number of merged dimensions of the results.
    """

    def __init__(self, nest: ReductionNest, layout: NestLayout, input_count: int, kept: int) -> None:
        self.nest = nest
        self.steps = DeviceSteps(nest, layout, input_count)
        self.folds = [DeviceFold(number, value, self.steps) for number, value in enumerate(nest.accumulations)]
        self.is_full = False  # whether every thread has elements of the row only
        self.kept = kept
        self.reduced = layout.lead_rank + layout.row_rank
        self._rank = kept + self.reduced
        self._is_row_innermost = nest.style is not Style.COLUMNS
        self._declared: set[int] = set()  # steps that are known for the whole row
        self._reduced_axes = frozenset(range(len(nest.kept), len(nest.dims)))
        for position, step in enumerate(nest.steps):
            if isinstance(step.source, ReducedStep):
                self.steps.names[position] = self.folds[step.source.accumulation].result

    # --- geometry -------------------------------------------------------------------------------------------------

    def extent(self, axis: int) -> str:
        """Of a merged dimension, counted through kept and reduced ones."""
        return f"geometry.at[{LEAST_NUMBERS + axis}]"

    def stride(self, position: int, axis: int) -> str:
        """Of an operand along a merged dimension."""
        return f"geometry.at[{LEAST_NUMBERS + self._rank + position * self._rank + axis}]"

    def length(self) -> list[str]:
        """The number of elements that make one result."""
        extents = " * ".join(self.extent(self.kept + axis) for axis in range(self.reduced))
        return [f"const pf_index length = {extents};"]

    def pointers(self, indices: Sequence[str]) -> list[str]:
        """``q<n>``: where each operand's row is, given the indices of the kept dimensions."""
        operands, starts = self.steps.operands(), self.steps.start_indices()
        lines = []
        for position, (operand, _, is_stored) in enumerate(operands):
            offset = "".join(f" + {index} * {self.stride(position, axis)}" for axis, index in enumerate(indices))
            if position in starts:
                first = LEAST_NUMBERS + self._rank * (1 + len(operands))
                offset += f" + geometry.at[{first + starts[position]}]"
            const = "" if is_stored else "const "
            lines.append(f"{const}char *q{position} = operands.at[{operand}]{offset};")
        return [*lines, *self.steps.gathered_axes()]

    def kept_indices(self, number: str, count: int) -> list[str]:
        """``x<n>``: the indices of the first ``count`` kept dimensions, from the number of their elements."""
        if count == 0:
            return []
        lines = [f"pf_index rest = {number};"]
        for axis in reversed(range(1, count)):
            lines.append(f"const pf_index x{axis} = rest % {self.extent(axis)}; rest /= {self.extent(axis)};")
        return [*lines, "const pf_index x0 = rest;"]

    # --- values ---------------------------------------------------------------------------------------------------

    def is_along(self, position: int) -> bool:
        """Whether a step's value depends on the place in the row."""
        return not self._reduced_axes.isdisjoint(self.nest.steps[position].varies_along)

    def stores(self, phase: int) -> list[tuple[int, Store]]:
        """What is stored in a pass over the row, or after all."""
        pairs = enumerate(zip(self.nest.stores, self.nest.store_phases, strict=True))
        return [(position, store) for position, (store, own) in pairs if own == phase]

    def sinks(self, phase: int) -> list[int]:
        """Steps whose values a pass takes in or stores."""
        folds = [fold.accumulation for fold in self.folds if fold.accumulation.phase == phase]
        masks = [value.mask for value in folds if value.mask is not None]
        return [*[value.step for value in folds], *masks, *[store.step for _, store in self.stores(phase)]]

    def row_values(self, sinks: Sequence[int]) -> list[str]:
        """Declarations of what is the same for the whole row, and not declared yet."""
        lines = []
        for position in self.steps.cone(sinks):
            if self.is_along(position) or position in self._declared:
                continue
            self._declared.add(position)
            source = self.nest.steps[position].source
            if isinstance(source, GatherStep):
                lines += self._gathered(position, "")
                continue
            element = None
            if isinstance(source, LoadStep):
                operand = self.steps.load_position(source.load)
                element = self.steps.element_at(operand, f"q{operand}")
            lines += self.steps.declaration(position, element)
        return lines

    def forget_row_values(self) -> None:
        """What comes next is another row's."""
        self._declared = set()

    def loads(self, sinks: Sequence[int], known: Collection[int] = ()) -> list[int]:
        """Steps that are loads along the row and that ``sinks`` need."""
        return [
            position
            for position in self.steps.cone(sinks, known)
            if self.is_along(position) and isinstance(self.nest.steps[position].source, LoadStep)
        ]

    def load_declarations(self, loads: Sequence[int], per_thread: int) -> list[str]:
        """Registers for a batch."""
        return [f"{c_type(self.nest.steps[position].dtype)} loaded_{position}[{per_thread}];" for position in loads]

    def batch(self, loads: Sequence[int], index: str) -> list[str]:
        """Statements that load element ``j`` of a batch, none of them beyond the last; ``index`` is its place."""
        if not loads:
            return []
        lines = [f"const pf_index beside = {index};", "const pf_index j = beside < length ? beside : length - 1;"]
        if self.is_full:
            lines = [f"const pf_index j = {index};"]
        lines += self.places()
        for position in loads:
            source = self.nest.steps[position].source
            assert isinstance(source, LoadStep)
            operand = self.steps.load_position(source.load)
            lines.append(f"loaded_{position}[k] = {self.element(operand)};")
        return lines

    def places(self, letter: str = "y", index: str = "j") -> list[str]:
        """``y<n>``: the indices of element ``j`` along several reduced dimensions."""
        if self.reduced < 2:
            return []
        left = "left" if letter == "y" else f"left_{letter}"
        lines = [f"pf_index {left} = {index};"]
        for axis in reversed(range(1, self.reduced)):
            extent = self.extent(self.kept + axis)
            lines.append(f"const pf_index {letter}{axis} = {left} % {extent}; {left} /= {extent};")
        return [*lines, f"const pf_index {letter}0 = {left};"]

    def element(self, operand: int) -> str:
        """An operand's element ``j`` of the row."""
        if self._is_row_innermost and self.reduced == 1 and self.steps.is_unit(operand):
            const = "" if operand < len(self.nest.stores) else "const "
            return f"(({const}{self.steps.element_type(operand)} *)q{operand})[j]"
        return self.steps.element_at(operand, f"q{operand}{self._offset(operand, 'y', 'j')}")

    def _offset(self, operand: int, letter: str, index: str) -> str:
        """From an operand's row to an element of it, each part with a plus before it."""
        indices = [index] if self.reduced == 1 else [f"{letter}{axis}" for axis in range(self.reduced)]
        return "".join(f" + {index} * {self.stride(operand, self.kept + axis)}" for axis, index in enumerate(indices))

    def _gathered(self, position: int, walked: str) -> list[str]:
        """Declarations of what is read at computed places; ``walked``: from the row to the element, in bytes."""
        lines, offset = places(self.steps, position)
        return [*lines, *element_there(self.steps, position, walked + offset, "q")]

    def values(self, sinks: Sequence[int], known: Collection[int] = ()) -> list[str]:
        """Declarations of what ``sinks`` need of element ``j``; ``known`` steps are declared already."""
        along = [position for position in self.steps.cone(sinks, known) if self.is_along(position)]
        lines = []
        if any(isinstance(self.nest.steps[position].source, GatherStep) for position in along):
            # Beyond the row there is nothing to read.
            lines = ["const pf_index there = j < length ? j : length - 1;", *self.places("z", "there")]
        for position in along:
            source = self.nest.steps[position].source
            if isinstance(source, GatherStep):
                operand = self.steps.load_position(source.load)
                lines += self._gathered(position, self._offset(operand, "z", "there"))
                continue
            is_load = isinstance(self.nest.steps[position].source, LoadStep)
            lines += self.steps.declaration(position, f"loaded_{position}[k]" if is_load else None)
        return lines

    def taken(self, folds: Sequence[DeviceFold], count: int) -> list[str]:
        """Statements that take element ``j``, the ``k``th of ``count`` in a batch, in."""
        lines = []
        for fold in folds:
            value = fold.accumulation
            mask = None if value.mask is None else self.steps.names[value.mask]
            lines += fold.take(self.steps.names[value.step], mask, count, is_full=self.is_full)
        return lines

    def initial_values(self, folds: Sequence[DeviceFold]) -> list[str]:
        """Declarations of the numbers that come before the first element."""
        return self.row_values([fold.accumulation.initial for fold in folds if fold.accumulation.initial is not None])

    def epilogue(self) -> list[str]:
        """What is stored once for each result; ``q<n>`` points to its place."""
        stores = self.stores(EPILOGUE)
        lines = self.row_values([store.step for _, store in stores])
        for position, store in stores:
            lines.append(f"{self.steps.element_at(position, f'q{position}')} = {self.steps.names[store.step]};")
        return lines


def each(count: int, body: Sequence[str]) -> list[str]:
    """The elements ``k`` of a batch, in registers."""
    return ["#pragma unroll", *block(f"for (int k = 0; k < {count}; ++k)", body)] if body else []
