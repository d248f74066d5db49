"""Keeps a run's evaluations in its folder, and tells when they stop getting better.

The file may know more than the checkpoint that a run goes on from. What is later than
that is forgotten, since it will be evaluated again.
"""

import os
from typing import Any, NamedTuple

from enas.base.files import read_kept, write_json
from enas.base.statistics import is_part

FILE = "evaluations.json"


class Evaluation(NamedTuple):
    """The accuracies after an epoch, from 0 to 1.

    Attributes:
      epoch: how many epochs were done.
      step: the child's step.
      valid: None if there are no validation images.
    """

    epoch: int
    step: int
    valid: float | None
    test: float


class History:
    """The evaluations of a run, which are kept in its folder.

    Args:
      folder: the run's own folder.
      epochs: how many epochs the run has done.

    Attributes:
      evaluations: the earliest first.

    Raises:
      InputError: the file is damaged.
    """

    def __init__(self, folder: str, epochs: int):
        self._path = os.path.join(folder, FILE)
        self.evaluations = [one for one in read(folder) if one.epoch <= epochs]

    def add(self, evaluation: Evaluation) -> None:
        """Adds an evaluation; it replaces one of the same epoch or later.

        Raises:
          InputError: the file cannot be written.
        """
        earlier = [one for one in self.evaluations if one.epoch < evaluation.epoch]
        self.evaluations = [*earlier, evaluation]
        write_json(self._path, [one._asdict() for one in self.evaluations])

    def best(self) -> Evaluation | None:
        """Returns the first of the evaluations with the highest valid accuracy."""
        return best_of(self.evaluations)

    def is_best(self) -> bool:
        """Whether the last evaluation is better than all before it."""
        return bool(self.evaluations) and self.best() is self.evaluations[-1]

    def is_over(self, patience: int) -> bool:
        """Whether the last `patience` evaluations did not exceed an earlier one.

        Args:
          patience: 0 to go on for ever.
        """
        best = self.best()
        if not patience or best is None:
            return False
        return len(self.evaluations) - 1 - self.evaluations.index(best) >= patience


def best_of(evaluations: list[Evaluation]) -> Evaluation | None:
    """Returns the first with the highest valid accuracy; None if none has one."""
    judged = [one for one in evaluations if one.valid is not None]
    return max(judged, key=lambda one: one.valid or 0.0, default=None)


def read(folder: str) -> list[Evaluation]:
    """Returns the evaluations that a folder keeps; none if it keeps no file.

    Raises:
      InputError: the file is damaged.
    """

    def evaluations(content: Any) -> list[Evaluation]:
        return [_checked(Evaluation(**one)) for one in content]

    return read_kept(os.path.join(folder, FILE), evaluations) or []


def _checked(one: Evaluation) -> Evaluation:
    """Checks an evaluation that was read.

    Raises:
      ValueError: it is not one that was written.
    """
    counts = all(type(count) is int and count > 0 for count in one[:2])
    accuracies = [one.test] if one.valid is None else [one.valid, one.test]
    if not (counts and all(map(is_part, accuracies))):
        raise ValueError("not what was written there")
    return one
