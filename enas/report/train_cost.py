"""Says what the training of a searched string takes, and why its size is another.

This module must not import TensorFlow.
"""

import math
import textwrap

from enas.flags.table import FLAGS
from enas.report.log_records import Run
from enas.report.train_command import Training, training_of, value_of
from enas.space.arc import Arc

COLUMNS = 80
SIZES = {"child_num_layers": "layers", "child_out_filters": "filters"}
# Layers of a network besides child_num_layers.
MORE_LAYERS = 2
LONG = 3600  # seconds of a training, from which on it is told how to shorten it


def below_command(arc: Arc, run: Run) -> str:
    """Returns the sentences that stand below the command that trains a string.

    Args:
      run: the search that found the string.
    """
    training = training_of(len(arc.normal), run.flags)
    texts = [_cost(training, run), _sizes(training, run.flags)]
    return "\n\n".join(filled(text) for text in texts if text)


def filled(text: str) -> str:
    """Returns a text in lines of at most 80 letters; flags and paths stay whole."""
    return textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)


def _cost(training: Training, run: Run) -> str:
    epochs, copies = training.value("num_epochs"), training.value("n_aug_img") or 1
    images = _train_images(training, run)
    if images is None:
        return f"That is {epochs:,} epochs."
    batch_size = training.value("batch_size")
    steps = epochs * math.ceil(images * copies / batch_size)
    of_each = {1: "", 2: f" ({images:,}, and an altered copy of each)"}.get(
        copies, f" ({images:,}, and {copies - 1} altered copies of each)"
    )
    text = (
        f"That is {epochs:,} epochs of {images * copies:,} images{of_each}: "
        f"{steps:,} steps."
    )
    measured = run.seconds_per_step()
    if measured is None:
        return text
    scale = _scale(training, run)
    seconds = steps * measured * scale
    here = "at that speed they take some"
    if scale != 1:
        here = (
            f"in proportion to its size one here takes {_short(measured * scale)} s, "
            f"and all of them some"
        )
    text += (
        f" A step of the search took {_short(measured)} s; {here} "
        f"{_duration(seconds)}. This is an estimate: the steps of a lone string take "
        f"between a fifth of the time of an average one and half as long again "
        f"(docs/costs.md)."
    )
    return f"{text} {_shorter(training, copies)}" if seconds >= LONG else text


def _shorter(training: Training, copies: int) -> str:
    """Returns which flags make a training shorter."""
    flags = ["--num_epochs (with a --child_lr_T_0 that is no larger)"]
    if copies > 1:
        flags.append("--n_aug_img=1")
    flags.append("--train_limit")
    return f"{', '.join(flags[:-1])} and {flags[-1]} make it shorter."


def _train_images(training: Training, run: Run) -> int | None:
    """Returns on how many images the training trains, before copies are made of them.

    Validation images that only the search sets aside are among them. None if the log
    does not tell.
    """
    images = run.fact("train_images")
    if images is None or training.value("train_limit"):
        return images
    aside = _searched(training, run.flags, "num_valids") or 0
    return images + aside - (training.value("num_valids") or 0)


def _scale(training: Training, run: Run) -> float:
    """Returns how much longer a step of the training takes than one of the search.

    Reductions double the filters on a quarter of the pixels, so that every layer takes
    about as long, and time grows with the filters, as it does on a CPU.
    """
    scale = training.value("batch_size") / run.batch_size()
    for name, added in (("child_num_layers", MORE_LAYERS), ("child_out_filters", 0)):
        searched = _searched(training, run.flags, name)
        if searched is not None:
            scale *= (training.value(name) + added) / (searched + added)
    return scale


def _searched(training: Training, flags: dict[str, str], name: str) -> int | None:
    """Returns the search's value of a flag; None if the log does not tell."""
    if name not in flags or name not in training.defaults:
        return None
    return value_of(name, flags[name], training.defaults[name], training.data)


def _sizes(training: Training, flags: dict[str, str]) -> str:
    """Returns why sizes are other than the search's; empty if none is."""
    searched = {
        name: value
        for name in SIZES
        if FLAGS[name].search_size is not None
        and (value := _searched(training, flags, name)) is not None
        and value != training.value(name)
    }
    if not searched:
        return ""
    had = " and ".join(f"{value} {SIZES[name]}" for name, value in searched.items())
    now = " and ".join(f"{training.value(name)}" for name in searched)
    keep = " and ".join(f"--{name}={value}" for name, value in searched.items())
    return (
        f"The search had {had}. The train script has its own default, {now}: add "
        f"{keep} to keep the search's."
    )


def _short(seconds: float) -> str:
    """Returns a number of seconds with two digits or more that count."""
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"


def _duration(seconds: float) -> str:
    """Returns a rough duration in one unit, of two digits."""
    if seconds < 90:
        return "a minute"
    for size, unit, most in ((60, "minutes", 100), (3600, "hours", 72)):
        if seconds < size * most:
            return f"{round(seconds / size)} {unit}"
    days = seconds / 86400
    return f"{round(days, -1 if days >= 100 else None):.0f} days"
