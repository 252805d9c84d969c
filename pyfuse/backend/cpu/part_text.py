"""A nest with one row only, as C: parts of it, which threads share, and their combination as NumPy would have it."""

from __future__ import annotations

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.row_text import NestText, RowText
from pyfuse.backend.cpu.step_text import block
from pyfuse.graph.loop_plan import ReductionNest
from pyfuse.graph.ops import Fold

MOST_PARTS = 64  # of a sum in NumPy's tree: see ``call_geometry.MOST_PART_BITS``


def write_parts(name: str, next_name: str, nest: ReductionNest, layout: NestLayout, input_count: int) -> list[NestText]:
    """The text of two nests: one that reduces parts of the only row, number ``outer``, and one that combines them."""
    text = _PartText(nest, layout, input_count)
    body = [
        *text.pointers([]),
        *text.part_bounds(),
        *text.pass_over_row(0, "part_begin", "part_end", is_part=True),
        *text.store_partials(),
    ]
    parts = text.finished(name, [*text.row_length(), *text.parts_loop(body), "return status;"])
    combined = _PartText(nest, layout, input_count)
    whole = "(void)outer_begin; (void)outer_end;"  # it has one row
    lines = [whole, *combined.pointers([]), *combined.combine_parts(), *combined.epilogue()]
    return [parts, combined.finished(next_name, [*lines, "return status;"])]


class _PartText(RowText):
    """Writes both nests of a row in parts."""

    def __init__(self, nest: ReductionNest, layout: NestLayout, input_count: int) -> None:
        super().__init__(nest, layout, input_count)
        self._input_count = input_count

    def parts_loop(self, body: list[str]) -> list[str]:
        """The loop over parts, and memory around it."""
        return self._tiles.buffers(block("for (pf_i8 outer = outer_begin; outer < outer_end; ++outer)", body))

    def part_bounds(self) -> list[str]:
        """``part_begin`` and ``part_end`` of part ``outer``, and where its operands begin."""
        lines: list[str] = []
        chunked = [fold for fold in self._folds if fold.accumulation.form.is_chunked]
        if self._geometry.lead:
            lines.append(f"pf_i8 rest_of_lead = outer / {self.part_parameter(1)};")
            for axis in reversed(range(1, self._geometry.lead)):
                extent = self._geometry.extent(axis)
                lines.append(f"const pf_i8 z{axis} = rest_of_lead % {extent}; rest_of_lead /= {extent};")
            lines += ["const pf_i8 z0 = rest_of_lead;", *self.lead_pointers()]
        else:
            lines += [f"{self._pointer_kind(p)}r{p} = q{p};" for p in range(len(self._steps.operands()))]
        if chunked or self._geometry.lead:
            length = self.chunk(chunked[0]) if chunked else "row_length"
            return [
                *lines,
                f"const pf_i8 part_begin = outer % {self.part_parameter(1)} * {length};",
                f"const pf_i8 part_end = row_length - part_begin < {length} ? row_length : part_begin + {length};",
            ]
        is_complex = any(fold.is_tree and fold.dtype.kind == "c" for fold in self._folds)
        half = "part_end / 2" if not is_complex else "part_end"
        halve = f"pf_i8 half = {half}; half -= half % 8;" + (" half /= 2;" if is_complex else "")
        return [
            *lines,
            "pf_i8 part_begin = 0, part_end = row_length;  /* its length, until it is known */",
            f"for (pf_i8 bit = {self.part_parameter(2)} - 1; bit >= 0; --bit) {{",
            f"    {halve}",
            "    if (outer >> bit & 1) { part_begin += half; part_end -= half; } else part_end = half;",
            "}",
            "part_end += part_begin;",
        ]

    def store_partials(self) -> list[str]:
        """What a part has come to."""
        lines = []
        for fold, places in zip(self._folds, self._nest.partials, strict=True):
            values = [fold.sum] if fold.is_tree else [fold.acc, fold.index]
            for place, value in zip(places, values, strict=False):
                lines.append(f"{self._partial(place, fold, value)}[outer] = {value};")
        return lines

    def _partial(self, place: int, fold: FoldText, value: str) -> str:
        dtype = np.dtype("i8") if value == fold.index else fold.sum_dtype if fold.is_tree else fold.dtype
        return f"(({c_type(dtype)} *)operands[{self._input_count + place}])"

    def combine_parts(self) -> list[str]:
        """The results of all parts put together, as NumPy would have."""
        count = self.part_parameter(0)
        lines: list[str] = []
        for fold, places in zip(self._folds, self._nest.partials, strict=True):
            initial = fold.accumulation.initial
            lines += self.row_values([initial] if initial is not None else [])
            if places:
                lines += self._combined(fold, places, count)
        return lines

    def _combined(self, fold: FoldText, places: tuple[int, ...], count: str) -> list[str]:
        values = self._partial(places[0], fold, fold.acc)
        if fold.finds_an_index:
            name = f"pf_arg_{fold.accumulation.operation.replace('arg', '')}imum_{c_type(fold.dtype)[3:]}"
            self._steps.calls.add(name)
            found = self._partial(places[1], fold, fold.index)
            return [
                *fold.declarations(None),
                f"{name}({values}, {count}, 0, &{fold.acc}, &{fold.index});",
                f"{fold.index} = {found}[{fold.index}];",
            ]
        if not fold.is_tree:
            if fold.fold is Fold.IN_ORDER:
                return [f"const {c_type(fold.dtype)} {fold.acc} = {values}[0];"]
            start = fold.initial_value()
            return [
                *fold.declarations(start),
                *fold.over_partials(values, count, start is None),
                *([f"{fold.zeros} |= {self._zero_signs(fold, values, count)};"] if fold.may_choose_a_zero else []),
                *fold.check_zeros(),
            ]
        lines = fold.declarations(fold.initial_value())
        if not fold.accumulation.form.is_chunked and not self._geometry.lead:
            joined = f"joined{fold.sum}"  # a copy: the careful road comes here a second time
            join = self._steps.applied("add", [f"{joined}[2 * k]", f"{joined}[2 * k + 1]"], fold.sum_dtype)
            lines.append(f"{c_type(fold.sum_dtype)} {joined}[{MOST_PARTS}];")
            lines += block(f"for (pf_i8 k = 0; k < {count}; ++k)", [f"{joined}[k] = {values}[k];"])
            inner = block("for (pf_i8 k = 0; k < parts / 2; ++k)", [f"{joined}[k] = {join};"])
            lines += block(f"for (pf_i8 parts = {count}; parts > 1; parts /= 2)", inner)
            return [*lines, fold.add_sum(f"{joined}[0]")]
        return [*lines, *block(f"for (pf_i8 k = 0; k < {count}; ++k)", [fold.add_sum(f"{values}[k]")])]

    def _zero_signs(self, fold: FoldText, values: str, count: str) -> str:
        name = f"pf_zero_signs_{c_type(fold.dtype)[3:]}"
        self._steps.calls.add(name)
        return f"{name}({values}, {count})"
