"""Ranks strings on the whole validation set, from a search's checkpoint.

    enas_env/bin/python -m enas.rank_arcs OUTPUT_DIR ["ARC" … | --draw=N]

Without strings, it ranks those of the search's last round. With --draw it ranks N that
the controller draws, and N of an untrained one. In both cases it keeps the ranking in
OUTPUT_DIR/ranking.json. As many uniformly drawn strings are ranked beside them.
"""

import logging
import os

from enas.base.errors import InputError, UsageError
from enas.base.program import Parser, one_line_errors, show
from enas.flags.datasets import dataset_of, open_data
from enas.flags.parse import parse
from enas.flags.recipes import OLDER, RECIPES
from enas.flags.table import FLAGS, Settings
from enas.session.checkpoint_files import found_in
from enas.session.output_dir import (
    FLAGS_FILE,
    SCRIPT,
    check_entries,
    plain_path,
    read_flags,
)
from enas.space.arc import parse_arc

GIVEN = "given"  # the source of strings on the command line


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
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


def read_settings(output_dir: str) -> Settings:
    """Returns the settings of the search in a folder, after checking them again.

    Raises:
      InputError: there is no search, it has no checkpoint, or its flags are damaged or
        of another version.
    """
    flags = read_flags(output_dir)
    check_entries(output_dir)
    if "fixed_arc" in flags:
        raise InputError(
            f"{output_dir} is of a training; name the output folder of a search"
        )
    script = flags.pop(SCRIPT, dataset_of(flags).search)
    flags = RECIPES[OLDER] | flags
    flags["output_dir"] = output_dir  # the folder may have been moved
    constants = {name: FLAGS[name].default for name in flags if name in FLAGS}
    words = [f"--{name}={value}" for name, value in flags.items()]
    try:
        settings = parse([str(script), *words], constants)
    except UsageError as error:
        raise InputError(f"{os.path.join(output_dir, FLAGS_FILE)}: {error}") from None
    if not found_in(output_dir):
        raise InputError(f"{output_dir} has no checkpoint yet")
    return settings


def _rank(output_dir: str, texts: list[str], draw: int) -> None:
    output_dir = plain_path(output_dir)
    settings = read_settings(output_dir)
    try:
        arcs = [parse_arc(text, settings.child_num_cells) for text in texts]
    except ValueError as error:
        raise UsageError(error) from None
    data = open_data(settings)()
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
    show(ranking.table(ranked))
    if not texts:
        ranking.save(output_dir, ranked)
