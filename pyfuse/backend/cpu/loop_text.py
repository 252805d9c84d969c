"""A nest with a loop for each element as C: a block of elements goes through all iterations before the next one does.

The values that go from iteration to iteration are small arrays, one element for each lane, that gcc keeps in vector
registers: 32 elements of a Mandelbrot iteration take 9 ns each turn that way, 15 ns through the first-level cache. The
last block of a row is filled up with copies of its last element, so that no lane meets a number that is not the
user's, and raises a flag for it. What is the same for all lanes (the index, a time) is computed beside them.

Turns are taken a few at a time. Where they leave all that a block carries as they found it, bit by bit, so do as many
again: only what remains of the count is still to do. Points that have left Mandelbrot's circle end so, and Newton's
iterations that have converged, or go to and fro between neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pyfuse.array_layout import BROADCAST, NestLayout
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import as_bits, c_type
from pyfuse.backend.cpu.map_text import row_pointers
from pyfuse.backend.cpu.nest_text import nest_text
from pyfuse.backend.cpu.piece_text import is_long, part_sizes
from pyfuse.backend.cpu.step_text import (
    STACK_BYTES,
    StepText,
    block,
    hidden_zero,
    indented,
    next_row,
    row_indices,
    turns_text,
)
from pyfuse.graph.element_cost import repeated_steps
from pyfuse.graph.loop_plan import ApplyStep, CarriedStep, LoadStep, LoopPlan, Nest, NestLoop

MOST_LANES = 64
LEAST_LANES = 16
CARRIED_BYTES = 1024  # of all lanes: half of AVX-512's registers; twice as many lanes spill
# Turns between looks at whether anything has changed, where a selection may keep what it finds, and elsewhere; and the
# lanes that are looked at first. Measured on 10,000 elements and 30 turns, one thread, us: Mandelbrot 155 without
# looks, 125 with one every second turn (julia 425, 271; Newton's cube root 97, 33), but an oscillator 32 and 57; every
# eighth turn 159 and 34. Without looks at 8 lanes first, 39.
TURNS_OF_SELECTIONS = 2
TURNS_OF_OTHERS = 8
WATCHED_LANES = 8

_INDEX = re.compile(r"\bi\b")
_EVERY_LANE = "for (int l = 0; l < {count}; ++l)"


def write_loop(
    name: str, nest: Nest, layout: NestLayout, input_count: int, stored_truth: str = "pf_b1"
) -> tuple[str, set[str]]:
    """The text of a nest's functions, and the library functions that it calls."""
    steps = StepText(nest, layout, input_count, stored_truth)
    writer = _LoopWriter(nest, layout, steps)
    rows = [*row_pointers(steps), *writer.hoisted(), *writer.blocks()]
    body = [
        *hidden_zero(rows),
        *row_indices(layout.outer_rank),
        *block("for (pf_i8 outer = outer_begin; outer < outer_end; ++outer)", [*rows, *next_row(layout.outer_rank)]),
        "return status;",
    ]
    is_careful = any(functions()[call].takes_careful for call in steps.calls)
    return nest_text(name, body, is_careful=is_careful), steps.calls


def truth_code(plan: LoopPlan) -> str | None:
    """The code of the integers that booleans are while a kernel computes; None: a byte, as in memory.

    gcc makes vectors of as many elements as fit of the smallest type in a loop. With booleans of a byte 64 float64 go
    together, in eight registers for each value, and comparisons are packed to bytes and unpacked again: twice the time.
    So it is in bodies that are cut. Kernels with reductions have buffers of booleans, and keep bytes.
    """
    sizes = [0]
    for nest in plan.nests:
        if not isinstance(nest, Nest):
            return None
        if nest.loop is not None:
            steps = [nest.steps[place] for place in repeated_steps(nest.steps) if nest.steps[place].varies_along]
            sizes += [_part(step.dtype).itemsize for step in steps if step.dtype.kind != "b"]
        elif is_long(nest):
            sizes += part_sizes(nest)
    return f"u{max(sizes)}" if max(sizes) > 1 else None


