"""Holds what the log of a search or of a training tells: plain numbers, run by run.

`log_reader.py` makes these records from a log's lines. This module must not import
TensorFlow.
"""

import math
import statistics
from typing import NamedTuple

from enas.space.arc import Arc


class ChildStep(NamedTuple):
    """A step of child training.

    Attributes:
      epoch: how many complete epochs are done, from 0.
      loss: that of the batch.
      correct: how many of its batch_size images were classified correctly.
    """

    epoch: int
    step: int
    loss: float
    correct: int
    batch_size: int


class ControllerSample(NamedTuple):
    """A sample in a round of the controller.

    Attributes:
      epoch: how many epochs were done before the round.
      step: the child's step.
      entropy: that of the string, in nats.
      accuracy, baseline: as parts of 1.
      updates: how many updates the controller had made before.
    """

    epoch: int
    step: int
    entropy: float
    accuracy: float
    baseline: float
    updates: int


class Architecture(NamedTuple):
    """One of the strings shown after an epoch, with its accuracy on a validation batch.

    Attributes:
      epoch: how many epochs were done.
      step: the child's step.
    """

    epoch: int
    step: int
    arc: Arc
    accuracy: float


class Evaluation(NamedTuple):
    """One pass over a split, 'valid' or 'test', after `epoch` epochs."""

    epoch: int
    step: int
    split: str
    accuracy: float


class Run(NamedTuple):
    """What a log tells about one run; the lists are in the order of the log.

    Attributes:
      flags: the text of each flag, by name. Dots at the start of a value are lost,
        since the log fills the line before it with dots. A value that is too long for
        that is complete.
    """

    flags: dict[str, str]
    child_steps: list[ChildStep]
    controller_samples: list[ControllerSample]
    architectures: list[Architecture]
    evaluations: list[Evaluation]

    def steps_per_epoch(self) -> float | None:
        """Returns the child steps in an epoch; None until the first one has ended."""
        ends = [e.step / e.epoch for e in self.evaluations if e.epoch and e.step]
        if ends:
            return statistics.median(ends)
        # The first step logged in an epoch comes a little after the epoch's start …
        starts = [c.step / c.epoch for c in self.child_steps if c.epoch and c.step]
        if starts:
            return min(starts)
        # … and the last one before a round comes a little before the epoch's end.
        rounds = self.controller_samples + self.architectures
        return max(
            (r.step / r.epoch for r in rounds if r.epoch and r.step), default=None
        )

    def epochs(self) -> int:
        """Returns how many epochs have ended."""
        return max((r.epoch for records in self[1:] for r in records), default=0)

    def batch_size(self) -> int:
        """Returns the images in a batch, from the last step; else the default, 128."""
        return self.child_steps[-1].batch_size if self.child_steps else 128

    def is_empty(self) -> bool:
        return not any(self[1:])


def with_epochs(run: Run) -> Run:
    """Returns the run with the epochs that no headline told, from the child's steps.

    A search without controller training has such epochs.
    """
    steps = run.steps_per_epoch()
    # The epoch of what comes before the first step, if a log's beginning is missing.
    first = max(1, run.child_steps[0].epoch) if run.child_steps else 1

    def complete(record):
        if record.epoch:
            return record
        known = steps and record.step
        return record._replace(epoch=math.ceil(record.step / steps) if known else first)

    return Run(*run[:2], *([complete(r) for r in records] for records in run[2:]))


def _start(run: Run) -> int:
    """Returns how many complete epochs were done before the run's first line."""
    after = [records[0].epoch - 1 for records in run[2:] if records]
    return min(after + [step.epoch for step in run.child_steps[:1]])


def continues(run: Run, earlier: Run) -> bool:
    """Returns whether a run continues an earlier one of the same output folder."""
    # The folder's line is lost if it follows a line that was cut off.
    folders = {r.flags["output_dir"] for r in (earlier, run) if "output_dir" in r.flags}
    resumes = run.flags.get("reset_output_dir") == "False"
    if not resumes or len(folders) > 1 or not earlier.child_steps:
        return False
    later = _first_step(run) > earlier.child_steps[0].step
    return later and _start(run) <= earlier.epochs()


def _first_step(run: Run) -> float:
    """Returns the child's first step in the log; infinity if there is none."""
    return run.child_steps[0].step if run.child_steps else math.inf


def joined(earlier: Run, run: Run) -> Run:
    """Joins two runs, without the steps that were lost when the earlier one ended."""
    done, first = _start(run), _first_step(run)
    child_steps = [step for step in earlier.child_steps if step.step < first]
    # Keep the samples of an interrupted round that come before the later run's updates.
    left = [s.updates for s in run.controller_samples if s.epoch == done + 1]
    samples = [
        sample
        for sample in earlier.controller_samples
        if sample.epoch <= done
        or (sample.epoch == done + 1 and sample.updates < min(left, default=math.inf))
    ]
    shown = [record for record in earlier.architectures if record.epoch <= done]
    evaluations = [record for record in earlier.evaluations if record.epoch <= done]
    return Run(
        run.flags,
        child_steps + run.child_steps,
        samples + run.controller_samples,
        shown + run.architectures,
        evaluations + run.evaluations,
    )
