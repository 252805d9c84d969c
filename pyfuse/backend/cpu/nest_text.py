"""The functions of a nest around its loops: the body, the careful road, and what the runtime calls."""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.backend.cpu.step_text import ARGUMENTS, PARAMETERS, block, indented

# 100,000 floats of which one asks for the careful road (sin of 2**20): 0.65 ns an element, as without it; 3.5 where the
# whole call is run again (one thread, Zen 4).
CAREFUL_BLOCK = 4096  # elements


def nest_text(name: str, body: Sequence[str], *, is_careful: bool, in_blocks: bool = False) -> str:
    """A nest's functions: the loops, once as they are and once with the careful road where a call asks for it.

    Args:
        name: of the nest.
        body: the loops.
        is_careful: a call of theirs knows a careful road.
        in_blocks: any part of the rows and of a row may be computed by itself, so that only blocks take that road.
    """
    lines = [
        f"static inline __attribute__((always_inline)) unsigned {name}_body(",
        f"    {PARAMETERS}, const int careful)",
        "{",
        *indented(1, ["unsigned status = 0;", "(void)careful; (void)geometry; (void)scalars;"]),
        *indented(1, body),
        "}",
    ]
    if is_careful:
        lines += [
            f"static __attribute__((noinline, cold)) unsigned {name}_careful(",
            f"    {PARAMETERS})",
            "{",
            f"    return {name}_body({ARGUMENTS}, 1);",
            "}",
        ]
    entry = _entry_in_blocks(name) if is_careful and in_blocks else _entry(name, is_careful=is_careful)
    return "\n".join([*lines, f"unsigned pyfuse_{name}(", f"    {PARAMETERS})", "{", *indented(1, entry), "}"])


def _entry(name: str, *, is_careful: bool) -> list[str]:
    if not is_careful:
        return [f"return {name}_body({ARGUMENTS}, 0);"]
    return [
        f"const unsigned status = {name}_body({ARGUMENTS}, 0);",
        f"return status & PF_CAREFUL ? {name}_careful({ARGUMENTS}) : status;",
    ]


def _entry_in_blocks(name: str) -> list[str]:
    arguments = "operands, geometry, scalars, outer, outer + rows, begin, begin + count"
    columns = block(
        "for (pf_i8 begin = inner_begin, count; begin < inner_end; begin += count)",
        [
            f"count = inner_end - begin < {CAREFUL_BLOCK} ? inner_end - begin : {CAREFUL_BLOCK};",
            f"const unsigned found = {name}_body({arguments}, 0);",
            f"status |= found & PF_CAREFUL ? {name}_careful({arguments}) : found;",
        ],
    )
    rows = [
        f"rows = inner_end - inner_begin < {CAREFUL_BLOCK} ? {CAREFUL_BLOCK} / (inner_end - inner_begin + 1) + 1 : 1;",
        "rows = outer_end - outer < rows ? outer_end - outer : rows;",
        *columns,
    ]
    outer = block("for (pf_i8 outer = outer_begin, rows; outer < outer_end; outer += rows)", rows)
    return ["unsigned status = 0;", *outer, "return status;"]
