"""Ranks strings on the whole validation set, from a search's checkpoint.

    enas_env/bin/python -m enas.rank_arcs OUTPUT_DIR ["ARC" … | --draw=N]

Without strings, it ranks those of the search's last round. With --draw it ranks N that
the controller draws, and N of an untrained one. In both cases it keeps the ranking in
OUTPUT_DIR/ranking.json. As many uniformly drawn strings are ranked beside them.
"""

import sys

from enas.base.errors import InputError, UsageError
from enas.base.program import Parser, one_line_errors, show
from enas.base.quiet import load_tensorflow
from enas.base.text_table import terminal_width
from enas.flags.datasets import open_data
from enas.loop.kept_run import settings_of
from enas.session.output_dir import plain_path
from enas.space.arc import parse_arc

GIVEN = "given"  # the source of strings on the command line


def main() -> None:
    with one_line_errors("rank_arcs"):
        parser = Parser(
            prog="python -m enas.rank_arcs", description=__doc__.partition("\n")[0]
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
            type=int,
            metavar="N",
            help="rank N strings that the controller draws, N of an untrained one and "
            "N uniform ones",
        )
        arguments = parser.parse_intermixed_args()
        draw = arguments.draw
        if draw is not None and (draw < 1 or arguments.arcs):
            raise UsageError("--draw takes a number above 0, and no strings beside it")
        _rank(arguments.output_dir, arguments.arcs, draw or 0)


def _rank(output_dir: str, texts: list[str], draw: int) -> None:
    output_dir = plain_path(output_dir)
    settings = settings_of(output_dir, "search")
    try:
        arcs = [parse_arc(text, settings.child_num_cells) for text in texts]
    except ValueError as error:
        raise UsageError(error) from None
    data = open_data(settings)
    data.begin()  # TensorFlow is loaded and the graph is built meanwhile
    load_tensorflow()
    from enas.loop import ranking, search

    if not draw:
        arcs = arcs or ranking.read_arcs(output_dir, settings.child_num_cells)
    if not (arcs or draw):
        raise InputError(f"{output_dir} has no strings of a round yet; name some")
    with search.opened(settings, data) as (reader, sample, outputs):
        arcs = arcs or search.draw_arcs(reader.session, sample, settings, draw)
        source = GIVEN if texts else search.source_of(settings)
        candidates = ranking.beside_uniform(arcs, source, settings)
        if draw and source == search.CONTROLLER:
            untrained = search.untrained_arcs(settings, draw)
            candidates += [(arc, search.UNTRAINED) for arc in untrained]
        ranked = ranking.rank(reader, sample, outputs, candidates)
    show(ranking.table(ranked, terminal_width(sys.stdout)))
    if not texts:
        ranking.save(output_dir, ranked)
