"""The steps of a nest as C declarations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import HIDDEN_ZERO, Expression, application, c_type, literal
from pyfuse.backend.cpu import gather_text
from pyfuse.backend.cpu.opaque_constants import opaque_constants
from pyfuse.backend.cpu.operand_text import OperandText
from pyfuse.graph.infer import resolve
from pyfuse.graph.loop_plan import (
    ApplyStep,
    CarriedStep,
    ConstantStep,
    GatherStep,
    IndexStep,
    LoadStep,
    Nest,
    NestLoop,
    ReducedStep,
    ReductionNest,
    ScalarStep,
    Step,
    Style,
    operands_of_step,
)
from pyfuse.graph.ops import by_name

LEAST_BUFFER = 128  # elements: a leaf of NumPy's tree, and long enough to be worth a loop
SCALAR_SLOT_BYTES = 16  # a complex number is the largest scalar
PARAMETERS = (
    "char *const *operands, const pf_i8 *geometry, const char *scalars,\n"
    "    pf_i8 outer_begin, pf_i8 outer_end, pf_i8 inner_begin, pf_i8 inner_end"
)
ARGUMENTS = "operands, geometry, scalars, outer_begin, outer_end, inner_begin, inner_end"
_INDENT = "    "


class StepText(OperandText):
    """Writes the steps of one nest; collects the library functions that they call.

    Args:
        nest: whose steps.
        layout: how its operands lie, in the order stores, loads.
        input_count: arrays before the outputs in ``operands``.
        stored_truth: the C type of a boolean in memory.
    """

    def __init__(
        self, nest: Nest | ReductionNest, layout: NestLayout, input_count: int, stored_truth: str = "pf_b1"
    ) -> None:
        super().__init__(nest, layout, input_count, stored_truth)
        self.calls: set[str] = set()
        self.names: dict[int, str] = {}
        self._seconds: dict[tuple[str, tuple[int, ...]], tuple[str, str]] = {}
        self._opaque = opaque_constants(nest.steps) | _constants_of_loop(nest)
        self._moving: set[int] = set()
        self._reads_singly = gather_text.reads_singly(nest.steps)
        for position, step in enumerate(nest.steps):
            self.names[position] = _name(position, step)
            if isinstance(step.source, ConstantStep) and position not in self._opaque:
                self.names[position] = literal(step.source.value, step.dtype)

    def cone(self, sinks: Sequence[int], known: Collection[int] = ()) -> list[int]:
        """All steps that ``sinks`` need and that are not ``known``, operands first."""
        pending, found = list(sinks), set[int]()
        while pending:
            position = pending.pop()
            if position in found or position in known:
                continue
            found.add(position)
            pending += operands_of_step(self._nest.steps[position])
        return sorted(found)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A C block: what is declared in it is not known after it."""
        seconds, names = dict(self._seconds), dict(self.names)
        yield
        self._seconds, self.names = seconds, names

    def opaque_constants(self) -> list[str]:
        """Declarations of constants that the compiler cannot see.

        What it computes with them while compiling would report no floating-point error.
        """
        lines = []
        for position in sorted(self._opaque):
            lines += self.opaque_constant(position)
        return lines

    def is_opaque(self, position: int) -> bool:
        """Whether a step is a constant that the compiler must not see."""
        return position in self._opaque

    def opaque_constant(self, position: int) -> list[str]:
        """The declaration of one of them."""
        step = self._nest.steps[position]
        assert isinstance(step.source, ConstantStep)
        name, kind = self.names[position], c_type(step.dtype)
        return [
            f"const volatile {kind} opaque_{position} = {literal(step.source.value, step.dtype)};",
            f"const {kind} {name} = opaque_{position};",
        ]

    def declaration(self, position: int, element: str | None = None) -> list[str]:
        """The declaration of a step's value; ``element`` is the text of a load's, if not ``self.element``."""
        step = self._nest.steps[position]
        name, dtype = self.names[position], step.dtype
        match step.source:
            case LoadStep(load=load):
                text = element if element is not None else self.element(self.load_position(load))
                if dtype.kind == "b":  # an array made by view() may hold any byte; NumPy's loops read "not zero"
                    text = f"{text} != 0"
            case GatherStep():
                return gather_text.gathered(self, position, "p")
            case ScalarStep(slot=slot):
                text = f"*(const {self.memory_type(dtype)} *)(scalars + {slot * SCALAR_SLOT_BYTES})"
            case ConstantStep() | ReducedStep() | CarriedStep() | IndexStep():
                return []
            case ApplyStep():
                return self._application(position, step.source, dtype)
        return [f"const {c_type(dtype)} {name} = {text};"]

    def still_value(self, position: int, pointer: str) -> list[str]:
        """The declaration of a value that does not change in the innermost loop; loads read at ``<pointer><n>``."""
        source = self._nest.steps[position].source
        if isinstance(source, GatherStep):
            return gather_text.gathered(self, position, pointer)
        if not isinstance(source, LoadStep):
            return self.declaration(position)
        place = self.load_position(source.load)
        return self.declaration(position, self.element_at(place, f"{pointer}{place}"))

    def is_moving(self, position: int) -> bool:
        """Whether a step changes in the innermost loop, as ``moves`` has found."""
        return position in self._moving

    def is_single(self, index: int) -> bool:
        """Whether what an index points to is read element by element."""
        return self._reads_singly and index in self._moving

    def moves(self, position: int) -> bool:
        """Whether a step changes in the innermost loop, given how the operands lie; earlier ones are asked first."""
        step = self._nest.steps[position]
        is_walked = isinstance(step.source, LoadStep | GatherStep) and not self.is_still(
            self.load_position(step.source.load)
        )
        is_result = isinstance(step.source, ReducedStep) and getattr(self._nest, "style", None) is Style.COLUMNS
        if is_walked or is_result or any(operand in self._moving for operand in operands_of_step(step)):
            self._moving.add(position)
        return position in self._moving

    def applied(self, operation: str, operands: Sequence[str], dtype: np.dtype) -> str:
        """An operation on values of one dtype that gives that dtype, as a reduction combines them."""
        expression = application(operation, operands, [dtype] * len(operands), dtype)
        self.calls.update(expression.calls)
        return expression.text

    def _application(self, position: int, source: ApplyStep, dtype: np.dtype) -> list[str]:
        operation = by_name(source.operation)
        dtypes = [self._nest.steps[operand].dtype for operand in source.operands]
        key = (source.operation, source.operands)
        if key in self._seconds:
            self.names[position] = self._seconds[key][source.result]
            return []
        results = resolve(operation, dtypes)[1] if operation.result_count > 1 else (dtype,)
        names = [self.names[operand] for operand in source.operands]
        expression = application(source.operation, names, dtypes, results[0])
        self.calls.update(expression.calls)
        if expression.second is None:
            return [f"const {c_type(dtype)} {self.names[position]} = {expression.text};"]
        return self._two_results(position, source, expression, results)

    def _two_results(
        self, position: int, source: ApplyStep, expression: Expression, results: Sequence[np.dtype]
    ) -> list[str]:
        first, second = f"first_{position}", f"second_{position}"
        self._seconds[source.operation, source.operands] = (first, second)
        self.names[position] = (first, second)[source.result]
        return [
            f"{c_type(results[1])} {second};",
            f"const {c_type(results[0])} {first} = {expression.text.format(second=second)};",
        ]