class _LoopWriter:
    """The parts of one nest's text."""

    def __init__(self, nest: Nest, layout: NestLayout, steps: StepText) -> None:
        assert nest.loop is not None
        self._nest = nest
        self._loop: NestLoop = nest.loop
        self._steps = steps
        self._updates = dict(nest.loop.updates)
        self._repeated = repeated_steps(nest.steps)
        self._varying = _varying(nest, layout, self._updates)
        positions = range(len(nest.steps))
        self._before = [place for place in positions if place in self._varying and place not in self._repeated]
        self._carried = [place for place in positions if isinstance(nest.steps[place].source, CarriedStep)]
        self._kept = self._crossing()
        self._finals = self._final_places()
        self._lanes = self._lane_count()

    def hoisted(self) -> list[str]:
        """Declarations of what is the same for all elements of a row, and in all iterations."""
        lines = self._steps.opaque_constants()
        for place in range(len(self._nest.steps)):
            if place not in self._varying and place not in self._repeated and not self._steps.is_opaque(place):
                lines += self._steps.declaration(place)
        return [*lines, f"const pf_u8 turns = {turns_text(self._loop, self._steps.names)};"]

    def blocks(self) -> list[str]:
        """The loop over blocks of a row."""
        inside = [
            f"const pf_i8 width = inner_end - first < {self._lanes} ? inner_end - first : {self._lanes};",
            *self._load(),
            *self._begin(),
            *self._turns(),
            *self._store(),
        ]
        return block(f"for (pf_i8 first = inner_begin; first < inner_end; first += {self._lanes})", inside)

    # --- before the iterations --------------------------------------------------------------------------------------

    def _load(self) -> list[str]:
        """Elements in lane arrays; those beyond the end of the row are its last one."""
        declared, lines = [], []
        for place in self._before:
            step = self._nest.steps[place]
            if isinstance(step.source, LoadStep):
                declared += self._array(f"loaded_{place}", step.dtype)
                element = self._steps.element(self._steps.load_position(step.source.load))
                lines += _assigned(f"loaded_{place}", step.dtype, f"({element})")
        if not lines:
            return []
        whole = self._for_lanes(["const pf_i8 i = first + l;", *lines])
        part = self._for_lanes(["const pf_i8 i = first + (l < width ? l : width - 1);", *lines])
        return [*declared, *block(f"if (width == {self._lanes})", whole), *block("else", part)]

    def _begin(self) -> list[str]:
        """What is computed of the elements before the iterations, and the first of the carried values."""
        declared, lines, alone = [], [], []
        with self._steps.scope():
            for place in self._before:
                step = self._nest.steps[place]
                text = _element(f"loaded_{place}", step.dtype) if isinstance(step.source, LoadStep) else None
                lines += self._steps.declaration(place, text)
            for place in self._kept:
                declared += self._array(f"kept_{place}", self._nest.steps[place].dtype)
                lines += _assigned(f"kept_{place}", self._nest.steps[place].dtype, self._steps.names[place])
            for place in self._carried:
                step = self._nest.steps[place]
                assert isinstance(step.source, CarriedStep)
                initial = self._steps.names[step.source.initial]
                if place in self._varying:
                    declared += self._array(f"carried_{place}", step.dtype)
                    lines += _assigned(f"carried_{place}", step.dtype, initial)
                else:
                    alone.append(f"{c_type(step.dtype)} carried_{place} = {initial};")
        return [*declared, *alone, *(self._for_lanes(lines) if lines else [])]

    # --- the iterations ---------------------------------------------------------------------------------------------

    def _turns(self) -> list[str]:
        """The loop over iterations, in each the loop over lanes."""
        declared = []
        for place in self._finals:
            dtype = self._nest.steps[place].dtype
            if place in self._varying:
                declared += self._array(f"last_{place}", dtype)
            else:
                declared.append(f"{c_type(dtype)} last_{place};")
        with self._steps.scope():
            alone = self._beside_lanes()
            alone_updates = [  # after everything: their right sides are constants of this turn
                f"carried_{place} = {self._steps.names[self._updates[place]]};"
                for place in self._carried
                if place not in self._varying
            ]
            lanes = self._in_lanes()
        inside = [*alone, *(self._for_lanes(lanes) if lanes else []), *alone_updates]
        if self._may_repeat():
            return [*declared, *self._turns_until_they_repeat(inside)]
        step = self._loop.step
        return [
            *declared,
            f"pf_i8 index = {self._steps.names[self._loop.start]};",
            *block(f"for (pf_u8 turn = 0; turn < turns; ++turn, index += {step})", inside),
        ]

    def _may_repeat(self) -> bool:
        """Whether an iteration is given by what the lanes carry."""
        repeated = [self._nest.steps[place] for place in self._repeated]
        is_counted = any(not isinstance(step.source, ApplyStep | CarriedStep) for step in repeated)
        return bool(self._carried) and not is_counted and self._varying.issuperset(self._carried)

    def _turns_until_they_repeat(self, inside: Sequence[str]) -> list[str]:
        declared, kept, compared = [], [], []
        for place in self._carried:
            dtype = self._nest.steps[place].dtype
            declared += self._array(f"before_{place}", dtype)
            for now, before in zip(_parts(f"carried_{place}", dtype), _parts(f"before_{place}", dtype), strict=True):
                kept.append(f"{before}[l] = {now}[l];")
                lanes = [as_bits(f"{name}[l]", dtype, self._steps.calls) for name in (now, before)]
                compared.append(f"moved |= {' ^ '.join(lanes)};")
        most, few = self._turns_between_looks(), str(WATCHED_LANES)
        return [
            *declared,
            "int watched = 0;",
            *block(
                "for (pf_u8 left = turns; left != 0;)",
                [
                    f"const pf_u8 some = left < {most} ? left : {most};",
                    *block("if (watched)", self._for_lanes(kept)),
                    *block("else", self._for_lanes(kept, few)),
                    *block("for (pf_u8 turn = 0; turn < some; ++turn)", inside),
                    "left -= some;",
                    "pf_u8 moved = 0;",
                    *block("if (watched)", [*self._for_lanes(compared), f"if (moved == 0) left %= {most};"]),
                    *block("else", self._for_lanes(compared, few)),
                    "watched = moved == 0;",
                ],
            ),
        ]

    def _turns_between_looks(self) -> int:
        sources = [self._nest.steps[place].source for place in self._repeated]
        selects = any(isinstance(source, ApplyStep) and source.operation == "select" for source in sources)
        return TURNS_OF_SELECTIONS if selects else TURNS_OF_OTHERS

    def _beside_lanes(self) -> list[str]:
        """What an iteration computes once for all lanes."""
        lines = []
        for place in range(len(self._nest.steps)):
            if place not in self._repeated or place in self._varying:
                continue
            lines += self._repeated_declaration(place)
            if place in self._finals:
                lines.append(f"last_{place} = {self._steps.names[place]};")
        return lines

    def _in_lanes(self) -> list[str]:
        """What an iteration computes for each lane."""
        lines = []
        for place in self._kept:
            name = f"lane_{place}"
            self._steps.names[place] = name
            dtype = self._nest.steps[place].dtype
            lines.append(f"const {c_type(dtype)} {name} = {_element(f'kept_{place}', dtype)};")
        for place in range(len(self._nest.steps)):
            if place in self._repeated and place in self._varying:
                lines += self._repeated_declaration(place)
        for place in self._finals:
            if place in self._varying:
                lines += _assigned(f"last_{place}", self._nest.steps[place].dtype, self._steps.names[place])
        for place in self._carried:
            if place in self._varying:
                update = self._steps.names[self._updates[place]]
                lines += _assigned(f"carried_{place}", self._nest.steps[place].dtype, update)
        return lines

    def _repeated_declaration(self, place: int) -> list[str]:
        step, name = self._nest.steps[place], self._steps.names[place]
        match step.source:
            case CarriedStep():
                is_lane = place in self._varying
                value = _element(f"carried_{place}", step.dtype) if is_lane else f"carried_{place}"
                return [f"const {c_type(step.dtype)} {name} = {value};"]
            case ApplyStep():
                return self._steps.declaration(place)
            case _:
                return [f"const {c_type(step.dtype)} {name} = index;"]

    # --- after the iterations ---------------------------------------------------------------------------------------

    def _store(self) -> list[str]:
        lines = [
            f"{self._steps.element(position)} = {self._final(store.step)};"
            for position, store in enumerate(self._nest.stores)
        ]
        if any(_INDEX.search(line) for line in lines):
            lines = ["const pf_i8 i = first + l;", *lines]
        whole = self._for_lanes(lines)
        return [*block(f"if (width == {self._lanes})", whole), *block("else", self._for_lanes(lines, "width"))]

    def _final(self, place: int) -> str:
        """What a step is after the last iteration."""
        dtype, is_lane = self._nest.steps[place].dtype, place in self._varying
        if place not in self._repeated:
            return _element(f"kept_{place}", dtype) if is_lane else self._steps.names[place]
        array = f"last_{place}"
        if place not in self._finals:
            array = f"carried_{self._carrier(place)}"
        return _element(array, dtype) if is_lane else array

    def _carrier(self, place: int) -> int | None:
        """A carried value that is this step after an iteration."""
        return next(
            (
                carried
                for carried, update in self._updates.items()
                if update == place and (carried in self._varying) == (place in self._varying)
            ),
            None,
        )

    def _final_places(self) -> list[int]:
        """Steps whose last value is stored, and is in no carried one."""
        stored = sorted({store.step for store in self._nest.stores})
        return [place for place in stored if place in self._repeated and self._carrier(place) is None]

    # --- lanes ------------------------------------------------------------------------------------------------------

    def _crossing(self) -> list[int]:
        """Steps before the iterations that these, or the stores, need."""
        used = {store.step for store in self._nest.stores} | set(self._updates.values())
        for place in self._repeated:
            source = self._nest.steps[place].source
            if isinstance(source, ApplyStep):
                used |= set(source.operands)
        return [place for place in self._before if place in used]

    def _lane_count(self) -> int:
        if not self._varying:
            return 1
        carried = [place for place in self._carried if place in self._varying]
        arrays = [*carried, *self._before, *self._kept, *self._finals]
        registers, stack = (
            sum(self._nest.steps[place].dtype.itemsize for place in places) for places in (carried, arrays)
        )
        lanes = MOST_LANES
        while lanes > LEAST_LANES and (lanes * registers > CARRIED_BYTES or lanes * stack > STACK_BYTES):
            lanes //= 2
        return lanes

    def _array(self, name: str, dtype: np.dtype) -> list[str]:
        kind = c_type(_part(dtype))
        return [f"{kind} {part}[{self._lanes}];" for part in _parts(name, dtype)]

    def _for_lanes(self, lines: Sequence[str], count: str | None = None) -> list[str]:
        head = _EVERY_LANE.format(count=count or self._lanes)
        return ["#pragma GCC ivdep", f"{head} {{", *indented(1, lines), "}"]


