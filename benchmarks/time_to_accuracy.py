"""Measures the minutes from a script's start until an accuracy is reached.

    python -m benchmarks.time_to_accuracy [--minutes=60] [--seed=1] [ROW …] [-- FLAG …]

A search counts once its ten strings have that mean accuracy, and a training once the
test set has it, after an epoch. See ROWS; all of them by default. A run ends when it
has reached its last target, or after --minutes. All runs get the flags that follow
`--`. Nothing else should run meanwhile.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.script_runs import parse_arguments
from benchmarks.search_step import ARC
from enas.base.text_table import text_table
from enas.loop.search import SHOWN_ARCHITECTURES

SMALL = ("--child_out_filters=8", "--img_size=16", "--num_epochs=5", "--child_lr_T_0=5")
ALONE = (
    f"-fixed_arc={ARC}",
    *("--child_out_filters=8", "--img_size=24", "--num_epochs=10"),
    *("--child_lr_T_0=10", "--n_aug_img=1"),
)
FULL = ("--num_epochs=5", "--child_lr_T_0=5")


class Row(NamedTuple):
    """What one run is, and the accuracies that it is to reach, ascending."""

    script: str
    flags: tuple[str, ...]
    targets: tuple[float, ...]


ROWS = {
    "small-search": Row("search_arc_mnist.py", SMALL, (0.90, 0.96)),
    "small-search-faithful": Row(
        "search_arc_mnist.py", (*SMALL, "--recipe=faithful"), (0.90, 0.96)
    ),
    "full-search": Row("search_arc_mnist.py", FULL, (0.90, 0.96)),
    "string-alone": Row("train_arc_mnist.py", ALONE, (0.98,)),
}
_SHOWN = re.compile(r"val_acc\s*=\s*([\d.]+)")
_TESTED = re.compile(r"test_accuracy: ([\d.]+)")


def accuracies(lines: Iterator[str], is_search: bool) -> Iterator[float]:
    """Yields an accuracy whenever a log tells one: of ten strings, or of a test."""
    shown: list[float] = []
    for line in lines:
        if is_search and (match := _SHOWN.search(line)):
            shown.append(float(match[1]))
            if len(shown) == SHOWN_ARCHITECTURES:
                yield statistics.mean(shown)
                shown = []
        if not is_search and (match := _TESTED.search(line)):
            yield float(match[1])


def measure(row: Row, seed: int, minutes: float, flags: list[str]) -> list[float]:
    """Runs a script; returns the minutes to those of its targets that it reached."""
    reached: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, row.script, *row.flags, f"--seed={seed}", *flags]
        start = time.monotonic()
        process = subprocess.Popen(
            [*command, f"--output_dir={folder}/run", f"--max_minutes={minutes}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for accuracy in accuracies(process.stdout, row.script.startswith("search")):
            elapsed = (time.monotonic() - start) / 60
            print(f"{elapsed:8.1f} minutes: {accuracy:.4f}", file=sys.stderr)
            while len(reached) < len(row.targets):
                if accuracy < row.targets[len(reached)]:
                    break
                reached.append(elapsed)
            if len(reached) == len(row.targets):
                process.terminate()
        process.stdout.close()
        process.wait()
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=[*ROWS, []])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options, flags = parse_arguments(parser)
    rows = [("run", "accuracy", "minutes")]
    for name in options.rows or ROWS:
        row = ROWS[name]
        found = measure(row, options.seed, options.minutes, flags)
        for number, target in enumerate(row.targets):
            known = number < len(found)
            minutes = f"{found[number]:.1f}" if known else f"> {options.minutes:.0f}"
            rows.append((name, f"{target:.2f}", minutes))
    print(text_table(rows, left=(0,)))


if __name__ == "__main__":
    main()
