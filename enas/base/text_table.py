"""Lays out rows of text as a table with aligned columns, as wide as there is room."""

import os
from collections.abc import Sequence
from typing import IO


def text_table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """Makes a line of each row; columns are as wide as needed and two blanks apart.

    Args:
      rows: all with the same number of cells.
      left: the numbers of the columns to align left; the others are aligned right.
    """
    widths = _widths(rows)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def fit(rows: Sequence[Sequence[str]], columns: int | None) -> list[tuple[str, ...]]:
    """Halves the arc strings of a table that is wider than the place it is shown in.

    Below a row comes another one, with the second half of its last cell and nothing
    else. A headline of one word stays whole.

    Args:
      rows: all with the same number of cells; the last one holds words.
      columns: letters that a line may have; None for any number.
    """
    width = sum(_widths(rows)) + 2 * (len(rows[0]) - 1)
    if columns is None or width <= columns:
        return [tuple(row) for row in rows]
    fitted: list[tuple[str, ...]] = []
    for *others, last in rows:
        words = last.split()
        half = (len(words) + 1) // 2
        fitted.append((*others, " ".join(words[:half])))
        if words[half:]:
            fitted.append((*("" for _ in others), " ".join(words[half:])))
    return fitted


def terminal_width(stream: IO[str] | None) -> int | None:
    """Returns the columns of the terminal that a stream shows; None if it shows none.

    The variable COLUMNS stands above what the terminal says, as in other programs.
    """
    try:
        if stream is None or not stream.isatty():
            return None
        told = os.environ.get("COLUMNS", "")
        if told.isascii() and told.isdigit() and int(told):
            return int(told)
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # closed, or no terminal after all
        return None


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
