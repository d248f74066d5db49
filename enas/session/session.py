"""Runs the only session of a run: configures it, and saves and restores it."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from enas.base.errors import InputError
from enas.session import checkpoints
from enas.session.input_pipeline import InputPipeline
from enas.session.interruption import Interruption

KEPT = 2  # the last checkpoint, and the one before in case the last is damaged
# The errors that TensorFlow raises for a damaged checkpoint.
_DAMAGE = (tf.errors.OpError, ValueError, RuntimeError, LookupError)


def session_config() -> tf.compat.v1.ConfigProto:
    """Returns the options of every session.

    Grappler is off. It would first inline every shared function of the search child,
    which makes the first step five times slower and later steps hardly faster. There
    are as many threads as cores, which is the default: a single thread between ops
    takes a fifth longer, and more threads gain nothing.
    """
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


def leave_functions_alone() -> None:
    """Turns grappler off inside shared functions, too, if they are traced after this.

    A session's options do not reach them. This saves half a second in the first run of
    each set of fetches, and costs later runs nothing.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@contextmanager
def input_errors() -> Iterator[None]:
    """Turns the errors of TensorFlow in a session into InputErrors of one line.

    They are about files, memory, or checkpoints that do not fit.
    """
    try:
        yield
    except tf.errors.OpError as error:
        raise InputError(_reason(error)) from error


def _reason(error: tf.errors.OpError) -> str:
    """Returns the line that gives the reason; for an op's error it is not the first."""
    lines = [line for line in error.message.splitlines() if line.strip()]
    nodes = [n for n, line in enumerate(lines[:-1]) if line.startswith("Node: ")]
    return lines[nodes[0] + 1] if nodes else lines[0]


def _choose(paths: list[str]) -> str | None:
    """Returns the last undamaged checkpoint; None if there is no checkpoint at all.

    It names the damaged ones that it passes over on stderr.

    Raises:
      InputError: all are damaged, or the last undamaged one is of another network.
    """
    for path in reversed(paths):
        try:
            shapes = _read(path)
        except _DAMAGE as error:
            reason = " ".join(str(error).split())
            print(f"{path} is damaged: {reason}", file=sys.stderr)
            continue
        _check_fit(path, shapes)
        return path
    if paths:
        raise InputError(f"{paths[-1]} is damaged, and there is none before it")
    return None


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


class Session:
    """A monitored session that starts from the output folder's last checkpoint, if any.

    Use it as a context manager.

    Args:
      output_dir: the folder of the checkpoints.
      pipeline: gets its images when the session starts.
      save_every_minutes: how old the last checkpoint may become; None if the session
        trains nothing and so saves nothing.

    Raises:
      InputError: the folder's checkpoints are damaged, or of another network.
    """

    def __init__(
        self,
        output_dir: str,
        pipeline: InputPipeline,
        save_every_minutes: float | None = None,
    ):
        self._output_dir = output_dir
        self._save_every = save_every_minutes
        self._saved = time.monotonic()
        self._interruption = Interruption()
        if save_every_minutes is not None:
            # Each checkpoint has its own name, so that none is overwritten.
            saves = tf.compat.v1.get_variable(
                "saves", initializer=tf.constant(0, tf.int64), trainable=False
            )
            step = tf.compat.v1.train.get_or_create_global_step()
            self._next_name = (step, saves.assign_add(1, read_value=True))
        # The saver is built once the graph is complete.
        self._saver = tf.compat.v1.train.Saver(
            max_to_keep=KEPT, save_relative_paths=True
        )
        self._checkpoints = checkpoints.found_in(output_dir)
        last = _choose(self._checkpoints)
        if save_every_minutes is not None:
            while self._checkpoints and self._checkpoints[-1] != last:
                checkpoints.set_aside(self._checkpoints.pop())
            checkpoints.delete_others(output_dir, self._checkpoints)
            self._folder = os.stat(output_dir)
        self._session = tf.compat.v1.train.SingularMonitoredSession(
            scaffold=tf.compat.v1.train.Scaffold(saver=self._saver),
            config=session_config(),
            checkpoint_filename_with_path=last,
        )
        pipeline.initialize(self._session)

    def run(self, fetches, feed_dict: dict | None = None):
        return self._session.run(fetches, feed_dict)

    def save(self) -> None:
        """Writes a checkpoint of all variables, and deletes all but the last KEPT.

        Raises:
          InputError: there is no room for it, or the folder is another one by now.
        """
        self._check_folder()
        step, number = self.run(self._next_name)
        kept = self._checkpoints[1 - KEPT :]
        # The saver knows of fewer than it may keep, so that it deletes nothing.
        self._saver.set_last_checkpoints_with_time([(path, 0.0) for path in kept])
        path = os.path.join(self._output_dir, checkpoints.name_of(step))
        session = self._session.raw_session()
        try:
            path = self._saver.save(session, path, number, write_meta_graph=False)
        except (tf.errors.OpError, ValueError) as error:  # no room; no folder
            reason = _reason(error) if isinstance(error, tf.errors.OpError) else error
            raise InputError(
                f"cannot write a checkpoint: {reason}; the one before it, if any, is "
                f"whole, and --reset_output_dir=False goes on from there"
            ) from None
        checkpoints.sync(path)
        self._checkpoints = [*kept, path]
        checkpoints.delete_others(self._output_dir, self._checkpoints)
        self._saved = time.monotonic()

    def _check_folder(self) -> None:
        """Checks that the folder is still the one that this run has locked.

        If that one was moved, another run may be at work in its place.
        """
        try:
            is_there = os.path.samestat(os.stat(self._output_dir), self._folder)
        except OSError:
            is_there = False
        if not is_there:
            raise InputError(
                f"{self._output_dir} was moved or removed while the run was at work; "
                f"go on from where it is now, with --reset_output_dir=False"
            )

    def pause(self) -> None:
        """Marks a point where nothing is half done, so the run can be saved and left.

        It saves if the last checkpoint is old or if a signal asks to leave.

        Raises:
          InputError: the checkpoint cannot be written.
          Interrupted: a signal asks to leave.
        """
        if self._save_every is None:
            return
        leaves = self._interruption.came()
        if leaves or time.monotonic() - self._saved >= 60.0 * self._save_every:
            self.save()
        if leaves:
            self._interruption.leave()

    def __enter__(self) -> "Session":
        self._session.__enter__()
        if self._save_every is not None:
            self._interruption.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._interruption.__exit__(*exception)
        self._session.__exit__(*exception)
