"""Tells what a network says of images: their classes, and which are taken for which."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from enas.base.statistics import standard_error
from enas.base.text_table import text_table

COLUMNS = ("file", "class", "margin")


class Confusion(NamedTuple):
    """How often a class was predicted for images of a class.

    Attributes:
      classes: the names of the K classes that occur, as they can be printed.
      counts: int [K, K]; a row is of the images of a class, a column of what was
        predicted.
    """

    classes: list[str]
    counts: np.ndarray


def as_table(files: Sequence[str], classes: Sequence[str], margins: np.ndarray) -> str:
    """Makes a table of N images.

    Args:
      files: where each lies, as it can be printed.
      classes: the name of the class of each, as it can be printed.
      margins: float32 [N].
    """
    rounded = [f"{margin:.3f}" for margin in margins]
    rows = zip(files, classes, rounded, strict=True)
    return text_table([COLUMNS, *rows], left=(0, 1))


def as_csv(files: Sequence[str], classes: Sequence[str], margins: np.ndarray) -> str:
    """Makes comma-separated lines of N images, with whole margins; see as_table."""
    rows = zip(files, classes, map(str, margins), strict=True)
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows([COLUMNS, *rows])
    return content.getvalue().removesuffix("\n")


def confusion(
    labels: Sequence[int | None], predicted: Sequence[int], names: Sequence[str]
) -> Confusion:
    """Counts what was predicted for images whose class is known.

    Args:
      labels: the class of each image; None if it is not known.
      predicted: the class that was predicted for each.
      names: those of all classes, as they can be printed.
    """
    pairs = [
        (label, number)
        for label, number in zip(labels, predicted, strict=True)
        if label is not None
    ]
    occurring = sorted({number for pair in pairs for number in pair})
    place = {number: position for position, number in enumerate(occurring)}
    counts = np.zeros((len(occurring), len(occurring)), int)
    for label, number in pairs:
        counts[place[label], place[number]] += 1
    return Confusion([names[number] for number in occurring], counts)


def accuracy_report(found: Confusion) -> str:
    """Returns the accuracy with its standard error, and the confusion matrix."""
    images = int(found.counts.sum())
    accuracy = float(found.counts.trace() / images)
    error = standard_error(accuracy, images)
    head = ["class", *found.classes]
    rows = zip(found.classes, found.counts.tolist(), strict=True)
    cells = [[name, *map(str, counts)] for name, counts in rows]
    return "\n".join(
        [
            f"accuracy: {accuracy:.4f} ± {error:.4f} on {images} images",
            "",
            "Rows are the images' classes, columns are what was predicted:",
            text_table([head, *cells], left=(0,)),
        ]
    )
