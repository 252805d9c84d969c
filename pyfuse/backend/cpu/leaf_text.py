"""A leaf of NumPy's tree of sums, as C: up to 128 values that are added as they are computed, in vector registers.

NumPy adds the numbers of a leaf in eight partial sums, which are the lanes of one vector, or of two or four. By way of
a tile in the first-level cache, memory rests while the tile is added: ``sum((a - b)**2)`` of 1,000,000 float64 took
340 us so, and takes 216 by leaves; of 100,000 28 and 20 (Zen 4, gcc 12, one thread). One leaf follows another: with
two side by side, as in ``pf_pairwise_numbers``, memory is read at four places in turn, 325 and 23 us. What is dear to
compute is better off in a tile, where vectors are whole whatever the dtype.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.step_text import StepText, block
from pyfuse.graph.loop_plan import ApplyStep, ReductionNest, Step
from pyfuse.graph.nodes import code_of
from pyfuse.graph.ops import Cost, by_name

LEAF = 128  # numbers, as in NumPy
LANES = 8  # partial sums of a leaf, as in NumPy
MOST_OPERATIONS = 16  # for each value
_EACH_PART = f"for (int part = 0; part < {LANES} / width; ++part)"


def may_be_leaves(nest: ReductionNest, folds: Sequence[FoldText], positions: Collection[int]) -> bool:
    """Whether a pass over a row may go by leaves, and is better off so.

    Args:
        nest: of the pass.
        folds: what the pass reduces to.
        positions: the steps that it computes for each element.
    """
    dtypes = {fold.dtype for fold in folds}
    if len(dtypes) != 1 or not all(fold.is_tree for fold in folds):
        return False
    (dtype,) = dtypes
    steps = [nest.steps[position] for position in positions]
    applied = [step.source for step in steps if isinstance(step.source, ApplyStep)]
    return (
        dtype.char in "fd"
        and len(applied) <= MOST_OPERATIONS
        and all(by_name(source.operation).cost <= Cost.DIVISION for source in applied)
        # Vectors of all values have as many lanes then; booleans that are computed are masks.
        and all(step.dtype == dtype or _is_mask(step) for step in steps)
    )


def _is_mask(step: Step) -> bool:
    return step.dtype.kind == "b" and isinstance(step.source, ApplyStep)


def write_leaf(steps: StepText, folds: Sequence[FoldText], element: Sequence[str]) -> list[str]:
    """``sum<n>`` of ``count`` values, 128 at most, for each of ``folds``.

    Args:
        steps: the texts of the nest.
        folds: what the values are added to.
        element: lines that declare the values of element ``i``, and store what is stored.
    """
    kind, code = c_type(folds[0].dtype), code_of(folds[0].dtype)
    none, joined = f"pf_pairwise_none_{code}", f"pf_pairwise_joined_{code}"
    steps.calls |= {none, joined}
    filled, vectors, rest = [], [], []
    declared, begun, ended = [], [], []
    for fold in folds:
        value, lanes, values = steps.names[fold.accumulation.step], f"lanes{fold.sum}", f"values{fold.sum}"
        declared.append(f"vector {lanes}[{LANES} / width];")
        begun.append(f"{lanes}[part] = {none}() - (vector){{}};")
        filled.append(f"{values}[lane] = {value};")
        vectors.append(f"__builtin_memcpy(&more, {values}, sizeof more); {lanes}[part] += more;")
        ended.append(f"{fold.sum} = {none}();")
        copied = f"__builtin_memcpy(partial + part * width, &{lanes}[part], sizeof(vector));"
        joins = [*block(_EACH_PART, [copied]), f"{fold.sum} = {joined}(partial);"]
        ended += block(f"if (count >= {LANES})", [f"{kind} partial[{LANES}];", *joins])
        rest.append(f"{fold.sum} = {fold.combined(fold.sum, value)};")
    some = [
        *[f"{kind} values{fold.sum}[width];" for fold in folds],
        "#pragma GCC unroll 1",  # taken apart before it is a vector, it would not be one
        "#pragma GCC ivdep",
        *block(
            "for (int lane = 0; lane < width; ++lane)",
            ["const pf_i8 i = first + part * width + lane;", *element, *filled],
        ),
        "vector more;",
        *vectors,
    ]
    whole = f"for (pf_i8 first = 0; first + {LANES} <= count; first += {LANES})"
    return [
        f"enum {{ most = __BIGGEST_ALIGNMENT__ / sizeof({kind}), width = most < {LANES} ? most : {LANES} }};",
        f"typedef {kind} vector __attribute__((vector_size(width * sizeof({kind}))));",
        *declared,
        *block(_EACH_PART, begun),
        *block(whole, block(_EACH_PART, some)),
        *ended,
        "#pragma GCC unroll 1",
        *block(f"for (pf_i8 i = count - count % {LANES}; i < count; ++i)", ['__asm__ volatile("");', *element, *rest]),
    ]
