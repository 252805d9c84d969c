"""Tiles of results that stay in registers until it is known that nothing was met in them that is reported.

For short bodies of floats whose results show what was met (``Operation.shows_errors``), and of whole numbers, of which
nothing is ever reported. Other kernels that store in place write tiles to memory, and read the processor's flags.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.backend.cpu.loop_hints import is_short
from pyfuse.backend.cpu.step_text import StepText, block
from pyfuse.graph.loop_plan import ApplyStep, Nest
from pyfuse.graph.ops import by_name

# Of results of one output. a += b * c in C, quiet Zen 4, one thread, in tiles of 256 bytes, in such of 512, in tiles
# of 512 in memory: 1,000 doubles 0.14, 0.14, 0.23 us; 100,000 25.1, 25.4, 30; 10,000,000 7.05, 7.5, 7.1 ms. More
# elements than gcc unrolls before it looks for vectors (16 here): fewer are not vectorised, 0.66 us.
TILE_BYTES = 256
VECTOR_BYTES = 64  # the largest of a processor: pf_put_kept writes whole ones
MOST_STORES = 4  # so many tiles have room in 32 registers, beside what their loops compute


def shows_errors(nest: Nest) -> bool:
    """Whether a nest computes with floats and doubles alone, and finite results say that only underflow was met."""
    sources = [step.source for step in nest.steps]
    return all(step.dtype.char in "fd" for step in nest.steps) and all(
        by_name(source.operation).shows_errors for source in sources if isinstance(source, ApplyStep)
    )


def meets_nothing(nest: Nest) -> bool:
    """Whether a nest computes with whole numbers alone, in C's own operators."""
    return all(step.dtype.kind in "iu" for step in nest.steps) and all(
        step.dtype.kind in by_name(step.source.operation).c_text
        for step in nest.steps
        if isinstance(step.source, ApplyStep) and step.source.operation != "cast"
    )


def can_keep(nest: Nest) -> bool:
    """Whether the tiles of a nest may stay in registers."""
    if not is_short(nest) or len(nest.stores) > MOST_STORES or not (shows_errors(nest) or meets_nothing(nest)):
        return False
    return _length(nest) * min(store.dtype.itemsize for store in nest.stores) % VECTOR_BYTES == 0


def _length(nest: Nest) -> int:
    """Elements of a tile."""
    return TILE_BYTES // max(store.dtype.itemsize for store in nest.stores)


class KeptTiles:
    """The text of such tiles.

    Args:
        nest: for which ``can_keep`` holds.
        steps: its text.
        record: the C text of the address of a call's record (``pf_leaves``).
    """

    def __init__(self, nest: Nest, steps: StepText, record: str) -> None:
        self._nest = nest
        self._steps = steps
        self._record = record
        self._shows = not meets_nothing(nest)
        self._length = _length(nest)
        steps.calls.add("pf_put_kept")
        if self._shows:
            steps.calls.update(f"pf_are_finite_f{store.dtype.itemsize}" for store in nest.stores)

    def declarations(self) -> list[str]:
        """Of what is known of the call, before the rows and after ``if_clear``: without that there is no record."""
        finite_only = f" && (*{self._record} & PF_UNDERFLOW) == 0" if self._shows else ""
        return [f"const int is_kept = if_clear{finite_only};"]

    def loop(self, body: Sequence[str], last: str) -> list[str]:
        """Tiles from ``begin`` on, where a cache line of the first result begins; to one in which something was met.

        That one is computed again, to memory, and the flags are read.

        Args:
            body: of the innermost loop, its stores last.
            last: the element before which the row ends.
        """
        stores, length = list(enumerate(self._nest.stores)), self._length
        lines = [
            "const pf_i8 i = begin + place;",
            *body[: len(body) - len(stores)],
            *(f"kept{number}[place] = {self._steps.names[store.step]};" for number, store in stores),
        ]
        tiles = [
            f"{self._steps.element_type(number)} kept{number}[{length}] __attribute__((aligned(64)));"
            for number, _ in stores
        ]
        compute = [
            "#pragma GCC ivdep",
            "#pragma GCC unroll 16",
            *block(f"for (pf_i8 place = 0; place < {length}; ++place)", lines),
        ]
        look = []
        if self._shows:
            are_finite = (f"pf_are_finite_f{store.dtype.itemsize}(kept{number}, {length})" for number, store in stores)
            look = [f"if (!({' && '.join(are_finite)})) break;"]
        puts = [f"pf_put_kept(r{number} + begin, kept{number}, sizeof kept{number});" for number, _ in stores]
        every = f"for (; {last} - begin >= {length}; begin += {length})"
        is_line = f"pf_to_line(r0 + begin, sizeof({self._steps.element_type(0)})) == 0"
        whole = [*block(every, [*tiles, *compute, *look, *puts]), f"if (begin >= {last}) break;"]
        return block(f"if (is_kept && {is_line})", whole)
