"""A kernel that needs no compiler: its nests run over tiles, each operation by NumPy's own inner loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu.dispatch import has_tiles, tile_launch
from pyfuse.backend.interface import NestLaunch, PreparedLaunch
from pyfuse.backend.tiles.program import TileProgram, tile_program
from pyfuse.backend.tiles.self_test import has_numpys_bits
from pyfuse.backend.tiles.tiling import has_loop, tile_nest
from pyfuse.graph.loop_plan import LoopPlan, Nest

LONG_PICOSECONDS = 10_000_000  # of estimated work: then other threads may run meanwhile


class TileKernel:
    """The nests of a plan, for one layout of its operands."""

    def __init__(
        self, nests: Sequence[Nest], programs: Sequence[TileProgram], layouts: Sequence[NestLayout], input_count: int
    ) -> None:
        self.nest_count = len(nests)
        self._nests, self._programs, self._layouts, self._input_count = nests, programs, layouts, input_count

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> PreparedLaunch:  # noqa: ARG002
        """Fix the geometry of a launch; it may be used by many threads at once."""
        functions: list[Any] = []
        constants, scratch = b"", 0
        numbers: list[int] = []
        for nest, program, layout, launch in zip(self._nests, self._programs, self._layouts, nests, strict=True):
            places = {}
            for position, step in enumerate(program.steps):
                if has_loop(step):
                    places[position] = len(functions)
                    functions.append(step.function)
            tiled = tile_nest(nest, program, layout, launch, self._input_count, places, len(constants))
            numbers.extend(tiled.numbers)
            constants += tiled.constants
            scratch = max(scratch, tiled.scratch)
        made = tile_launch(
            operand_count=operand_count,
            nest_count=len(nests),
            description=np.array(numbers, np.intp).tobytes(),
            functions=tuple(functions),
            constants=constants,
            scratch=scratch,
            may_raise=any(step.may_raise for program in self._programs for step in program.steps),
            is_long=sum(nest.outer * nest.inner * nest.element_cost for nest in nests) >= LONG_PICOSECONDS,
        )
        return PreparedLaunch(made.start, (made,), made.addresses, is_tiled=True)

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Run; ``packed`` holds an 8-byte address for each operand, then the scalars. Returns status bits."""
        return prepared.start(packed)


def tile_kernel(plan: LoopPlan, layouts: Sequence[NestLayout]) -> TileKernel | None:
    """The kernel of a plan, or None where tiles cannot do what it does, or the extension is not there."""
    if not has_tiles():
        return None
    nests: list[Nest] = []
    programs = []
    for nest in plan.nests:
        program = tile_program(nest)
        if program is None or not isinstance(nest, Nest) or not _is_tested(program):
            return None
        nests.append(nest)
        programs.append(program)
    return TileKernel(nests, programs, layouts, plan.input_count)


def _is_tested(program: TileProgram) -> bool:
    """Whether every loop gives NumPy's bits."""
    return all(
        has_numpys_bits(step.loop, tuple(program.values[operand].dtype for operand in step.operands))
        for step in program.steps
        if step.loop is not None
    )
