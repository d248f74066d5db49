"""Reads back the settings of a run from its output folder."""

import os
import re
from collections.abc import Sequence
from typing import Any

from enas.base.errors import InputError, UsageError
from enas.flags.datasets import DataSet, dataset_of
from enas.flags.parse import parse
from enas.flags.recipes import GONE, OLDER_FLAGS
from enas.flags.table import FLAGS, Settings
from enas.session.checkpoint_files import found_in
from enas.session.output_dir import (
    FLAGS_FILE,
    SCRIPT,
    check_entries,
    plain_path,
    read_flags,
)

_RESUME = re.compile(r"--?resume(=|$)")


def settings_of(output_dir: str, task: str) -> Settings:
    """Returns the settings of the run in a folder, after checking them again.

    Args:
      output_dir: the folder itself (see `plain_path`).
      task: what the run must be, 'search' or 'train'.

    Raises:
      InputError: there is no run, or it is of the other task or has no checkpoint yet;
        or its flags are damaged or of another version.
    """
    script, flags = _script_and_flags(output_dir)
    check_entries(output_dir)
    if ("fixed_arc" in flags) is not (task == "train"):
        raise InputError(_other_task(output_dir, task, dataset_of(flags)))
    constants = {name: FLAGS[name].default for name in flags if name in FLAGS}
    try:
        settings = parse([script, *_words(flags)], constants)
    except UsageError as error:
        raise InputError(f"{os.path.join(output_dir, FLAGS_FILE)}: {error}") from None
    if not found_in(output_dir):
        raise InputError(f"{output_dir} has no checkpoint yet")
    return settings


def resumed(argv: list[str], constants: dict[str, Any]) -> list[str]:
    """Returns the command line that --resume=FOLDER stands for; others unchanged.

    It holds the flags of the run in the folder, and then those that are given beside
    --resume, which stand above them.

    Args:
      argv: a script and its arguments.
      constants: the script's flags with their defaults.

    Raises:
      UsageError: no folder is named, or the folder is named twice, or its run is of
        another script.
      InputError: the folder has no run, or its flags are damaged.
    """
    places = [n for n, word in enumerate(argv) if _RESUME.match(word)]
    if not places:
        return argv
    rest = [word for n, word in enumerate(argv) if n not in places]
    named = [argv[n].partition("=")[2] for n in places]
    if len(places) > 1 or not named[0]:
        raise UsageError("resume one run, by its folder: --resume=FOLDER")
    given = flag_names(rest[1:])
    for name in ("output_dir", "reset_output_dir", "recipe", "fit_kb"):
        if name in given:
            raise UsageError(f"--resume says what {name} would; pass one of them")
    folder = plain_path(named[0])
    script, flags = _script_and_flags(folder)
    if script != os.path.basename(argv[0]).removesuffix(".py"):
        raise UsageError(f"the run in {folder} is of {script}.py")
    flags["reset_output_dir"] = False
    kept = {name: value for name, value in flags.items() if name in constants}
    return [rest[0], *_words(kept), *rest[1:]]


def flag_names(words: Sequence[str]) -> set[str]:
    """Returns the names of the flags among the words of a command line.

    --noNAME counts as NAME, too.
    """
    names = {w.lstrip("-").partition("=")[0] for w in words if w.startswith("-")}
    return names | {name.removeprefix("no") for name in names}


def _script_and_flags(output_dir: str) -> tuple[str, dict[str, Any]]:
    """Returns the script of the run in a folder, without '.py', and its flags."""
    flags = read_flags(output_dir)
    dataset = dataset_of(flags)
    made_by = dataset.train if "fixed_arc" in flags else dataset.search
    script = str(flags.pop(SCRIPT, made_by))
    flags = OLDER_FLAGS | {n: value for n, value in flags.items() if n not in GONE}
    flags["output_dir"] = output_dir  # the folder may have been moved
    del flags["fit_kb"]  # child_out_filters is what it came to
    return script, flags


def _words(flags: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def _other_task(output_dir: str, task: str, dataset: DataSet) -> str:
    if task == "search":
        return f"{output_dir} is of a training; name the output folder of a search"
    return (
        f"{output_dir} is of a search, whose strings share their weights; train one of "
        f'them first: python {dataset.train}.py -fixed_arc "…" (python -m '
        f"enas.analyze_log {os.path.join(output_dir, 'log.txt')} prints the command)"
    )
