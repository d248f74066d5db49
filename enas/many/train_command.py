"""Trains the strings of a search alone, several of them at once.

    enas_env/bin/python -m enas.train_arcs OUTPUT_DIR [--count=K] [--uniform=K]
        [--arcs=FILE] [--seeds=N] [--jobs=N] [--cores=N] [--engine=processes|ray]
        [--folder=FOLDER] [--figure=FILE] [-- FLAGS…]

It takes the first K strings of OUTPUT_DIR/ranking.json, and trains each with the train
script, as the search's flags ask, in a folder of its own in OUTPUT_DIR/alone. FLAGS go
to the train script. The same command again goes on, and leaves alone what has finished.
"""

from __future__ import annotations

import argparse
import os
import sys

from enas.base.errors import InputError, Interrupted, UsageError
from enas.base.picture_files import check_ending, check_target
from enas.base.program import (
    Parser,
    command,
    note,
    one_line_errors,
    visible,
    whole_number,
)
from enas.loop.kept_run import settings_of
from enas.many.engines import DEFAULT, ENGINES
from enas.many.runner import run
from enas.many.strings import COUNT, wanted
from enas.many.trainings import FAILED, PAUSED, Training
from enas.session.output_dir import plain_path

PROGRAM = "train_arcs"
FOLDER = "alone"
FIGURE = "alone.png"


def main() -> None:
    with one_line_errors(PROGRAM):
        arguments, given = _arguments(sys.argv[1:])
        output_dir = plain_path(arguments.output_dir)
        search = settings_of(output_dir, "search")
        count, uniform = arguments.count, arguments.uniform
        strings = wanted(search, count, arguments.arcs, uniform)
        folder = arguments.folder or os.path.join(output_dir, FOLDER)
        figure = arguments.figure or os.path.join(folder, FIGURE)
        if arguments.figure or os.path.isdir(folder):
            check_target(figure)
        engine, jobs, cores = arguments.engine, arguments.jobs, arguments.cores
        try:
            trainings = run(
                search, strings, given, folder, engine, jobs, cores, arguments.seeds
            )
        except Interrupted as left:
            raise Interrupted(*left.args, f"to go on: {_again()}") from None
        _draw(trainings, figure)
        _judge(trainings)


def _again() -> str:
    return visible(command("-m", f"enas.{PROGRAM}", *sys.argv[1:]))


def _draw(trainings: list[Training], path: str) -> None:
    from enas.drawing.picture import save
    from enas.many import plot

    figure = plot.draw(trainings)
    if figure is not None:
        save(figure, path)
        note(f"{PROGRAM}: the picture is {path}")


def _judge(trainings: list[Training]) -> None:
    """Says what is not done.

    Raises:
      InputError: a training failed.
    """
    count = len(trainings)
    if paused := sum(one.state == PAUSED for one in trainings):
        note(f"{paused} of {count} trainings have not ended; to go on: {_again()}")
    if failed := sum(one.state == FAILED for one in trainings):
        raise InputError(
            f"{failed} of {count} trainings failed, for the reasons above; once they "
            f"are mended, go on: {_again()}"
        )


def _arguments(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Returns the command's own options, and the train script's flags after `--`."""
    given: list[str] = []
    if "--" in words:
        cut = words.index("--")
        words, given = words[:cut], words[cut + 1 :]
    arguments = _parser().parse_args(words)
    for name in ("output_dir", "arcs", "folder", "figure"):
        if getattr(arguments, name) == "":
            raise UsageError(f"{name} is empty; name a file or a folder")
    if arguments.figure is not None:
        check_ending("--figure", arguments.figure)
    return arguments, given


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m enas.{PROGRAM}",
        description=__doc__.partition("\n")[0],
        epilog="What follows -- are flags of the train script.",
        allow_abbrev=False,
    )
    parser.add_argument("output_dir", help="the output folder of a search")
    numbers = (
        ("count", 0, f"strings of the ranking, from its first (default: {COUNT})"),
        ("uniform", 0, "uniformly drawn strings beside them (default: 0)"),
        ("seeds", 1, "train each string with the seeds 1 to N"),
        ("jobs", 1, "trainings side by side (default: 1; ray: as many as have room)"),
        (
            "cores",
            1,
            "cores for each training (default: an equal share of this machine's; ray: "
            "1)",
        ),
    )
    for name, least, text in numbers:
        default = 0 if name in ("uniform", "seeds") else None
        parser.add_argument(
            f"--{name}",
            metavar="N",
            type=whole_number(least),
            default=default,
            help=text,
        )
    parser.add_argument(
        "--arcs",
        metavar="FILE",
        help="take the strings of a text file, one a line, instead of the ranking's",
    )
    parser.add_argument(
        "--engine",
        choices=list(ENGINES),
        default=DEFAULT,
        help="processes: on this machine; ray: also on the others of a cluster "
        f"(default: {DEFAULT})",
    )
    parser.add_argument(
        "--folder", help=f"where to train (default: {FOLDER} in the search's folder)"
    )
    parser.add_argument(
        "--figure",
        metavar="FILE",
        help=f"the picture, .png, .svg or .pdf (default: {FIGURE} in that folder)",
    )
    return parser
