"""Checks a script's flags, opens its data and starts its run."""

import dataclasses
import os
import secrets
import sys
from collections.abc import Callable
from typing import Any

from enas.base.cluster import Cluster
from enas.base.errors import InputError, Interrupted, TimeIsOver
from enas.base.garbage import no_garbage_collection
from enas.base.program import note, one_line_errors, show
from enas.base.quiet import load_tensorflow
from enas.flags.datasets import open_data
from enas.flags.fit import fitted
from enas.flags.parse import LARGEST, help_text, parse
from enas.flags.table import Settings
from enas.loop.foresight import check_memory
from enas.loop.joining import cluster_for, joined
from enas.loop.kept_run import resumed
from enas.session import output_dir
from enas.session.output_dir import SCRIPT, OutputDir
from enas.session.worker_folder import RunFolder, WorkerFolder


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

    TF_CONFIG may name workers that share a search; this is then one of them.

    Returns:
      The folder that it wrote to; None if it had no epochs to run, or another worker
      wrote it.

    Raises:
      InputError: files, the folder or the machine do not allow it.
      FloatingPointError: the loss or its gradient is not finite.
      Interrupted: a signal asked to leave, and the run was saved.
    """
    cluster = cluster_for(task, settings)
    if cluster is None:
        return None
    with no_garbage_collection():
        from enas.loop import advice
        from enas.report.log import Log, flag_line

        if cluster.is_chief:  # whose seed the other workers get
            settings = _with_seed(settings)
        data = open_data(settings)
        if settings.fit_kb:
            settings = fitted(settings, data.shape[-1], data.classes)
        check_memory(settings)
        budget = advice.about_budget(settings, data)
        folder = _folder(settings, cluster)
    log = Log(writes=cluster.is_chief)
    try:
        for name, value in settings.flags().items():
            log.line(flag_line(name, value))
        for name, value in advice.facts(settings, data, cluster.count).items():
            log.line(flag_line(name, value))
        if cluster.is_chief:
            note(advice.facts_line(settings, data, cluster.count))
            if budget:
                note(budget)
            steps = advice.steps_per_epoch(settings, data, cluster.count)
            for line in advice.advice(settings, steps):
                note(line)
        if settings.seed:
            data.begin()  # TensorFlow is loaded and the graph is built meanwhile
        with no_garbage_collection():
            work, input_errors = _loaded(task)
        with input_errors():
            if folder is None or not cluster.several:
                work(settings, data, log, folder)
            else:
                with joined(cluster, settings, data, folder.release) as shared:
                    settings, data, workers = shared
                    work(settings, data, log, folder, workers)
    except (Interrupted, TimeIsOver) as left:
        from enas.loop.next_steps import going_on

        assert folder is not None
        how = f"to go on: {going_on(settings, folder.path)}"
        if cluster.several:
            how = "to go on, start all workers again, with --reset_output_dir=False"
        if isinstance(left, Interrupted):
            raise Interrupted(*left.args, how) from None
        note(f"max_minutes have passed, and the run is saved; {how}")
    finally:
        log.close()
        if folder is not None:
            folder.release()
    return folder.path if isinstance(folder, OutputDir) else None


def _folder(settings: Settings, cluster: Cluster) -> RunFolder | None:
    """Claims the folder that a run writes to; None if it has no epochs to run.

    Raises:
      UsageError, InputError: see `OutputDir`.
    """
    if not settings.num_epochs:
        return None
    if not cluster.is_chief:
        return WorkerFolder()
    kept = {SCRIPT: settings.script} | settings.flags()
    reset = settings.reset_output_dir
    folder = OutputDir(settings.output_dir, reset, kept)
    if not reset and not folder.continues:
        note(f"{folder.path} holds no run to continue; a new one begins")
    return folder


def _loaded(task: str) -> tuple[Callable, Callable]:
    """Loads TensorFlow; returns what runs a task, and what its errors go through.

    Raises:
      InputError: TensorFlow cannot be loaded.
    """
    try:
        load_tensorflow()
        from enas.session.session import input_errors

        work: Callable
        if task == "search":
            from enas.loop.search import search as work
        else:
            from enas.loop.train import train as work
    except (ImportError, MemoryError, SystemError) as error:
        raise InputError(
            f"TensorFlow cannot be loaded: {error}; give the program more memory, or "
            f"install it anew with ./setup.sh"
        ) from None
    return work, input_errors


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
