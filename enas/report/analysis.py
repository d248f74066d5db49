"""Shows the best strings of a search's log, how to train the first, and a picture.

    python -m enas.analyze_log mnist_search.txt [--output=FILE] [--best=N] [--run=N]

The strings and the command go to stdout. The picture goes to FILE, by default the log's
name with .png. The search may still be running. This module must not import TensorFlow
or change the log.
"""

import argparse
import io
import logging
import os
import statistics
import sys
import warnings
from typing import NamedTuple

from enas.base.errors import UsageError
from enas.base.picture_files import STARTS, check_target, ending_of, write_picture
from enas.base.program import Parser, note, one_line_errors, show
from enas.base.statistics import standard_error
from enas.base.text_table import text_table
from enas.report.log_reader import read_log
from enas.report.log_records import Run
from enas.report.train_command import train_command
from enas.space.arc import Arc

PROGRAM = "analyze_log"


class Candidate(NamedTuple):
    """A string that one run sampled, once or more often.

    Attributes:
      run: the number of the run, from 1.
      batch_size: images in a validation batch.
      accuracies: one for each time that it was sampled, on a validation batch.
      epochs: the epoch of each of these times.
    """

    arc: Arc
    run: int
    batch_size: int
    accuracies: list[float]
    epochs: list[int]

    def mean(self) -> float:
        return statistics.fmean(self.accuracies)

    def error(self) -> float:
        """Returns the standard error of the mean accuracy."""
        return standard_error(self.mean(), self.batch_size * len(self.accuracies))


def candidates(runs: dict[int, Run]) -> list[Candidate]:
    """Returns the sampled strings of runs, best first.

    The order is by mean accuracy less its standard error, so that a single lucky batch
    does not beat a string that was good again and again. Among equals, the later comes
    first.

    Args:
      runs: the runs by number.
    """
    found: dict[tuple[int, Arc], Candidate] = {}
    for number, run in runs.items():
        for architecture in run.architectures:
            candidate = found.setdefault(
                (number, architecture.arc),
                Candidate(architecture.arc, number, run.valid_batch(), [], []),
            )
            candidate.accuracies.append(architecture.accuracy)
            candidate.epochs.append(architecture.epoch)
    return sorted(
        found.values(),
        key=lambda c: (c.mean() - c.error(), c.run, c.epochs[-1]),
        reverse=True,
    )


def table(shown: list[Candidate], several_runs: bool) -> str:
    """Makes a table with a headline and a line for each string."""
    rows: list[tuple[str, ...]]
    rows = [("accuracy", "error", "seen", "epoch", "run", "string")]
    for candidate in shown:
        first, last = min(candidate.epochs), max(candidate.epochs)
        rows.append(
            (
                f"{candidate.mean():.4f}",
                f"{candidate.error():.4f}",
                str(len(candidate.accuracies)),
                str(first) if first == last else f"{first}-{last}",
                str(candidate.run),
                str(candidate.arc),
            )
        )
    if not several_runs:
        rows = [row[:4] + row[5:] for row in rows]
    return text_table(rows, left=[len(rows[0]) - 1])


def report(runs: dict[int, Run], best: int, several_runs: bool) -> str:
    """Returns what is printed: the best strings, how certain they are, the command."""
    found = candidates(runs)
    if not found:
        return "no sampled strings in the log yet"
    first = found[0]
    flags = runs[first.run].flags
    error = standard_error(first.mean(), first.batch_size)
    text = f"""\
The best {min(best, len(found))} of {len(found)} sampled strings:

{table(found[:best], several_runs)}

One accuracy is that of a single batch of {first.batch_size} validation images. At \
{first.mean():.2f} its
standard error is {error:.4f}, so neighbours in this list do not differ: take a string
that recurs, or train a few. The first one is trained by

{train_command(first.arc, flags)}"""
    if "child_scheme" not in flags:
        text += """

The log does not say which number formats it searched: add --child_scheme if they were
other than the train script's default."""
    return text


def save_figure(run: Run, title: str, path: str) -> None:
    """Draws a run into a file, in the format of the file's ending.

    Raises:
      InputError: the file cannot be written, or would replace something other than a
        picture.
    """
    check_target(path)
    # Matplotlib's warnings, such as that a font lacks a letter, help nobody here.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    from enas.report.log_plot import draw

    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw(run, title).savefig(content, format=ending_of(path)[1:])
    write_picture(path, content.getvalue())


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog=f"python -m enas.{PROGRAM}",
        description=__doc__.partition("\n")[0],
        allow_abbrev=False,
    )
    parser.add_argument("log", help="what search_arc_mnist.py >> log has written")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the picture, .png, .svg or .pdf (default: the log's name with .png)",
    )
    parser.add_argument(
        "--best", metavar="N", type=_number, default=10, help="strings (default: 10)"
    )
    parser.add_argument(
        "--run",
        metavar="N",
        type=_number,
        help="of several runs in the log show only this one (default: the strings of "
        "all, the picture of the last)",
    )
    arguments = parser.parse_args(argv)
    if arguments.output is None:
        arguments.output = os.path.splitext(arguments.log)[0] + ".png"
    if ending_of(arguments.output) not in STARTS:
        parser.error(f"--output is {arguments.output}; it ends in .png, .svg or .pdf")
    return arguments


def _analyze(argv: list[str]) -> None:
    arguments = _arguments(argv)
    runs = dict(enumerate(read_log(arguments.log), start=1))
    number = arguments.run or len(runs)
    if number not in runs:
        raise UsageError(
            f"--run is {number}; the last in {arguments.log} is {len(runs)}"
        )
    shown = {number: runs[number]} if arguments.run else runs
    show(report(shown, arguments.best, len(runs) > 1))
    title = os.path.basename(arguments.log)
    if len(runs) > 1:
        title += f", run {number} of {len(runs)}"
    save_figure(runs[number], title, arguments.output)
    note(f"{PROGRAM}: the picture is {arguments.output}")


def main(argv: list[str] | None = None) -> None:
    """Runs the command.

    An error prints one line on stderr. The exit status is 2 for wrong usage and 1 for a
    file that cannot be used.
    """
    with one_line_errors(PROGRAM):
        _analyze(sys.argv[1:] if argv is None else argv)
