"""Says on stderr what to type next, once a run has ended."""

import os
from contextlib import suppress

from enas.base.errors import InputError
from enas.base.program import command, tell, visible
from enas.flags.datasets import dataset_of
from enas.flags.table import Settings
from enas.loop.epochs import Run
from enas.loop.history import best_of
from enas.loop.stopping import BEST_FOLDER
from enas.network import file
from enas.report.log_reader import read_log
from enas.report.train_command import train_command
from enas.report.train_cost import below_command
from enas.session.checkpoint_files import found_in
from enas.session.output_dir import LOG_FILE


def going_on(settings: Settings, folder: str) -> str:
    """Returns the command that goes on with a run."""
    return visible(command(f"{settings.script}.py", f"--resume={folder}"))


def after_search(run: Run, best: str | None) -> None:
    """Tells what follows a search.

    Args:
      best: the string at the top of its ranking, if there is one.
    """
    folder = visible(run.folder)
    lines = [
        f"The log is {os.path.join(folder, LOG_FILE)}. Next, look at the search:",
        _indented(command("-m", "enas.analyze_log", run.folder)),
        "judge more of its strings on the whole validation set:",
        _indented(command("-m", "enas.rank_arcs", run.folder, "--draw=25")),
    ]
    if best:
        flags = {name: str(value) for name, value in run.settings.flags().items()}
        settings = run.settings
        arc = settings.parse_arc(best)
        lines += [
            "and train the best one:",
            _indented(train_command(arc, flags)),
        ]
        with suppress(InputError):  # the log is only asked for how long it takes
            lines.append(below_command(arc, read_log(run.folder)[-1]))
    tell("\n".join(lines))


def after_training(run: Run) -> None:
    """Tells what follows a training; the test accuracy comes last."""
    lines = [f"The log is {os.path.join(visible(run.folder), LOG_FILE)}."]
    if os.path.exists(os.path.join(run.folder, file.FILE)):
        images = _test_images(run.settings)
        if images:
            lines += [
                "Next, classify images with the packed network:",
                _indented(command("-m", "enas.predict", run.folder, images)),
            ]
        lines += [
            "write it as C, for a device (docs/export.md has the other formats):",
            _indented(command("-m", "enas.export", run.folder, "--to=c")),
        ]
    evaluations = run.history.evaluations
    best = best_of(evaluations)
    path = os.path.join(run.folder, BEST_FOLDER)
    if run.settings.patience and best and found_in(path):
        lines += [
            f"The best epoch was {best.epoch} (valid_accuracy {best.valid:.4f}, "
            f"test_accuracy {best.test:.4f}); its network is exported by",
            _indented(command("-m", "enas.export", path)),
        ]
    if evaluations:
        lines.append(f"test_accuracy: {evaluations[-1].test:.4f}")
    tell("\n".join(lines))


def _test_images(settings: Settings) -> str | None:
    """Returns the path of the test images, if they are image files."""
    if "test_data_dir" not in dataset_of(settings.names).paths:
        return None
    path = settings.test_data_dir
    return path if os.path.exists(path) else f"{path}.zip"


def _indented(words: str) -> str:
    return f"  {visible(words)}"
