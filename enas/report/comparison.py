"""Names several runs by the flags in which they differ, and lays them out as a table.

This module must not import TensorFlow.
"""

import os
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from enas.base.program import visible
from enas.base.text_table import text_table
from enas.report.log_reader import LOG_FILE
from enas.report.log_records import Run
from enas.report.train_cost import filled

# Flags that say nothing about what is compared.
ELSEWHERE = {
    "output_dir",
    "reset_output_dir",
    "save_every_minutes",
    "log_every",
    "init_from",
    "max_minutes",
}
SEED = "seed"  # differs nearly always, so it is named only where it alone tells
MOST_FLAGS = 3  # in a name
LONGEST_NAME = 40  # letters
LONGEST_FILE = 28


class Compared(NamedTuple):
    """A run beside others.

    Attributes:
      file: a short name of its log, which no other one has.
      name: what the legend calls it.
    """

    file: str
    name: str
    run: Run


def compared(runs: Sequence[tuple[str, Run]]) -> list[Compared]:
    """Names runs by the flags in which they differ, or else by their logs.

    Args:
      runs: each with the path of its log.
    """
    files = _files([path for path, _ in runs])
    names = _by_flags([run.flags for _, run in runs]) or files
    return [
        Compared(file, name, run)
        for file, name, (_, run) in zip(files, names, runs, strict=True)
    ]


def _by_flags(flags: list[dict[str, str]]) -> list[str] | None:
    """Returns names such as `img_size=24, seed=1`; None if they would be long."""
    shared = [name for name in flags[0] if all(name in one for one in flags)]
    differing = [
        name
        for name in shared
        if name not in ELSEWHERE and len({one[name] for one in flags}) > 1
    ]
    without_seed = [name for name in differing if name != SEED]
    for chosen in (without_seed, differing):
        names = [
            visible(", ".join(f"{name}={one[name]}" for name in chosen))
            for one in flags
        ]
        readable = len(chosen) <= MOST_FLAGS and max(map(len, names)) <= LONGEST_NAME
        if chosen and readable and len(set(names)) == len(names):
            return names
    return None


def _files(paths: list[str]) -> list[str]:
    """Returns the shortest ends of paths that differ, without `.txt` and `/log.txt`.

    The logs in output folders are thus called after their folders.

    An end that is too long loses its beginning, and gets a number instead.
    """
    parts = []
    for path in paths:
        folder, name = os.path.split(os.path.abspath(path))
        if name != LOG_FILE:
            folder = os.path.join(folder, os.path.splitext(name)[0])
        parts.append(folder.split(os.sep))
    for count in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(part[-count:]) for part in parts]
        if len(set(ends)) == len(ends):
            break
    ends = [visible(end) for end in ends]
    if len(set(ends)) == len(ends) and max(map(len, ends)) <= LONGEST_FILE:
        return ends
    return [f"{i}: {end[3 - LONGEST_FILE :]}" for i, end in enumerate(ends, start=1)]


def rounds(run: Run) -> dict[int, float]:
    """Returns the mean accuracy of the strings shown after each epoch, by epoch."""
    shown: dict[int, list[float]] = {}
    for architecture in run.architectures:
        shown.setdefault(architecture.epoch, []).append(architecture.accuracy)
    return {epoch: statistics.fmean(values) for epoch, values in shown.items()}


def comparison(several: list[Compared], columns: int | None) -> str:
    """Returns a table with a row for each run, and what its columns mean.

    Args:
      columns: of the terminal that shows it; None if none does. Where they are too few,
        the names that differ from the logs' are left out; the picture has them.
    """
    rows = [("log", "epochs", "valid", "best", "test", "strings", "flags")]
    for file, name, run in several:
        valid, test = _accuracies(run, "valid"), _accuracies(run, "test")
        means = rounds(run).values()
        rows.append(
            (
                file,
                str(run.epochs()),
                f"{valid[-1]:.4f}" if valid else "",
                f"{max(valid):.4f}" if valid else "",
                f"{test[-1]:.4f}" if test else "",
                f"{max(means):.4f}" if means else "",
                "" if name == file else name,
            )
        )
    text = text_table(rows, left=[0, 6])
    too_wide = columns and max(map(len, text.splitlines())) > columns
    if too_wide or not any(row[-1] for row in rows[1:]):
        text = text_table([row[:-1] for row in rows], left=[0])
    meaning = (
        "valid and test are the accuracies of the last evaluation, best is the highest "
        "on validation images"
    )
    if any(run.architectures for _, _, run in several):
        meaning += (
            ", and strings the highest mean val_acc of the strings that were sampled "
            "after an epoch"
        )
    return f"{text}\n\n{filled(meaning + '.')}"


def _accuracies(run: Run, split: str) -> list[float]:
    return [record.accuracy for record in run.evaluations if record.split == split]
