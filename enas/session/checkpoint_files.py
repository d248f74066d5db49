"""Finds, syncs and deletes the files of checkpoints; without TensorFlow.

Checkpoints are named `model.ckpt-STEP-NUMBER`, so that none is ever overwritten. The
one with the highest number is the last. Of a checkpoint's files, the index is written
last.
"""

import os
import re
from contextlib import suppress

from enas.base.files import sync_file, sync_folder

_FILE = re.compile(
    r"model\.ckpt-(?P<step>\d+)-(?P<number>\d+)"
    r"\.(index|data-\d+-of-\d+)(?P<unfinished>\.tempstate\d+)?"
)


def name_of(step: int) -> str:
    """Returns the name of the checkpoints at a step, without their number."""
    return f"model.ckpt-{step}"


def found_in(output_dir: str) -> list[str]:
    """Returns the paths of the complete checkpoints in a folder, oldest first."""
    found = []
    for name in os.listdir(output_dir) if os.path.isdir(output_dir) else ():
        match = _FILE.fullmatch(name)
        if match and name.endswith(".index"):
            path = os.path.join(output_dir, name.removesuffix(".index"))
            found.append((int(match["number"]), path))
    return [path for _, path in sorted(found)]


def step_of(checkpoint: str) -> int:
    """Returns the child's step of a checkpoint that was found."""
    match = _FILE.fullmatch(os.path.basename(checkpoint) + ".index")
    assert match
    return int(match["step"])


def is_whole(checkpoint: str) -> bool:
    """Returns whether a checkpoint is still there."""
    return os.path.exists(checkpoint + ".index")


def delete_others(output_dir: str, checkpoints: list[str]) -> None:
    """Deletes all checkpoints in a folder except the given ones.

    This includes the remains of checkpoints that a killed run was writing or deleting.
    Nothing else is deleted.
    """
    kept = tuple(os.path.basename(path) + "." for path in checkpoints)
    # Delete an index before its data, so that what is left is no complete checkpoint.
    for name in sorted(os.listdir(output_dir), reverse=True):
        match = _FILE.fullmatch(name)
        if match and (match["unfinished"] or not name.startswith(kept)):
            with suppress(OSError):  # it is deleted the next time
                os.remove(os.path.join(output_dir, name))


def sync(checkpoint: str) -> None:
    """Waits until a checkpoint's files, and then its folder, are on the disk.

    A power cut then leaves the checkpoint complete.
    """
    folder, name = os.path.split(checkpoint)
    for file in sorted(os.listdir(folder)):
        if file.startswith(name + "."):
            sync_file(os.path.join(folder, file))
    sync_folder(folder)


def set_aside(checkpoint: str) -> None:
    """Renames a damaged checkpoint, so that it no longer counts as one."""
    folder, name = os.path.split(checkpoint)
    for file in os.listdir(folder):
        if file.startswith(name + ".") and _FILE.fullmatch(file):
            path = os.path.join(folder, file)
            aside, number = path + ".damaged", 1
            while os.path.lexists(aside):
                aside, number = f"{path}.damaged.{number}", number + 1
            os.rename(path, aside)
