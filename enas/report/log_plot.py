"""Draws a run of a log as one figure of three panels over epochs.

The panels show the child's training, the controller, and the accuracy on validation and
test images. pyplot must not be used, so that nothing global is touched and no display
is needed.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from enas.report.log_records import ControllerSample, Run

SIZE = (10, 11)  # inches
DPI = 120
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#007F5F", "#8A8A8A"
SMOOTHED = 80  # a running mean takes in 1/80 of a series on each side


def draw(run: Run, title: str) -> Figure:
    """Draws the figure of a run; save it with `savefig`."""
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
    figure = Figure(figsize=SIZE, dpi=DPI, layout=layout)
    figure.suptitle(title, fontsize=12, fontweight="bold", parse_math=False)
    child, controller, accuracy = figure.subplots(3, 1, sharex=True)
    steps = run.steps_per_epoch()
    _draw_child(child, run, steps or 1.0)
    _draw_controller(controller, run)
    _draw_accuracy(accuracy, run)
    accuracy.set_xlabel(
        "epochs of child training" if steps else "child steps, in the first epoch"
    )
    accuracy.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))
    accuracy.margins(x=0.02)
    figure.align_ylabels([child, controller, accuracy])
    return figure


def running_mean(values: Sequence[float]) -> np.ndarray:
    """Averages each value with its neighbours, as many on each side, fewer at the ends.

    Args:
      values: [n]; n may be 0.

    Returns:
      [n].
    """
    count = len(values)
    if not count:
        return np.zeros(0)
    beside = min(max(2, count // SMOOTHED), (count - 1) // 2)
    window = np.ones(2 * beside + 1)
    sums = np.convolve(values, window, "same")
    return sums / np.convolve(np.ones(count), window, "same")


def _draw_child(axes: Axes, run: Run, steps: float) -> None:
    records = run.child_steps
    x = [record.step / steps for record in records]
    loss = [record.loss for record in records]
    hinge = run.flags.get("child_loss") == "squared_hinge"
    accuracy = axes.twinx()
    _noisy(axes, x, loss, BLUE, "loss")
    _noisy(
        accuracy,
        x,
        [record.correct / record.batch_size for record in records],
        ORANGE,
        "training accuracy",
    )
    if records:  # a few steps of a very high loss must not flatten all the others
        top = max(np.percentile(loss, 98), running_mean(loss).max(), 1e-6)
        axes.set_ylim(0.0, 1.1 * top)
    _label(axes, "loss (squared hinge)" if hinge else "loss (nats)", BLUE)
    _label(accuracy, "accuracy (part of a batch)", ORANGE)
    _finish(axes, "Child training", accuracy)


def _draw_controller(axes: Axes, run: Run) -> None:
    records = run.controller_samples
    x = _sample_positions(records)
    entropy = axes.twinx()
    _noisy(axes, x, [record.accuracy for record in records], BLUE, "sampled accuracy")
    _line(axes, x, [record.baseline for record in records], GRAY, "baseline", "--")
    _noisy(entropy, x, [record.entropy for record in records], GREEN, "entropy")
    _label(axes, "accuracy (part of a batch)", BLUE)
    _label(entropy, "entropy of a string (nats)", GREEN)
    _finish(
        axes,
        "Controller: each round drawn over the epoch that it follows",
        entropy,
    )


def _draw_accuracy(axes: Axes, run: Run) -> None:
    axes.scatter(
        [record.epoch for record in run.architectures],
        [record.accuracy for record in run.architectures],
        s=9,
        color=GRAY,
        alpha=0.5,
        linewidths=0,
        label="a sampled string, one batch" if run.architectures else None,
    )
    for split, color in (("valid", BLUE), ("test", ORANGE)):
        records = [record for record in run.evaluations if record.split == split]
        x = [record.epoch for record in records]
        y = [record.accuracy for record in records]
        _line(axes, x, y, color, f"{split}, whole set", dots=60)
    _label(axes, "accuracy (part of the images)")
    _finish(axes, "Accuracy on validation and test images")


def _sample_positions(samples: Sequence[ControllerSample]) -> list[float]:
    """Returns where samples are on the axis of epochs.

    A round is spread over its epoch, since the child's step does not move in it.
    """
    sizes: dict[int, int] = {}
    numbers = []
    for sample in samples:
        sizes[sample.epoch] = sizes.get(sample.epoch, 0) + 1
        numbers.append(sizes[sample.epoch])
    longest = max(sizes.values(), default=1)  # the last round may be unfinished
    return [
        sample.epoch - 1 + number / longest
        for sample, number in zip(samples, numbers, strict=True)
    ]


def _noisy(axes: Axes, x: list[float], y: list[float], color: str, label: str) -> None:
    """Draws faint points and their running mean."""
    size, alpha = (4, 0.22) if len(x) > 200 else (6, 0.4)
    axes.plot(x, y, ".", color=color, alpha=alpha, markersize=size, markeredgewidth=0)
    _line(axes, x, running_mean(y), color, label)


def _line(axes, x, y, color: str, label: str, style: str = "-", dots: int = 2) -> None:
    """Draws a line with a legend entry; adds dots if it has at most `dots` points."""
    if len(x):
        marker = "o" if len(x) <= dots else ""
        axes.plot(
            x, y, style, color=color, lw=1.6, marker=marker, markersize=4, label=label
        )


def _label(axes: Axes, text: str, color: str = "black") -> None:
    axes.set_ylabel(text, color=color)
    axes.tick_params(axis="y", colors=color)


def _finish(axes: Axes, title: str, twin: Axes | None = None) -> None:
    """Adds title, grid and, above the panel, both axes' legend; or a note if empty."""
    both = [axes] if twin is None else [axes, twin]
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(alpha=0.25)
    axes.tick_params(axis="x", labelbottom=True)
    for one in both:
        one.spines["top"].set_visible(False)
    handles = [line for one in both for line in one.get_legend_handles_labels()[0]]
    if not handles:
        axes.text(
            0.5,
            0.5,
            "not in the log yet",
            transform=axes.transAxes,
            ha="center",
            color=GRAY,
        )
        for one in both:
            one.set_yticks([])
        return
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        borderaxespad=0.1,
    )
