"""What a search survives: the long part of the tests, in one command.

    python -m tests.endurance [PART …]

prints a table, a line for each thing tried. Without names it tries all of PARTS, one on
each core, which takes half an hour on two; details go to stderr. Status 1 means that
something went wrong.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.runs import ROOT

TRIED = {
    "damaged arc strings": 20_000,
    "damaged command lines": 5_000,
    "damaged zips of images": 3_000,
    "damaged image files": 3_000,
    "damaged CIFAR-10 batches": 3_000,
    "damaged CIFAR-10 archives": 1_000,
    "damaged logs": 1_000,
    "damaged folders of a run": 1_000,
    "hostile folders of a run": 500,
    "headers that claim another size": 500,
    "damaged packed networks": 3_000,
}
KILLS = 80
ROUGH_KILLS = 40
MANY_KILLS = 20
WORKER_KILLS = 20
STARTS = 200
PICKLES = 2_000
SERVERS = 100
Row = tuple[str, str, str]  # what was tried, how it ended, what went wrong


def inputs() -> Iterator[Row]:
    for name, count in TRIED.items():
        read, refused, wrong = _words_of("tests.damage", name, str(count))
        yield f"{count} {name}", f"{read} read, {refused} refused", wrong


def pickles() -> Iterator[Row]:
    read, refused, wrong = _words_of("tests.pickles", str(PICKLES))
    ended = f"{read} read, {refused} refused"
    yield f"{PICKLES} hostile pickles within 1 GB of memory", ended, wrong


def servers() -> Iterator[Row]:
    from tests.servers import survive

    counts, wrong = survive(SERVERS)
    yield (
        f"{SERVERS} misbehaving servers",
        f"{counts['refused']} refused",
        str(len(wrong)),
    )


def starts() -> Iterator[Row]:
    from tests.starts import survive

    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = survive(STARTS, folder)
    groups = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    ended = f"one run worked in each group: {groups}"
    yield f"{STARTS} starts at once, in pairs and fours", ended, str(len(wrong))


def rough_kills() -> Iterator[Row]:
    from tests.disks import NAMESPACE

    words = _words_of("tests.rough_kills", str(ROUGH_KILLS), before=NAMESPACE)
    killed, twice, moved, full, wrong = words
    ended = (
        f"continued to the same end, after the folder was moved {moved} times and the "
        f"disk was full {full} times"
    )
    yield f"{killed} kills and {twice} times two signals", ended, wrong


def kills() -> Iterator[Row]:
    from tests.kills import survive

    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = survive(KILLS, folder)
    doing = ", ".join(f"{count} in {what}" for what, count in counts.most_common())
    yield f"{counts.total()} kills", doing, str(len(wrong))


def many() -> Iterator[Row]:
    from tests.many_kills import survive

    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = survive(MANY_KILLS, folder)
    ended = ", ".join(f"{count} of {what}" for what, count in counts.most_common())
    yield f"{counts.total()} kills among many trainings", ended, str(len(wrong))


def workers() -> Iterator[Row]:
    from tests.worker_kills import survive

    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = survive(WORKER_KILLS, folder)
    ended = ", ".join(f"{count} times {what}" for what, count in counts.most_common())
    yield f"{counts.total()} ends of one of two workers", ended, str(len(wrong))


def disks() -> Iterator[Row]:
    from tests.disks import NAMESPACE

    count, wrong = _words_of("tests.disks", before=NAMESPACE)
    ended = "one line and status 1; continued to the same end with room again"
    yield f"{count} runs on a full or read-only file system", ended, wrong


def memory() -> Iterator[Row]:
    first, last, steps, rounds = _words_of("tests.memory_growth")
    growth = float(last) / float(first) - 1
    ended = f"{first} MB after the first round, {last} at the end ({growth:+.1%})"
    yield f"{steps} child steps, {rounds} rounds", ended, str(int(growth > 0.03))


def _words_of(module: str, *arguments: str, before: Sequence[str] = ()) -> list[str]:
    """What a module prints; before: a command that runs it."""
    process = subprocess.run(
        [*before, sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return process.stdout.split()


PARTS = {
    "inputs": inputs,
    "pickles": pickles,
    "servers": servers,
    "starts": starts,
    "kills": kills,
    "rough_kills": rough_kills,
    "many": many,
    "workers": workers,
    "disks": disks,
    "memory": memory,
}


def _table_of(part: str) -> list[str]:
    """The lines of a part, which is run as a process of its own."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.endurance", part],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = process.stdout.splitlines()[2:]
    return lines or [f"| {part} | status {process.returncode} | 1 |"]


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"there is no part {', '.join(unknown)}; they are {', '.join(PARTS)}")
    print("| tried | how it ended | wrong |\n|---|---|---|", flush=True)
    wrong = False
    if len(names) == 1:
        for row in PARTS[names[0]]():
            print(f"| {' | '.join(row)} |", flush=True)
            wrong |= row[-1] != "0"
        sys.exit(wrong)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # a part a core
        for lines in pool.map(_table_of, names):
            print("\n".join(lines), flush=True)
            wrong |= any(not line.endswith(" 0 |") for line in lines)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