def indented(depth: int, lines: Sequence[str]) -> list[str]:
    """Lines of a C block at a depth; preprocessor lines stay at the margin."""
    return [line if line.startswith("#") else _INDENT * depth + line for line in lines]


STACK_BYTES = 32 * 1024  # for the buffers of a nest: they stay in the first-level cache, and fit on any thread's stack


def buffer_length(itemsizes: Sequence[int], most: int) -> int:
    """Elements of each of a nest's buffers of these item sizes: ``most``, or fewer where there are many."""
    length = most
    while length > LEAST_BUFFER and length * sum(itemsizes) > STACK_BYTES:
        length //= 2
    return length


def block(head: str, lines: Sequence[str]) -> list[str]:
    """``head { lines }``; without a head, a block alone."""
    return [f"{head} {{".lstrip(), *indented(1, lines), "}"]


_DECLARED = re.compile(  # one name, with or without a value that takes no address: a call writes through it
    r"\s*(?:const )?(?:char|pf_\w+|int) \*?(?:const |restrict )*(\w+)(?:\[\d+\])?(?: = (?:(?!, \w+ = )[^&])*)?;"
)
_C_WORD = re.compile(r"\w+")


def without_unused(lines: Sequence[str]) -> list[str]:
    """C lines without the declarations, one to a line, of what no other line mentions.

    The texts of nests declare an address for each operand; which of them a pass needs only its other lines tell.
    """
    kept = list(lines)
    while True:
        words = Counter(word for line in kept for word in _C_WORD.findall(line))
        needed = [
            line
            for line in kept
            if not (found := _DECLARED.fullmatch(line)) or words[found[1]] > len(re.findall(rf"\b{found[1]}\b", line))
        ]
        if len(needed) == len(kept):
            return kept
        kept = needed


def turns_text(loop: NestLoop, names: Mapping[int, str]) -> str:
    """How often the loop inside a nest runs, as an expression of the names of steps."""
    low, high = (names[loop.start], names[loop.stop]) if loop.step > 0 else (names[loop.stop], names[loop.start])
    distance = f"(pf_u8){high} - (pf_u8){low}"
    turns = distance if abs(loop.step) == 1 else f"({distance} - 1) / {abs(loop.step)} + 1"
    return f"{low} < {high} ? {turns} : 0"


def hidden_zero(lines: Sequence[str]) -> list[str]:
    """The declaration of a zero that the compiler cannot see, where it is used."""
    if not any(HIDDEN_ZERO in line for line in lines):
        return []
    return ["const volatile int zero = 0;", f"const int {HIDDEN_ZERO} = zero;"]


def row_indices(rank: int) -> list[str]:
    """Split the first row's number into one index for each outer dimension."""
    if rank < 2:
        return []
    lines = ["pf_i8 rest = outer_begin;"]
    for axis in reversed(range(1, rank)):
        lines.append(f"pf_i8 x{axis} = rest % geometry[{axis}]; rest /= geometry[{axis}];")
    return [*lines, "pf_i8 x0 = rest;"]


def next_row(rank: int) -> list[str]:
    """Move the indices of the outer dimensions to the next row."""
    if rank < 2:
        return []
    text = "++x0;"
    for axis in range(1, rank):
        text = f"if (++x{axis} == geometry[{axis}]) {{ x{axis} = 0; {text} }}"
    return [text]


def _name(position: int, step: Step) -> str:
    word = re.sub(r"[^A-Za-z0-9_]", "", step.name)
    return f"{word}_{position}" if word and not word[0].isdigit() else f"t_{position}"


def _constants_of_loop(nest: Nest | ReductionNest) -> set[int]:
    """Constants that a loop inside the nest begins with or goes on with: gcc could compute an iteration with them."""
    if not isinstance(nest, Nest) or nest.loop is None:
        return set()
    initial = [step.source.initial for step in nest.steps if isinstance(step.source, CarriedStep)]
    used = [nest.loop.start, *initial, *(update for _, update in nest.loop.updates)]
    return {place for place in used if isinstance(nest.steps[place].source, ConstantStep)}
