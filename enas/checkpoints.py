"""The checkpoints of a run's folder: which are whole, and which fit the graph.

They are named `model.ckpt-STEP-NUMBER`, so that none is ever written over; the highest
number is the last one. Of the files of a checkpoint the index is written last.
"""

import os
import re
import sys
from contextlib import suppress

import tensorflow as tf

from enas.errors import InputError

_FILE = re.compile(
    r"model\.ckpt-\d+-(?P<number>\d+)"
    r"\.(index|data-\d+-of-\d+)(?P<unfinished>\.tempstate\d+)?"
)
# What TensorFlow raises of a damaged one.
_DAMAGE = (tf.errors.OpError, ValueError, RuntimeError, LookupError)


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
        unfinished = match and match["unfinished"]
        if unfinished or (match and not name.startswith(kept)):
            with suppress(OSError):  # the next time, then
                os.remove(os.path.join(output_dir, name))


def set_aside(checkpoint: str) -> None:
    """Renames a damaged one, so that it is none any more."""
    folder, name = os.path.split(checkpoint)
    for file in os.listdir(folder):
        if file.startswith(name + ".") and _FILE.fullmatch(file):
            path = os.path.join(folder, file)
            os.replace(path, path + ".damaged")


def choose(checkpoints: list[str]) -> str | None:
    """The last checkpoint that is not damaged; None where there is none at all. One
    that is passed over is named on stderr.

    Raises:
      InputError: all are damaged, or the one that is not is of another network.
    """
    for path in reversed(checkpoints):
        try:
            shapes = _read(path)
        except _DAMAGE as error:
            reason = " ".join(str(error).split())
            print(f"{path} is damaged: {reason}", file=sys.stderr)
            continue
        _check_fit(path, shapes)
        return path
    if checkpoints:
        raise InputError(f"{checkpoints[-1]} is damaged, and there is none before it")
    return None


def _read(path: str) -> dict[str, list[int]]:
    """Shapes by name, once all values were read, whose checksums are checked so."""
    reader = tf.train.load_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    for name in shapes:
        reader.get_tensor(name)
    return shapes


def _check_fit(path: str, shapes: dict[str, list[int]]) -> None:
    """TensorFlow itself would restore a variable of another shape without a word.

    Raises:
      InputError: the checkpoint is not of the default graph's variables.
    """
    for variable in tf.compat.v1.global_variables():
        name, shape = variable.op.name, variable.shape.as_list()
        if shapes.get(name) != shape:
            has = (
                f"a {name} of shape {shapes[name]}" if name in shapes else f"no {name}"
            )
            raise InputError(
                f"{path} is of another network: it has {has}, not of {shape}"
            )
