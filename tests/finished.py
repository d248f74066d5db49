"""Finished runs that many tests look at, copy or continue, made once for all of them.

The processes of pytest-xdist share them: the first that needs one makes it, while the
others wait for it. No test may change one; `copied` gives a test one of its own.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from enas.session.lock import LOCK_FILE
from tests.runs import SMALL, SMALL_ARC, run

SEARCH = (
    "search_arc_mnist.py",
    *SMALL,
    "--controller_train_steps=2",
    "--controller_num_aggregate=3",
    "--num_epochs=2",
    "--seed=7",
)
SEARCH_FLAGS = dict(word.removeprefix("--").split("=", 1) for word in SEARCH[1:])
TRAINING = (
    "train_arc_mnist.py",
    *SMALL,
    "-fixed_arc",
    SMALL_ARC,
    "--num_epochs=2",
    "--n_aug_img=2",
    "--crop_padding=1",
    "--child_keep_prob=0.9",
    "--child_drop_path_keep_prob=0.8",
    "--eval_every_epochs=2",
    "--seed=7",
)


class Finished(NamedTuple):
    """A run that has ended well.

    Attributes:
      folder: its output folder.
      lines: what it printed on stdout.
      errors: what it printed on stderr.
    """

    folder: str
    lines: list[str]
    errors: str


def made_once(base: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Returns a folder that is made by the first process that asks for it.

    Args:
      base: where it is; the processes that share it name the same one.
      make: fills the folder, which is empty.
    """
    folder, mark = base / name, base / name / "made"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            folder.mkdir()
            make(folder)
            mark.touch()
    return folder


def finished_run(base: Path, name: str, script: str, *flags: str) -> Finished:
    """Returns a run of a script, as a process of its own."""

    def make(folder: Path) -> None:
        process = run(script, *flags, f"--output_dir={folder / 'out'}")
        assert process.returncode == 0, process.stderr
        printed = {"lines": process.stdout.splitlines(), "errors": process.stderr}
        (folder / "printed.json").write_text(json.dumps(printed))

    folder = made_once(base, name, make)
    printed = json.loads((folder / "printed.json").read_text())
    return Finished(os.path.join(folder, "out"), **printed)


def copied(folder: str, target: str | Path) -> str:
    """Copies a run's folder for a test that changes it; returns the copy's path."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns(LOCK_FILE))
    return str(target)
