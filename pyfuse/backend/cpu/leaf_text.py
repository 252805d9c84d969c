"""A leaf of NumPy's tree of sums, as C: up to 128 values that are added as they are computed, in vector registers.

NumPy adds the numbers of a leaf in eight partial sums, which are the lanes of one vector, or of two or four. By way of
a tile in the first-level cache, memory rests while the tile is added: ``sum((a - b)**2)`` of 1,000,000 float64 took
340 us so, and takes 216 by leaves; of 100,000 28 and 20 (Zen 4, gcc 12, one thread). One leaf follows another: with
two side by side, as in ``pf_pairwise_numbers``, memory is read at four places in turn, 325 and 23 us. What is dear to
compute is better off in a tile, where vectors are whole whatever the dtype.

Eight leaves that are the halves' halves' halves of a stretch differ by eight numbers at most, and are written out one
after the other: the number of turns of each is foreseen, and their partial sums are put together at once, in the lanes
of other vectors. Variance and mean of rows of 1,000 float32 in the first-level cache take 98 ns a row so, not 142, and
of float64 140, not 180. Written as a loop over leaves they take 5% longer (layer norm); the careful road goes without.
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
LEAVES = 8  # whose partial sums are put together at once
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


class LeafText:
    """Writes the leaves of one pass.

    Args:
        steps: the texts of the nest.
        folds: what the values are added to.
        element: lines that declare the values of element ``i``, and store what is stored.
    """

    def __init__(self, steps: StepText, folds: Sequence[FoldText], element: Sequence[str]) -> None:
        self._folds = folds
        self._element = element
        self._values = {fold: steps.names[fold.accumulation.step] for fold in folds}
        self._kind, self._code = c_type(folds[0].dtype), code_of(folds[0].dtype)
        self._none, self._joined = f"pf_pairwise_none_{self._code}", f"pf_pairwise_joined_{self._code}"
        self._eight = f"pf_pairwise_eight_{self._code}"
        steps.calls |= {self._none, self._joined, self._eight, "pf_longer_leaves"}

    def lines(self) -> list[str]:
        """``sum<n>`` of ``count`` values, of one leaf or of eight, for each fold."""
        most = (
            f"enum {{ most = __BIGGEST_ALIGNMENT__ / sizeof({self._kind}), width = most < {LANES} ? most : {LANES} }};"
        )
        return [
            most,
            f"typedef {self._kind} vector __attribute__((vector_size(width * sizeof({self._kind}))));",
            *block(f"if (!careful && count > {LEAF})", self._eight_leaves()),
            *block("else", self._one_leaf()),
        ]

    def _one_leaf(self) -> list[str]:
        ended = []
        for fold in self._folds:
            ended.append(f"{fold.sum} = {self._none}();")
            joins = [*self._copied(fold, "partial"), f"{fold.sum} = {self._joined}(partial);"]
            ended += block(f"if (count >= {LANES})", [f"{self._kind} partial[{LANES}];", *joins])
        whole = f"for (pf_i8 first = 0; first + {LANES} <= count; first += {LANES})"
        rest = [f"{fold.sum} = {fold.combined(fold.sum, self._values[fold])};" for fold in self._folds]
        return [*self._begun(), *block(whole, self._eight_more()), *ended, *self._rest(rest)]

    def _eight_leaves(self) -> list[str]:
        """Of a stretch whose leaves are its halves' halves' halves."""
        ended, joined, rest = [], [], []
        for fold in self._folds:
            sums = f"eight{fold.sum}"
            ended += self._copied(fold, f"lanes_of{fold.sum} + {LANES} * leaf")
            joined.append(f"{self._eight}(lanes_of{fold.sum}, {sums});")
            rest.append(f"{sums}[{LEAVES - 1}] = {fold.combined(f'{sums}[{LEAVES - 1}]', self._values[fold])};")
        inner = block(f"for (; first < end; first += {LANES})", self._eight_more())
        end = f"const pf_i8 end = first + count / {LEAVES * LANES} * {LANES} + (longer >> leaf & 1) * {LANES};"
        return [
            *[f"{self._kind} lanes_of{f.sum}[{LEAVES * LANES}], eight{f.sum}[{LEAVES}];" for f in self._folds],
            f"const unsigned longer = pf_longer_leaves(count / {LANES} % {LEAVES});",
            "pf_i8 first = 0;",
            f"#pragma GCC unroll {LEAVES}",
            *block(f"for (int leaf = 0; leaf < {LEAVES}; ++leaf)", [end, *self._begun(), *inner, *ended]),
            *joined,
            *self._rest(rest),
            *[f"{fold.sum} = {self._joined}(eight{fold.sum});" for fold in self._folds],
        ]

    def _begun(self) -> list[str]:
        """Partial sums of nothing."""
        declared = [f"vector lanes{fold.sum}[{LANES} / width];" for fold in self._folds]
        return [
            *declared,
            *block(_EACH_PART, [f"lanes{fold.sum}[part] = {self._none}() - (vector){{}};" for fold in self._folds]),
        ]

    def _copied(self, fold: FoldText, target: str) -> list[str]:
        """The partial sums of a leaf, into memory."""
        return block(
            _EACH_PART, [f"__builtin_memcpy({target} + part * width, &lanes{fold.sum}[part], sizeof(vector));"]
        )

    def _eight_more(self) -> list[str]:
        """Eight values from ``first`` on, added to the partial sums."""
        filled = [f"values{fold.sum}[lane] = {self._values[fold]};" for fold in self._folds]
        added = [
            f"__builtin_memcpy(&more, values{fold.sum}, sizeof more); lanes{fold.sum}[part] += more;"
            for fold in self._folds
        ]
        some = [
            *[f"{self._kind} values{fold.sum}[width];" for fold in self._folds],
            "#pragma GCC unroll 1",  # taken apart before it is a vector, it would not be one
            "#pragma GCC ivdep",
            *block(
                "for (int lane = 0; lane < width; ++lane)",
                ["const pf_i8 i = first + part * width + lane;", *self._element, *filled],
            ),
            "vector more;",
            *added,
        ]
        return block(_EACH_PART, some)

    def _rest(self, taken: Sequence[str]) -> list[str]:
        """The last values, fewer than eight."""
        loop = ['__asm__ volatile("");', *self._element, *taken]
        return ["#pragma GCC unroll 1", *block(f"for (pf_i8 i = count - count % {LANES}; i < count; ++i)", loop)]
