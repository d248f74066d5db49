"""Exports the network of a training, to use it without TensorFlow.

    enas_env/bin/python -m enas.export OUTPUT_DIR [--to=packed,c,…] [--output=FOLDER]

It takes the last whole checkpoint of a training, which may still be running.
"""

from __future__ import annotations

import os

from enas.base.errors import InputError, UsageError
from enas.base.program import Parser, one_line_errors, show
from enas.base.quiet import load_tensorflow
from enas.export import writers
from enas.export.folder import check_target, replaced
from enas.flags.table import Settings
from enas.loop.kept_run import settings_of
from enas.session.output_dir import plain_path

FOLDER = "export"


def main() -> None:
    with one_line_errors("export"):
        parser = Parser(
            prog="python -m enas.export", description=__doc__.partition("\n")[0]
        )
        parser.add_argument(
            "output_dir", help="the output folder of a training that has a checkpoint"
        )
        parser.add_argument(
            "--to",
            default="packed",
            metavar="FORMAT,…",
            help="what to write, with commas between the formats: "
            f"{', '.join(writers.WRITERS)} (default: packed)",
        )
        parser.add_argument(
            "--output",
            metavar="FOLDER",
            help=f"where to write (default: {FOLDER} in the training's folder)",
        )
        arguments = parser.parse_args()
        names = _formats(arguments.to)
        if arguments.output == "" or not arguments.output_dir:
            raise UsageError("the name of a folder is empty")
        output_dir = plain_path(arguments.output_dir)
        settings = settings_of(output_dir, "train")
        target = arguments.output or os.path.join(output_dir, FOLDER)
        writers.check(names, settings.child_scheme == "float")
        check_target(target)
        _export(settings, names, target)


def _formats(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in writers.WRITERS:
            raise UsageError(
                f"--to: {name!r} is no format; there are {', '.join(writers.WRITERS)}"
            )
    return list(dict.fromkeys(names))


def _export(settings: Settings, names: list[str], target: str) -> None:
    load_tensorflow()
    from enas.export.walk import NO_NETWORK, why_no_network
    from enas.loop.trained import about, opened
    from enas.session.session import input_errors

    try:
        with input_errors(), opened(settings) as child:
            trained = child.network(settings)
        with replaced(target, about(settings)) as folder:
            lines = [
                line
                for name in names
                for line in writers.WRITERS[name].write(folder, trained)
            ]
    except NO_NETWORK as error:
        reason = why_no_network(error)
        raise InputError(
            f"the network in {settings.output_dir} cannot be exported: {reason}"
        ) from None
    for line in lines:
        show(os.path.join(target, line))
