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
from enas.report.pareto_plot import Mark, draw_marks, draw_sizes

PANEL = 5.2  # inches, of each side of a panel
SPLITS = {"valid": "validation", "test": "test"}
Known = list[tuple[Training, Result]]


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


def _draw_searched(axes: Axes, known: Known) -> None:
    marks = [_mark(one, result, one.searched or 0.0) for one, result in known]
    draw_marks(axes, marks)
    axes.set_xlabel("accuracy in the search, with its shared weights")
    axes.set_title("In the search and alone", loc="left", fontsize=10)
    axes.set_ylabel(_accuracy_label(known))


def _draw_sizes(axes: Axes, known: Known) -> None:
    marks = [_mark(one, result, result.bytes or 0) for one, result in known]
    draw_sizes(axes, marks)
    axes.set_ylabel(_accuracy_label(known))


def _mark(one: Training, result: Result, x: float) -> Mark:
    number = one.name.partition("-")[0]
    return Mark(x, result.accuracy, result.error, one.source, number)


def _accuracy_label(known: Known) -> str:
    splits = {result.split for _, result in known}
    on = f", on {SPLITS[splits.pop()]} images" if len(splits) == 1 else ""
    return f"accuracy trained alone{on} (± standard error)"
