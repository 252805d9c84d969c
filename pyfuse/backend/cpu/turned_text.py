"""The rows of a nest that reads operands in another memory order than it writes its results, as C.

Rows are taken a few at a time, and columns. Of each operand that lies the other way, a block of so many rows and
columns is copied, turned, into a small array (``c_library/turning.c``); then each row runs over its columns as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu.step_text import STACK_BYTES, StepText, block, next_row, row_indices
from pyfuse.records import dataclass

LINE = 64  # bytes of a cache line
HALF_VECTOR, VECTOR = 16, 32  # bytes: see turning.c
# Of a column that is turned at once: neighbours of a line are fetched with it. 3.1 ms to turn 3162 x 3162 elements of
# float32 for 7 with half as many bytes, of float64 6.4 for 10.9.
COLUMN_BYTES = 256
MOST_ROWS, LEAST_ROWS = 128, 16
MOST_COLUMNS, LEAST_COLUMNS = 64, 16
CACHED_BYTES = 1 << 20
NEAR_PART = 2  # rows of operands that are in the second-level cache are taken half as many at a time


@dataclass(frozen=True, kw_only=True)
class _Blocks:
    """How much is turned at once.

    Attributes:
        rows, columns: of a block.
        more_rows, more_columns: that the last block may have, so that none has fewer.
    """

    rows: int
    columns: int
    more_rows: int
    more_columns: int

    def width(self, itemsize: int) -> int:
        """Bytes of a row of a block: an odd number of cache lines, so that a column lies in many of a cache's sets."""
        lines = -(-(self.columns + self.more_columns) * itemsize // LINE)
        return LINE * (lines | 1)

    def bytes(self, itemsize: int) -> int:
        """Of the block of one operand."""
        return (self.rows + self.more_rows) * self.width(itemsize)


def turned_operands(steps: StepText) -> list[int]:
    """The operands of a nest that are turned."""
    return [position for position in range(len(steps.operands())) if steps.is_turned(position)]


def turned_rows(
    layout: NestLayout, steps: StepText, turned: Sequence[int], row: Sequence[str], leader: int | None
) -> list[str]:
    """All rows.

    Args:
        layout, steps: of the nest.
        turned: as ``turned_operands`` has them.
        row: a row from element ``first`` to before ``last``.
        leader: the result whose rows are cut where its cache lines begin, where results are written past the caches.
    """
    return _TurnedRows(layout, steps, turned, leader).text(row)


class _TurnedRows:
    def __init__(self, layout: NestLayout, steps: StepText, turned: Sequence[int], leader: int | None) -> None:
        self._steps = steps
        self._rank = layout.outer_rank
        self._turned = turned
        self._leader = leader
        self._sizes = {position: steps.operands()[position][1].itemsize for position in turned}
        self._blocks = _blocks(list(self._sizes.values()), None if leader is None else self._itemsize(leader))

    def text(self, row: Sequence[str]) -> list[str]:
        """All rows."""
        blocks, last = self._blocks, self._rank - 1
        limit = ["const pf_i8 limit = outer_end;"]
        ahead = []
        if self._rank > 1:
            limit = [
                f"const pf_i8 axis_end = top + geometry[{last}] - x{last}, to_axis = x{last} - top;",
                "const pf_i8 limit = axis_end < outer_end ? axis_end : outer_end;",
            ]
            ahead = [f"x{last} += below - top - 1;", *next_row(self._rank)]
        group = [
            *limit,
            f"below = limit - top <= rows + {blocks.more_rows} ? limit : top + rows;",
            *block("for (pf_i8 left = inner_begin, right; left < inner_end; left = right)", self._tile(row)),
            *ahead,
        ]
        sizes = {position: blocks.bytes(size) for position, size in self._sizes.items()}
        return [
            *(f"char block{place}[{size}] __attribute__((aligned({LINE})));" for place, size in sizes.items()),
            f"const int is_far = {self._is_far()};",
            f"const pf_i8 rows = is_far ? {blocks.rows} : {blocks.rows // NEAR_PART};",
            *row_indices(self._rank),
            *block("for (pf_i8 top = outer_begin, below; top < outer_end; top = below)", group),
        ]

    def _is_far(self) -> str:
        """Whether an operand that is turned is not in the second-level cache."""
        spans = [f"{self._steps.row_stride(position)} * (inner_end - inner_begin)" for position in self._turned]
        return " || ".join(f"{span} > {CACHED_BYTES} || {span} < -{CACHED_BYTES}" for span in spans)

    def _tile(self, row: Sequence[str]) -> list[str]:
        """The columns from ``left`` to before ``right``, of a row that is cut at cache lines from a bit later on."""
        blocks, steps = self._blocks, self._steps
        turn = ["const pf_i8 outer = top;"]
        for position in self._turned:
            code, width = self._code(position), blocks.width(self._sizes[position])
            stride = steps.row_stride(position)
            steps.calls.add(f"pf_turn_{code}")
            source = f"{steps.row_address(position)} + left * {stride}"
            turn.append(f"pf_turn_{code}(block{position}, {width}, {source}, {stride}, below - top, edge - left);")
        edge = "right" if self._leader is None else f"in_tiles && right < inner_end ? right + {self._ahead()} : right"
        rank, most = self._rank, blocks.columns + blocks.more_columns
        place = [f"const pf_i8 x{rank - 1} = to_axis + outer;"] if rank > 1 else []
        return [
            f"right = inner_end - left <= {most} ? inner_end : left + {blocks.columns};",
            f"const pf_i8 edge = {edge};",
            *block("", turn),
            *block("for (pf_i8 outer = top; outer < below; ++outer)", [*place, *self._row(row)]),
        ]

    def _row(self, row: Sequence[str]) -> list[str]:
        steps = self._steps
        pointers = []
        for position in self._turned:
            kind, width = steps.memory_type(steps.operands()[position][1]), self._blocks.width(self._sizes[position])
            pointers.append(
                f"const {kind} *p{position} = (const {kind} *)(block{position} + (outer - top) * {width}) - left;"
            )
        fetches = block("if (is_far && right < inner_end)", self._fetches())
        if self._leader is None:
            return [*pointers, "const pf_i8 first = left, last = right;", *fetches, *row]
        steps.calls.add("pf_to_line")
        size = self._itemsize(self._leader)
        cut = [
            f"const char *const result = {steps.row_address(self._leader)};",
            f"if (left > inner_begin) first += pf_to_line(result + left * {size}, {size});",
            f"if (right < inner_end) last += pf_to_line(result + right * {size}, {size});",
        ]
        return [*pointers, "pf_i8 first = left, last = right;", *block("if (in_tiles)", cut), *fetches, *row]

    def _fetches(self) -> list[str]:
        """What asks for a row of the tile after the next; of results that go through the caches, of the next one."""
        steps, columns = self._steps, self._blocks.columns
        lines = []
        for position, (_, dtype, is_written) in enumerate(steps.operands()):
            if not steps.is_unit(position):
                continue
            fetch = "pf_fetch_result" if is_written else "pf_fetch_row"
            steps.calls.add(fetch)
            unless = "if (!in_tiles) " if is_written and self._leader is not None else ""
            column = "right" if is_written else f"(right + {columns})"
            address = f"{steps.row_address(position)} + {column} * {dtype.itemsize}"
            lines.append(f"{unless}{fetch}({address}, {columns * dtype.itemsize});")
        return lines

    def _itemsize(self, position: int) -> int:
        return self._steps.operands()[position][1].itemsize

    def _ahead(self) -> int:
        """Columns that a row's end may be moved by."""
        assert self._leader is not None
        return LINE // self._itemsize(self._leader) - 1

    def _code(self, position: int) -> str:
        size = self._sizes[position]
        return f"u{size}" if size <= 8 else "c16"


def _blocks(itemsizes: Sequence[int], result: int | None) -> _Blocks:
    """Blocks of operands of these sizes, with results of one."""
    smallest = min(itemsizes)
    rows = max(LEAST_ROWS, min(MOST_ROWS, COLUMN_BYTES // smallest))
    columns = MOST_COLUMNS
    more_columns = max(VECTOR // smallest, 0 if result is None else LINE // result)

    def made() -> _Blocks:
        return _Blocks(rows=rows, columns=columns, more_rows=HALF_VECTOR // smallest, more_columns=more_columns)

    while rows > LEAST_ROWS and sum(map(made().bytes, itemsizes)) > STACK_BYTES:
        rows //= 2
    while columns > LEAST_COLUMNS and sum(map(made().bytes, itemsizes)) > STACK_BYTES:
        columns //= 2
    return made()
