"""Writes the lines of a log.

Their format is an interface and must not change: other programs read it. Numbers are
left-aligned in fields that are wide enough to keep columns in place in a long run.
"""

import os
import sys
import time
from contextlib import suppress
from typing import IO

from tqdm import tqdm

from enas.base.errors import InputError
from enas.base.files import open_regular
from enas.space.arc import format_cell
from enas.space.cost import Cost

RULE = "-" * 80
FLAG_WIDTH = 80
# What the head of a log tells besides flags, in lines like those of flags: how many
# images each set has (before copies are made of them), the names of the classes,
# the child's steps in an epoch, and how many workers share the run, if several do.
FACTS = (
    "train_images",
    "valid_images",
    "test_images",
    "classes",
    "steps_per_epoch",
    "workers",
)


class Log:
    """Writes lines to stdout and, after `keep_in`, to a file in the output folder.

    Args:
      writes: False for a log that drops its lines: another worker's is kept.
    """

    def __init__(self, writes: bool = True) -> None:
        self._writes = writes
        self._file: IO[str] | None = None
        self._waiting: list[str] = []  # lines for the file
        self._start = time.monotonic()

    def keep_in(self, path: str) -> None:
        """Appends all lines to a file, too, including those before this call.

        Raises:
          InputError: the file cannot be written.
        """
        if not self._writes:
            return
        try:
            self._file = open_regular(path, "a")
        except OSError as error:
            raise _cannot_write(path, error) from None
        for line in self._waiting:
            self._write(line)
        self._waiting = []

    def line(self, text: str) -> None:
        """Writes a line.

        Raises:
          InputError: there is no room for it, or nobody reads the output any more.
        """
        if not self._writes:
            return
        try:
            if sys.stdout is not None:  # it is None if it was closed
                tqdm.write(text, file=sys.stdout)  # moves around a progress bar
                sys.stdout.flush()
        except OSError as error:
            _give_up_stdout()
            raise _cannot_write("the log", error) from None
        self._write(text)

    def _write(self, text: str) -> None:
        if self._file is None:
            self._waiting.append(text)
            return
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise _cannot_write(self._file.name, error) from None

    def minutes(self) -> float:
        """Returns the minutes since the log was opened."""
        return (time.monotonic() - self._start) / 60.0

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # reported with the line that did not fit
                self._file.close()


def _give_up_stdout() -> None:
    """Drops stdout's buffer, which Python would try, and fail, to write at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _cannot_write(place: str, error: OSError) -> InputError:
    return InputError(
        f"cannot write {place}: {error.strerror}; --reset_output_dir=False goes on "
        f"from the last checkpoint, if there is one"
    )


def flag_line(name: str, value) -> str:
    """Formats a flag: `batch_size..........128`, 80 wide unless the value is long."""
    return name + f"{value}".rjust(
        max(FLAG_WIDTH - len(name), len(f"{value}") + 3), "."
    )


def layer_line(layer: int, size: int, channels: int) -> str:
    return f"Layer {layer:>2d}: [N, {size}, {size}, {channels}]"


def params_line(params: int) -> str:
    """How many weights the network has without its aux head."""
    return f"Model has {params} params"


def aux_params_line(params: int) -> str:
    """How many weights the aux head has."""
    return f"Aux head uses {params} params"


def headline(epoch: int, what: str) -> str:
    """What follows an epoch: 'Training controller' or 'Eval'."""
    return f"Epoch {epoch}: {what}"


def shown_line(count: int) -> str:
    """Sampled strings follow."""
    return f"Here are {count} architectures"


def child_line(
    *,
    epoch: int,
    step: int,
    loss: float,
    lr: float,
    grad_norm: float,
    correct: int,
    batch_size: int,
    minutes: float,
) -> str:
    """Formats one step of child training."""
    return (
        f"epoch = {epoch:<6d}ch_step = {step:<6d} loss = {loss:<8.6f}   "
        f"lr = {lr:<8.4f} |g| = {grad_norm:<8.4f} "
        f"tr_acc = {correct:<3d}/{batch_size:>3d}   mins = {minutes:<10.2f}"
    )


def controller_line(
    *,
    step: int,
    loss: float,
    entropy: float,
    lr: float,
    grad_norm: float,
    accuracy: float,
    baseline: float,
    minutes: float,
) -> str:
    """Formats a sample of controller training; `step` counts the updates before it."""
    return (
        f"ctrl_step = {step:<6d} loss = {loss:<7.3f} ent = {entropy:<5.2f}   "
        f"lr = {lr:<6.4f}   |g| = {grad_norm:<8.4f} acc = {accuracy:<6.4f}   "
        f"bl = {baseline:<5.2f}  mins = {minutes:<.2f}"
    )


def architecture_lines(
    normal_arc, reduce_arc, accuracy: float, cost: Cost | None = None
) -> str:
    """Formats a sampled string and its accuracy on one validation batch.

    Args:
      cost: of the string's network; it stands on a line of its own, in searches with a
        budget.
    """
    lines = [format_cell(normal_arc), format_cell(reduce_arc)]
    lines.append(f"val_acc = {accuracy:<6.4f}")
    if cost is not None:
        lines.append(
            f"bytes = {cost.file_bytes:<10d} mult_adds = {cost.multiply_adds:<10d}"
        )
    return "\n".join([*lines, RULE])


def eval_lines(split: str, step: int, num_examples: int, accuracy: float) -> str:
    """Formats the accuracy on a whole split, 'valid' or 'test'."""
    return (
        f"Eval at {step}\n"
        f"{split.capitalize()} Num examples:  {num_examples}\n"
        f"{split}_accuracy: {accuracy:<6.4f}"
    )
