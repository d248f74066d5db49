"""The files of the checkpoints in a run's folder; without TensorFlow.

They are named `model.ckpt-STEP-NUMBER`, so that none is ever written over; the highest
number is the last one. Of the files of a checkpoint the index is written last.
"""

import os
import re
from contextlib import suppress

_FILE = re.compile(
    r"model\.ckpt-\d+-(?P<number>\d+)"
    r"\.(index|data-\d+-of-\d+)(?P<unfinished>\.tempstate\d+)?"
)


def name_of(step: int) -> str:
    """Of the checkpoints at a step, up to their number."""
    return f"model.ckpt-{step}"


def found_in(output_dir: str) -> list[str]:
    """The whole checkpoints of a folder, oldest first."""
    found = []
    for name in os.listdir(output_dir) if os.path.isdir(output_dir) else ():
        match = _FILE.fullmatch(name)
        if match and name.endswith(".index"):
            path = os.path.join(output_dir, name.removesuffix(".index"))
            found.append((int(match["number"]), path))
    return [path for _, path in sorted(found)]


def delete_others(output_dir: str, checkpoints: list[str]) -> None:
    """Deletes a folder's checkpoints but these, and what a kill left of some that were
    being written or deleted; nothing else."""
    kept = tuple(os.path.basename(path) + "." for path in checkpoints)
    # An index goes before its data, so that what is left is no whole checkpoint.
    for name in sorted(os.listdir(output_dir), reverse=True):
        match = _FILE.fullmatch(name)
        if match and (match["unfinished"] or not name.startswith(kept)):
            with suppress(OSError):  # the next time, then
                os.remove(os.path.join(output_dir, name))


def sync(checkpoint: str) -> None:
    """Waits until a checkpoint's files, and then its folder, are on the disk, so that a
    power cut leaves it whole."""
    folder, name = os.path.split(checkpoint)
    for file in sorted(os.listdir(folder)):
        if file.startswith(name + "."):
            _sync(os.path.join(folder, file), os.O_RDWR)
    if os.name != "nt":  # where a folder cannot be opened
        _sync(folder or os.curdir, os.O_RDONLY)


def _sync(path: str, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(checkpoint: str) -> None:
    """Renames a damaged one, so that it is none any more."""
    folder, name = os.path.split(checkpoint)
    for file in os.listdir(folder):
        if file.startswith(name + ".") and _FILE.fullmatch(file):
            path = os.path.join(folder, file)
            os.replace(path, path + ".damaged")
