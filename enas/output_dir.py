"""The folder that a run writes into. Nothing in it is ever deleted."""

import json
import os
import sys

from enas.errors import InputError

FLAGS_FILE = "flags.json"  # its presence says that this program made the folder
LOG_FILE = "log.txt"


def prepare(output_dir: str, reset: bool, flags: dict) -> None:
    """Makes the folder, and keeps the flags as given in it.

    A folder of an earlier run is continued, or, where `reset`, moved aside to
    `output_dir.1`, `output_dir.2` …

    Raises:
      InputError: the folder holds other things, or cannot be written to.
    """
    path = os.path.normpath(output_dir)
    try:
        if os.path.isdir(path) and os.listdir(path):
            if not os.path.isfile(os.path.join(path, FLAGS_FILE)):
                raise InputError(
                    f"output_dir: {path} holds files that are not of an earlier run; "
                    f"name another folder"
                )
            if reset:
                _move_aside(path)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, FLAGS_FILE), "w", encoding="utf-8") as stream:
            json.dump(flags, stream, indent=2)
            stream.write("\n")
    except OSError as error:
        raise InputError(f"output_dir: cannot use {path}: {error.strerror}") from None


def _move_aside(path: str) -> None:
    number = 1
    while os.path.lexists(f"{path}.{number}"):
        number += 1
    os.rename(path, f"{path}.{number}")
    print(f"moved the earlier run in {path} to {path}.{number}", file=sys.stderr)
