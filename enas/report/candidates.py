"""Orders the strings that a search sampled, and lays them out as a table.

This module must not import TensorFlow.
"""

import statistics
from typing import NamedTuple

from enas.base.statistics import standard_error
from enas.base.text_table import fit, text_table
from enas.flags.table import KB
from enas.report.log_records import Run
from enas.space.arc import Arc


class Candidate(NamedTuple):
    """A string that one run sampled, once or more often.

    Attributes:
      run: the number of the run, from 1.
      batch_size: images in a validation batch.
      accuracies: one for each time that it was sampled, on a validation batch.
      epochs: the epoch of each of these times.
      bytes: of its packed network; None if the search had no budget.
      fits: whether it is within the search's budget, if it had one.
    """

    arc: Arc
    run: int
    batch_size: int
    accuracies: list[float]
    epochs: list[int]
    bytes: int | None = None
    fits: bool = True

    def mean(self) -> float:
        return statistics.fmean(self.accuracies)

    def error(self) -> float:
        """Returns the standard error of the mean accuracy."""
        return standard_error(self.mean(), self.batch_size * len(self.accuracies))


def candidates(runs: dict[int, Run]) -> list[Candidate]:
    """Returns the sampled strings of runs, best first.

    The order is by mean accuracy less its standard error, so that a single lucky batch
    does not beat a string that was good again and again. Among equals, the later comes
    first. What is over the budget of its search comes last.

    Args:
      runs: the runs by number.
    """
    found: dict[tuple[int, Arc], Candidate] = {}
    for number, run in runs.items():
        for architecture in run.architectures:
            candidate = found.setdefault(
                (number, architecture.arc),
                Candidate(
                    architecture.arc,
                    number,
                    run.valid_batch(),
                    [],
                    [],
                    architecture.bytes,
                    run.fits(architecture),
                ),
            )
            candidate.accuracies.append(architecture.accuracy)
            candidate.epochs.append(architecture.epoch)
    return sorted(
        found.values(),
        key=lambda c: (c.fits, c.mean() - c.error(), c.run, c.epochs[-1]),
        reverse=True,
    )


def table(shown: list[Candidate], several_runs: bool, columns: int | None) -> str:
    """Makes a table with a headline and a row for each string.

    Args:
      columns: of the terminal that shows it; None if none does.
    """
    sized = any(candidate.bytes is not None for candidate in shown)
    cells = []
    for candidate in shown:
        first, last = min(candidate.epochs), max(candidate.epochs)
        row = {
            "accuracy": f"{candidate.mean():.4f}",
            "± s.e.": f"{candidate.error():.4f}",
            "seen": str(len(candidate.accuracies)),
            "epoch": str(first) if first == last else f"{first}-{last}",
        }
        if several_runs:
            row["run"] = str(candidate.run)
        if sized:
            size = candidate.bytes
            row["kB"] = "" if size is None else f"{size / KB:.1f}"
            row["fits"] = "yes" if candidate.fits else "no"
        cells.append(row | {"string": str(candidate.arc)})
    rows = [tuple(cells[0]), *(tuple(row.values()) for row in cells)]
    return text_table(fit(rows, columns), left=[len(rows[0]) - 1])
