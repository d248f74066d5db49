"""Rows of text as a table of aligned columns."""

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """One line a row; columns are as wide as they need to be, two blanks apart.

    Args:
      rows: equally many cells each.
      left: the columns that are aligned on the left; the others are on the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
