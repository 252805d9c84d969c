"""Few results side by side, as C: each has accumulators for several reduced elements, combined at the end.

A row of 4 results fills half a vector register, and its accumulators are read back at once after they were written.
Where the next reduced elements of all results lie right behind, as in a table of 4 columns, several rows of it are
taken as one row: ``sides`` of them, in ``lanes`` accumulators. 100,000 float64 in 4 columns are searched for the
place of the largest in 17 us, not 200; NumPy takes 40.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.geometry_text import GeometryText
from pyfuse.backend.cpu.step_text import block
from pyfuse.graph.ops import Fold

LANES = 128  # with 64 float64, or float32, take as long; with 32 twice as long
LEAST_TURNS = 4  # elements that each accumulator takes at least: combining them costs about as much as one more


def takes_any_order(fold: FoldText) -> bool:
    """Whether a result may be combined of parts, and gcc makes vectors of many side by side: it does not of complex."""
    if fold.is_scan or fold.dtype.kind == "c" or fold.accumulation.initial is not None:  # which comes in once
        return False
    return fold.finds_an_index or (fold.fold is Fold.ANY_ORDER and not fold.may_choose_a_zero)


def count(geometry: GeometryText, places: Collection[int]) -> list[str]:
    """Declarations of ``sides`` and ``lanes``, before a stretch of ``width`` results.

    Args:
        geometry: of the nest; its last kept dimension is the innermost loop's.
        places: operands that are read for each reduced element: ``sides`` is 1 where one of them does not lie so.
    """
    inner, last = geometry.kept - 1, geometry.kept + geometry.row - 1
    columns, rows = geometry.extent(inner), geometry.extent(last)
    lies_so = [f"width == {columns}", f"width <= {LANES // 2}", f"{rows} >= {2 * LEAST_TURNS}"]
    lies_so += [
        f"{geometry.stride(place, last)} == {geometry.stride(place, inner)} * {columns}" for place in sorted(places)
    ]
    most = f"{rows} / {LEAST_TURNS}"
    return [
        "pf_i8 sides = 1;",
        *block(f"if ({' && '.join(lies_so)})", [f"sides = {LANES} / width;", f"if (sides > {most}) sides = {most};"]),
        "const pf_i8 lanes = width * sides;",
    ]


def joined(folds: Sequence[FoldText]) -> list[str]:
    """The accumulators of each result combined: of equal extremes, and of NaN, the one that was found first."""
    lines = []
    for fold in folds:
        acc, other = f"{fold.acc}[i]", f"{fold.acc}[side * width + i]"
        if not fold.finds_an_index:
            lines.append(f"{acc} = {fold.combined(acc, other)};")
            continue
        found, place, is_better = f"{fold.index}[i]", f"place{fold.acc}", f"is_better{fold.acc}"
        lines += [
            f"const pf_i8 {place} = {fold.index}[side * width + i] + side;",
            f"const int is_as_good{fold.acc} = !({fold.beats(acc, other)});",
            f"const int {is_better} = ({fold.beats(other, acc)}) | (is_as_good{fold.acc} & ({place} < {found}));",
            f"{acc} = {is_better} ? {other} : {acc};",
            f"{found} = {is_better} ? {place} : {found};",
        ]
    return block("for (pf_i8 side = 1; side < sides; ++side)", block("for (pf_i8 i = 0; i < width; ++i)", lines))
