"""Says in words what a log tells: the best strings of a search, or how a training went.

This module must not import TensorFlow.
"""

import shlex

from enas.base.statistics import standard_error
from enas.base.text_table import text_table
from enas.flags.table import FLAGS
from enas.report.candidates import Candidate, candidates, table
from enas.report.log_records import Evaluation, Run
from enas.report.train_command import path_of, train_command
from enas.report.train_cost import below_command, filled

NO_STRINGS = "no sampled strings in the log yet"


def report(
    runs: dict[int, Run],
    best: int,
    several_runs: bool,
    columns: int | None = None,
    folder: str | None = None,
) -> str:
    """Returns what is printed of a log.

    Args:
      runs: the runs to tell of, by number.
      best: how many strings to show.
      several_runs: whether the log holds more than one.
      columns: of the terminal that shows it; None if none does.
      folder: the output folder, if it is known otherwise than from the log.
    """
    found = candidates(runs)
    if found:
        return _of_searches(runs, found, best, several_runs, columns, folder)
    trained = {number: run for number, run in runs.items() if run.is_training()}
    if not trained:
        return NO_STRINGS
    return "\n\n".join(
        _of_training(run, f"run {number}: " if several_runs else "")
        for number, run in trained.items()
    )


def _of_searches(
    runs: dict[int, Run],
    found: list[Candidate],
    best: int,
    several_runs: bool,
    columns: int | None,
    folder: str | None,
) -> str:
    """Returns the best strings, how certain they are, and the commands that follow."""
    first = found[0]
    run = runs[first.run]
    error = standard_error(first.mean(), first.batch_size)
    shown = _folder(run, folder)
    one = filled(
        f"One accuracy is that of a single batch of {first.batch_size} validation "
        f"images. At {first.mean():.2f} its standard error is {error:.4f}, so "
        f"neighbours in this list do not differ: take a string that recurs, or train a "
        f"few. This judges more strings, on all validation images"
        + (":" if shown else ", where FOLDER is the search's output folder:")
    )
    texts = [
        f"The best {min(best, len(found))} of {len(found)} sampled strings:",
        table(found[:best], several_runs, columns),
        one,
        f"enas_env/bin/python -m enas.rank_arcs {shown or 'FOLDER'} --draw=25",
        "The first one is trained by",
        train_command(first.arc, run.flags),
        below_command(first.arc, run),
    ]
    if "child_scheme" not in run.flags:
        texts.append(
            filled(
                "The log does not say which number formats it searched: add "
                "--child_scheme if they were other than the train script's default."
            )
        )
    return "\n\n".join(text for text in texts if text)


def _folder(run: Run, folder: str | None) -> str:
    """Returns the output folder of a run, quoted for a shell; empty if unknown."""
    text = run.flags.get("output_dir", "")
    folder = folder or (path_of(text, FLAGS["output_dir"].default) if text else "")
    return shlex.quote(folder) if folder and folder.isprintable() else ""


def _of_training(run: Run, start: str) -> str:
    """Returns how far a training is, and its last and its best accuracy."""
    asked = run.flags.get("num_epochs", "")
    of = f" of {asked}" if asked.isdigit() else ""
    head = f"{start}a training of one string, after {run.epochs()}{of} epochs"
    head = head[0].upper() + head[1:]
    by_split = {
        split: [e for e in run.evaluations if e.split == split]
        for split in ("valid", "test")
    }
    rows = [("images", "last", "± s.e.", "epoch", "best", "± s.e.", "epoch")]
    for split, evaluations in by_split.items():
        if evaluations:
            best = max(evaluations, key=lambda e: (e.accuracy, -e.epoch))
            rows.append((split, *_told(evaluations[-1]), *_told(best)))
    if len(rows) == 1:
        return f"{head}.\n\n{_progress(run)}"
    return "\n\n".join(
        [f"{head}:", text_table(rows, left=[0]), *_by_validation(by_split)]
    )


def _told(evaluation: Evaluation) -> tuple[str, str, str]:
    """Returns the cells of an evaluation: accuracy, standard error and epoch."""
    images, accuracy = evaluation.images, evaluation.accuracy
    error = f"{standard_error(accuracy, images):.4f}" if images else ""
    return f"{accuracy:.4f}", error, str(evaluation.epoch)


def _by_validation(by_split: dict[str, list[Evaluation]]) -> list[str]:
    """Returns a sentence on the test accuracy of the epoch that validation picks."""
    if not all(by_split.values()):
        return []
    picked = max(by_split["valid"], key=lambda e: (e.accuracy, -e.epoch))
    test = [e for e in by_split["test"] if e.epoch == picked.epoch]
    if not test:
        return []
    return [
        filled(
            f"Validation images pick epoch {picked.epoch}, where test accuracy was "
            f"{test[-1].accuracy:.4f}. The best test accuracy is picked by the test "
            f"images themselves, so it flatters."
        )
    ]


def _progress(run: Run) -> str:
    """Returns how training goes before its first evaluation."""
    if not run.child_steps:
        return "There is no evaluation in the log yet."
    last = run.child_steps[-1]
    return filled(
        f"There is no evaluation in the log yet. At step {last.step:,} the loss was "
        f"{last.loss:.3f}, and {last.correct} of {last.batch_size} training images "
        f"were classified right."
    )
