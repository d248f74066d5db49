"""What every script does with its flags: check them, open the data, hand over to the
run."""

import gc
import logging
import os
import secrets
import sys

from enas import output_dir
from enas.command import one_line_errors, show
from enas.flags import LARGEST, Settings, help_text, parse


def main(task: str, constants: dict) -> None:
    """Runs a script.

    Args:
      task: 'search' or 'train'.
      constants: the script's flags with their defaults.
    """
    script = os.path.basename(sys.argv[0])
    if any(word.lstrip("-") in ("help", "h") for word in sys.argv[1:]):
        show(f"usage: python {script} [--flag=value …]\n{help_text(constants)}")
        return
    with one_line_errors(script):
        _run(task, parse(sys.argv, constants))


def _run(task: str, settings: Settings) -> None:
    # A start makes half a million objects and hardly any garbage; looking for it takes
    # a second. The loop turns this on again.
    gc.disable()
    from enas.datasets import open_data
    from enas.log import Log, flag_line

    settings.seed = settings.seed or _draw_seed(settings)
    read_data = open_data(settings)
    flags = vars(settings)
    lock, log_path = None, None
    if settings.num_epochs:
        lock = output_dir.prepare(settings.output_dir, settings.reset_output_dir, flags)
        log_path = os.path.join(settings.output_dir, output_dir.LOG_FILE)
    log = Log(log_path)
    for name, value in flags.items():
        log.line(flag_line(name, value))
    data = read_data()
    # Only now, with flags and data found right, TensorFlow is loaded.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if task == "search":
        from enas.search import search as run
    else:
        from enas.train import train as run
    from enas.session import input_errors

    try:
        with input_errors():
            run(settings, data, log)
    finally:
        log.close()
        if lock is not None:
            lock.release()


def _draw_seed(settings: Settings) -> int:
    """That of the run that is continued, or one which the log and the folder's flags
    will tell, so that any run can be repeated."""
    earlier = None
    if settings.num_epochs and not settings.reset_output_dir:
        earlier = output_dir.earlier_seed(settings.output_dir)
    return earlier or 1 + secrets.randbelow(LARGEST)
