"""Ranks strings on the whole validation set, from a search's checkpoint.

    enas_env/bin/python -m enas.rank_arcs OUTPUT_DIR ["ARC" … | --draw=N] [--jobs=N]
        [--engine=processes|ray] [--figure=FILE]

Without strings, it ranks those of the search's last round. With --draw it ranks N that
the controller draws, and N of an untrained one. In both cases it keeps the ranking in
OUTPUT_DIR/ranking.json. As many uniformly drawn strings are ranked beside them.
"""

import argparse
import sys
from collections.abc import Callable

from enas.base.errors import InputError, UsageError
from enas.base.picture_files import check_ending, check_target
from enas.base.program import Parser, note, one_line_errors, show, whole_number
from enas.base.text_table import terminal_width
from enas.flags.table import Settings
from enas.loop import kept_images
from enas.loop.kept_run import settings_of
from enas.many.engines import DEFAULT, ENGINES, engine_named
from enas.many.rank_workers import ranked_by_workers
from enas.many.ranker import Ranker
from enas.report import ranking
from enas.report.budget import Budget, costs_of
from enas.report.ranking import Candidate, Ranked
from enas.session.output_dir import plain_path

PROGRAM = "rank_arcs"
GIVEN = "given"  # the source of strings on the command line


def main() -> None:
    with one_line_errors(PROGRAM):
        arguments = _arguments()
        if arguments.draw is not None and arguments.arcs:
            raise UsageError("--draw draws strings; give none beside it")
        if arguments.figure is not None:
            check_ending("--figure", arguments.figure)
            check_target(arguments.figure)
        _rank(arguments)


def _arguments() -> argparse.Namespace:
    parser = Parser(
        prog=f"python -m enas.{PROGRAM}", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "output_dir", help="the output folder of a search that has a checkpoint"
    )
    parser.add_argument(
        "arcs",
        nargs="*",
        metavar="ARC",
        help="strings to rank, each in quotes (default: those of the last round)",
    )
    parser.add_argument(
        "--draw",
        type=whole_number(1),
        metavar="N",
        help="rank N strings that the controller draws, N of an untrained one and "
        "N uniform ones",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number(1),
        metavar="N",
        help="rank by N workers side by side (default: by one; with --engine=ray, as "
        "many as the cluster has cores)",
    )
    parser.add_argument(
        "--engine",
        choices=list(ENGINES),
        default=DEFAULT,
        help="where the workers are: processes of this machine, or also on the others "
        f"of a cluster (default: {DEFAULT})",
    )
    parser.add_argument(
        "--figure",
        metavar="FILE",
        help="also draw accuracy against the size of the packed network that a "
        "training makes of a string, into a .png, .svg or .pdf",
    )
    return parser.parse_intermixed_args()


def _rank(arguments: argparse.Namespace) -> None:
    output_dir = plain_path(arguments.output_dir)
    settings = settings_of(output_dir, "search")
    try:
        arcs = [settings.parse_arc(text) for text in arguments.arcs]
    except ValueError as error:
        raise UsageError(error) from None
    budget = _budget(settings, arguments.figure)
    engine = engine_named(arguments.engine)
    if not (arcs or arguments.draw):
        arcs = ranking.read_arcs(
            output_dir, settings.child_num_cells, settings.operations
        )
        if not arcs:
            raise InputError(f"{output_dir} has no strings of a round yet; name some")
    source = GIVEN if arguments.arcs else ranking.source_of(settings)

    def candidates(ranker: Ranker) -> list[Candidate]:
        return _candidates(ranker, settings, arcs, source, arguments.draw or 0)

    if arguments.engine == DEFAULT and arguments.jobs in (None, 1):
        ranked = _ranked_here(settings, candidates, budget)
    else:
        with engine:
            ranked = ranked_by_workers(
                engine, arguments.jobs, settings, candidates, budget
            )
    show(ranking.table(ranked, terminal_width(sys.stdout), budget))
    if not arguments.arcs:
        ranking.save(output_dir, ranked)
    if arguments.figure and budget is not None:
        _draw(ranked, budget, arguments.figure)


def _draw(ranked: list[Ranked], budget: Budget, path: str) -> None:
    from enas.drawing.picture import save
    from enas.report.pareto_plot import SHARED, marks_of, size_figure

    save(size_figure(marks_of(ranked), budget.file_bytes, SHARED), path)
    note(f"{PROGRAM}: the picture is {path}")


def _budget(settings: Settings, figure: str | None) -> Budget | None:
    """Returns the search's budget, or one without bounds if sizes are to be drawn."""
    if not figure and not settings.has_budget:
        return None
    images = kept_images.kept(settings)
    return costs_of(settings, len(images.mean), images.classes)


def _candidates(
    ranker: Ranker, settings: Settings, arcs: list, source: str, draw: int
) -> list[Candidate]:
    """Returns the strings to rank; without `arcs`, it draws some."""
    arcs = arcs or [settings.parse_arc(text) for text in ranker.drawn(draw)]
    candidates = ranking.beside_uniform(arcs, source, settings)
    if draw and source == ranking.CONTROLLER:
        untrained = [settings.parse_arc(text) for text in ranker.untrained(draw)]
        candidates += [(arc, ranking.UNTRAINED) for arc in untrained]
    return candidates


def _ranked_here(
    settings: Settings, candidates: Callable, budget: Budget | None
) -> list[Ranked]:
    """Ranks strings in this process."""
    with Ranker(settings) as ranker:
        from enas.loop import judging

        return judging.rank(ranker.judge, candidates(ranker), budget)
