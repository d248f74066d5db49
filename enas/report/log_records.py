"""Holds what the log of a search or of a training tells: plain numbers, run by run.

`log_reader.py` makes these records from a log's lines. This module must not import
TensorFlow.
"""

import bisect
import itertools
import math
import os
import re
import statistics
from typing import NamedTuple

from enas.flags.table import KB
from enas.space.arc import Arc

# What a log must hold for the time of a step to be told: pairs of lines, and minutes.
FEWEST_PAIRS = 3
FEWEST_MINUTES = 0.1


class ChildStep(NamedTuple):
    """A step of child training.

    Attributes:
      epoch: how many complete epochs are done, from 0.
      loss: that of the batch.
      correct: how many of its batch_size images were classified correctly.
      minutes: since the program was started, which a continued run was again; None if
        the line was cut off.
    """

    epoch: int
    step: int
    loss: float
    correct: int
    batch_size: int
    minutes: float | None = None


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
      bytes, mult_adds: what the string's network costs; None in searches without a
        budget.
    """

    epoch: int
    step: int
    arc: Arc
    accuracy: float
    bytes: int | None = None
    mult_adds: int | None = None


class Evaluation(NamedTuple):
    """One pass over a split, 'valid' or 'test', after `epoch` epochs.

    Attributes:
      images: how many images the split has; None in logs of older codes.
    """

    epoch: int
    step: int
    split: str
    accuracy: float
    images: int | None = None


class Run(NamedTuple):
    """What a log tells about one run; the lists are in the order of the log.

    Attributes:
      flags: the text of each flag, by name. Dots at the start of a value are lost,
        since the log fills the line before it with dots. A value that is too long for
        that is complete.
      facts: the text of each of the `FACTS` that the log's head tells, by name. An
        older log has none.
    """

    flags: dict[str, str]
    facts: dict[str, str]
    child_steps: list[ChildStep]
    controller_samples: list[ControllerSample]
    architectures: list[Architecture]
    evaluations: list[Evaluation]

    def records(self) -> tuple[list, list, list, list]:
        """Returns the lists: steps, samples, strings and evaluations."""
        return self[2:]

    def fact(self, name: str) -> int | None:
        """Returns a number that the log's head tells; None if it does not."""
        text = self.facts.get(name, "")
        known = text.isascii() and text.isdigit() and len(text) < 10
        return int(text) if known else None

    def is_training(self) -> bool:
        """Whether one string was trained, and none searched."""
        return "fixed_arc" in self.flags

    def has_controller(self) -> bool:
        """Whether a controller is trained, as far as the flags tell."""
        off = self.flags.get("controller_training") == "False"
        return bool(self.controller_samples) or not (off or self.is_training())

    def steps_per_epoch(self) -> float | None:
        """Returns the child steps in an epoch; None until the first one has ended."""
        if told := self.fact("steps_per_epoch"):
            return float(told)
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
        return max((r.epoch for records in self.records() for r in records), default=0)

    def batch_size(self) -> int:
        """Returns the images in a batch, from the last step; else the default, 128."""
        return self.child_steps[-1].batch_size if self.child_steps else 128

    def valid_batch(self) -> int:
        """Returns the images of the batch on which a string is judged.

        A set of fewer images than a batch is one batch.
        """
        told = [e.images for e in self.evaluations if e.split == "valid" and e.images]
        images = self.fact("valid_images") or (told[-1] if told else None)
        return min(self.batch_size(), images or self.batch_size())

    def fits(self, one: Architecture) -> bool:
        """Whether a string is within the search's budget, as far as the log tells."""
        bounds = (
            (one.bytes, self.most_bytes()),
            (one.mult_adds, self._number("budget_mult_adds")),
        )
        return all(not most or (cost or 0) <= most for cost, most in bounds)

    def most_bytes(self) -> float:
        """Returns the bytes of the search's budget; 0 if it has none."""
        return KB * self._number("budget_kb")

    def _number(self, flag: str) -> float:
        """Returns the value of a flag that is a number; 0 if the log does not tell."""
        text = self.flags.get(flag, "")
        return (
            float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text) else 0.0
        )

    def seconds_per_step(self) -> float | None:
        """Returns how long a step of the child took; None if the log is too short.

        Only lines with nothing but steps between them count, and none between which
        the minutes start again.
        """
        others = {record.step for records in self.records()[1:] for record in records}
        ends = sorted(others)
        steps, minutes, pairs = 0, 0.0, 0
        for before, after in itertools.pairwise(self.child_steps):
            if before.minutes is None or after.minutes is None:
                continue
            place = bisect.bisect_left(ends, before.step)
            interrupted = place < len(ends) and ends[place] < after.step
            if not interrupted and after.minutes >= before.minutes:
                steps += after.step - before.step
                minutes += after.minutes - before.minutes
                pairs += 1
        # The log rounds to 0.6 seconds.
        known = pairs >= FEWEST_PAIRS and minutes >= FEWEST_MINUTES
        return 60 * minutes / steps if known else None

    def is_empty(self) -> bool:
        return not any(self.records())


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

    return Run(
        *run[:3], *([complete(r) for r in records] for records in run.records()[1:])
    )


def _start(run: Run) -> int:
    """Returns how many complete epochs were done before the run's first line."""
    after = [records[0].epoch - 1 for records in run.records()[1:] if records]
    return min(after + [step.epoch for step in run.child_steps[:1]])


def continues(run: Run, earlier: Run, of_one_folder: bool) -> bool:
    """Returns whether a run continues an earlier one of the same output folder.

    Args:
      of_one_folder: whether the folder is the same, whatever it was named.
    """
    # The folder's line is lost if it follows a line that was cut off.
    named = [r.flags["output_dir"] for r in (earlier, run) if "output_dir" in r.flags]
    # A log has lost the dots of ./outputs, which --resume=outputs names otherwise.
    folders = {os.path.normpath(name.lstrip("./")) for name in named}
    resumes = run.flags.get("reset_output_dir") == "False"
    other = len(folders) > 1 and not of_one_folder
    if not resumes or other or not earlier.child_steps:
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
        earlier.facts | run.facts,
        child_steps + run.child_steps,
        samples + run.controller_samples,
        shown + run.architectures,
        evaluations + run.evaluations,
    )
