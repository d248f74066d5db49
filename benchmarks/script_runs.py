"""Runs of the scripts that benchmarks start: each has a log, and none is done twice."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from enas.log_reader import read_log
from enas.log_records import Run


def logged_runs(script: str, flags: dict[str, list[str]], jobs: int) -> dict[str, Run]:
    """What the logs of a script's runs tell, by output folder, after all have ended.

    A run that ended before is not run again, and one that was interrupted goes on.

    Args:
      flags: of each run, by its output folder; its log is named so, too, and `.txt`.
      jobs: so many run side by side.
    """
    with ThreadPoolExecutor(jobs) as pool:
        runs = pool.map(partial(_logged_run, script), flags, flags.values())
        return dict(zip(flags, runs, strict=True))


def _logged_run(script: str, name: str, flags: Sequence[str]) -> Run:
    if not os.path.exists(name + ".done"):
        command = [sys.executable, script, *flags, f"--output_dir={name}"]
        with open(name + ".txt", "a", encoding="utf-8") as log:
            subprocess.run(
                [*command, "--reset_output_dir=False"], stdout=log, check=True
            )
        open(name + ".done", "w").close()
    return read_log(name + ".txt")[-1]


def parse_arguments(
    parser: argparse.ArgumentParser,
) -> tuple[argparse.Namespace, list[str]]:
    """(the benchmark's own options, the script's flags: what follows `--`)."""
    arguments, flags = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, flags = arguments[:cut], arguments[cut + 1 :]
    return parser.parse_args(arguments), flags
