"""The steps of a nest as C declarations, and the elements of its operands as C expressions."""

from __future__ import annotations

import cmath
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from pyfuse.array_layout import BROADCAST, UNALIGNED, UNIT, NestLayout
from pyfuse.backend.c_text import HIDDEN_ZERO, Expression, application, c_type, literal
from pyfuse.graph.infer import resolve
from pyfuse.graph.loop_plan import (
    ApplyStep,
    CarriedStep,
    ConstantStep,
    IndexStep,
    Load,
    LoadStep,
    Nest,
    NestLoop,
    ReducedStep,
    ReductionNest,
    ScalarStep,
    Step,
    Store,
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


class StepText:
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
        self.calls: set[str] = set()
        self.names: dict[int, str] = {}
        self._nest = nest
        self._layout = layout
        self._input_count = input_count
        self._stored_truth = stored_truth
        self._seconds: dict[tuple[str, tuple[int, ...]], tuple[str, str]] = {}
        self._opaque = _opaque_constants(nest.steps) | _constants_of_loop(nest)
        for position, step in enumerate(nest.steps):
            self.names[position] = _name(position, step)
            if isinstance(step.source, ConstantStep) and position not in self._opaque:
                self.names[position] = literal(step.source.value, step.dtype)

    # --- operands -------------------------------------------------------------------------------------------------

    def operands(self) -> list[tuple[int, np.dtype, bool]]:
        """Position in ``operands``, dtype, and whether it is written, in the layout's order."""
        stores = [(self._input_count + store.output, store.dtype, True) for store in self._nest.stores]
        return stores + [(load.index, load.dtype, False) for load in self._nest.loads]

    def start_indices(self) -> dict[int, int]:
        """For each operand that does not start at its first element, its number among these."""
        operands: list[Store | Load] = [*self._nest.stores, *self._nest.loads]
        moved = [place for place, operand in enumerate(operands) if operand.offsets]
        return {place: number for number, place in enumerate(moved)}

    def load_position(self, load: int) -> int:
        """The operand of a load, in the layout's order."""
        return len(self._nest.stores) + load

    def element_type(self, position: int) -> str:
        """The C type of an operand's elements in memory."""
        name = self._memory_type(self.operands()[position][1])
        return f"{name}_unaligned" if self._layout.operands[position].endswith(UNALIGNED) else name

    def _memory_type(self, dtype: np.dtype) -> str:
        return self._stored_truth if dtype.kind == "b" else c_type(dtype)

    def is_unit(self, position: int) -> bool:
        """Whether the innermost loop walks an operand element by element."""
        return self._layout.operands[position].startswith(UNIT)

    def is_still(self, position: int) -> bool:
        """Whether the innermost loop does not move in an operand."""
        return self._layout.operands[position].startswith(BROADCAST)

    def element(self, position: int) -> str:
        """The element that the innermost loop is at; ``p<position>`` and ``d<position>`` are pointer and stride."""
        if self.is_unit(position):
            return f"p{position}[i]"
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
        if self.is_unit(position):
            element = self.element_type(position)
            restrict = "restrict " if is_stored else ""
            return [f"{const}{element} *{restrict}p{position} = ({const}{element} *)({address});"]
        return [f"{const}char *p{position} = {address};"]

    # --- steps ----------------------------------------------------------------------------------------------------

    def cone(self, sinks: Sequence[int], known: Collection[int] = ()) -> list[int]:
        """All steps that ``sinks`` need and that are not ``known``, operands first."""
        pending, found = list(sinks), set[int]()
        while pending:
            position = pending.pop()
            if position in found or position in known:
                continue
            found.add(position)
            source = self._nest.steps[position].source
            if isinstance(source, ApplyStep):
                pending += source.operands
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
            case ScalarStep(slot=slot):
                text = f"*(const {self._memory_type(dtype)} *)(scalars + {slot * SCALAR_SLOT_BYTES})"
            case ConstantStep() | ReducedStep() | CarriedStep() | IndexStep():
                return []
            case ApplyStep():
                return self._application(position, step.source, dtype)
        return [f"const {c_type(dtype)} {name} = {text};"]

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


def nest_text(name: str, body: Sequence[str], *, is_careful: bool) -> str:
    """A nest's functions: the loops, once as they are and once with the careful road where a call asks for it."""
    lines = [
        f"static inline __attribute__((always_inline)) unsigned {name}_body(",
        f"    {PARAMETERS}, const int careful)",
        "{",
        *indented(1, ["unsigned status = 0;", "(void)careful; (void)geometry; (void)scalars;"]),
        *indented(1, body),
        "}",
        _entry(name, is_careful=is_careful),
    ]
    return "\n".join(lines)


def _entry(name: str, *, is_careful: bool) -> str:
    if not is_careful:
        body = f"    return {name}_body({ARGUMENTS}, 0);"
        return f"unsigned pyfuse_{name}(\n    {PARAMETERS})\n{{\n{body}\n}}"
    return (
        f"static __attribute__((noinline, cold)) unsigned {name}_careful(\n    {PARAMETERS})\n{{\n"
        f"    return {name}_body({ARGUMENTS}, 1);\n}}\n"
        f"unsigned pyfuse_{name}(\n    {PARAMETERS})\n{{\n"
        f"    const unsigned status = {name}_body({ARGUMENTS}, 0);\n"
        f"    return status & PF_CAREFUL ? {name}_careful({ARGUMENTS}) : status;\n}}"
    )


def _name(position: int, step: Step) -> str:
    word = re.sub(r"[^A-Za-z0-9_]", "", step.name)
    return f"{word}_{position}" if word and not word[0].isdigit() else f"t_{position}"


# Operations on integers and booleans of which one operand may decide the result: x & 0, x | True, where(True, x, y).
_ABSORBING = frozenset({"multiply", "bitwise_and", "bitwise_or", "logical_and", "logical_or", "select"})
# gcc 12.2 makes a product and the addition of (-1, 0) to it, which it writes as a subtraction and an addition, into one
# fused instruction even under -ffp-contract=off (see complex.c).
_ADDING = frozenset({"add", "subtract"})
# The compiler knows which numbers a boolean or a short integer can be, and so what some comparisons give: True == 0.5.
_COMPARING = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
_CHOOSING = frozenset({"select", "heaviside"})  # a result of few values: gcc computes on with each


def _opaque_constants(steps: Sequence[Step]) -> set[int]:
    """Constants that the compiler could compute with: infinities, choices, and all that an operation's operands are."""
    constant: set[int] = set()
    opaque: set[int] = set()
    for position, step in enumerate(steps):
        match step.source:
            case ConstantStep(value=value):
                constant.add(position)
                if isinstance(value, float | complex) and not cmath.isfinite(value):
                    opaque.add(position)
            case ApplyStep(operation=operation, operands=operands):
                is_constant = all(operand in constant for operand in operands)
                if is_constant:
                    constant.add(position)
                if is_constant or (operation in _CHOOSING and step.dtype.kind in "fc"):
                    opaque |= {operand for operand in operands if isinstance(steps[operand].source, ConstantStep)}
                opaque |= {operand for operand in operands if _decides_alone(operation, steps[operand].source)}
                if operation in _ADDING and step.dtype.kind == "c":
                    opaque |= {operand for operand in operands if isinstance(steps[operand].source, ConstantStep)}
                if operation in _COMPARING and any(_is_of_few_values(steps, operand) for operand in operands):
                    opaque |= {operand for operand in operands if isinstance(steps[operand].source, ConstantStep)}
    return opaque


def _constants_of_loop(nest: Nest | ReductionNest) -> set[int]:
    """Constants that a loop inside the nest begins with or goes on with: gcc could compute an iteration with them."""
    if not isinstance(nest, Nest) or nest.loop is None:
        return set()
    initial = [step.source.initial for step in nest.steps if isinstance(step.source, CarriedStep)]
    used = [nest.loop.start, *initial, *(update for _, update in nest.loop.updates)]
    return {place for place in used if isinstance(nest.steps[place].source, ConstantStep)}


def _is_of_few_values(steps: Sequence[Step], position: int) -> bool:
    source = steps[position].source
    return (
        isinstance(source, ApplyStep) and source.operation == "cast" and steps[source.operands[0]].dtype.kind in "biu"
    )


def _decides_alone(operation: str, source: object) -> bool:
    """Whether an operand is a constant that gives the result whatever the other operand is.

    The compiler would leave the other one out, and with it what NumPy reports of it.
    """
    if not isinstance(source, ConstantStep) or operation not in _ABSORBING:
        return False
    return source.value in (0, -1) or isinstance(source.value, bool)
