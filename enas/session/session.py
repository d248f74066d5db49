"""Runs the only session of a run: configures it, and lets it be saved and left."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import tensorflow as tf

from enas.base.errors import InputError, Interrupted, TimeIsOver
from enas.base.workers import ALONE, Workers
from enas.session.checkpoints import Checkpoints, error_line
from enas.session.input_pipeline import InputPipeline
from enas.session.interruption import Interruption

TRIES = 10  # to restore a checkpoint of a run that goes on saving
# Seconds between the meetings of workers, about. A meeting at each pause takes a short
# step some hundredths longer; a signal to leave waits for the next one.
MEET_EVERY = 0.25
PASSED_AT_MOST = 20  # pauses between two meetings, as the next ones may be longer


def session_config() -> tf.compat.v1.ConfigProto:
    """Returns the options of every session.

    Grappler is off. It would first inline every shared function of the search child,
    which makes the first step five times slower and later steps hardly faster. There
    are as many threads as cores, which is the default: a single thread between ops
    takes a fifth longer, and more threads gain nothing. Memory of a GPU is taken as it
    is needed, so that others can use the rest.
    """
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.gpu_options.allow_growth = True
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
        raise InputError(error_line(error)) from error


class Session:
    """A monitored session that starts from the output folder's last checkpoint, if any.

    Use it as a context manager.

    Args:
      output_dir: the folder of the checkpoints.
      pipeline: gets its images when the session starts; None if it reads none.
      save_every_minutes: how old the last checkpoint may become; None if the session
        trains nothing and so saves nothing.
      check_folder: raises an InputError if the folder is not the run's own any more.
      minutes: how long the run may take from now on; None for ever.
      start: is called with the raw session, once its variables have their initial
        values, if there is no checkpoint yet.
      workers: those that share the run. The chief alone reads and writes checkpoints,
        and the others start from its values.

    Attributes:
      opened_from: the path of the checkpoint that it started from; None if there was
        none.

    Raises:
      InputError: the folder's checkpoints are damaged, or of another network.
    """

    def __init__(
        self,
        output_dir: str,
        pipeline: InputPipeline | None = None,
        save_every_minutes: float | None = None,
        check_folder: Callable[[], None] | None = None,
        minutes: float | None = None,
        start: Callable[[tf.compat.v1.Session], None] | None = None,
        workers: Workers = ALONE,
    ):
        self._saves = save_every_minutes is not None
        self._save_every = (
            math.inf if save_every_minutes is None else save_every_minutes
        )
        self._workers = workers
        self._met, self._passed = time.monotonic(), 0  # pauses since then
        self._to_pass = 0  # how many pauses workers pass before they meet again
        self._end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        self._interruption = Interruption()
        self._checkpoints = Checkpoints(output_dir, self._saves, check_folder)

        self._of_chief = None
        if workers.several:
            self._of_chief = workers.chiefs_values(tf.compat.v1.global_variables())

        def initialize(_, session: tf.compat.v1.Session) -> None:
            if start is not None:
                start(session)

        for tries in range(1, TRIES + 1):
            try:
                self._session = tf.compat.v1.train.SingularMonitoredSession(
                    scaffold=tf.compat.v1.train.Scaffold(
                        saver=self._checkpoints.saver,
                        init_fn=initialize,
                    ),
                    master=workers.target,
                    config=workers.config or session_config(),
                    checkpoint_filename_with_path=self._checkpoints.last,
                )
                break
            except (ValueError, tf.errors.OpError):
                # Its run may have written a newer one and deleted this one meanwhile.
                if not self._checkpoints.is_gone() or tries == TRIES:
                    raise
                self._checkpoints.choose_again()
        self.opened_from = self._checkpoints.last
        self.align()
        if pipeline is not None:
            pipeline.initialize(self._session)

    def run(self, fetches, feed_dict: dict | None = None):
        """Runs a step.

        Raises:
          InputError: another worker is lost.
        """
        try:
            return self._session.run(fetches, feed_dict)
        except tf.errors.OpError as error:
            if lost := self._workers.explained(error):
                raise lost from error
            raise

    def align(self) -> None:
        """Gives all workers the chief's values; machines may round differently."""
        if self._of_chief is not None:
            self.run(self._of_chief)

    def save(self) -> None:
        """Writes a checkpoint of all variables, if this is the chief.

        Raises:
          InputError: there is no room for it, or the folder is another one by now.
        """
        if not self._workers.is_chief:
            return
        self._checkpoints.write(self._session.raw_session())

    def save_into(self, folder: str) -> None:
        """Writes a checkpoint into another folder, and deletes older ones there.

        Raises:
          InputError: there is no room for it.
        """
        self._checkpoints.write_into(folder, self._session.raw_session())

    def pause(self, together: bool = True, number: int | None = None) -> int:
        """Marks a point where nothing is half done, so the run can be saved and left.

        It saves if the last checkpoint is old, if a signal asks to leave, or if the
        run's time is over. Workers do so together, also if a signal came to one only;
        they pass some pauses if these come in quick succession.

        Args:
          together: whether all workers come to this point. If not, only one that is
            alone saves and leaves here.
          number: if given, the workers meet and add up their numbers.

        Returns:
          The sum; 0 without a number.

        Raises:
          InputError: the checkpoint cannot be written.
          Interrupted: a signal asks to leave.
          TimeIsOver: the run's time is over.
        """
        if self._workers.several:
            if not together:
                return 0
            self._passed += 1
            if number is None and self._passed <= self._to_pass:
                return 0
        asked = self._workers.meet(
            number or 0,
            self._interruption.came(),
            time.monotonic() >= self._end,
            self._checkpoints.minutes() >= self._save_every,
            self._next_to_pass(),
        )
        signal, is_over, is_old = int(asked[:, 1].max()), *map(bool, asked[0, 2:4])
        self._met, self._passed, self._to_pass = time.monotonic(), 0, int(asked[0, 4])
        if signal or is_over or is_old:
            self.save()
        if signal or is_over:
            self._workers.leave()
        if signal:
            raise Interrupted(signal)
        if is_over:
            raise TimeIsOver
        return int(asked[:, 0].sum())

    def _next_to_pass(self) -> int:
        """Returns how many pauses to pass, if they come as fast as the last ones."""
        seconds = (time.monotonic() - self._met) / max(1, self._passed)
        return min(int(MEET_EVERY / max(seconds, 1e-3)), PASSED_AT_MOST)

    def __enter__(self) -> "Session":
        self._session.__enter__()
        if self._saves:
            self._interruption.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._interruption.__exit__(*exception)
        self._session.__exit__(*exception)
