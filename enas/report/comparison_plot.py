"""Draws several runs over one another, each in a colour of its own.

pyplot must not be used, so that nothing global is touched and no display is needed.
"""

import itertools

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from enas.report.comparison import Compared, rounds
from enas.report.log_plot import (
    evaluated,
    finish_epochs,
    finish_panel,
    loss_limit,
    new_figure,
    running_mean,
)
from enas.report.log_records import Run

# Colours that colour-blind people tell apart, too. Where they are used up, they come
# again with another style of line.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")
Look = tuple[str, str]  # of a line: colour and style
MOST_DOTS = 60  # of a line that shows its points
WIDE = 96  # letters beside one another in the legend


def draw_several(several: list[Compared]) -> Figure:
    """Draws the figure of several runs; save it with `savefig`.

    Its panels are the loss, the sampled strings if there are any, and the accuracy on
    validation and on test images, where a log has them.
    """
    curves = [
        ("Accuracy of the strings after an epoch, one batch each: mean", rounds_of),
        ("Accuracy on all validation images", lambda run: evaluated(run, "valid")),
        ("Accuracy on all test images", lambda run: evaluated(run, "test")),
    ]
    shown = [
        (text, [curve(one.run) for one in several])
        for text, curve in curves
        if any(curve(one.run)[0] for one in several)
    ]
    figure, panels, _ = new_figure(1 + len(shown), "")
    every = itertools.cycle((color, style) for style in STYLES for color in COLORS)
    looks = list(itertools.islice(every, len(several)))
    known = _draw_losses(panels[0], several, looks)
    for axes, (text, series) in zip(panels[1:], shown, strict=True):
        for (x, y), (color, style) in zip(series, looks, strict=True):
            _line(axes, x, y, color, style, MOST_DOTS)
        axes.set_ylabel("accuracy (part of the images)")
        finish_panel(axes, text)
    finish_epochs(panels, known)
    figure.align_ylabels(panels)
    names = [one.name for one in several]
    columns = max(1, min(len(names), WIDE // (max(map(len, names)) + 8)))
    figure.legend(
        panels[0].get_lines(),
        names,
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
    return figure


def rounds_of(run: Run) -> tuple[list[int], list[float]]:
    """Returns epochs and mean accuracies of the strings shown after them."""
    means = rounds(run)
    return list(means), list(means.values())


def _draw_losses(axes: Axes, several: list[Compared], looks: list[Look]) -> bool:
    """Draws each run's running mean of the loss, one line for every run.

    Returns:
      Whether the axis counts epochs; else it counts steps.
    """
    told = [one.run.steps_per_epoch() for one in several]
    known = [steps for steps in told if steps]
    losses = []
    for one, steps, (color, style) in zip(several, told, looks, strict=True):
        # A run that does not tell its epochs yet is drawn as if they were another's.
        divisor = steps or (known[0] if known else 1.0)
        loss = [step.loss for step in one.run.child_steps]
        x = [step.step / divisor for step in one.run.child_steps]
        _line(axes, x, list(running_mean(loss)), color, style, 2)
        if loss:
            losses.append(loss)
    if losses:
        axes.set_ylim(0.0, loss_limit(losses))
    axes.set_ylabel("loss")
    finish_panel(axes, "Loss of the child: running mean")
    return bool(known)


def _line(axes: Axes, x: list, y: list, color: str, style: str, dots: int) -> None:
    """Draws a line, with dots if it has at most `dots` points."""
    marker = "o" if len(x) <= dots else ""
    axes.plot(x, y, style, color=color, lw=1.6, marker=marker, markersize=3)
