"""Kills a search at random moments and continues it, again and again.

A search is small, and is saved as often as it can be, so that many kills fall into the
writing of a checkpoint. It is killed with SIGKILL, after a random time in whatever it
is doing; after each kill it is continued, and killed again, until it is done. Then its
last checkpoint must hold what that of an undisturbed run holds, bit by bit.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import tensorflow as tf

from tests.runs import ROOT, SMALL

FLAGS = (
    *SMALL,
    "--child_use_aux_heads=False",
    "--log_every=1",
    "--num_epochs=3",
    "--controller_train_steps=10",
    "--controller_num_aggregate=2",
    "--child_keep_prob=0.9",
    "--crop_padding=1",
    "--seed=7",
    "--save_every_minutes=1e-9",
)
COUNTERS = ("global_step", "controller_training/updates", "progress/epochs")


def start(
    folder: str, *flags: str, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen:
    """The small search, under way, with its log in a pipe."""
    command = [sys.executable, os.path.join(ROOT, "search_arc_mnist.py"), *FLAGS]
    command += [f"--output_dir={folder}", *flags]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=stderr
    )


def variables(folder: str) -> dict[str, np.ndarray]:
    """All that the last checkpoint holds but how many there were."""
    reader = tf.train.load_checkpoint(folder)
    names = set(reader.get_variable_to_shape_map()) - {"saves"}
    return {name: reader.get_tensor(name) for name in names}


def _doing(lines: list[str], folder: str) -> str:
    """What a run was at, from what it left."""
    if any("tempstate" in name for name in os.listdir(folder)):
        return "writing a checkpoint"
    last = next((x for x in reversed(lines) if not x.startswith(("[", "---"))), "")
    if last.startswith(("epoch", "Model", "Aux", "Layer")) or "..." in last:
        return "child steps"
    if last.startswith(("ctrl_step", "Epoch")) and "Eval" not in last:
        return "a controller's round"
    if last.startswith(("Here", "val_acc")):
        return "sampling strings"
    return "evaluation"


def _kill(folder: str, after: float, flags: tuple) -> tuple[str | None, list[str]]:
    """Runs until the first line of its epochs, and then for so many seconds.

    Returns what it was doing, None where it was done before; and its log's steps."""
    process = start(folder, *flags)
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if not re.match(r"\w+\.{3}|Layer|Model|Aux", line):
            break
    try:
        rest, _ = process.communicate(timeout=after)
        if process.returncode == 0:
            return None, lines + rest.splitlines()
        raise AssertionError(f"a continued run ended with {process.returncode}")
    except subprocess.TimeoutExpired:
        process.kill()
        rest, _ = process.communicate()
        lines += rest.splitlines()
        return _doing(lines, folder), lines


def survive(kills: int, folder: str, seed: int = 1) -> tuple[Counter, list[str]]:
    """Kills some runs, so many times altogether.

    Returns:
      How often a run was killed at what; what went wrong.
    """
    rng = random.Random(seed)
    whole = os.path.join(folder, "whole")
    begun = time.monotonic()
    process = start(whole)
    for line in process.stdout:
        if line.startswith("epoch"):
            begun = time.monotonic()
            break
    process.communicate()
    assert process.returncode == 0
    seconds, expected = time.monotonic() - begun, variables(whole)
    counts, wrong, done = Counter(), [], 0
    while done < kills:
        path, flags, of_run = os.path.join(folder, "killed"), (), 0
        while True:
            # Some kills a run, so that all parts of it are met.
            after = rng.uniform(0.0, seconds / 4)
            doing, lines = _kill(path, after, flags)
            if doing is None:
                break
            done, of_run = done + 1, of_run + 1
            counts[doing] += 1
            print(f"kill {done}: {doing}, {lines[-1][:30]}", file=sys.stderr)
            flags = ("--reset_output_dir=False",)
        found = variables(path)
        for name, value in expected.items():
            if not np.array_equal(found[name], value):
                wrong.append(f"after {of_run} kills, {name} differs")
        if found.keys() != expected.keys():
            wrong.append(f"after {of_run} kills, other variables")
        print(f"done after {of_run} kills: {wrong or 'as expected'}", file=sys.stderr)
        shutil.rmtree(path)
    return counts, wrong
