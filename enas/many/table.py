"""The table of trainings, and the lines of those that have not finished."""

from __future__ import annotations

import math
from collections.abc import Sequence

from enas.base.statistics import mean_and_error
from enas.base.text_table import fit, text_table
from enas.many.trainings import FINISHED, Result, Training

MEANS = ("mean of", "seeds", "accuracy", "± s.e.", "test error", "± s.e.", "s.d.")
HEAD = ("training", "accuracy", "± s.e.", "test error", "bytes", "minutes", "string")
LEFT = (0, len(HEAD) - 1)  # the columns of words
# The longest that a number of each column is, so that rows fit below one another.
WIDEST = ("0.0000", "0.0000", "00.00 %", "00,000,000", "00000.0")


def row_of(training: Training) -> tuple[str, ...]:
    """Returns a row; what is not known yet is a dash."""
    numbers = ("-", "-", "-", "-")
    if result := training.result:
        numbers = (
            f"{result.accuracy:.4f}",
            f"{result.error:.4f}",
            _percent(result.test_error),
            "-" if result.bytes is None else f"{result.bytes:,}",
        )
    return (training.name, *numbers, f"{training.minutes:.1f}", training.arc)


def _percent(part: float) -> str:
    return f"{part:.2%}".replace("%", " %")


def best_first(trainings: Sequence[Training]) -> list[Training]:
    """Orders trainings by their accuracy; those that have none come last."""
    return sorted(trainings, key=lambda one: -one.result.accuracy if one.result else 1)


def table(trainings: Sequence[Training], columns: int | None) -> str:
    """Makes a table with a row for each training, best first.

    Below it is a line for each that has not finished.

    Args:
      columns: letters that a line may have; None for any number.
    """
    ordered = best_first(trainings)
    lines = [text_table(fit([HEAD, *map(row_of, ordered)], columns), LEFT)]
    for one in trainings:
        if one.state != FINISHED:
            lines.append(f"{one.name} is {one.state}{one.reason and ': '}{one.reason}")
    return "\n".join(lines)


def table_of_means(trainings: Sequence[Training]) -> str:
    """Makes a table with a row for each string that several seeds trained, best first.

    A row has the means over the seeds and their standard errors, and the standard
    deviation of a single training. It is empty if there is no such string.
    """
    of_string: dict[str, list[Result]] = {}
    for one in trainings:
        if one.state == FINISHED and one.result is not None:
            of_string.setdefault(one.string, []).append(one.result)
    rows = []
    for name, results in of_string.items():
        if len(results) > 1:
            accuracy, error = mean_and_error([one.accuracy for one in results])
            wrong, wrong_error = mean_and_error([one.test_error for one in results])
            parts = (wrong, wrong_error, wrong_error * math.sqrt(len(results)))
            cells = (f"{accuracy:.4f}", f"{error:.4f}", *map(_percent, parts))
            rows.append((accuracy, (name, str(len(results)), *cells)))
    if not rows:
        return ""
    rows.sort(key=lambda row: -row[0])
    return "\n" + text_table([MEANS, *(cells for _, cells in rows)], LEFT[:1])


class Rows:
    """Lays out rows that come one by one, in columns that are known beforehand.

    Args:
      trainings: all of them.
      columns: letters that a line may have; None for any number.
    """

    def __init__(self, trainings: Sequence[Training], columns: int | None):
        self._widest = [HEAD, *((one.name, *WIDEST, one.arc) for one in trainings)]
        self._columns = columns

    def head(self) -> str:
        return self._lines(HEAD)

    def row(self, training: Training) -> str:
        return self._lines(row_of(training))

    def _lines(self, row: tuple[str, ...]) -> str:
        others = fit(self._widest, self._columns)
        fitted = fit([*self._widest, row], self._columns)
        # A string on two lines makes two rows; a headline of one word stays whole.
        lines = text_table(fitted, LEFT).split("\n")
        return "\n".join(lines[len(others) :])
