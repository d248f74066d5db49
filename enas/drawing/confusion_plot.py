"""Draws a confusion matrix: which classes are taken for which.

pyplot must not be used, so that nothing global is touched and no display is needed.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from enas.drawing.picture import DPI

CELL = 0.42  # inches
SMALLEST, LARGEST = 4.0, 30.0  # inches
MOST_WRITTEN = 50  # classes; in larger matrices the numbers could not be read
LONGEST = 24  # letters of a class name


def draw(classes: Sequence[str], counts: np.ndarray) -> Figure:
    """Draws the figure of a confusion matrix; save it with `picture.save`.

    A cell's colour is its part of the row, so that rare classes can be read as well.

    Args:
      classes: the names of K classes.
      counts: int [K, K]; a row is of the images of a class, a column of what was
        predicted.
    """
    side = min(max(SMALLEST, 1.5 + CELL * len(classes)), LARGEST)
    figure = Figure((side, side), DPI, layout=ConstrainedLayoutEngine())
    axes = figure.subplots()
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(parts, cmap="Blues", vmin=0.0, vmax=1.0)
    ticks = range(len(classes)) if len(classes) <= MOST_WRITTEN else ()
    names = [_cut(classes[number]) for number in ticks]
    turned = 90 if any(len(name) > 3 for name in names) else 0
    axes.set_xticks(ticks, names, rotation=turned, fontsize=8, parse_math=False)
    axes.set_yticks(ticks, names, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    for row in ticks:
        for column in ticks:
            if counts[row, column]:
                axes.text(
                    column,
                    row,
                    str(counts[row, column]),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if parts[row, column] > 0.5 else "black",
                )
    accuracy = counts.trace() / max(counts.sum(), 1)
    axes.set_title(f"accuracy {accuracy:.4f} on {counts.sum()} images", fontsize=10)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("class of the image")
    return figure


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
