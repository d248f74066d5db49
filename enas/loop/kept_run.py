"""Reads back the settings of a run from its output folder."""

import os

from enas.base.errors import InputError, UsageError
from enas.flags.datasets import DataSet, dataset_of
from enas.flags.parse import parse
from enas.flags.recipes import OLDER, RECIPES
from enas.flags.table import FLAGS, Settings
from enas.session.checkpoint_files import found_in
from enas.session.output_dir import FLAGS_FILE, SCRIPT, check_entries, read_flags


def settings_of(output_dir: str, task: str) -> Settings:
    """Returns the settings of the run in a folder, after checking them again.

    Args:
      output_dir: the folder itself (see `plain_path`).
      task: what the run must be, 'search' or 'train'.

    Raises:
      InputError: there is no run, or it is of the other task or has no checkpoint yet;
        or its flags are damaged or of another version.
    """
    flags = read_flags(output_dir)
    check_entries(output_dir)
    dataset = dataset_of(flags)
    if ("fixed_arc" in flags) is not (task == "train"):
        raise InputError(_other_task(output_dir, task, dataset))
    script = flags.pop(SCRIPT, dataset.search if task == "search" else dataset.train)
    flags = RECIPES[OLDER] | flags
    flags["output_dir"] = output_dir  # the folder may have been moved
    constants = {name: FLAGS[name].default for name in flags if name in FLAGS}
    words = [f"--{name}={value}" for name, value in flags.items()]
    try:
        settings = parse([str(script), *words], constants)
    except UsageError as error:
        raise InputError(f"{os.path.join(output_dir, FLAGS_FILE)}: {error}") from None
    if not found_in(output_dir):
        raise InputError(f"{output_dir} has no checkpoint yet")
    return settings


def _other_task(output_dir: str, task: str, dataset: DataSet) -> str:
    if task == "search":
        return f"{output_dir} is of a training; name the output folder of a search"
    return (
        f"{output_dir} is of a search, whose strings share their weights; train one of "
        f'them first: python {dataset.train}.py -fixed_arc "…" (python -m '
        f"enas.analyze_log {os.path.join(output_dir, 'log.txt')} prints the command)"
    )
