"""Rows that are reduced, as a CUDA kernel: a warp or a block for each row, in several passes.

Where a row fits in the registers of a block it is loaded once, and so are dear values that a later pass needs again; a
longer one is read again in each pass, from a cache if it is there.
"""

from __future__ import annotations

from collections.abc import Collection

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.step_text import block, without_unused
from pyfuse.backend.cuda.device_fold import WARP, all_parts, joined_parts
from pyfuse.backend.cuda.kernel_text import WrittenNest, finished_kernel
from pyfuse.backend.cuda.launch_shape import NestShape, NestTraits, Walk
from pyfuse.backend.cuda.reduction_text import ReductionText, each
from pyfuse.graph.loop_plan import ApplyStep, ReductionNest
from pyfuse.graph.ops import Cost, by_name

ROWS_OF_A_BLOCK = 8  # where each has one warp
_HELD_BYTES = 128 * 1024  # of a block: half of the 65536 registers that its threads share
_MOST_HELD_BYTES = 256  # of a thread
_BATCH_BYTES = 32  # loads in flight where a row is not held


def write_rows(
    name: str, nest: ReductionNest, layout: NestLayout, input_count: int, *, length: NestTraits, has_scalars: bool
) -> WrittenNest:
    """The kernel of a nest.

    Args:
        name, nest, layout, input_count, has_scalars: as in ``map_text.write_map``.
        length: of a row.

    Raises:
        CannotFuse: an operation has no text.
    """
    text = RowText(nest, layout, input_count, length)
    return finished_kernel(name, text.body(), text.shape, text.text.steps.calls, has_scalars=has_scalars)


class RowText:
    """Writes one kernel.

    Attributes:
        shape: how it is launched.
        text: of the nest's parts.
    """

    def __init__(self, nest: ReductionNest, layout: NestLayout, input_count: int, length: NestTraits) -> None:
        self.text = ReductionText(nest, layout, input_count, layout.outer_rank)
        self._nest = nest
        self._outer_rank = layout.outer_rank
        self._held = [position for phase in range(nest.phase_count) for position in self._loads_of(phase)]
        self._held = sorted(set(self._held))
        self._kept = self._dear_values()
        sizes = [nest.steps[position].dtype.itemsize for position in (*self._held, *self._kept)]
        self._width = _width(length.bound)
        per_thread = max(1, length.bound // self._width)
        most = min(_MOST_HELD_BYTES, _HELD_BYTES // self._width)
        self._is_held = bool(sizes) and per_thread * sum(max(4, size) for size in sizes) <= most
        self.text.is_full = self._is_held and length.is_exact and length.bound >= self._width
        if not self._is_held:
            self._kept = []
            per_thread = max(1, _BATCH_BYTES // max([4, *sizes]))
        height = ROWS_OF_A_BLOCK if self._width == WARP else 1
        self.shape = NestShape(per_thread=per_thread, widest=self._width, height=height, walk=Walk.ROWS)

    def body(self) -> list[str]:
        """The kernel's statements."""
        text, count = self.text, self.shape.per_thread
        row = f"blockIdx.x * (pf_index){self.shape.height} + threadIdx.y" if self.shape.height > 1 else "blockIdx.x"
        lines = [
            f"const pf_index row = {row};",
            "if (row >= geometry.at[0]) return;",
            *text.length(),
            *text.kept_indices("row", self._outer_rank),
            *text.pointers([f"x{axis}" for axis in range(self._outer_rank)]),
        ]
        if self._is_held:
            lines += text.load_declarations(self._held, count)
            lines += each(count, text.batch(self._held, f"threadIdx.x + k * (pf_index){self._width}"))
            kinds = self._nest.steps
            lines += [f"{c_type(kinds[position].dtype)} kept_{position}[{count}];" for position in self._kept]
        for phase in range(self._nest.phase_count):
            lines += self._pass(phase)
        return without_unused([*lines, *block("if (threadIdx.x == 0)", text.epilogue())])

    def _pass(self, phase: int) -> list[str]:
        text, count = self.text, self.shape.per_thread
        folds = [fold for fold in text.folds if fold.accumulation.phase == phase]
        sinks = text.sinks(phase)
        lines = [*text.row_values(sinks), *text.initial_values(folds)]
        lines += all_parts(folds, count)
        ready = {position for position in self._kept if self._first_phase(position) < phase}
        place = f"k * (pf_index){self._width}"
        if self._is_held:
            with text.steps.scope():
                lines += each(count, self._element(phase, f"threadIdx.x + {place}", ready))
        else:
            loads = text.loads(sinks)
            with text.steps.scope():
                body = [
                    *text.load_declarations(loads, count),
                    *each(count, text.batch(loads, f"base + {place}")),
                    *each(count, self._element(phase, f"base + {place}", ready)),
                ]
            step = f"{count} * {self._width}"
            lines += block(f"for (pf_index base = threadIdx.x; base < length; base += {step})", body)
        lines += joined_parts(folds, count)
        for fold in folds:
            lines += fold.over_lanes()
            if self._width > WARP:
                lines += fold.over_warps(self._width // WARP)
            lines += fold.finished()
        return lines

    def _element(self, phase: int, index: str, ready: Collection[int]) -> list[str]:
        """What a pass does with element ``j``."""
        text, names = self.text, self.text.steps.names
        sinks, stores = text.sinks(phase), text.stores(phase)
        lines = [f"const pf_index j = {index};"]
        for position in sorted(ready):
            if position in text.steps.cone(sinks):
                lines.append(
                    f"const {c_type(self._nest.steps[position].dtype)} {names[position]} = kept_{position}[k];"
                )
        lines += text.values(sinks, ready)
        new = [position for position in self._kept if self._first_phase(position) == phase]
        lines += [f"kept_{position}[k] = {names[position]};" for position in new]
        lines += text.taken([fold for fold in text.folds if fold.accumulation.phase == phase], self.shape.per_thread)
        if stores:
            inside = [*text.places(), *[f"{text.element(place)} = {names[store.step]};" for place, store in stores]]
            lines += inside if text.is_full else block("if (j < length)", inside)
        return lines

    def _loads_of(self, phase: int) -> list[int]:
        return self.text.loads(self.text.sinks(phase))

    def _first_phase(self, position: int) -> int:
        phases = range(self._nest.phase_count)
        return next(phase for phase in phases if position in self.text.steps.cone(self.text.sinks(phase)))

    def _dear_values(self) -> list[int]:
        """Steps that cost a function and that more than one pass needs."""
        dear = []
        cones = [set(self.text.steps.cone(self.text.sinks(phase))) for phase in range(self._nest.phase_count)]
        for position, step in enumerate(self._nest.steps):
            if not isinstance(step.source, ApplyStep) or not self.text.is_along(position):
                continue
            is_dear = by_name(step.source.operation).cost >= Cost.FUNCTION
            if is_dear and sum(position in cone for cone in cones) > 1:
                dear.append(position)
        return dear


def _width(length: int) -> int:
    """Threads of a row: a warp for a short one, and else a block with 8 elements for each thread."""
    if length <= 8 * WARP:
        return WARP
    return min(1024, max(128, length // 8))
