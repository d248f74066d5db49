"""Draws trainings: accuracy in the search and alone, and accuracy against size.

pyplot must not be used, so that nothing global is touched and no display is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from enas.drawing.picture import DPI
from enas.many.trainings import Result, Training

PANEL = 5.2  # inches, of each side of a panel
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # of what drew a string
FRONT = "#333333"
SPLITS = {"valid": "validation", "test": "test"}
Point = tuple[float, float]


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Returns the points (size, accuracy) that no other is as good as, smallest first.

    Another is as good if it is no larger and no less accurate.
    """
    front: list[Point] = []
    for size, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((size, accuracy))
    return front


def panels_of(trainings: Sequence[Training]) -> list[Callable[[Axes], None]]:
    """Returns what draws each panel for which something is known."""
    known = [(one, one.result) for one in trainings if one.result is not None]
    panels: list[Callable[[Axes], None]] = []
    searched = [pair for pair in known if pair[0].searched is not None]
    if searched:
        panels.append(lambda axes: _draw_searched(axes, searched))
    sized = [pair for pair in known if pair[1].bytes is not None]
    if sized:
        panels.append(lambda axes: _draw_sizes(axes, sized))
    return panels


def draw(trainings: Sequence[Training]) -> Figure | None:
    """Draws the figure of some trainings; save it with `picture.save`.

    Returns:
      None if there is nothing to draw.
    """
    panels = panels_of(trainings)
    if not panels:
        return None
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
    figure = Figure((PANEL * len(panels), PANEL), DPI, layout=layout)
    for number, panel in enumerate(panels, start=1):
        panel(figure.add_subplot(1, len(panels), number))
    return figure


def _draw_searched(axes: Axes, known: list[tuple[Training, Result]]) -> None:
    _points(axes, known, lambda one, result: one.searched or 0.0)
    axes.set_xlabel("accuracy in the search, with its shared weights")
    axes.set_title("In the search and alone", loc="left", fontsize=10)


def _draw_sizes(axes: Axes, known: list[tuple[Training, Result]]) -> None:
    def size(one: Training, result: Result) -> float:
        return (result.bytes or 0) / 1000

    front = pareto_front([(size(*pair), pair[1].accuracy) for pair in known])
    sizes, accuracies = zip(*front, strict=True)
    label = "Pareto front"
    axes.step(
        sizes,
        accuracies,
        where="post",
        color=FRONT,
        lw=1,
        ls="--",
        zorder=1,
        label=label,
    )
    axes.plot(sizes, accuracies, "o", ms=13, mfc="none", mec=FRONT, zorder=1)
    _points(axes, known, size)
    axes.set_xlabel("packed network (kB)")
    axes.set_title("Accuracy and size", loc="left", fontsize=10)


def _points(
    axes: Axes,
    known: list[tuple[Training, Result]],
    x_of: Callable[[Training, Result], float],
) -> None:
    """Draws a point for each training, with its standard error and its number."""
    sources = list(dict.fromkeys(one.source for one, _ in known))
    for number, source in enumerate(sources):
        of_source = [pair for pair in known if pair[0].source == source]
        axes.errorbar(
            [x_of(*pair) for pair in of_source],
            [result.accuracy for _, result in of_source],
            [result.error for _, result in of_source],
            fmt="o",
            ms=6,
            lw=1.2,
            color=COLORS[number % len(COLORS)],
            label=source,
        )
    for one, result in known:
        axes.annotate(
            one.name.partition("-")[0],
            (x_of(one, result), result.accuracy),
            (7, 5),
            textcoords="offset points",
            fontsize=8,
        )
    splits = {result.split for _, result in known}
    on = f", on {SPLITS[splits.pop()]} images" if len(splits) == 1 else ""
    axes.set_ylabel(f"accuracy trained alone{on} (± standard error)")
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False)
