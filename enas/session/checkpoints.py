"""Writes checkpoints, and chooses the one that a session starts from."""

import os
import time
from collections.abc import Callable

import tensorflow as tf

from enas.base.errors import InputError
from enas.base.program import note
from enas.session import checkpoint_files

KEPT = 2  # the last checkpoint, and the one before in case the last is damaged
# The errors that TensorFlow raises for a damaged checkpoint.
_DAMAGE = (tf.errors.OpError, ValueError, RuntimeError, LookupError)


class Checkpoints:
    """The checkpoints in a folder, of all variables of the default graph.

    Make it once the graph is complete.

    Args:
      folder: where they are.
      writes: whether others will be written. The folder is then the run's own: a
        damaged checkpoint at its end is renamed, and what a kill left is deleted.
      check: raises an InputError if the folder is not the run's own any more.

    Attributes:
      last: the path of the last undamaged one; None if there is none.
      saver: what restores it.

    Raises:
      InputError: all of them are damaged, or the last undamaged one is of another
        network.
    """

    def __init__(
        self, folder: str, writes: bool, check: Callable[[], None] | None = None
    ):
        self._folder = folder
        self._check = check or (lambda: None)
        self._written = time.monotonic()
        if writes:
            # Each checkpoint has its own name, so that none is overwritten.
            number = tf.compat.v1.get_variable(
                "saves", initializer=tf.constant(0, tf.int64), trainable=False
            )
            step = tf.compat.v1.train.get_or_create_global_step()
            self._next_name = (step, number.assign_add(1, read_value=True))
        self.saver = tf.compat.v1.train.Saver(
            max_to_keep=KEPT, save_relative_paths=True
        )
        self._paths = checkpoint_files.found_in(folder)
        self.last = self._choose()
        if writes:
            self._check()
            while self._paths and self._paths[-1] != self.last:
                checkpoint_files.set_aside(self._paths.pop())
            checkpoint_files.delete_others(folder, self._paths)

    def _choose(self) -> str | None:
        """Returns the last undamaged checkpoint; None if there is none at all.

        It names on stderr the damaged ones that it passes over. One that is gone by now
        is passed over without a word: its run has written another one.
        """
        damaged = None
        for path in reversed(self._paths):
            try:
                shapes = _read(path)
            except _DAMAGE as error:
                if checkpoint_files.is_whole(path):
                    damaged = damaged or path
                    note(f"{path} is damaged: {error}")
                continue
            _check_fit(path, shapes)
            return path
        if damaged:
            raise InputError(f"{damaged} is damaged, and there is none before it")
        if self._paths:  # all are gone, so there must be newer ones
            self._paths = checkpoint_files.found_in(self._folder)
            return self._choose()
        return None

    def choose_again(self) -> None:
        """Chooses the last one anew, after others were written."""
        self._paths = checkpoint_files.found_in(self._folder)
        self.last = self._choose()

    def is_gone(self) -> bool:
        """Returns whether the last one was deleted since it was chosen."""
        return self.last is not None and not checkpoint_files.is_whole(self.last)

    def minutes(self) -> float:
        """Returns how long ago the last one was written, or this object was made."""
        return (time.monotonic() - self._written) / 60.0

    def write(self, session: tf.compat.v1.Session) -> None:
        """Writes a checkpoint, and deletes all but the last KEPT.

        The new one is on the disk before an older one is deleted.

        Raises:
          InputError: there is no room for it, or the folder is another one by now.
        """
        self._check()
        kept = self._paths[1 - KEPT :]
        self._paths = [*kept, self._save(self._folder, kept, session)]
        checkpoint_files.delete_others(self._folder, self._paths)
        self._written = time.monotonic()

    def write_into(self, folder: str, session: tf.compat.v1.Session) -> None:
        """Writes a checkpoint into another folder, and deletes all others there.

        Raises:
          InputError: there is no room for it.
        """
        path = self._save(folder, [], session)
        checkpoint_files.delete_others(folder, [path])

    def _save(self, folder: str, kept: list[str], session: tf.compat.v1.Session) -> str:
        """Writes a checkpoint to the disk; returns its path.

        Args:
          kept: the paths of the others in the folder that stay.
        """
        step, number = session.run(self._next_name)
        # The saver knows of fewer than it may keep, so that it deletes nothing.
        self.saver.set_last_checkpoints_with_time([(path, 0.0) for path in kept])
        path = os.path.join(folder, checkpoint_files.name_of(step))
        try:
            path = self.saver.save(session, path, number, write_meta_graph=False)
            checkpoint_files.sync(path)
        except (tf.errors.OpError, ValueError, OSError) as error:  # no room; no folder
            reason = (
                error_line(error) if isinstance(error, tf.errors.OpError) else error
            )
            raise InputError(
                f"cannot write a checkpoint: {reason}; the one before it, if any, is "
                f"whole, and --reset_output_dir=False goes on from there"
            ) from None
        return path


def error_line(error: tf.errors.OpError) -> str:
    """Returns the line of an error of TensorFlow that gives the reason.

    In an error of a graph's op it is not the first line, nor in one of several workers.
    """
    lines = [line for line in error.message.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("From /job:")]
    nodes = [n for n, line in enumerate(lines[:-1]) if line.startswith("Node: ")]
    return lines[nodes[0] + 1] if nodes else (lines or [str(error)])[0]


def _read(path: str) -> dict[str, list[int]]:
    """Reads all values, which checks their checksums; returns their shapes by name."""
    reader = tf.train.load_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    for name in shapes:
        reader.get_tensor(name)
    return shapes


def _check_fit(path: str, shapes: dict[str, list[int]]) -> None:
    """Checks that a checkpoint holds the variables of the default graph.

    TensorFlow itself would restore a variable of another shape without a word.

    Raises:
      InputError: a variable is missing, or has another shape.
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
