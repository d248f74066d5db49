"""Shows what the logs of searches and trainings tell, and draws them.

    python -m enas.analyze_log LOG … [--output=FILE] [--best=N] [--run=N]

Of one search's log, the best strings and the command that trains the first go to
stdout; of a training's, its accuracy; of several logs, a table. The picture goes to
FILE. A run may still be at work. This module must not import TensorFlow or change a
log.
"""

import argparse
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from enas.base.errors import InputError, UsageError
from enas.base.picture_files import (
    check_ending,
    check_target,
    ending_of,
    write_picture,
)
from enas.base.program import Parser, note, one_line_errors, show, whole_number
from enas.base.text_table import terminal_width
from enas.report import ranking
from enas.report.comparison import compared, comparison
from enas.report.log_reader import log_of, read_log
from enas.report.log_records import Run
from enas.report.ranking import Ranked
from enas.report.run_text import report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROGRAM = "analyze_log"
COMPARISON = "comparison.png"  # the picture of several logs


def save_figure(run: Run, title: str, path: str, ranked: Sequence[Ranked] = ()) -> None:
    """Draws a run into a file, in the format of the file's ending.

    Args:
      ranked: the ranking of a search, if it is known.

    Raises:
      InputError: the file cannot be written, or would replace something other than a
        picture.
    """

    def draw() -> "Figure":
        from enas.report import log_plot

        return log_plot.draw(run, title, ranked)

    _save(draw, path)


def _save(draw: Callable[[], "Figure"], path: str) -> None:
    """Saves the figure that a function draws; see save_figure."""
    check_target(path)
    # Matplotlib's warnings, such as that a font lacks a letter, help nobody here.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw().savefig(content, format=ending_of(path)[1:])
    write_picture(path, content.getvalue())


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog=f"python -m enas.{PROGRAM}",
        description=__doc__.partition("\n")[0],
        allow_abbrev=False,
    )
    parser.add_argument(
        "log",
        nargs="+",
        help="what search_arc_mnist.py >> log or a train script has written, or the "
        "output folder, which holds a log.txt; several are drawn over one another, the "
        "last run of each",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the picture, .png, .svg or .pdf (default: the log's name with .png, and "
        f"{COMPARISON} in the current folder if there are several logs)",
    )
    parser.add_argument(
        "--best",
        metavar="N",
        type=whole_number(1),
        default=10,
        help="strings of one search (default: 10)",
    )
    parser.add_argument(
        "--run",
        metavar="N",
        type=whole_number(1),
        help="of several runs in one log show only this one (default: the strings of "
        "all, the picture of the last)",
    )
    arguments = parser.parse_args(argv)
    if len(arguments.log) > 1 and arguments.run:
        parser.error("--run picks a run of one log, and there are several logs")
    if arguments.output is not None:
        check_ending("--output", arguments.output)
    return arguments


def _analyze(arguments: argparse.Namespace) -> None:
    """Shows and draws one log."""
    (path,) = arguments.log
    log = log_of(path)
    runs = dict(enumerate(read_log(log), start=1))
    number = arguments.run or len(runs)
    if number not in runs:
        raise UsageError(f"--run is {number}; the last in {log} is {len(runs)}")
    shown = {number: runs[number]} if arguments.run else runs
    folder = path if log != path else None
    width = terminal_width(sys.stdout)
    show(report(shown, arguments.best, len(runs) > 1, width, folder))
    title = os.path.basename(os.path.abspath(path))
    if len(runs) > 1:
        title += f", run {number} of {len(runs)}"
    picture = arguments.output or os.path.splitext(log)[0] + ".png"
    ranked = _ranking(folder) if number == len(runs) else []
    save_figure(runs[number], title, picture, ranked)
    note(f"{PROGRAM}: the picture is {picture}")


def _ranking(folder: str | None) -> list[Ranked]:
    """Returns the ranking that an output folder keeps; none if it cannot be read."""
    if folder is None:
        return []
    try:
        return ranking.read(folder)
    except InputError:
        return []


def _compare(arguments: argparse.Namespace) -> None:
    """Shows and draws several logs."""
    logs = [log_of(path) for path in arguments.log]
    several = compared([(log, read_log(log)[-1]) for log in logs])
    show(comparison(several, terminal_width(sys.stdout)))

    def draw() -> "Figure":
        from enas.report import comparison_plot

        return comparison_plot.draw_several(several)

    picture = arguments.output or COMPARISON
    _save(draw, picture)
    note(f"{PROGRAM}: the picture is {picture}")


def main(argv: list[str] | None = None) -> None:
    """Runs the command.

    An error prints one line on stderr. The exit status is 2 for wrong usage and 1 for a
    file that cannot be used.
    """
    with one_line_errors(PROGRAM):
        arguments = _arguments(sys.argv[1:] if argv is None else argv)
        (_analyze if len(arguments.log) == 1 else _compare)(arguments)
