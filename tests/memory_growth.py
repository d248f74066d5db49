"""Whether a long search's memory grows: 2,000 child steps and 20 rounds of a small one.

    python -m tests.memory_growth

prints the resident memory in MB after the first round and at the end, the child steps
and the rounds. The median of the last samples counts, since allocators breathe.
"""

import re
import statistics
import subprocess
import sys
import tempfile

import psutil

from tests.runs import ROOT, SMALL

EPOCHS = 20
SCRIPT = "search_arc_mnist.py"
FLAGS = (
    "--train_limit=2000",  # 100 steps an epoch
    "--log_every=1",
    "--controller_train_steps=10",
    "--controller_num_aggregate=2",
    f"--num_epochs={EPOCHS}",
    "--save_every_minutes=0.1",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, SCRIPT, *SMALL, *FLAGS, f"--output_dir={folder}/out"],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        watched = psutil.Process(process.pid)
        held, steps, rounds = [[]], 0, 0
        for line in process.stdout:
            if match := re.match(r"epoch = \d+ +ch_step = (\d+)", line):
                steps = int(match[1])
                held[-1].append(watched.memory_info().rss)
            if line.startswith("Here are"):
                rounds += 1
                held.append([])
        if process.wait() != 0:
            sys.exit("the search failed")
    # Of the epoch after the first round, and of the last one.
    first, last = (statistics.median(h) / 1e6 for h in (held[1], held[rounds - 1]))
    print(f"{first:.0f} {last:.0f} {steps} {rounds}")


if __name__ == "__main__":
    main()
