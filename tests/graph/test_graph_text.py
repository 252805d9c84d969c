"""Does the text of a graph say everything that the graph says?"""

from __future__ import annotations

import numpy as np

from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.nodes import Origin, Output
from pyfuse.graph.text import graph_text

F8, I4 = np.dtype("f8"), np.dtype("i4")
HERE = Origin()


def test_every_kind_of_node_extent_and_output_has_its_text() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False, True], Origin(name="x"))
    scale = draft.add_scalar(I4, Origin(name="scale"))
    wide = draft.cast(scale, F8, HERE, is_implicit=True)
    (scaled,) = draft.apply("multiply", (x, wide), (F8,), Origin(name="scaled"))
    flat = draft.view(scaled, (None, 0), HERE)
    zeros = draft.add_constant(-0.0, F8, (draft.add_extent(),))
    stored = draft.store(zeros, wide, HERE)
    _, rest = draft.apply("divmod", (wide, wide), (F8, F8), HERE)
    outputs = [Output(node=flat), Output(node=stored), Output(node=rest, is_scalar=True)]
    graph = draft.finish([*outputs, Output(node=scaled, is_discarded=True)])
    assert graph_text(graph) == (
        "d0 = a0.shape[0]\n"
        "d1 = n0\n"
        "%0 = input a0                     : f8[d0, 1]  # x\n"
        "%1 = scalar s0                    : i4[]  # scale\n"
        "%2 = cast %1 implicit             : f8[]\n"
        "%3 = multiply %0, %2              : f8[d0, 1]  # scaled\n"
        "%4 = view %3 axes (new, 0)        : f8[1, d0]\n"
        "%5 = constant -0.0                : f8[d1]\n"
        "%6 = cast %2 into %5              : f8[d1]\n"
        "%7 = divmod %2, %2                : f8[]\n"
        "%8 = divmod.1 %2, %2              : f8[]\n"
        "return %4\n"
        "return %6\n"
        "return %8 as a scalar\n"
        "compute %3\n"
    )


def test_a_loop_has_its_text() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], Origin(name="x"))
    bounds = draft.add_constant(0, np.dtype("i8")), draft.add_scalar(np.dtype("i8"), Origin(name="n"))
    loop = draft.add_loop(bounds[0], bounds[1], 2)
    index = draft.cast(draft.loop_index(loop, Origin(name="i")), F8, HERE, is_implicit=True)
    z = draft.carry(loop, x, Origin(name="z"))
    (following,) = draft.apply("multiply", (z, index), (F8,), HERE)
    draft.update(z, following)
    after = draft.looped(loop, following, HERE)
    assert graph_text(draft.finish([Output(node=after)])) == (
        "d0 = a0.shape[0]\n"
        "%0 = input a0                     : f8[d0]  # x\n"
        "%1 = constant 0                   : i8[]\n"
        "%2 = scalar s0                    : i8[]  # n\n"
        "%3 = index of loop 0              : i8[]  # i\n"
        "%4 = cast %3 implicit             : f8[]\n"
        "%5 = carried by loop 0 from %0    : f8[d0]  # z\n"
        "%6 = multiply %5, %4              : f8[d0]\n"
        "%7 = after loop 0 %6              : f8[d0]\n"
        "loop 0 from %1 to %2 step 2: %5 becomes %6\n"
        "return %7\n"
    )


def test_equal_dimensions_are_written_as_equal() -> None:
    draft = GraphDraft()
    x, y = draft.add_input(F8, [False], HERE), draft.add_input(F8, [False], HERE)
    (total,) = draft.apply("add", (x, y), (F8,), HERE)
    assert graph_text(draft.finish([Output(node=total)])).startswith("d0 = a0.shape[0] = a1.shape[0]\n")
