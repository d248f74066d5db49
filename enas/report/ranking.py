"""Holds how good strings are: as a table, and in the files that a search keeps.

This module must not import TensorFlow; judging.py tells how good a string is.
"""

import math
import os
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from enas.base.files import read_kept, write_json
from enas.base.statistics import is_part, mean_and_error, standard_error
from enas.base.text_table import fit, text_table
from enas.flags.table import KB, Settings
from enas.report.budget import Budget
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
      bytes: of the packed network that a training makes of it; None if nobody asked.
      mult_adds: multiply-adds of an image in that network; None likewise.
      fits: whether that is within the search's budget, if it has one.
    """

    arc: str
    source: str
    accuracy: float
    error: float
    bytes: int | None = None
    mult_adds: int | None = None
    fits: bool = True


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
    candidates: Sequence[Candidate],
    counts: Iterable[int],
    images: int,
    budget: Budget | None = None,
) -> list[Ranked]:
    """Returns strings by how many images each classifies correctly, best first.

    Those that are over the budget come last.

    Args:
      counts: of these `images`, for each of the strings.
      budget: if given, also the cost of each string is told.
    """
    found = []
    for (arc, drawn_by), correct in zip(candidates, counts, strict=True):
        accuracy = correct / images
        error = standard_error(accuracy, images)
        one = Ranked(str(arc), drawn_by, accuracy, error)
        if budget is not None:
            cost = budget.cost(arc)
            one = one._replace(
                bytes=cost.file_bytes,
                mult_adds=cost.multiply_adds,
                fits=budget.fits(cost),
            )
        found.append(one)
    return sorted(found, key=lambda one: (not one.fits, -one.accuracy))


def table(
    ranked: Sequence[Ranked],
    columns: int | None = None,
    budget: Budget | None = None,
) -> str:
    """Makes a table with a row for each string.

    Below it are the mean of each source, and how the others differ from the uniform
    one; with a budget, of the strings that fit.

    Args:
      columns: letters that a line may have; None for any number. Where they do not do,
        the two cells of a string stand on two lines.
      budget: that of the search; it adds columns for what strings cost.
    """
    cells = [
        {"rank": str(place), "accuracy": f"{one.accuracy:.4f}"}
        | {"± s.e.": f"{one.error:.4f}"}
        | (_cost_cells(one, budget) if budget is not None else {})
        | {"drawn by": one.source, "string": one.arc}
        for place, one in enumerate(ranked, start=1)
    ]
    rows = [tuple(cells[0]), *(tuple(row.values()) for row in cells)]
    last = len(rows[0]) - 1
    lines = [text_table(fit(rows, columns), left=[last - 1, last])]
    if budget is not None and budget.is_bounded():
        lines += _fitting(ranked, budget)
        ranked = [one for one in ranked if one.fits]
    return "\n".join([*lines, *_means(ranked)])


def _cost_cells(one: Ranked, budget: Budget) -> dict[str, str]:
    assert one.bytes is not None and one.mult_adds is not None
    costs = {"kB": f"{one.bytes / KB:.1f}"}
    if budget.multiply_adds:
        costs["mult-adds"] = f"{one.mult_adds:,}"
    if budget.is_bounded():
        costs["fits"] = "yes" if one.fits else "no"
    return costs


def _fitting(ranked: Sequence[Ranked], budget: Budget) -> list[str]:
    """Returns how many strings of each source fit the budget."""
    counts = [
        f"{sum(one.fits for one in of_source)} of {len(of_source)} {source}"
        for source in _sources(ranked)
        if (of_source := [one for one in ranked if one.source == source])
    ]
    return [
        f"within {budget.words()}: {', '.join(counts)}; the lines below are of these"
    ]


def _sources(ranked: Sequence[Ranked]) -> list[str]:
    """Returns what drew the strings, the uniform sampler last."""
    found = {one.source for one in ranked}
    return sorted(found, key=lambda name: (name == UNIFORM, name))


def _means(ranked: Sequence[Ranked]) -> list[str]:
    """Returns the mean of each source of several strings, and differences of means."""
    means: dict[str, tuple[float, float]] = {}
    lines = []
    for source in _sources(ranked):
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

    def arcs(content: Any) -> list[Arc]:
        return [parse_arc(text, num_cells, operations) for text in content["arcs"]]

    return read_kept(os.path.join(output_dir, ARCS_FILE), arcs) or []


def read(output_dir: str) -> list[Ranked]:
    """Returns the ranking that a folder keeps, best first; none if it keeps none.

    Raises:
      InputError: the file is damaged.
    """

    def strings(content: Any) -> list[Ranked]:
        return [_checked(Ranked(**one)) for one in content]

    return read_kept(os.path.join(output_dir, RANKING_FILE), strings) or []


def _checked(one: Ranked) -> Ranked:
    """Checks a string of a ranking that was read.

    Raises:
      ValueError: it is not one that was written.
    """
    named = isinstance(one.arc, str) and isinstance(one.source, str)
    costs = (one.bytes, one.mult_adds)
    if not (
        named
        and one.source.isalpha()
        and one.source.isascii()
        and is_part(one.accuracy)
        and is_part(one.error)
        and all(cost is None or type(cost) is int for cost in costs)
    ):
        raise ValueError("not what was written there")
    return one


def save(output_dir: str, ranked: Sequence[Ranked]) -> None:
    """Keeps a ranking in the output folder.

    Raises:
      InputError: the file cannot be written.
    """
    content = [_kept(one) for one in ranked]
    write_json(os.path.join(output_dir, RANKING_FILE), content)


def _kept(one: Ranked) -> dict[str, Any]:
    """Returns what is kept of a string; of costs, only what is known."""
    known = one._asdict()
    if one.bytes is None:
        known = {name: known[name] for name in ("arc", "source", "accuracy", "error")}
    return known
