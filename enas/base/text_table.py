"""Lays out rows of text as a table with aligned columns."""

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """Makes a line of each row; columns are as wide as needed and two blanks apart.

    Args:
      rows: all with the same number of cells.
      left: the numbers of the columns to align left; the others are aligned right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
