"""Draws how accurate networks are against their size, with the Pareto front.

pyplot must not be used, so that nothing global is touched and no display is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from enas.flags.table import KB
from enas.report.ranking import Ranked

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # of what drew a string
SHARED = "accuracy with shared weights, on validation images (± s.e.)"
FRONT, BOUND = "#333333", "#8A8A8A"
WIDTH, HEIGHT, DPI = 7.5, 5.2, 110  # inches, inches, pixels an inch


class Mark(NamedTuple):
    """A string in a picture.

    Attributes:
      x: where it stands, in the unit of the axis.
      accuracy, error: from 0 to 1, and its standard error.
      source: what drew it, which gives it its colour.
      name: what stands beside it; nothing if empty.
    """

    x: float
    accuracy: float
    error: float
    source: str
    name: str = ""


def marks_of(ranked: Sequence[Ranked]) -> list[Mark]:
    """Returns a mark for each string of a ranking whose size is known."""
    return [
        Mark(one.bytes, one.accuracy, one.error, one.source, str(place))
        for place, one in enumerate(ranked, start=1)
        if one.bytes is not None
    ]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the points (size, accuracy) that no other is as good as, smallest first.

    Another is as good if it is no larger and no less accurate.
    """
    front: list[tuple[float, float]] = []
    for size, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((size, accuracy))
    return front


def draw_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """Draws a point for each string, with its standard error and its name."""
    for number, source in enumerate(dict.fromkeys(mark.source for mark in marks)):
        of_source = [mark for mark in marks if mark.source == source]
        axes.errorbar(
            [mark.x for mark in of_source],
            [mark.accuracy for mark in of_source],
            [mark.error for mark in of_source],
            fmt="o",
            ms=6,
            lw=1.2,
            color=COLORS[number % len(COLORS)],
            label=source,
        )
    for mark in marks:
        axes.annotate(
            mark.name,
            (mark.x, mark.accuracy),
            (7, 5),
            textcoords="offset points",
            fontsize=8,
        )
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False)


def draw_sizes(axes: Axes, marks: Sequence[Mark], bound: float | None = None) -> None:
    """Draws accuracy against size, the Pareto front ringed.

    Args:
      marks: at least one; each `x` is in bytes.
      bound: a budget in bytes, which is drawn as a line.
    """
    marks = [mark._replace(x=mark.x / KB) for mark in marks]
    front = pareto_front([(mark.x, mark.accuracy) for mark in marks])
    sizes, accuracies = zip(*front, strict=True)
    style = {"color": FRONT, "lw": 1, "ls": "--", "zorder": 1}
    axes.step(sizes, accuracies, where="post", label="Pareto front", **style)
    axes.plot(sizes, accuracies, "o", ms=13, mfc="none", mec=FRONT, zorder=1)
    if bound:
        axes.axvline(bound / KB, color=BOUND, lw=1, ls=":", label="budget", zorder=0)
    draw_marks(axes, marks)
    axes.set_xlabel("packed network (kB)")
    axes.set_title("Accuracy and size", loc="left", fontsize=10)


def size_figure(marks: Sequence[Mark], bound: float | None, label: str) -> Figure:
    """Draws a figure of sizes alone.

    Args:
      marks, bound: as in `draw_sizes`.
      label: of the axis of accuracies.
    """
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
    figure = Figure((WIDTH, HEIGHT), DPI, layout=layout)
    axes = figure.add_subplot()
    draw_sizes(axes, marks, bound)
    axes.set_ylabel(label)
    return figure