def _varying(nest: Nest, layout: NestLayout, updates: dict[int, int]) -> frozenset[int]:
    """The steps whose value changes along the inner loop, given how the operands lie."""
    varying: set[int] = set()
    count = -1
    while count < len(varying):  # a carried value varies where its update does
        count = len(varying)
        for place, step in enumerate(nest.steps):
            match step.source:
                case LoadStep(load=load):
                    varies = not layout.operands[len(nest.stores) + load].startswith(BROADCAST)
                case ApplyStep(operands=operands):
                    varies = not varying.isdisjoint(operands)
                case CarriedStep(initial=initial):
                    varies = initial in varying or updates[place] in varying
                case _:
                    varies = False
            if varies:
                varying.add(place)
    return frozenset(varying)


def _part(dtype: np.dtype) -> np.dtype:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def _parts(name: str, dtype: np.dtype) -> list[str]:
    """The lane arrays of a value: complex numbers have one for each part, or gcc would move the parts about."""
    return [f"{name}_re", f"{name}_im"] if dtype.kind == "c" else [name]


def _element(name: str, dtype: np.dtype) -> str:
    """A lane's value."""
    if dtype.kind == "c":
        return f"(({c_type(dtype)}){{{name}_re[l], {name}_im[l]}})"
    return f"{name}[l]"


def _assigned(name: str, dtype: np.dtype, value: str) -> list[str]:
    """A lane's value becomes another."""
    if dtype.kind == "c":
        return [f"{name}_re[l] = {value}.re;", f"{name}_im[l] = {value}.im;"]
    return [f"{name}[l] = {value};"]
