"""Draw records as an aligned text table."""

from __future__ import annotations

from collections.abc import Sequence


def draw_table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int]) -> str:
    """Pad cells to columns two spaces apart, with a rule below the header.

    Args:
        header: one title for each column.
        rows: cells, as many in each row as there are titles.
        text_columns: positions of the columns that start at the left; the others hold numbers and end at the right.

    Returns:
        Lines without trailing spaces, joined by newlines; no newline at the end.

    >>> print(draw_table(("what", "ms"), (("add", "1.5"), ("multiply", "12")), text_columns=(0,)))
    what       ms
    --------  ---
    add       1.5
    multiply   12
    """
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(_draw_line(line, widths, text_columns) for line in lines)


def _draw_line(cells: Sequence[str], widths: Sequence[int], text_columns: Sequence[int]) -> str:
    """One line of the table."""
    padded = (
        cell.ljust(width) if column in text_columns else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
