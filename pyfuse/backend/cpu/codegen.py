"""A loop plan as C text. Only text: nothing is built here.

The text of a nest::

    unsigned pyfuse_nest_0(operands, geometry, scalars, outer_begin, outer_end, inner_begin, inner_end)

runs rows ``outer_begin..outer_end`` (all merged dimensions but the innermost, counted together) and, in each, elements
``inner_begin..inner_end``. ``geometry`` holds the outer extents, then for each operand its outer strides and its inner
stride, in bytes. ``operands`` are the addresses of inputs first, then of outputs. The result is a set of status bits.
"""

from __future__ import annotations

import cmath
import re
from collections.abc import Sequence

import numpy as np

from pyfuse.array_layout import BROADCAST, UNALIGNED, UNIT, NestLayout
from pyfuse.backend.c_library.library import closure, functions, prelude
from pyfuse.backend.c_text import HIDDEN_ZERO, Expression, application, c_type, literal
from pyfuse.backend.interface import KernelSource
from pyfuse.graph.infer import resolve
from pyfuse.graph.loop_plan import ApplyStep, ConstantStep, LoadStep, LoopPlan, Nest, ScalarStep, Step
from pyfuse.graph.ops import by_name

SCALAR_SLOT_BYTES = 16  # a complex number is the largest scalar
_PARAMETERS = (
    "char *const *operands, const pf_i8 *geometry, const char *scalars,\n"
    "    pf_i8 outer_begin, pf_i8 outer_end, pf_i8 inner_begin, pf_i8 inner_end"
)
_ARGUMENTS = "operands, geometry, scalars, outer_begin, outer_end, inner_begin, inner_end"
_INDENT = "    "


def write(plan: LoopPlan, layouts: Sequence[NestLayout], input_count: int) -> KernelSource:
    """The C text of a kernel.

    Args:
        plan: what to compute.
        layouts: how the operands of each nest lie in memory; one for each nest, operands in the order stores, loads.
        input_count: arrays before the outputs in ``operands``.

    Raises:
        CannotFuse: an operation has no C text for its dtypes.
    """
    nests = [
        _NestText(number, nest, layout, plan.scalar_dtypes, input_count).text()
        for number, (nest, layout) in enumerate(zip(plan.nests, layouts, strict=True))
    ]
    calls = sorted({call for _, nest_calls in nests for call in nest_calls})
    library = [function.text for function in closure(calls)]
    table = ", ".join(f"pyfuse_nest_{number}" for number in range(len(nests)))
    parts = [
        prelude().rstrip(),
        *library,
        *(text for text, _ in nests),
        f"typedef unsigned (*pf_nest_function)(\n    {_PARAMETERS});\n"
        f"const pf_nest_function pyfuse_nests[] = {{{table}}};",
    ]
    return KernelSource(language="c", text="\n\n".join(parts) + "\n", nest_count=len(nests))


