"""How good strings are, each judged on a whole set of images with a search's weights.

One batch is a noisy judge: of 128 images, an accuracy of 0.97 has a standard error of
0.015. On 5,000 it is 0.0024.
"""

import json
import math
import os
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from tqdm import tqdm

from enas import loop
from enas.arc import Arc, numbers_of, parse_arc, random_arc
from enas.controller import Sample
from enas.errors import InputError
from enas.loop import Run
from enas.models import Outputs

ARCS_FILE = "arcs.json"  # the strings of the last round
RANKING_FILE = "ranking.json"
SPLIT = "valid"
UNIFORM = "uniform"  # the source of strings drawn uniformly


class Ranked(NamedTuple):
    """A string and how good it is.

    source: what drew it. accuracy: on all images. error: its standard error,
    √(p·(1-p)/images).
    """

    arc: str
    source: str
    accuracy: float
    error: float


def rank(
    run: Run, sample: Sample, outputs: Outputs, arcs: Sequence[Arc], source: str
) -> list[Ranked]:
    """Judges strings on the whole validation set, beside as many uniform ones.

    Args:
      sample: where the child takes its string from; is fed instead.
      source: what drew the strings.

    Returns:
      All of them, the best first.
    """
    rng = random.Random(run.settings.seed or None)
    num_cells = run.settings.child_num_cells
    uniform = [random_arc(num_cells, rng) for _ in arcs]
    candidates = [(arc, source) for arc in arcs] + [(arc, UNIFORM) for arc in uniform]
    images, ranked = run.pipeline.num_examples[SPLIT], []
    for arc, drawn_by in tqdm(candidates, "ranking", disable=None, leave=False):
        numbers = numbers_of(arc)
        half = len(numbers) // 2
        feed = {sample.normal_arc: numbers[:half], sample.reduce_arc: numbers[half:]}
        accuracy = loop.count_correct(run, outputs, SPLIT, feed) / images
        error = math.sqrt(accuracy * (1.0 - accuracy) / images)
        ranked.append(Ranked(str(arc), drawn_by, accuracy, error))
    return sorted(ranked, key=lambda one: -one.accuracy)


def table(ranked: Sequence[Ranked]) -> str:
    """A row a string, then the mean of each source and how they differ."""
    lines = [f"{'rank':>4s}  accuracy  ± error  {'drawn by':<12s}string"]
    lines += [
        f"{place:>4d}  {one.accuracy:<8.4f}  {one.error:<7.4f}  {one.source:<12s}"
        f"{one.arc}"
        for place, one in enumerate(ranked, start=1)
    ]
    return "\n".join(lines + _means(ranked))


def _means(ranked: Sequence[Ranked]) -> list[str]:
    """The mean of each source of several strings, and how two sources differ."""
    means, lines = [], []
    for source in sorted({one.source for one in ranked}, key=UNIFORM.__eq__):
        accuracies = [one.accuracy for one in ranked if one.source == source]
        if len(accuracies) > 1:
            mean, error = mean_and_error(accuracies)
            means.append((mean, error))
            count = f"{len(accuracies)} {source}"
            lines.append(f"mean of {count}: {mean:.4f} ± {error:.4f}")
    if len(means) == 2:
        (first, first_error), (second, second_error) = means
        error = math.hypot(first_error, second_error)
        lines.append(
            f"difference: {first - second:+.4f} ± {error:.4f} "
            f"(standard errors, by how strings of a kind differ)"
        )
    return lines


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean of two values or more, and its standard error."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), error


def save_arcs(output_dir: str, epoch: int, arcs: Sequence[Arc]) -> None:
    """Keeps a round's strings in the output folder."""
    _write(output_dir, ARCS_FILE, {"epoch": epoch, "arcs": [str(arc) for arc in arcs]})


def read_arcs(output_dir: str, num_cells: int) -> list[Arc]:
    """The strings of a folder's last round; none where there was no round.

    Raises:
      InputError: the file is damaged.
    """
    path = os.path.join(output_dir, ARCS_FILE)
    if not os.path.exists(path):
        return []
    try:
        with open(path, encoding="utf-8") as stream:
            return [parse_arc(text, num_cells) for text in json.load(stream)["arcs"]]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error}") from None


def save(output_dir: str, ranked: Sequence[Ranked]) -> None:
    """Keeps a ranking in the output folder."""
    _write(output_dir, RANKING_FILE, [one._asdict() for one in ranked])


def _write(output_dir: str, name: str, content) -> None:
    """Replaces a file whole, so that no half of one is ever seen."""
    path = os.path.join(output_dir, name)
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")
    os.replace(path + ".new", path)
