"""Trains strings of a ranking alone, to see what a search's accuracy tells about them.

    python -m benchmarks.strings_alone OUTPUT_DIR [--count=6] [--jobs=1]
        [--engine=processes] [--folder=FOLDER] [-- FLAG …]

From OUTPUT_DIR/ranking.json, which enas/report/ranking.py makes, it takes --count
strings of each source, evenly from its best to its worst. It trains them as
`enas.train_arcs` does. For each string it prints the accuracy with the search's weights
and the test error alone. It also prints the mean and the median of each source, and the
rank correlation of the two accuracies.
"""

import argparse
import statistics
from collections import defaultdict

import numpy as np

from benchmarks.script_runs import parse_arguments
from enas.base.program import one_line_errors
from enas.base.statistics import mean_and_error
from enas.base.text_table import text_table
from enas.loop.kept_run import settings_of
from enas.many.engines import DEFAULT
from enas.many.runner import run
from enas.many.strings import Wanted, once
from enas.report import ranking
from enas.report.ranking import Ranked
from enas.session.output_dir import plain_path


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
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--engine", default=DEFAULT)
    parser.add_argument("--folder", default="strings_alone")
    options, flags = parse_arguments(parser)
    with one_line_errors("strings_alone"):
        search = settings_of(plain_path(options.output_dir), "search")
        strings = chosen(ranking.read(search.output_dir), options.count)
        sources = [one.source for one in strings]
        if not sources or any(sources.count(source) < 2 for source in sources):
            parser.error(
                "a mean needs two strings of each source, for its standard error"
            )
        # Two sources may have drawn the same string, which is trained only once.
        wanted = once([Wanted(one.arc, one.source, one.accuracy) for one in strings])
        folder, engine, jobs = options.folder, options.engine, options.jobs
        trainings = run(search, wanted, flags, folder, engine, jobs)
        errors = {one.arc: one.result.test_error for one in trainings if one.result}
        if len(errors) == len(wanted):  # else the table has told why
            print(report(strings, [errors[one.arc] for one in strings]))


if __name__ == "__main__":
    main()
