"""How one reduction of a nest accumulates, as C: its variables, a tile of values at a time, or a value at a time.

``acc<n>`` is what accumulation number n has so far, ``index<n>`` where it was found, ``is_first<n>`` whether nothing
has come yet, ``sum<n>`` NumPy's pairwise sum of a stretch, ``tile<n>`` the values of a tile, ``zeros<n>`` which zeros
came by; ``values<n>`` and ``mask<n>`` are a whole row of a sum with ``where=``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import HALF, SINGLE, c_type, cast, literal
from pyfuse.backend.cpu.step_text import StepText, block
from pyfuse.graph.loop_plan import Accumulation
from pyfuse.graph.nodes import code_of
from pyfuse.graph.ops import Fold, by_name, callable_of

BOOL = np.dtype(bool)

# Of zeros of both signs NumPy's vector loops take the one that comes first to some lane: NumPy is asked then.
_CHOOSING_A_ZERO = frozenset({"maximum", "minimum", "fmax", "fmin"})


class FoldText:
    """Writes one accumulation."""

    def __init__(self, number: int, accumulation: Accumulation, steps: StepText) -> None:
        self.accumulation = accumulation
        operation = by_name(accumulation.operation)
        self.dtype = accumulation.dtype
        self.is_scan = accumulation.scan_store is not None
        self.finds_an_index = operation.finds_an_index
        self.fold = operation.fold(self.dtype)
        self.counts = accumulation.counts
        takes_pairs = self.fold is Fold.PAIRWISE and not self.counts
        self.is_pairwise = takes_pairs and not self.finds_an_index and not self.is_scan
        self.is_masked = self.is_pairwise and accumulation.mask is not None and accumulation.form.is_inner
        self.is_tree = self.is_pairwise and accumulation.form.is_inner and not self.is_masked
        self.acc, self.index, self.sum = f"acc{number}", f"index{number}", f"sum{number}"
        self.tile, self.first, self.zeros = f"tile{number}", f"is_first{number}", f"zeros{number}"
        self.nan = f"nan{number}"
        self.values, self.mask = f"values{number}", f"mask{number}"
        self._operation = accumulation.operation
        self._steps = steps
        self.may_choose_a_zero = self._operation in _CHOOSING_A_ZERO and self.dtype.kind == "f"

    @property
    def has_a_hopeful_form(self) -> bool:
        """Whether it is cheaper while no NaN comes by: see ``hoped``."""
        is_extreme = self._operation in ("maximum", "minimum") and self.dtype.kind == "f" and self.dtype != HALF
        return is_extreme and not self.is_scan and self.start_value() is None

    @property
    def sum_dtype(self) -> np.dtype:
        """Of a pairwise sum: float16 is summed in float32."""
        return SINGLE if self.dtype == HALF else self.dtype

    @property
    def tile_dtype(self) -> np.dtype:
        """Of the values in a tile."""
        return BOOL if self.counts else self.dtype

    @property
    def result(self) -> str:
        """The variable that holds the result."""
        return self.index if self.finds_an_index else self.acc

    def start_value(self) -> str | None:
        """What comes before the first element, or None where the first element itself starts."""
        if self.accumulation.form.is_short:
            return literal(complex(-0.0, -0.0) if self.dtype.kind == "c" else -0.0, self.dtype)
        return self.initial_value()

    def initial_value(self) -> str | None:
        """The number that NumPy puts before the first element: that of the call, or the ufunc's identity."""
        if self.accumulation.initial is not None:
            return self._steps.names[self.accumulation.initial]
        return self.identity()

    def identity(self) -> str | None:
        """The number that changes nothing, or None; where there is none, order-free operations may take one twice."""
        if self.is_scan or self.finds_an_index:
            return None
        ufunc: Any = callable_of(by_name(self._operation))
        if ufunc.identity is None:
            return None
        if self.dtype.kind == "u" and ufunc.identity == -1:
            return literal(int(np.iinfo(self.dtype).max), self.dtype)
        return literal(ufunc.identity, self.dtype)

    def declarations(self, start: str | None) -> list[str]:
        """The variables, before the first element."""
        kind = c_type(self.dtype)
        lines = [f"{kind} {self.acc} = {start if start is not None else self.nothing()};"]
        if self.finds_an_index:
            lines.append(f"pf_i8 {self.index} = -1;")
        elif start is None:
            lines.append(f"int {self.first} = 1;")
        if self.is_tree:
            lines.append(f"{c_type(self.sum_dtype)} {self.sum};")
        if self.may_choose_a_zero and not self.is_scan:
            lines.append(f"int {self.zeros} = 0;")
        return lines

    def nothing(self) -> str:
        """A value that is not used."""
        return literal(0, self.dtype)

    def combined(self, left: str, right: str) -> str:
        """Two values by the operation."""
        return self._steps.applied(self._operation, [left, right], self.dtype)

    def hoped(self, value: str, best: str | None) -> str:
        """``combined`` for all values but NaN, ``best`` None before the first: see ``is_doubtful``."""
        is_largest = self._operation == "maximum"
        start = best or f"{self._called(f'pf_infinity_{code_of(self.dtype)}')}({int(is_largest)})"
        return f"{self._called(f'pf_extreme_but_nan_{code_of(self.dtype)}')}({int(is_largest)}, {start}, {value})"

    def is_doubtful(self, best: str) -> str:
        """Whether what ``hoped`` found may come of a NaN."""
        is_smallest = self._operation == "minimum"
        return f"{best} == {self._called(f'pf_infinity_{code_of(self.dtype)}')}({int(is_smallest)})"

    def first_nan(self, value: str, nan: str) -> str:
        """``nan`` where it is NaN, else the value."""
        code = code_of(self.dtype)
        return f"{self._called(f'pf_choose_{code}')}({self._called(f'pf_nan_mask_{code}')}({nan}), {nan}, {value})"

    def beats(self, value: str, best: str) -> str:
        """Whether a later value takes the place of the best one so far: the first NaN does, and stays."""
        is_largest = self._operation == "argmax"
        if self.dtype.kind not in "fc":
            return f"{value} {'>' if is_largest else '<'} {best}"
        code = code_of(self.dtype)
        text = f"{self._called(f'pf_beats_{code}')}({int(is_largest)}, {value}, {best})"
        return text if self.dtype.kind == "f" else f"{text} & !{self._called(f'pf_isnan_{code}')}({best})"

    def may_beat(self, value: str, best: str) -> str | None:
        """Of complex numbers, where ``beats`` is dear: whether it is worth asking."""
        if self.dtype.kind != "c":
            return None
        worse = self._called(f"pf_worse_mask_{code_of(self.dtype)}")
        return f"!{worse}({int(self._operation == 'argmax')}, {value}, {best})"

    def add_sum(self, addend: str) -> str:
        """A statement that adds a pairwise sum to what there is, rounding as NumPy's loop does."""
        if self.dtype != HALF:
            return f"{self.acc} = {self.combined(self.acc, addend)};"
        wide = cast(self.acc, HALF, SINGLE)
        rounded = cast(f"({wide.text} + {addend})", SINGLE, HALF)
        self._steps.calls.update(wide.calls + rounded.calls)
        return f"{self.acc} = {rounded.text};"

    def add_runs(self, begin: str, end: str) -> str:
        """A statement that adds the sums of the runs of a stretch of the row that count."""
        name = self._called(f"pf_sum_of_runs_{code_of(self.dtype)}")
        status = ", &status" if self.dtype == HALF else ""
        row = f"{self.values} + {begin}, {self.mask} + {begin}, {end} - {begin}"
        return f"{self.acc} = {name}({self.acc}, {row}{status});"

    def masked(self, value: str, mask: str) -> str:
        """The value, or a number that adds nothing where the mask is false."""
        nothing = literal(complex(-0.0, -0.0) if self.dtype.kind == "c" else -0.0, self.dtype)
        return f"{self._called(f'pf_select_{code_of(self.dtype)}')}({mask}, {value}, {nothing})"

    def over_tile(self, values: str, count: str, first_index: str, starts_empty: bool) -> list[str]:
        """Take ``count`` values in an array; ``starts_empty``: nothing may have come before."""
        code = code_of(self.dtype)
        if self.counts:
            count_of = f"({c_type(self.dtype)}){self._called('pf_count_nonzero_b1')}({values}, {count})"
            return [f"{self.acc} = {self.combined(self.acc, count_of)};"]
        if self.finds_an_index:
            name = self._called(f"pf_arg_{self._operation.replace('arg', '')}imum_{code}")
            return [f"{name}({values}, {count}, {first_index}, &{self.acc}, &{self.index});"]
        if self.is_tree:
            name = self._called(f"pf_pairwise_{code}")
            return [f"{self.sum} = {name}({values}, {count});"]
        fold = f"pf_fold_{self._operation}_{code}"
        lines = []
        if self.may_choose_a_zero:
            zeros = self._called(f"pf_zero_signs_{code}")
            lines.append(f"if (careful) {self.zeros} |= {zeros}({values}, {count});")
        if fold in functions():
            if starts_empty:
                lines.append(f"if ({self.first}) {{ {self.acc} = {values}[0]; {self.first} = 0; }}")
            return [*lines, f"{self.acc} = {self._called(fold)}({self.acc}, {values}, {count});"]
        begin = "0"
        if starts_empty:
            lines.append(f"const pf_i8 from = {self.first};")
            lines.append(f"if ({self.first}) {{ {self.acc} = {values}[0]; {self.first} = 0; }}")
            begin = "from"
        step = f"{self.acc} = {self.combined(self.acc, f'{values}[i]')};"
        return ["{", *lines, *block(f"for (pf_i8 i = {begin}; i < {count}; ++i)", [step]), "}"]

    def over_partials(self, values: str, count: str, starts_empty: bool) -> list[str]:
        """Take the results of ``count`` parts in an array."""
        if self.counts:
            return block(
                f"for (pf_i8 i = 0; i < {count}; ++i)", [f"{self.acc} = {self.combined(self.acc, f'{values}[i]')};"]
            )
        return self.over_tile(values, count, "0", starts_empty)

    def check_zeros(self, acc: str | None = None) -> list[str]:
        """After the last element: a zero that may have had another sign in NumPy's order is left to NumPy."""
        if not self.may_choose_a_zero or self.is_scan:
            return []
        value = acc or self.acc
        if self.dtype == HALF:
            is_zero = f"({value} & 0x7fff) == 0"
        else:
            is_zero = f"{value} == 0"
        return [f"if ({is_zero}) status |= careful ? ({self.zeros} == 3) * PF_REPLAY : PF_CAREFUL;"]

    def _called(self, name: str) -> str:
        self._steps.calls.add(name)
        return name
