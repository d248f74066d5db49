"""Runs that start at the same moment in one folder: one of them works, and no other.

Pairs and fours of real searches start fresh in a new folder, fresh over an earlier
run's, continue an earlier run, or do either. The folder must in the end hold what one
run leaves, and an earlier run's folder must be aside, whole.
"""

import os
import random
import shutil
import subprocess
import sys
from collections import Counter

from enas.session.checkpoint_files import found_in
from tests.runs import CONTINUED, ROOT, SMALL, variables

SCRIPT = "search_arc_mnist.py"
FLAGS = (
    *SMALL,
    "--child_num_cells=1",
    "--child_use_aux_heads=False",
    "--controller_train_steps=1",
    "--controller_num_aggregate=2",
    "--train_limit=40",
    "--eval_limit=20",
    "--seed=7",
)
KINDS = ("new", "fresh", "continued", "mixed")
IN_USE = "another run is at work in"


def _start(folder: str, *flags: str) -> subprocess.Popen:
    words = (*FLAGS, *flags, f"--output_dir={folder}")
    return subprocess.Popen(
        [sys.executable, os.path.join(ROOT, SCRIPT), *words],
        cwd=ROOT,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _wrong(kind: str, statuses: list[int], errors: list[str], folder: str) -> str:
    """What is wrong with the end of some runs; empty if nothing is."""
    if statuses.count(0) != 1:
        return f"{statuses.count(0)} runs worked: {statuses}"
    for status, error in zip(statuses, errors, strict=True):
        if status and not (status == 1 and IN_USE in error.splitlines()[-1]):
            return f"status {status}: {error.splitlines()[-1:]}"
    aside = sorted(n for n in os.listdir(os.path.dirname(folder)) if n != "earlier")
    moved = [name for name in aside if name != os.path.basename(folder)]
    if len(moved) > (kind in ("fresh", "mixed")):
        return f"there are {aside}"
    for name in aside:
        path = os.path.join(os.path.dirname(folder), name)
        variables(path)  # raises if the last checkpoint is not whole
        with open(os.path.join(path, "log.txt"), encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        steps = [line for line in lines if line.startswith("Eval at")]
        if len(steps) != len(set(steps)) * 2:  # validation and test
            return f"two runs wrote the log of {name}"
        if len(found_in(path)) > 2:
            return f"two runs wrote checkpoints of {name}"
    return ""


def survive(starts: int, folder: str, seed: int = 1) -> tuple[Counter, list[str]]:
    """Starts so many runs, in groups.

    Returns:
      How many groups there were of each kind; what went wrong.
    """
    rng = random.Random(seed)
    earlier = os.path.join(folder, "earlier")
    process = _start(earlier, "--num_epochs=1")
    _, error = process.communicate()
    assert process.returncode == 0, error[-500:]
    counts: Counter = Counter()
    wrong, started = [], 0
    while started < starts:
        kind, size = KINDS[counts.total() % len(KINDS)], rng.choice([2, 4])
        place = os.path.join(folder, "place")
        os.mkdir(place)
        out = os.path.join(place, "out")
        if kind != "new":
            shutil.copytree(earlier, out)
        continues = {"new": [False], "fresh": [False], "continued": [True]}
        processes = []
        for _ in range(size):
            goes_on = rng.choice(continues.get(kind, [True, False]))
            flags = (CONTINUED, "--num_epochs=2") if goes_on else ("--num_epochs=1",)
            processes.append(_start(out, *flags))
        errors = [process.communicate()[1] for process in processes]
        statuses = [process.returncode for process in processes]
        result = _wrong(kind, statuses, errors, out)
        counts[f"{kind}"] += 1
        started += size
        if result:
            wrong.append(f"{kind}, {size} runs: {result}")
        print(f"{kind}, {size} runs: {result or 'one worked'}", file=sys.stderr)
        shutil.rmtree(place)
    return counts, wrong
