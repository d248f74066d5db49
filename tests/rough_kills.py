"""Kills a search and troubles it in between: its folder is moved, its disk is full, and
a second signal comes while it heeds the first.

    unshare --map-root-user --mount python -m tests.rough_kills COUNT

prints how often it was ended, how often each trouble came, and how much went wrong. At
the end it must hold what an undisturbed search holds, bit by bit.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from threading import Timer

from tests.disks import ROOMY, fill, mount
from tests.kills import AT_WORK, FLAGS, SCRIPT, undisturbed
from tests.runs import CONTINUED, difference, variables, watch

FULL = r"search_arc_mnist\.py: .*(space|[Rr]ead-only)"


def _ended(path: str, rng: random.Random, longest: float, *flags: str) -> str | None:
    """Ends a run by one signal or two; how, or None where it was done before."""
    kind = rng.choice(["kill", "two signals"])
    first = rng.uniform(0.0, longest)

    def later(seconds, process, number):
        timer = Timer(seconds, process.send_signal, [number])
        timer.daemon = True
        timer.start()

    def trouble(process):
        if kind == "kill":
            later(first, process, signal.SIGKILL)
            return
        number = rng.choice([signal.SIGTERM, signal.SIGINT])
        later(first, process, number)
        later(first + rng.uniform(0.0, 0.3), process, number)

    status, _, stderr = watch(
        SCRIPT, *FLAGS, f"--output_dir={path}", *flags, at=AT_WORK, then=trouble
    )
    if status == 0:
        return None
    right = {"kill": (-9,), "two signals": (-15, -2, 143, 130)}[kind]
    if status not in right or any("Traceback" in line for line in stderr):
        raise AssertionError(f"{kind}: status {status}: {stderr[-1:]}")
    return kind


def _full(folder: str, path: str) -> None:
    """Continues a run while there is no room for another byte."""
    filler = fill(folder)
    status, _, stderr = watch(SCRIPT, *FLAGS, f"--output_dir={path}", CONTINUED)
    os.remove(filler)
    if status != 1 or not re.match(FULL, stderr[-1]):
        raise AssertionError(f"on a full disk: status {status}: {stderr[-1:]}")


def survive(count: int, folder: str, seed: int = 1) -> tuple[Counter, list[str]]:
    """Ends some runs, so many times altogether.

    Args:
      folder: a file system of its own, which may be filled.

    Returns:
      How often which trouble came; what went wrong.
    """
    rng = random.Random(seed)
    seconds, expected = undisturbed(os.path.join(folder, "whole"))
    counts: Counter = Counter()
    wrong = []
    while counts["kill"] + counts["two signals"] < count:
        path, flags = os.path.join(folder, "out"), ()
        try:
            while how := _ended(path, rng, seconds / 4, *flags):
                counts[how] += 1
                flags = (CONTINUED,)
                if rng.random() < 0.4:
                    moved = os.path.join(folder, f"moved-{counts.total()}")
                    os.rename(path, moved)
                    path = moved
                    counts["moved"] += 1
                if rng.random() < 0.25:
                    _full(folder, path)
                    counts["full disk"] += 1
                print(dict(counts), file=sys.stderr)
            result = difference(variables(path), expected)
        except AssertionError as error:
            result = str(error)
        if result is not None:
            wrong.append(result)
            print(result, file=sys.stderr)
        shutil.rmtree(path)
    return counts, wrong


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "place")
        os.mkdir(place)
        try:
            mount(place, f"size={ROOMY}")
            counts, wrong = survive(int(sys.argv[1]), place)
        finally:
            subprocess.run(["umount", "--quiet", "--lazy", place], check=False)
    names = ("kill", "two signals", "moved", "full disk")
    print(*(counts[name] for name in names), len(wrong))


if __name__ == "__main__":
    main()
