"""A loop plan as C text. Only text: nothing is built here.

The text of a nest::

    unsigned pyfuse_nest_0(operands, geometry, scalars, outer_begin, outer_end, inner_begin, inner_end)

runs rows ``outer_begin..outer_end`` and, in each, elements ``inner_begin..inner_end``; what a row is, and what
``geometry`` holds, each kind of nest says (``map_text``, ``row_text``, ``column_text``). ``operands`` are the addresses
of inputs, outputs and temporaries. The result is a set of status bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_library.library import closure, prelude
from pyfuse.backend.cpu.column_text import write_columns
from pyfuse.backend.cpu.loop_hints import hints
from pyfuse.backend.cpu.loop_text import truth_code, write_loop
from pyfuse.backend.cpu.map_text import write_map
from pyfuse.backend.cpu.part_text import write_parts
from pyfuse.backend.cpu.row_text import write_rows
from pyfuse.backend.cpu.step_text import PARAMETERS
from pyfuse.backend.interface import KernelSource
from pyfuse.graph.loop_plan import LoopPlan, Nest, ReductionNest, Style

NestText = tuple[str, set[str]]
STORED_TRUTH = "pf_b1_stored"  # the type of a boolean in memory, where one that is computed with is wider


def write(plan: LoopPlan, layouts: Sequence[NestLayout]) -> KernelSource:
    """The C text of a kernel.

    Args:
        plan: what to compute.
        layouts: how the operands of each nest lie in memory; one for each nest, operands in the order stores, loads.

    Raises:
        CannotFuse: an operation has no C text for its dtypes.
    """
    nests: list[NestText] = []
    truth = truth_code(plan)
    stored_truth = "pf_b1" if truth is None else STORED_TRUTH
    for nest, layout in zip(plan.nests, layouts, strict=True):
        nests += _nest_texts(f"nest_{len(nests)}", f"nest_{len(nests) + 1}", nest, layout, plan, stored_truth)
    calls = sorted({call for _, nest_calls in nests for call in nest_calls})
    library = [function.text for function in closure(calls)]
    table = ", ".join(f"pyfuse_nest_{number}" for number in range(len(nests)))
    parts = [
        *hints(plan),
        _prelude(truth).rstrip(),
        *library,
        *(text for text, _ in nests),
        f"typedef unsigned (*pf_nest_function)(\n    {PARAMETERS});\n"
        f"const pf_nest_function pyfuse_nests[] = {{{table}}};",
    ]
    return KernelSource(language="c", text="\n\n".join(parts) + "\n", nest_count=len(nests))


def _prelude(truth: str | None) -> str:
    """The declarations that open a kernel whose booleans are integers of this code, or bytes."""
    if truth is None:
        return prelude()
    as_bytes = "typedef unsigned char pf_b1;\n"
    lines = prelude().replace(as_bytes, f"typedef unsigned char {STORED_TRUTH};\n")
    assert lines != prelude()
    wide = f"typedef pf_{truth} pf_b1;\n"
    place = lines.index("typedef unsigned short pf_f2;\n")
    return lines[:place] + wide + lines[place:]


def _nest_texts(
    name: str, next_name: str, nest: Nest | ReductionNest, layout: NestLayout, plan: LoopPlan, stored_truth: str
) -> list[NestText]:
    """The functions of a nest: two where parts of it are combined afterwards."""
    if isinstance(nest, Nest) and nest.loop is not None:
        return [write_loop(name, nest, layout, plan.input_count, stored_truth)]
    if isinstance(nest, Nest):
        return [write_map(name, nest, layout, plan.input_count, stored_truth, overwrites=plan.overwrites)]
    match nest.style:
        case Style.ROWS:
            return [write_rows(name, nest, layout, plan.input_count)]
        case Style.COLUMNS:
            return [write_columns(name, nest, layout, plan.input_count)]
        case Style.PARTS:
            return write_parts(name, next_name, nest, layout, plan.input_count)
