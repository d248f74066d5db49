"""Runs scripts for benchmarks; each run has a log, and no run is done twice."""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from enas.flags.parse import parse
from enas.report.log_reader import read_log
from enas.report.log_records import Run
from enas.session.output_dir import FLAGS_FILE, SCRIPT, read_flags


def logged_runs(script: str, flags: dict[str, list[str]], jobs: int) -> dict[str, Run]:
    """Makes the runs of a script, and returns what their logs tell, by output folder.

    A run that ended before is not run again, and one that was interrupted continues. If
    the flags of such a run are not the same as before, the program ends.

    Args:
      flags: the flags of each run, by its output folder. Its log has the folder's name
        and `.txt`.
      jobs: how many runs go side by side.
    """
    for name, own in flags.items():
        _check_flags(script, name, own)
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


def _check_flags(script: str, name: str, flags: Sequence[str]) -> None:
    if not os.path.exists(os.path.join(name, FLAGS_FILE)):
        return
    constants = importlib.import_module(script.removesuffix(".py")).CONSTANTS
    settings = parse([script, *flags], constants).flags()
    earlier = read_flags(name)
    free = [SCRIPT, "output_dir", "reset_output_dir"]
    free += [] if settings["seed"] else ["seed"]
    changed = [
        flag
        for flag in sorted((settings.keys() | earlier.keys()).difference(free))
        if settings.get(flag) != earlier.get(flag)
    ]
    if changed:
        sys.exit(
            f"the run in {name} had another {', '.join(changed)}; name another --folder"
        )


def parse_arguments(
    parser: argparse.ArgumentParser,
) -> tuple[argparse.Namespace, list[str]]:
    """Returns (the benchmark's own options, the script's flags, which follow `--`)."""
    arguments, flags = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, flags = arguments[:cut], arguments[cut + 1 :]
    return parser.parse_args(arguments), flags
