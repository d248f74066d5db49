"""What a search survives: the long part of the tests, in one command.

    python -m tests.endurance [inputs] [kills] [disks] [memory]

prints a table, a line for each thing tried (all of them where none is named), which
takes an hour or two; details go to stderr. Status 1 means that something went wrong.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from tests.runs import ROOT

TRIED = {
    "arc strings": 20_000,
    "command lines": 5_000,
    "zips of images": 3_000,
    "image files": 3_000,
    "CIFAR-10 batches": 3_000,
    "CIFAR-10 archives": 1_000,
    "logs": 1_000,
    "folders of a run": 1_000,
}
KILLS = 80
Row = tuple[str, str, str]  # what was tried, how it ended, what went wrong


def inputs() -> Iterator[Row]:
    from tests.damage import outcomes

    for name, count in TRIED.items():
        with tempfile.TemporaryDirectory() as folder:
            counts, wrong = outcomes(name, count, folder)
        ended = f"{counts['read']} read, {counts['refused']} refused"
        yield f"{count} damaged {name}", ended, str(len(wrong))


def kills() -> Iterator[Row]:
    from tests.kills import survive

    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = survive(KILLS, folder)
    doing = ", ".join(f"{count} in {what}" for what, count in counts.most_common())
    yield f"{counts.total()} kills", doing, str(len(wrong))


def disks() -> Iterator[Row]:
    from tests.disks import NAMESPACE

    count, wrong = _words_of("tests.disks", NAMESPACE)
    ended = "one line and status 1; continued to the same end with room again"
    yield f"{count} runs on a full or read-only file system", ended, wrong


def memory() -> Iterator[Row]:
    first, last, steps, rounds = _words_of("tests.memory_growth")
    growth = float(last) / float(first) - 1
    ended = f"{first} MB after the first round, {last} at the end ({growth:+.1%})"
    yield f"{steps} child steps, {rounds} rounds", ended, str(int(growth > 0.03))


def _words_of(module: str, before: Sequence[str] = ()) -> list[str]:
    """What a module prints; before: a command that runs it."""
    process = subprocess.run(
        [*before, sys.executable, "-m", module],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return process.stdout.split()


PARTS = {"inputs": inputs, "kills": kills, "disks": disks, "memory": memory}


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"there is no part {', '.join(unknown)}; they are {', '.join(PARTS)}")
    rows = []
    print("| tried | how it ended | wrong |\n|---|---|---|")
    for name in names:
        for row in PARTS[name]():
            rows.append(row)
            print(f"| {' | '.join(row)} |", flush=True)
    sys.exit(any(wrong != "0" for *_, wrong in rows))


if __name__ == "__main__":
    main()
