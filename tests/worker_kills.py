"""Kills one of two workers that share a search, or tells it to leave, at any moment.

After a kill, the other one must end with one line that names it, and status 1. After
SIGTERM, both must leave with one checkpoint. The search is started again each time,
until it is done; its last checkpoint must then hold what that of an undisturbed search
holds, bit by bit.
"""

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from threading import Timer

from tests.kills import AT_WORK
from tests.runs import CONTINUED, SAVED_OFTEN, difference, variables
from tests.together import comes_to, ends, read_until, start

SCRIPT = "search_arc_mnist.py"
FLAGS = (*SAVED_OFTEN, "--num_epochs=3", "--controller_train_steps=10")
LOST = "is gone, and the others end; start all of them again"
LEFT = "interrupted and saved; to go on, start all workers again"


def _end_one(folder: str, rng: random.Random, after: float, *flags: str) -> str | None:
    """Ends one worker of a search, so many seconds after it has begun to work.

    Returns how it was ended; None where the search was done before.

    Raises:
      AssertionError: the workers did not end as they should.
    """
    number, index = rng.choice([signal.SIGKILL, signal.SIGTERM]), rng.randrange(2)
    both = start(2, SCRIPT, *FLAGS, f"--output_dir={folder}", *flags)
    timer = Timer(after, lambda: both[index].process.send_signal(number))
    if comes_to(both[0], AT_WORK):  # else it had done its epochs
        timer.start()
    found = ends(both)
    timer.cancel()
    statuses = [status for status, _, _ in found]
    if statuses == [0, 0]:
        return None
    last = [errors[-1:] for _, _, errors in found]
    if number == signal.SIGTERM:
        assert statuses == [143, 143], (statuses, last)
        assert all(LEFT in line for (line,) in last), last
        return f"SIGTERM to worker {index}"
    statuses.pop(index)
    (other,) = last[1 - index]
    assert statuses == [1], (statuses, other)
    assert f"worker {index} (" in other and LOST in other, other
    return f"SIGKILL of worker {index}"


def survive(kills: int, folder: str, seed: int = 1) -> tuple[Counter, list[str]]:
    """Ends workers, so many times altogether.

    Returns:
      How often a worker was ended how; what went wrong.
    """
    rng = random.Random(seed)
    whole, path = os.path.join(folder, "whole"), os.path.join(folder, "killed")
    both = start(2, SCRIPT, *FLAGS, f"--output_dir={whole}")
    read_until(both[0], AT_WORK)
    begun = time.monotonic()
    assert [status for status, _, _ in ends(both)] == [0, 0]
    seconds, expected = time.monotonic() - begun, variables(whole)
    counts, wrong = Counter(), []
    while counts.total() < kills:
        flags: tuple[str, ...] = ()
        try:
            # Some kills a search, so that all parts of it are met.
            while how := _end_one(path, rng, rng.uniform(0.0, seconds / 3), *flags):
                counts[how] += 1
                flags = (CONTINUED,)
                print(f"{counts.total()}: {how}", file=sys.stderr)
            result = difference(variables(path), expected)
        except AssertionError as error:
            counts["what went wrong"] += 1
            result = str(error)
        if result is not None:
            wrong.append(result)
        print(f"done: {result or 'as expected'}", file=sys.stderr)
        shutil.rmtree(path, ignore_errors=True)
    return counts, wrong
