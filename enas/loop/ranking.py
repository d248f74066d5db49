"""Holds how good strings are: as a table, and in the files that a search keeps.

This module must not import TensorFlow; judging.py tells how good a string is.
"""

import math
import os
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from enas.base.files import read_json, readable, write_json
from enas.base.statistics import mean_and_error, standard_error
from enas.base.text_table import fit, text_table
from enas.flags.table import Settings
from enas.space.arc import Arc, parse_arc, random_arc
from enas.space.operations import CLASSIC, Operations

ARCS_FILE = "arcs.json"  # the strings of the last round
RANKING_FILE = "ranking.json"
SURE = 2  # standard errors that a difference must have to count
# What draws strings: the controller, one like it that is not trained, or chance alone.
CONTROLLER = "controller"
UNTRAINED = "untrained"
UNIFORM = "uniform"
Candidate = tuple[Arc, str]  # a string, and what drew it


class Ranked(NamedTuple):
    """A string and how good it is.

    Attributes:
      source: what drew the string.
      accuracy: that on all images, from 0 to 1.
      error: the accuracy's standard error.
    """

    arc: str
    source: str
    accuracy: float
    error: float


def source_of(settings: Settings) -> str:
    """Returns what draws the search's strings."""
    return CONTROLLER if settings.controller_training else UNIFORM


def beside_uniform(
    arcs: Sequence[Arc], source: str, settings: Settings
) -> list[Candidate]:
    """Returns the strings, and as many uniform ones unless they are uniform already."""
    candidates = [(arc, source) for arc in arcs]
    if source != UNIFORM:
        candidates += [(arc, UNIFORM) for arc in uniform_arcs(settings, len(arcs))]
    return candidates


def uniform_arcs(settings: Settings, count: int) -> list[Arc]:
    """Draws strings uniformly; with a seed, the same ones each time."""
    rng = random.Random(settings.seed or None)
    size, operations = settings.child_num_cells, settings.operations
    return [random_arc(size, rng, operations) for _ in range(count)]


def ranked(
    candidates: Sequence[Candidate], counts: Iterable[int], images: int
) -> list[Ranked]:
    """Returns strings by how many images each classifies correctly, best first.

    Args:
      counts: of these `images`, for each of the strings.
    """
    found = []
    for (arc, drawn_by), correct in zip(candidates, counts, strict=True):
        accuracy = correct / images
        error = standard_error(accuracy, images)
        found.append(Ranked(str(arc), drawn_by, accuracy, error))
    return sorted(found, key=lambda one: -one.accuracy)


def table(ranked: Sequence[Ranked], columns: int | None = None) -> str:
    """Makes a table with a row for each string.

    Below it are the mean of each source, and how the others differ from the uniform
    one.

    Args:
      columns: letters that a line may have; None for any number. Where they do not do,
        the two cells of a string stand on two lines.
    """
    rows: list[tuple[str, ...]]
    rows = [("rank", "accuracy", "± s.e.", "drawn by", "string")]
    rows += [
        (str(place), f"{one.accuracy:.4f}", f"{one.error:.4f}", one.source, one.arc)
        for place, one in enumerate(ranked, start=1)
    ]
    lines = text_table(fit(rows, columns), left=[3, 4])
    return "\n".join([lines, *_means(ranked)])


def _means(ranked: Sequence[Ranked]) -> list[str]:
    """Returns the mean of each source of several strings, and differences of means."""
    means: dict[str, tuple[float, float]] = {}
    lines = []
    sources = {one.source for one in ranked}
    for source in sorted(sources, key=lambda name: (name == UNIFORM, name)):
        accuracies = [one.accuracy for one in ranked if one.source == source]
        if len(accuracies) > 1:
            mean, error = means[source] = mean_and_error(accuracies)
            count = f"{len(accuracies)} {source}"
            lines.append(f"mean of {count}: {mean:.4f} ± {error:.4f}")
    if UNIFORM in means:
        uniform, uniform_error = means.pop(UNIFORM)
        for source, (mean, error) in means.items():
            error = math.hypot(error, uniform_error)
            ahead = mean - uniform
            lines.append(
                f"{source} - uniform: {ahead:+.4f} ± {error:.4f} (standard error)"
            )
            if abs(ahead) <= SURE * error:
                lines.append(f"  no difference: it is within {SURE} standard errors")
    return lines


def save_arcs(output_dir: str, epoch: int, arcs: Sequence[Arc]) -> None:
    """Keeps a round's strings in the output folder.

    Raises:
      InputError: the file cannot be written.
    """
    content = {"epoch": epoch, "arcs": [str(arc) for arc in arcs]}
    write_json(os.path.join(output_dir, ARCS_FILE), content)


def read_arcs(
    output_dir: str, num_cells: int, operations: Operations = CLASSIC
) -> list[Arc]:
    """Returns the strings of a folder's last round; none if there was no round.

    Args:
      num_cells, operations: those of the folder's search.

    Raises:
      InputError: the file is damaged.
    """
    path = os.path.join(output_dir, ARCS_FILE)
    if not os.path.exists(path):
        return []
    with readable(path):
        texts = read_json(path)["arcs"]
        return [parse_arc(text, num_cells, operations) for text in texts]


def read(output_dir: str) -> list[Ranked]:
    """Returns the ranking that a folder keeps, best first; none if it keeps none.

    Raises:
      InputError: the file is damaged.
    """
    path = os.path.join(output_dir, RANKING_FILE)
    if not os.path.exists(path):
        return []
    with readable(path):
        return [Ranked(**one) for one in read_json(path)]


def save(output_dir: str, ranked: Sequence[Ranked]) -> None:
    """Keeps a ranking in the output folder.

    Raises:
      InputError: the file cannot be written.
    """
    content = [one._asdict() for one in ranked]
    write_json(os.path.join(output_dir, RANKING_FILE), content)
