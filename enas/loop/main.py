"""Checks a script's flags, opens its data and starts its run."""

import dataclasses
import os
import secrets
import sys
from collections.abc import Callable
from typing import Any

from enas.base.errors import InputError, Interrupted, TimeIsOver
from enas.base.garbage import no_garbage_collection
from enas.base.program import note, one_line_errors, show
from enas.base.quiet import load_tensorflow
from enas.flags.datasets import open_data
from enas.flags.fit import fitted
from enas.flags.parse import LARGEST, help_text, parse
from enas.flags.table import Settings
from enas.loop.foresight import check_memory
from enas.loop.kept_run import resumed
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
            show(f"{_usage(script)}\n{help_text(constants)}")
            return
        run(task, parse(resumed(sys.argv, constants), constants))


def _usage(script: str) -> str:
    return (
        f"usage: python {script} [--flag=value …]\n"
        f"       python {script} --resume=FOLDER [--flag=value …]\n\n"
        f"--resume goes on with the run in FOLDER, with the flags that it was given."
    )


def run(task: str, settings: Settings) -> str | None:
    """Runs a search or a training.

    Args:
      task: 'search' or 'train'.

    Returns:
      The folder that it wrote to; None if it had no epochs to run.

    Raises:
      InputError: files, the folder or the machine do not allow it.
      FloatingPointError: the loss or its gradient is not finite.
      Interrupted: a signal asked to leave, and the run was saved.
    """
    with no_garbage_collection():
        from enas.loop import advice
        from enas.report.log import Log, flag_line

        settings = _with_seed(settings)
        data = open_data(settings)
        if settings.fit_kb:
            settings = fitted(settings, data.shape[-1], data.classes)
        check_memory(settings)
        budget = advice.about_budget(settings, data)
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
        for name, value in advice.facts(settings, data).items():
            log.line(flag_line(name, value))
        note(advice.facts_line(settings, data))
        if budget:
            note(budget)
        for line in advice.advice(settings, advice.steps_per_epoch(settings, data)):
            note(line)
        data.begin()  # TensorFlow is loaded and the graph is built meanwhile
        with no_garbage_collection():
            work, input_errors = _loaded(task)
        with input_errors():
            work(settings, data, log, folder)
    except (Interrupted, TimeIsOver) as left:
        from enas.loop.next_steps import going_on

        assert folder is not None
        how = f"to go on: {going_on(settings, folder.path)}"
        if isinstance(left, Interrupted):
            raise Interrupted(*left.args, how) from None
        note(f"max_minutes have passed, and the run is saved; {how}")
    finally:
        log.close()
        if folder is not None:
            folder.release()
    return None if folder is None else folder.path


def _loaded(task: str) -> tuple[Callable, Callable]:
    """Loads TensorFlow; returns what runs a task, and what its errors go through.

    Raises:
      InputError: TensorFlow cannot be loaded.
    """
    try:
        load_tensorflow()
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
