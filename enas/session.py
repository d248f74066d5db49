"""The one session of a run: how it is configured, and its checkpoints."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from enas.errors import InputError
from enas.input_pipeline import InputPipeline
from enas.interruption import Interruption

CHECKPOINT = "model.ckpt"
STATE_FILE = "checkpoint"  # names the checkpoints of a folder
KEPT = 2  # the last one, and one more in case


def session_config() -> tf.compat.v1.ConfigProto:
    """The options of every session.

    Grappler is off: it would first inline every shared function of the search child,
    which makes the first step five times slower and later ones hardly faster. Threads
    are as many as cores, the default: a single one between ops takes a fifth longer,
    more of them gain nothing."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


def leave_functions_alone() -> None:
    """Turns grappler off inside the shared functions that are traced after this, too.

    A session's options do not reach there. It saves half a second of the first run of
    each set of fetches, and costs later runs nothing."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@contextmanager
def input_errors() -> Iterator[None]:
    """Around what runs in a session: what TensorFlow says of files, of memory and of
    checkpoints that do not fit becomes an InputError of one line."""
    try:
        yield
    except tf.errors.OpError as error:
        raise InputError(_reason(error)) from error


def _reason(error: tf.errors.OpError) -> str:
    """The line that says it; of an op of the graph, it is not the first."""
    lines = [line for line in error.message.splitlines() if line.strip()]
    nodes = [n for n, line in enumerate(lines[:-1]) if line.startswith("Node: ")]
    return lines[nodes[0] + 1] if nodes else lines[0]


def checkpoints_in(output_dir: str) -> list[str]:
    """The checkpoints of a folder, oldest first, wherever it was as they were written.

    Raises:
      InputError: the file that names them is damaged, or the last one is not there.
    """
    state_path = os.path.join(output_dir, STATE_FILE)
    if not os.path.exists(state_path):
        return []
    try:
        state = tf.train.get_checkpoint_state(output_dir)
    except ValueError:  # it names none, or is no text
        state = None
    if state is None:
        raise InputError(f"{state_path} is damaged")
    names = [*state.all_model_checkpoint_paths, state.model_checkpoint_path]
    paths = [os.path.join(output_dir, os.path.basename(name)) for name in names]
    *earlier, last = paths
    if not os.path.exists(last + ".index"):
        raise InputError(f"{state_path} names {last}, which is not there")
    found = [p for p in earlier if p != last and os.path.exists(p + ".index")]
    return [*found, last]


def _delete_remains(output_dir: str, checkpoints: list[str]) -> None:
    """Deletes checkpoints that are not kept, and what a kill left of one that was being
    written or deleted."""
    kept = tuple(os.path.basename(path) + "." for path in checkpoints)
    for name in os.listdir(output_dir):
        ours = name.startswith((f"{CHECKPOINT}-", f"{STATE_FILE}.tmp"))
        path = os.path.join(output_dir, name)
        whole = name.startswith(kept) and "tempstate" not in name
        if ours and not whole and os.path.isfile(path) and not os.path.islink(path):
            os.remove(path)


def _check_fit(checkpoint: str) -> None:
    """TensorFlow itself would restore a variable of another shape without a word.

    Raises:
      InputError: the checkpoint is not of the graph's variables, or is damaged.
    """
    try:
        shapes = tf.train.load_checkpoint(checkpoint).get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
        raise InputError(f"{checkpoint} is damaged: {error}") from error
    for variable in tf.compat.v1.global_variables():
        name, shape = variable.op.name, variable.shape.as_list()
        if shapes.get(name) != shape:
            has = (
                f"a {name} of shape {shapes[name]}" if name in shapes else f"no {name}"
            )
            raise InputError(
                f"{checkpoint} is of another network: it has {has}, not of {shape}"
            )


class Session:
    """A monitored session that starts from the output folder's last checkpoint, if any.

    Use it as a context manager.

    Args:
      output_dir: where checkpoints are.
      pipeline: is handed its images as the session starts.
      save_every_minutes: how old the last checkpoint may become; None where nothing is
        trained, and nothing saved.

    Raises:
      InputError: the folder's last checkpoint cannot be found, is damaged, or is of
        another network.
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
            # Each checkpoint has a name of its own, so that none is written over.
            saves = tf.compat.v1.get_variable(
                "saves", initializer=tf.constant(0, tf.int64), trainable=False
            )
            step = tf.compat.v1.train.get_or_create_global_step()
            self._next_name = (step, saves.assign_add(1, read_value=True))
        # Built once the graph is whole.
        self._saver = tf.compat.v1.train.Saver(
            max_to_keep=KEPT, save_relative_paths=True
        )
        self._checkpoints = checkpoints_in(output_dir)
        last = self._checkpoints[-1] if self._checkpoints else None
        if last is not None:
            _check_fit(last)
        if save_every_minutes is not None:
            _delete_remains(output_dir, self._checkpoints)
        self._session = tf.compat.v1.train.SingularMonitoredSession(
            scaffold=tf.compat.v1.train.Scaffold(saver=self._saver),
            config=session_config(),
            checkpoint_filename_with_path=last,
        )
        pipeline.initialize(self._session)

    def run(self, fetches, feed_dict: dict | None = None):
        return self._session.run(fetches, feed_dict)

    def save(self) -> None:
        """Writes a checkpoint of all variables, `model.ckpt-STEP-NUMBER`, and deletes
        the one before the last.

        Raises:
          InputError: there is no room for it.
        """
        step, number = self.run(self._next_name)
        kept = self._checkpoints[1 - KEPT :]
        # The saver is told of no more than it may keep, so that it deletes nothing.
        self._saver.set_last_checkpoints_with_time([(path, 0.0) for path in kept])
        path = os.path.join(self._output_dir, f"{CHECKPOINT}-{step}")
        session = self._session.raw_session()
        try:
            path = self._saver.save(session, path, number, write_meta_graph=False)
        except tf.errors.OpError as error:
            raise InputError(
                f"cannot write a checkpoint: {_reason(error)}; the one before it, if "
                f"any, is whole, and --reset_output_dir=False goes on from there"
            ) from None
        self._checkpoints = [*kept, path]
        _delete_remains(self._output_dir, self._checkpoints)
        self._saved = time.monotonic()

    def pause(self) -> None:
        """Where a run is whole, so that it can be saved, and left: saves if the last
        checkpoint is old, or if a signal asks to leave.

        Raises:
          Interrupted: it does.
        """
        if self._save_every is None:
            return
        old = time.monotonic() - self._saved >= 60.0 * self._save_every
        if old or self._interruption.came():
            self.save()
        self._interruption.leave()

    def __enter__(self) -> "Session":
        self._session.__enter__()
        if self._save_every is not None:
            self._interruption.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._interruption.__exit__(*exception)
        self._session.__exit__(*exception)
