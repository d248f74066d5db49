"""Trains strings of a ranking alone, to see what a search's accuracy tells about them.

    python -m benchmarks.strings_alone OUTPUT_DIR [--count=6] [--jobs=1]
        [--folder=FOLDER] [-- FLAG …]

From OUTPUT_DIR/ranking.json, which enas/loop/ranking.py makes, it takes --count strings
of each source, evenly from its best to its worst. It trains each with
train_arc_mnist.py and the flags that follow `--`. For each string it prints the
accuracy with the search's weights and the test error alone. It also prints the mean and
the median of each source, and the rank correlation of the two accuracies. Logs stay in
FOLDER. What was trained is not trained again.
"""

import argparse
import json
import os
import statistics
from collections import defaultdict

import numpy as np

from benchmarks.script_runs import logged_runs, parse_arguments
from enas.base.statistics import mean_and_error
from enas.base.text_table import text_table
from enas.loop.ranking import RANKING_FILE, Ranked
from enas.report.log_records import Run

SCRIPT = "train_arc_mnist.py"


def chosen(ranked: list[Ranked], count: int) -> list[Ranked]:
    """Takes up to `count` strings of each source, evenly from its best to its worst."""
    of_source = defaultdict(list)
    for one in sorted(ranked, key=lambda one: -one.accuracy):
        of_source[one.source].append(one)
    strings = []
    for ones in of_source.values():
        places = np.linspace(0, len(ones) - 1, min(count, len(ones)))
        strings += [ones[round(place)] for place in places]
    return strings


def test_error(run: Run) -> float:
    """Returns the test error after the last epoch, from 0 to 1."""
    return 1.0 - [e.accuracy for e in run.evaluations if e.split == "test"][-1]


def rank_correlation(a: list[float], b: list[float]) -> float:
    """Returns Spearman's rank correlation; equal values share the mean of their ranks.

    (SciPy has it, but takes 35 MB for these four lines.)
    """

    def ranks(values):
        values = np.array(values)
        return [np.mean(np.flatnonzero(np.sort(values) == value)) for value in values]

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def report(strings: list[Ranked], errors: list[float]) -> str:
    rows = [("alone, error", "in the search", "drawn by", "string")]
    for error, one in sorted(zip(errors, strings, strict=True)):
        rows.append((f"{error:.2%}", f"{one.accuracy:.4f}", one.source, one.arc))
    lines = [text_table(rows, left=(2, 3))]
    for source in dict.fromkeys(one.source for one in strings):
        of_source = [
            e for e, one in zip(errors, strings, strict=True) if one.source == source
        ]
        mean, error = mean_and_error(of_source)
        median = statistics.median(of_source)
        lines.append(
            f"{len(of_source)} {source}: mean {mean:.2%} ± {error:.2%}, "
            f"median {median:.2%}"
        )
    correlation = rank_correlation(
        [one.accuracy for one in strings], [-error for error in errors]
    )
    lines.append(
        f"rank correlation: {correlation:+.2f} "
        f"(± {(len(strings) - 1) ** -0.5:.2f} if there is none)"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output_dir")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", default="strings_alone")
    options, flags = parse_arguments(parser)
    os.makedirs(options.folder, exist_ok=True)
    with open(os.path.join(options.output_dir, RANKING_FILE), encoding="utf-8") as file:
        ranked = [Ranked(**one) for one in json.load(file)]
    strings = chosen(ranked, options.count)
    sources = [one.source for one in strings]
    if any(sources.count(source) < 2 for source in sources):
        parser.error("a mean needs two strings of each source, for its standard error")
    # Two sources may have drawn the same string, which is trained only once.
    names = [os.path.join(options.folder, one.arc.replace(" ", "")) for one in strings]
    flags_of = {
        name: [f"--fixed_arc={one.arc}", *flags]
        for name, one in zip(names, strings, strict=True)
    }
    runs = logged_runs(SCRIPT, flags_of, options.jobs)
    print(report(strings, [test_error(runs[name]) for name in names]))


if __name__ == "__main__":
    main()
