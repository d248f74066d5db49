"""Kills trainings of train_arcs, and train_arcs itself, at random moments.

Three strings are trained, two at a time, with checkpoints as often as can be. Now and
then a training that is at work is killed, which must go on by itself, or the command
is killed or told to leave, which must leave no process behind and is started again. In
the end the last checkpoint of each must hold what that of an undisturbed one holds, bit
by bit.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil

from enas.session.checkpoint_files import found_in
from tests.runs import ROOT, SAVED_OFTEN, SMALL_ARC, difference, run, variables

ARCS = (SMALL_ARC, "1 1 0 2 0 3 2 1 1 0 0 4 2 1 1 3", "0 4 1 0 2 2 0 1 0 1 1 1 1 3 0 0")
NAMES = ("01-given", "02-given", "03-given")
FLAGS = [word for word in SAVED_OFTEN if "controller" not in word]
SEARCH = (*SAVED_OFTEN, "--num_epochs=1", "--controller_training=False")
AFTER = 4.0  # seconds between kills, at most


def at_work(folder: str) -> list[psutil.Process]:
    """The trainings of a folder that have a checkpoint."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()
        for word in words:
            path = word.removeprefix("--output_dir=")
            if word != path and path.startswith(folder) and found_in(path):
                found.append(process)
    return found


def _left(folder: str) -> bool:
    """Whether a process works in a folder seconds after its command ended."""
    for _ in range(50):
        if not at_work(folder):
            return False
        time.sleep(0.1)
    return True


def survive(kills: int, folder: str, seed: int = 1) -> tuple[Counter, list[str]]:
    """Kills so many times altogether.

    Returns:
      How often what was killed; what went wrong.
    """
    rng = random.Random(seed)
    search, arcs = os.path.join(folder, "search"), os.path.join(folder, "arcs.txt")
    process = run("search_arc_mnist.py", *SEARCH, f"--output_dir={search}")
    assert process.returncode == 0, process.stderr
    with open(arcs, "w", encoding="utf-8") as stream:
        stream.write("\n".join(ARCS))

    def start(name: str) -> subprocess.Popen:
        words = [search, f"--arcs={arcs}", "--jobs=2", "--cores=1", f"--folder={name}"]
        words += ["--", *FLAGS, "--num_epochs=4", "--n_aug_img=1", "--eval_limit=110"]
        return subprocess.Popen(
            [sys.executable, "-m", "enas.train_arcs", *words],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    whole, path = os.path.join(folder, "whole"), os.path.join(folder, "killed")
    assert start(whole).wait() == 0
    expected = {name: variables(os.path.join(whole, name)) for name in NAMES}
    counts, wrong = Counter(), []
    while counts.total() < kills:
        command = start(path)
        due = time.monotonic() + rng.uniform(0.0, AFTER)
        while command.poll() is None:
            time.sleep(0.05)
            running = at_work(path)
            if not running or time.monotonic() < due or counts.total() >= kills:
                continue
            if rng.random() < 0.7:
                rng.choice(running).kill()
                counts["a training"] += 1
            else:
                number = rng.choice((signal.SIGKILL, signal.SIGTERM))
                command.send_signal(number)
                command.wait()
                counts[f"the command ({number.name})"] += 1
                if _left(path):
                    wrong.append("the command left a process behind")
                command = start(path)
            print(f"kill {counts.total()}: {dict(counts)}", file=sys.stderr)
            due = time.monotonic() + rng.uniform(0.0, AFTER)
        if command.returncode:
            wrong.append(f"status {command.returncode}")
            break
        for name in NAMES:
            found = variables(os.path.join(path, name))
            if result := difference(found, expected[name]):
                wrong.append(f"{name}: {result}")
        shutil.rmtree(path)
    return counts, wrong


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        print(survive(int(sys.argv[1]), place))
