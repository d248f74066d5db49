"""Kills a search at random moments and continues it, again and again.

A search is small, and is saved as often as it can be, so that many kills fall into the
writing of a checkpoint. It is killed with SIGKILL, after a random time in whatever it
is doing; after each kill it is continued, and killed again, until it is done. Then its
last checkpoint must hold what that of an undisturbed run holds, bit by bit.
"""

import os
import random
import shutil
import sys
import time
from collections import Counter
from threading import Timer

from tests.runs import CONTINUED, SAVED_OFTEN, difference, variables, watch

SCRIPT = "search_arc_mnist.py"
FLAGS = (*SAVED_OFTEN, "--num_epochs=3", "--controller_train_steps=10")
# The first line of what a run does, after those of flags and network.
AT_WORK = r"epoch|ctrl_step|Epoch|Here"
DOING = {
    "epoch =": "child steps",
    "ctrl_step": "a controller's round",
    "Epoch": "a controller's round",
    "Here": "sampling strings",
    "[": "sampling strings",
    "val_acc": "sampling strings",
    "---": "sampling strings",
    "Eval": "evaluation",
    "Valid": "evaluation",
    "Test": "evaluation",
    "valid_acc": "evaluation",
    "test_acc": "evaluation",
}


def _doing(lines: list[str], folder: str) -> str:
    """What a run was at, from what it left."""
    if any("tempstate" in name for name in os.listdir(folder)):
        return "writing a checkpoint"
    if lines[-1].endswith("Eval"):
        return "evaluation"
    return next(doing for start, doing in DOING.items() if lines[-1].startswith(start))


def _kill(folder: str, after: float, *flags: str) -> str | None:
    """Kills a run, so many seconds after it has begun to work.

    Returns what it was doing; None where it was done before."""

    def kill_later(process):
        timer = Timer(after, process.kill)
        timer.daemon = True
        timer.start()

    output = f"--output_dir={folder}"
    status, lines, stderr = watch(
        SCRIPT, *FLAGS, output, *flags, at=AT_WORK, then=kill_later
    )
    if status == 0:
        return None
    if status != -9:
        raise AssertionError(f"status {status}: {stderr[-1:]}")
    return _doing(lines, folder)


def undisturbed(path: str) -> tuple[float, dict]:
    """(the seconds that a run is at work, the variables of its last checkpoint)."""
    begun: list[float] = []
    status, _, stderr = watch(
        SCRIPT,
        *FLAGS,
        f"--output_dir={path}",
        at=AT_WORK,
        then=lambda process: begun.append(time.monotonic()),
    )
    assert status == 0, stderr[-1:]
    return time.monotonic() - begun[0], variables(path)


def survive(kills: int, folder: str, seed: int = 1) -> tuple[Counter, list[str]]:
    """Kills some runs, so many times altogether.

    Returns:
      How often a run was killed at what; what went wrong.
    """
    rng = random.Random(seed)
    seconds, expected = undisturbed(os.path.join(folder, "whole"))
    path = os.path.join(folder, "killed")
    counts, wrong = Counter(), []
    while counts.total() < kills:
        flags, of_run = (), 0
        # Some kills a run, so that all parts of it are met.
        while doing := _kill(path, rng.uniform(0.0, seconds / 4), *flags):
            counts[doing] += 1
            of_run += 1
            flags = (CONTINUED,)
            print(f"kill {counts.total()}: {doing}", file=sys.stderr)
        result = difference(variables(path), expected)
        if result is not None:
            wrong.append(f"after {of_run} kills: {result}")
        print(f"done after {of_run} kills: {result or 'as expected'}", file=sys.stderr)
        shutil.rmtree(path)
    return counts, wrong
