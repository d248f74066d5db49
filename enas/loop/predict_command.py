"""Predicts the classes of images with a packed network.

    enas_env/bin/python -m enas.predict NETWORK IMAGES… [--csv] [--figure=FILE]

It prints each image's file, its class, and a margin: the logit of that class minus the
second largest logit. The margin is no probability; it only says which images of one
network have a clearer class than others. Where images lie in folders named as classes,
it also prints the accuracy and the confusion matrix.

This module must not import TensorFlow, and matplotlib only for a figure.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from enas.base.errors import InputError, UsageError
from enas.base.picture_files import check_ending, check_target
from enas.base.program import Parser, note, one_line_errors, show, tell, visible
from enas.images.listing import Listed, listed_in, read_listed
from enas.network import file
from enas.network.network import Network, values_of
from enas.report.predictions import accuracy_report, as_csv, as_table, confusion

PROGRAM = "predict"
MOST_IMAGES = 64  # of a batch
MOST_NUMBERS = 2**22  # of a batch's largest map; bounds the memory


class Predicted(NamedTuple):
    """What a network says of N images: the classes, int [N]; the margins, float32 [N].

    The margin is infinite if the network has only one class.
    """

    classes: np.ndarray
    margins: np.ndarray


def main(argv: list[str] | None = None) -> None:
    """Runs the command.

    An error prints one line on stderr. The exit status is 2 for wrong usage and 1 for a
    file that cannot be used; no prediction has been printed if an image is damaged.
    """
    with one_line_errors(PROGRAM):
        parser = Parser(
            prog=f"python -m enas.{PROGRAM}",
            description=f"{__doc__.partition('.')[0]}. The margin is the logit of the "
            "class minus the second largest logit; it is no probability.",
            allow_abbrev=False,
        )
        parser.add_argument(
            "network", help=f"a packed network, or a folder that holds {file.FILE}"
        )
        parser.add_argument(
            "images",
            nargs="+",
            metavar="IMAGES",
            help="image files, zips, and folders, which are searched at any depth",
        )
        parser.add_argument(
            "--csv", action="store_true", help="print comma-separated lines"
        )
        parser.add_argument(
            "--figure",
            metavar="FILE",
            help="draw the confusion matrix into FILE, .png, .svg or .pdf; the images "
            "must lie in folders named as classes",
        )
        arguments = parser.parse_intermixed_args(argv)
        if arguments.figure is not None:
            check_ending("--figure", arguments.figure)
        _run(arguments.network, arguments.images, arguments.csv, arguments.figure)


def _run(path: str, images: list[str], is_csv: bool, figure: str | None) -> None:
    network = _read_network(path)
    listed = [one for name in images for one in listed_in(name, network.classes)]
    labelled = any(one.label is not None for one in listed)
    if figure is not None:
        if not labelled:
            raise UsageError(
                "--figure draws the confusion matrix, but no image lies in a folder "
                "named as a class of the network"
            )
        check_target(figure)
    predicted = predict(network, listed)
    names = [visible(name) for name in network.classes]
    files = [visible(one.path) for one in listed]
    classes = [names[number] for number in predicted.classes]
    make = as_csv if is_csv else as_table
    show(make(files, classes, predicted.margins))
    if not labelled:
        return
    labels = [one.label for one in listed]
    found = confusion(labels, predicted.classes.tolist(), names)
    if is_csv:
        tell(accuracy_report(found))
    else:
        show(f"\n{accuracy_report(found)}")
    if figure is not None:
        from enas.drawing.confusion_plot import draw
        from enas.drawing.picture import save

        save(draw(*found), figure)
        note(f"{PROGRAM}: the picture is {figure}")


def _read_network(path: str) -> Network:
    """Reads a network whose images can be decoded.

    Raises:
      InputError: it cannot be read, or reads images that no image file can hold.
    """
    if os.path.isdir(path):
        path, folder = os.path.join(path, file.FILE), path
        if not os.path.lexists(path):
            raise InputError(
                f"{folder} has no {file.FILE}; a low-bit training writes it at its "
                f"end, and python -m enas.export before that"
            )
    network = file.read(path)
    image = network.image
    if image.height != image.width or image.channels not in (1, 3):
        raise InputError(
            f"{path} reads images of {image.height}×{image.width} pixels and "
            f"{image.channels} channels; only square ones of 1 or 3 can be decoded"
        )
    return network


def predict(network: Network, listed: Sequence[Listed]) -> Predicted:
    """Predicts the classes of images, batch by batch.

    Args:
      network: for square images of 1 or 3 channels.
      listed: one image or more.

    Raises:
      InputError: an image cannot be read.
    """
    from tqdm import tqdm  # it loads slowly, and --help needs none

    largest = max(math.prod(value.shape) for value in values_of(network.steps))
    size = min(MOST_IMAGES, max(1, MOST_NUMBERS // largest))
    classes, margins = [], []
    images = read_listed(listed, network.image.height, network.image.channels)
    with tqdm(listed, "predicting", disable=None, leave=False) as bar:
        for start in range(0, len(listed), size):
            count = min(size, len(listed) - start)
            batch = np.stack([next(images) for _ in range(count)])
            # Only a network that was not trained here can overflow.
            with np.errstate(all="ignore"):
                logits = network.logits(batch)
                classes.append(logits.argmax(axis=1))
                margins.append(_margins(logits))
            bar.update(count)
    return Predicted(np.concatenate(classes), np.concatenate(margins))


def _margins(logits: np.ndarray) -> np.ndarray:
    """The largest of the logits [N, K] minus the second largest, [N]."""
    if logits.shape[1] == 1:
        return np.full(len(logits), np.inf, np.float32)
    second, largest = np.sort(logits, axis=1)[:, -2:].T
    return largest - second
