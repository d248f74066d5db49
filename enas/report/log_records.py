"""What the log of a search, or of a training, tells: plain numbers, run by run.

`log_reader.py` makes these of a log's lines. TensorFlow is not imported here.
"""

import math
import statistics
from typing import NamedTuple

from enas.space.arc import Arc


class ChildStep(NamedTuple):
    """A step of child training. epoch: whole epochs done, from 0. loss: of the batch;
    correct: images of its batch_size that were classified right."""

    epoch: int
    step: int
    loss: float
    correct: int
    batch_size: int


class ControllerSample(NamedTuple):
    """A sample of the controller's round after so many epochs. step: the child's.
    entropy: of the string, in nats. accuracy, baseline: parts of 1. updates: of the
    controller, done before."""

    epoch: int
    step: int
    entropy: float
    accuracy: float
    baseline: float
    updates: int


class Architecture(NamedTuple):
    """One of the strings shown after an epoch. accuracy: on one validation batch."""

    epoch: int
    step: int
    arc: Arc
    accuracy: float


class Evaluation(NamedTuple):
    """One pass over a split, 'valid' or 'test', after so many epochs."""

    epoch: int
    step: int
    split: str
    accuracy: float


class Run(NamedTuple):
    """What a log tells of one run; lists in the order of the log.

    flags: name to text. Dots that a value starts with are lost, as the log fills the
    line with dots before it; where a value is too long for that, it is whole.
    """

    flags: dict[str, str]
    child_steps: list[ChildStep]
    controller_samples: list[ControllerSample]
    architectures: list[Architecture]
    evaluations: list[Evaluation]

    def steps_per_epoch(self) -> float | None:
        """Child steps in an epoch; None while the first one has not ended."""
        ends = [e.step / e.epoch for e in self.evaluations if e.epoch and e.step]
        if ends:
            return statistics.median(ends)
        # The first step logged in an epoch is a little after the epoch's start …
        starts = [c.step / c.epoch for c in self.child_steps if c.epoch and c.step]
        if starts:
            return min(starts)
        # … and the last one before a round a little before the epoch's end.
        rounds = self.controller_samples + self.architectures
        return max(
            (r.step / r.epoch for r in rounds if r.epoch and r.step), default=None
        )

    def epochs(self) -> int:
        """Epochs that have ended."""
        return max((r.epoch for records in self[1:] for r in records), default=0)

    def batch_size(self) -> int:
        """Images in a batch, as the last step says; the default's 128 without one."""
        return self.child_steps[-1].batch_size if self.child_steps else 128

    def is_empty(self) -> bool:
        return not any(self[1:])


def with_epochs(run: Run) -> Run:
    """The run with the epochs that no headline told, as in a search without controller
    training, from the child's steps."""
    steps = run.steps_per_epoch()
    # What stands before the first step of a log whose beginning is missing.
    first = max(1, run.child_steps[0].epoch) if run.child_steps else 1

    def complete(record):
        if record.epoch:
            return record
        known = steps and record.step
        return record._replace(epoch=math.ceil(record.step / steps) if known else first)

    return Run(*run[:2], *([complete(r) for r in records] for records in run[2:]))


def _start(run: Run) -> int:
    """Whole epochs that were done before the run's first line."""
    after = [records[0].epoch - 1 for records in run[2:] if records]
    return min(after + [step.epoch for step in run.child_steps[:1]])


def continues(run: Run, earlier: Run) -> bool:
    """Whether a run goes on where an earlier one of its output folder ended."""
    # The folder's line is lost where it follows a line that was cut off.
    folders = {r.flags["output_dir"] for r in (earlier, run) if "output_dir" in r.flags}
    resumes = run.flags.get("reset_output_dir") == "False"
    if not resumes or len(folders) > 1 or not earlier.child_steps:
        return False
    later = _first_step(run) > earlier.child_steps[0].step
    return later and _start(run) <= earlier.epochs()


def _first_step(run: Run) -> float:
    """The child's first step in the log; infinite where it has none."""
    return run.child_steps[0].step if run.child_steps else math.inf


def joined(earlier: Run, run: Run) -> Run:
    """One run of two, without the steps that were lost with the earlier one's end."""
    done, first = _start(run), _first_step(run)
    child_steps = [step for step in earlier.child_steps if step.step < first]
    # Of a round that was interrupted, what came before the first update that is left.
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
