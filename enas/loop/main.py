"""Checks a script's flags, opens its data and starts its run."""

import dataclasses
import os
import secrets
import sys
from collections.abc import Callable
from typing import Any

from enas.base.errors import InputError
from enas.base.garbage import no_garbage_collection
from enas.base.program import note, one_line_errors, quiet_tensorflow, show
from enas.flags.datasets import open_data
from enas.flags.parse import LARGEST, help_text, parse
from enas.flags.table import Settings
from enas.loop.foresight import check_memory
from enas.session import output_dir
from enas.session.output_dir import SCRIPT, OutputDir


def main(task: str, constants: dict[str, Any]) -> None:
    """Runs a script.

    Args:
      task: 'search' or 'train'.
      constants: the script's flags with their defaults.
    """
    script = os.path.basename(sys.argv[0])
    with one_line_errors(script):
        if any(word.lstrip("-") in ("help", "h") for word in sys.argv[1:]):
            show(f"usage: python {script} [--flag=value …]\n{help_text(constants)}")
            return
        _run(task, parse(sys.argv, constants))


def _run(task: str, settings: Settings) -> None:
    with no_garbage_collection():
        from enas.report.log import Log, flag_line

        settings = _with_seed(settings)
        check_memory(settings)
        read_data = open_data(settings)
        flags = settings.flags()
        folder = None
        if settings.num_epochs:
            kept = {SCRIPT: settings.script} | flags
            reset = settings.reset_output_dir
            folder = OutputDir(settings.output_dir, reset, kept)
            if not reset and not folder.continues:
                note(f"{folder.path} holds no run to continue; a new one begins")
    log = Log()
    try:
        for name, value in flags.items():
            log.line(flag_line(name, value))
        data = read_data()
        # Load TensorFlow only now that the flags and the data have been checked.
        with no_garbage_collection():
            quiet_tensorflow()
            run, input_errors = _loaded(task)
        with input_errors():
            run(settings, data, log, folder)
    finally:
        log.close()
        if folder is not None:
            folder.release()


def _loaded(task: str) -> tuple[Callable, Callable]:
    """Loads TensorFlow; returns what runs a task, and what its errors go through.

    Raises:
      InputError: TensorFlow cannot be loaded.
    """
    try:
        from enas.session.session import input_errors

        if task == "search":
            from enas.loop.search import search as run
        else:
            from enas.loop.train import train as run
    except (ImportError, MemoryError, SystemError) as error:
        raise InputError(
            f"TensorFlow cannot be loaded: {error}; give the program more memory, or "
            f"install it anew with ./setup.sh"
        ) from None
    return run, input_errors


def _with_seed(settings: Settings) -> Settings:
    """Returns the settings with a seed: their own, a continued run's, or a new one.

    The log and the folder tell the seed, so that any run can be repeated.
    """
    if settings.seed:
        return settings
    earlier = None
    if settings.num_epochs and not settings.reset_output_dir:
        earlier = output_dir.earlier_seed(settings.output_dir)
    seed = earlier or 1 + secrets.randbelow(LARGEST)
    return dataclasses.replace(settings, seed=seed)
