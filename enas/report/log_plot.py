"""Draws a run of a log as one figure of two or three panels over epochs.

The panels show the child's training, the controller if there is one, and the accuracy
on validation and test images. A search with a budget has one more, of its strings'
accuracy and size. pyplot must not be used, so that nothing global is touched and no
display is needed.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from enas.base.statistics import standard_error
from enas.report.log_records import ControllerSample, Run
from enas.report.pareto_plot import SHARED, Mark, draw_sizes, marks_of
from enas.report.ranking import CONTROLLER, UNIFORM, Ranked

WIDTH, PANEL_HEIGHT, TITLE_HEIGHT = 10, 3.5, 0.5  # inches
DPI = 120
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#007F5F", "#8A8A8A"
FEW = 10  # points of which every one is shown
SMOOTHED = 80  # a running mean takes in 1/80 of a series on each side


# What a legend shows beside a text: one artist, or several side by side.
Entry = tuple[tuple[Line2D, ...], str]


def new_figure(
    panels: int, title: str, others: int = 0
) -> tuple[Figure, list[Axes], list[Axes]]:
    """Returns a figure of panels, one below the other.

    Args:
      panels: how many share their epochs.
      title: a headline; none if it is empty.
      others: how many come below these.

    Returns:
      (the figure, the panels of epochs, the others).
    """
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
    count = panels + others
    size = (WIDTH, count * PANEL_HEIGHT + TITLE_HEIGHT)
    figure = Figure(figsize=size, dpi=DPI, layout=layout)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold", parse_math=False)
    axes = list(figure.subplots(count, 1, squeeze=False)[:, 0])
    for one in axes[1:panels]:
        one.sharex(axes[0])
    return figure, axes[:panels], axes[panels:]


def finish_epochs(panels: list[Axes], known: bool) -> None:
    """Labels the axis of epochs, or of steps if a log does not tell the epochs yet."""
    panels[-1].set_xlabel(
        "epochs of child training" if known else "child steps, in the first epoch"
    )
    panels[-1].xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))
    panels[-1].margins(x=0.02)


def draw(run: Run, title: str, ranked: Sequence[Ranked] = ()) -> Figure:
    """Draws the figure of a run; save it with `savefig`.

    Args:
      ranked: the ranking of a search, if it is known.
    """
    marks = marks_of(ranked)
    label = SHARED
    if not marks:
        marks = _last_marks(run)
        label = "accuracy on one validation batch (± s.e.)"
    count = 3 if run.has_controller() else 2
    figure, panels, others = new_figure(count, title, 1 if marks else 0)
    for axes in others:
        draw_sizes(axes, marks, run.most_bytes())
        axes.set_ylabel(label)
        finish_panel(axes, "Accuracy and size")
    steps = run.steps_per_epoch()
    _draw_child(panels[0], run, steps or 1.0)
    if run.has_controller():
        _draw_controller(panels[1], run)
    _draw_accuracy(panels[-1], run)
    finish_epochs(panels, bool(steps))
    figure.align_ylabels(panels)
    return figure


def _last_marks(run: Run) -> list[Mark]:
    """Returns a mark for each string of the last round, in a search with a budget."""
    last = run.architectures[-1:]
    source = CONTROLLER if run.has_controller() else UNIFORM
    return [
        Mark(
            one.bytes,
            one.accuracy,
            standard_error(one.accuracy, run.valid_batch()),
            source,
        )
        for one in run.architectures
        if one.epoch == last[0].epoch and one.bytes is not None
    ]


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
    right = [record.correct / record.batch_size for record in records]
    entries = [
        *_noisy(axes, x, loss, BLUE, "loss", "steps"),
        *_noisy(accuracy, x, right, ORANGE, "training accuracy", "steps"),
    ]
    if records:
        axes.set_ylim(0.0, loss_limit([loss]))
    _label(axes, "loss (squared hinge)" if hinge else "loss (nats)", BLUE)
    _label(accuracy, "accuracy (part of a batch)", ORANGE)
    _finish(axes, "Child training", entries, accuracy)


def loss_limit(losses: Sequence[Sequence[float]]) -> float:
    """Returns where the axis of losses ends; each of the series has a value.

    A few steps of a very high loss must not flatten many others.
    """
    tops = [
        max(np.percentile(one, 98 if len(one) > FEW else 100), running_mean(one).max())
        for one in losses
    ]
    return 1.1 * max(*tops, 1e-6)


def _draw_controller(axes: Axes, run: Run) -> None:
    records = run.controller_samples
    x = _sample_positions(records)
    twin = axes.twinx()
    accuracy = [record.accuracy for record in records]
    baseline = [record.baseline for record in records]
    entropy = [record.entropy for record in records]
    entries = [
        *_noisy(axes, x, accuracy, BLUE, "accuracy", "samples"),
        *_line(axes, x, baseline, GRAY, "baseline", "--"),
        *_noisy(twin, x, entropy, GREEN, "entropy", "samples"),
    ]
    _label(axes, "accuracy (part of a batch)", BLUE)
    _label(twin, "entropy of a string (nats)", GREEN)
    axes.set_xlabel("a round is drawn over the epoch that it follows", fontsize=9)
    _finish(axes, "Controller", entries, twin)


def _draw_accuracy(axes: Axes, run: Run) -> None:
    entries: list[Entry] = []
    if run.architectures:
        x = [record.epoch for record in run.architectures]
        y = [record.accuracy for record in run.architectures]
        axes.scatter(x, y, s=9, color=GRAY, alpha=0.5, linewidths=0)
        dot = Line2D([], [], ls="", marker=".", color=GRAY)
        entries.append(((dot,), "a sampled string, one batch"))
    for split, color in (("valid", BLUE), ("test", ORANGE)):
        x, y = evaluated(run, split)
        entries += _line(axes, x, y, color, f"{split}, whole set", dots=60)
    _label(axes, "accuracy (part of the images)")
    _finish(axes, "Accuracy on validation and test images", entries)


def evaluated(run: Run, split: str) -> tuple[list[int], list[float]]:
    """Returns epochs and accuracies of the evaluations of a split."""
    records = [record for record in run.evaluations if record.split == split]
    return [record.epoch for record in records], [r.accuracy for r in records]


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


def _noisy(
    axes: Axes, x: list[float], y: list[float], color: str, label: str, dots: str
) -> list[Entry]:
    """Draws faint points and their running mean; returns the legend's entry, if any.

    Args:
      dots: what the points are.
    """
    size, alpha = (4, 0.22) if len(x) > 200 else (6, 0.4)
    axes.plot(x, y, ".", color=color, alpha=alpha, markersize=size, markeredgewidth=0)
    lines = _line(axes, x, running_mean(y), color, label)
    dot = Line2D([], [], ls="", marker=".", color=color, alpha=0.6)
    return [((dot, *shown), f"{label}: {dots}, running mean") for shown, label in lines]


def _line(
    axes, x, y, color: str, label: str, style: str = "-", dots: int = 2
) -> list[Entry]:
    """Draws a line, with dots if it has at most `dots` points.

    Returns:
      Its entry of the legend; none if there is no point.
    """
    if not len(x):
        return []
    marker = "o" if len(x) <= dots else ""
    lines = axes.plot(
        x, y, style, color=color, lw=1.6, marker=marker, markersize=4, label=label
    )
    return [(tuple(lines), label)]


def _label(axes: Axes, text: str, color: str = "black") -> None:
    axes.set_ylabel(text, color=color)
    axes.tick_params(axis="y", colors=color)


def finish_panel(axes: Axes, title: str) -> None:
    """Adds title, grid and the numbers of epochs."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(alpha=0.25)
    axes.tick_params(axis="x", labelbottom=True)
    axes.spines["top"].set_visible(False)


def _finish(
    axes: Axes, title: str, entries: list[Entry], twin: Axes | None = None
) -> None:
    """Adds title, grid and, above the panel, a legend; or a note if it is empty."""
    finish_panel(axes, title)
    both = [axes] if twin is None else [axes, twin]
    both[-1].spines["top"].set_visible(False)
    if not entries:
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
        [shown for shown, _ in entries],
        [text for _, text in entries],
        handler_map={tuple: HandlerTuple(ndivide=None)},
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(entries),
        frameon=False,
        fontsize=9,
        borderaxespad=0.1,
    )
