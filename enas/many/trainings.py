"""The trainings of a folder: what each one is, how far it is, and what it came to."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from enas.base.errors import InputError
from enas.base.statistics import is_part, standard_error
from enas.loop import history
from enas.many.strings import Wanted
from enas.network.file import FILE as PACKED_FILE
from enas.report.log_reader import LOG_FILE, read_log
from enas.session.checkpoint_files import found_in, step_of

# What a training is. FINISHED ones are never started again.
WAITING = "waiting"
RUNNING = "running"
FINISHED = "finished"
PAUSED = "paused"  # it was asked to leave, or its max_minutes have passed
FAILED = "failed"
STATES = (WAITING, RUNNING, FINISHED, PAUSED, FAILED)
SPLITS = ("valid", "test")  # on whose images a result's accuracy is


@dataclasses.dataclass
class Result:
    """What a training has come to, as its log tells.

    Attributes:
      split: the images that `accuracy` is on: 'valid' if there are any, else 'test'.
      accuracy: that after the last evaluation, from 0 to 1.
      error: its standard error.
      test_error: from 0 to 1.
      bytes: of the packed network; None if there is none.
    """

    split: str
    accuracy: float
    error: float
    test_error: float
    bytes: int | None


@dataclasses.dataclass
class Training:
    """The training of one string with one seed, in a folder of its own.

    Attributes:
      name: that of its folder.
      source: what drew the string.
      searched: its accuracy in the search; None if it was not ranked.
      state: one of STATES.
      minutes: that it has taken, all its starts together.
      reason: why it is paused or failed; else empty.
      result: None until its first evaluation.
      seed: 0 if the flags of all trainings say what it is.
    """

    name: str
    arc: str
    source: str
    searched: float | None
    state: str = WAITING
    minutes: float = 0.0
    reason: str = ""
    result: Result | None = None
    seed: int = 0

    @property
    def task(self) -> tuple[str, int]:
        """What is trained: no two trainings of a folder have the same."""
        return self.arc, self.seed

    @property
    def string(self) -> str:
        """The name without the seed, which all trainings of the string share."""
        return self.name.removesuffix(f"-s{self.seed}")

    def folder(self, above: str) -> str:
        """Returns the path of its output folder, in the folder of all."""
        return os.path.join(above, self.name)

    def errors(self, above: str) -> str:
        """Returns the path of the file that its stderr goes to."""
        return os.path.join(above, f"{self.name}.stderr.txt")


def last_checkpoint(folder: str) -> str | None:
    """Returns the last checkpoint of a training; None if there is none."""
    return next(reversed(found_in(folder)), None)


def is_complete(folder: str, num_epochs: int, patience: int) -> bool:
    """Whether a training that has ended well has done all that it was to do.

    Raises:
      InputError: what it keeps of its evaluations is damaged.
    """
    kept = history.History(folder, num_epochs)
    saved = last_checkpoint(folder)
    if not kept.evaluations or saved is None:
        return False
    last = kept.evaluations[-1]
    # An evaluation is kept before the checkpoint that follows it.
    done = last.epoch == num_epochs or kept.is_over(patience)
    return done and last.step <= step_of(saved)


def result_of(folder: str) -> Result | None:
    """Returns what a training has come to; None before its first evaluation."""
    try:
        run = read_log(os.path.join(folder, LOG_FILE))[-1]
    except InputError:
        return None
    last = {one.split: one for one in run.evaluations}
    test, judged = last.get("test"), last.get("valid", last.get("test"))
    if test is None or judged is None:
        return None
    images = judged.images or run.fact(f"{judged.split}_images") or 1
    path = os.path.join(folder, PACKED_FILE)
    return Result(
        judged.split,
        judged.accuracy,
        standard_error(judged.accuracy, images),
        1.0 - test.accuracy,
        os.path.getsize(path) if os.path.isfile(path) else None,
    )


def named(
    earlier: Sequence[Training], strings: Sequence[Wanted], seeds: int = 0
) -> list[Training]:
    """Returns the trainings of some strings: those there were, and new ones.

    A new one is named after the string's number in the folder, what drew the string,
    and the seed.

    Args:
      earlier: the folder's trainings.
      seeds: train each string with the seeds 1 to this; 0 to leave the seed to the
        flags.
    """
    known = {one.task: one for one in earlier}
    names = {one.arc: one.string for one in earlier}
    trainings = []
    for seed in range(1, seeds + 1) if seeds else (0,):
        for string in strings:
            numbered = f"{len(names) + 1:02d}-{string.source}"
            name = names.setdefault(string.arc, numbered)
            name += f"-s{seed}" if seed else ""
            new = Training(name, *string, seed=seed)
            training = known.setdefault(new.task, new)
            training.searched = string.searched
            trainings.append(training)
    return trainings


def as_json(training: Training) -> dict[str, Any]:
    """Returns a training as its line in a file."""
    return dataclasses.asdict(training)


def from_json(row: dict[str, Any]) -> Training:
    """Returns the training of a line in a file.

    Raises:
      ValueError, TypeError, KeyError: it is none that was written.
    """
    result = row["result"]
    training = Training(**{**row, "result": result and _checked(Result(**result))})
    safe = training.name.replace("-", "").isalnum() and training.name.isascii()
    texts = (training.arc, training.source, training.reason)
    if not (
        safe
        and training.state in STATES
        and all(isinstance(text, str) for text in texts)
        and isinstance(training.minutes, (int, float))
        and (training.searched is None or is_part(training.searched))
        and type(training.seed) is int
    ):
        raise ValueError("not what was written there")
    return training


def _checked(result: Result) -> Result:
    """Checks a result that was read.

    Raises:
      ValueError: it is not one that was written.
    """
    parts = (result.accuracy, result.error, result.test_error)
    size = result.bytes is None or type(result.bytes) is int
    if not (result.split in SPLITS and all(map(is_part, parts)) and size):
        raise ValueError("not what was written there")
    return result