class _NestText:
    """Writes one nest; collects the library functions that it calls."""

    def __init__(
        self, number: int, nest: Nest, layout: NestLayout, scalar_dtypes: Sequence[np.dtype], input_count: int
    ) -> None:
        self._number = number
        self._nest = nest
        self._layout = layout
        self._scalar_dtypes = scalar_dtypes
        self._input_count = input_count
        self._calls: set[str] = set()
        self._names: dict[int, str] = {}
        self._seconds: dict[tuple[str, tuple[int, ...]], tuple[str, str]] = {}

    def text(self) -> tuple[str, set[str]]:
        hoisted, inner = self._bodies()
        is_careful = any(functions()[call].takes_careful for call in self._calls)
        lines = [
            f"static inline __attribute__((always_inline)) unsigned nest_{self._number}_body(",
            f"    {_PARAMETERS}, const int careful)",
            "{",
            *self._indented(1, ["unsigned status = 0;", "(void)careful; (void)geometry; (void)scalars;"]),
            *self._indented(1, _hidden_zero([*hoisted, *inner])),
            *self._indented(1, self._row_start()),
            *self._indented(1, ["for (pf_i8 outer = outer_begin; outer < outer_end; ++outer) {"]),
            *self._indented(2, self._pointers()),
            *self._indented(2, hoisted),
            *self._indented(2, ["#pragma GCC ivdep", "for (pf_i8 i = inner_begin; i < inner_end; ++i) {"]),
            *self._indented(3, inner),
            *self._indented(2, ["}"]),
            *self._indented(2, self._next_row()),
            *self._indented(1, ["}", "return status;"]),
            "}",
            self._entry(is_careful),
        ]
        return "\n".join(lines), self._calls

    def _entry(self, is_careful: bool) -> str:
        name = f"pyfuse_nest_{self._number}"
        if not is_careful:
            body = f"    return nest_{self._number}_body({_ARGUMENTS}, 0);"
            return f"unsigned {name}(\n    {_PARAMETERS})\n{{\n{body}\n}}"
        return (
            f"static __attribute__((noinline, cold)) unsigned nest_{self._number}_careful(\n    {_PARAMETERS})\n{{\n"
            f"    return nest_{self._number}_body({_ARGUMENTS}, 1);\n}}\n"
            f"unsigned {name}(\n    {_PARAMETERS})\n{{\n"
            f"    const unsigned status = nest_{self._number}_body({_ARGUMENTS}, 0);\n"
            f"    return status & PF_CAREFUL ? nest_{self._number}_careful({_ARGUMENTS}) : status;\n}}"
        )

    # --- rows -----------------------------------------------------------------------------------------------------

    def _row_start(self) -> list[str]:
        """Split the first row's number into one index for each outer dimension."""
        rank = self._layout.outer_rank
        if rank < 2:
            return []
        lines = ["pf_i8 rest = outer_begin;"]
        for axis in reversed(range(1, rank)):
            lines.append(f"pf_i8 x{axis} = rest % geometry[{axis}]; rest /= geometry[{axis}];")
        return [*lines, "pf_i8 x0 = rest;"]

    def _next_row(self) -> list[str]:
        rank = self._layout.outer_rank
        if rank < 2:
            return []
        text = "++x0;"
        for axis in range(1, rank):
            text = f"if (++x{axis} == geometry[{axis}]) {{ x{axis} = 0; {text} }}"
        return [text]

    def _pointers(self) -> list[str]:
        """The address of each operand's row, and the strides of those that are neither unit nor broadcast."""
        rank = self._layout.outer_rank
        lines = []
        for position, (operand, dtype, is_stored) in enumerate(self._operands()):
            first = rank + position * (rank + 1)
            index = ["outer"] if rank == 1 else [f"x{axis}" for axis in range(rank)]
            offset = "".join(f" + {name} * geometry[{first + axis}]" for axis, name in enumerate(index[:rank]))
            layout = self._layout.operands[position]
            element = self._element_type(dtype, layout)
            address = f"operands[{operand}]{offset}"
            const = "" if is_stored else "const "
            if layout.startswith(UNIT):
                restrict = "restrict " if is_stored else ""
                lines.append(f"{const}{element} *{restrict}p{position} = ({const}{element} *)({address});")
            else:
                lines.append(f"{'' if is_stored else 'const '}char *p{position} = {address};")
                if not layout.startswith(BROADCAST):
                    lines.append(f"const pf_i8 d{position} = geometry[{first + rank}];")
        return lines

    def _operands(self) -> list[tuple[int, np.dtype, bool]]:
        """Position in ``operands``, dtype, and whether it is written, in the layout's order."""
        stores = [(self._input_count + store.output, store.dtype, True) for store in self._nest.stores]
        return stores + [(load.index, load.dtype, False) for load in self._nest.loads]

    def _element_type(self, dtype: np.dtype, layout: str) -> str:
        name = c_type(dtype)
        return f"{name}_unaligned" if layout.endswith(UNALIGNED) else name

    def _element(self, position: int, dtype: np.dtype, *, is_stored: bool) -> str:
        layout = self._layout.operands[position]
        if layout.startswith(UNIT):
            return f"p{position}[i]"
        const = "" if is_stored else "const "
        step = "" if layout.startswith(BROADCAST) else f" + i * d{position}"
        return f"*({const}{self._element_type(dtype, layout)} *)(p{position}{step})"

    # --- values ---------------------------------------------------------------------------------------------------

    def _bodies(self) -> tuple[list[str], list[str]]:
        """Declarations before the inner loop, and the inner loop's body."""
        hoisted: list[str] = []
        inner: list[str] = []
        varying: set[int] = set()
        opaque = _opaque_constants(self._nest.steps)
        for position, step in enumerate(self._nest.steps):
            if self._varies(step, varying):
                varying.add(position)
            self._names[position] = self._name(position, step)
            if position in opaque:
                hoisted += self._opaque_constant(position, step)
                continue
            target = inner if position in varying else hoisted
            target += self._declaration(position, step)
        for position, store in enumerate(self._nest.stores):
            element = self._element(position, store.dtype, is_stored=True)
            inner.append(f"{element} = {self._names[store.step]};")
        return hoisted, inner

    def _varies(self, step: Step, varying: set[int]) -> bool:
        """Whether a step's value changes along the inner loop, given how the operands lie."""
        match step.source:
            case LoadStep(load=load):
                return not self._layout.operands[len(self._nest.stores) + load].startswith(BROADCAST)
            case ApplyStep(operands=operands):
                return any(operand in varying for operand in operands)
            case _:
                return False

    def _name(self, position: int, step: Step) -> str:
        word = re.sub(r"[^A-Za-z0-9_]", "", step.name)
        return f"{word}_{position}" if word and not word[0].isdigit() else f"t_{position}"

    def _declaration(self, position: int, step: Step) -> list[str]:
        name, dtype = self._names[position], step.dtype
        match step.source:
            case LoadStep(load=load):
                element = self._element(len(self._nest.stores) + load, dtype, is_stored=False)
                # A bool array made by view() may hold any byte; NumPy's loops read it as "not zero".
                text = f"{element} != 0" if dtype.kind == "b" else element
            case ScalarStep(slot=slot):
                text = f"*(const {c_type(dtype)} *)(scalars + {slot * SCALAR_SLOT_BYTES})"
            case ConstantStep(value=value):
                self._names[position] = literal(value, dtype)
                return []
            case ApplyStep():
                return self._application(position, step.source, dtype)
        return [f"const {c_type(dtype)} {name} = {text};"]

    def _opaque_constant(self, position: int, step: Step) -> list[str]:
        """A constant that the compiler cannot see: what it computes while compiling reports no floating-point error."""
        assert isinstance(step.source, ConstantStep)
        name, kind = self._names[position], c_type(step.dtype)
        return [
            f"const volatile {kind} opaque_{position} = {literal(step.source.value, step.dtype)};",
            f"const {kind} {name} = opaque_{position};",
        ]

    def _application(self, position: int, source: ApplyStep, dtype: np.dtype) -> list[str]:
        operation = by_name(source.operation)
        dtypes = [self._nest.steps[operand].dtype for operand in source.operands]
        key = (source.operation, source.operands)
        if key in self._seconds:
            self._names[position] = self._seconds[key][source.result]
            return []
        results = resolve(operation, dtypes)[1] if operation.result_count > 1 else (dtype,)
        names = [self._names[operand] for operand in source.operands]
        expression = application(source.operation, names, dtypes, results[0])
        self._calls.update(expression.calls)
        if expression.second is None:
            return [f"const {c_type(dtype)} {self._names[position]} = {expression.text};"]
        return self._two_results(position, source, expression, results)

    def _two_results(
        self, position: int, source: ApplyStep, expression: Expression, results: Sequence[np.dtype]
    ) -> list[str]:
        first, second = f"first_{position}", f"second_{position}"
        self._seconds[source.operation, source.operands] = (first, second)
        self._names[position] = (first, second)[source.result]
        return [
            f"{c_type(results[1])} {second};",
            f"const {c_type(results[0])} {first} = {expression.text.format(second=second)};",
        ]

    def _indented(self, depth: int, lines: Sequence[str]) -> list[str]:
        return [line if line.startswith("#") else _INDENT * depth + line for line in lines]


# Operations on integers and booleans of which one operand may decide the result: x & 0, x | True, where(True, x, y).
_ABSORBING = frozenset({"multiply", "bitwise_and", "bitwise_or", "logical_and", "logical_or", "select"})
_CHOOSING = frozenset({"select", "heaviside"})  # a result of few values: gcc computes on with each


def _hidden_zero(lines: Sequence[str]) -> list[str]:
    """The declaration of a zero that the compiler cannot see, where it is used."""
    if not any(HIDDEN_ZERO in line for line in lines):
        return []
    return ["const volatile int zero = 0;", f"const int {HIDDEN_ZERO} = zero;"]


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
    return opaque


def _decides_alone(operation: str, source: object) -> bool:
    """Whether an operand is a constant that gives the result whatever the other operand is.

    The compiler would leave the other one out, and with it what NumPy reports of it.
    """
    if not isinstance(source, ConstantStep) or operation not in _ABSORBING:
        return False
    return source.value in (0, -1) or isinstance(source.value, bool)
