"""Counts how far a run is; checkpoints hold the counters, so that it can continue."""

import tensorflow as tf

from enas.base.errors import InputError
from enas.session.session import Session


class Progress:
    """Counters in the default graph, beside the global step and the controller's own.

    Args:
      steps_per_epoch: steps of the child in an epoch.
      samples_at_once: how many samples of the controller are counted at once.

    Attributes:
      epochs: int64 scalar variable, how many epochs are done, with their rounds and
        evaluations.
      round_samples: int64 scalar variable, how many strings the controller has sampled
        in the current round. A full update of them has been applied; the sums of one
        that is not full are variables, too.
      count_samples: the op that adds so many samples.
      finish_epoch: the op that adds an epoch and ends its round.
    """

    def __init__(self, steps_per_epoch: int, samples_at_once: int = 1):
        self._steps_now = steps_per_epoch
        with tf.compat.v1.variable_scope("progress"):
            self.epochs = _counter("epochs", 0)
            self.round_samples = _counter("round_samples", 0)
            self._steps_per_epoch = _counter("steps_per_epoch", steps_per_epoch)
        self.count_samples = self.round_samples.assign_add(samples_at_once).op
        self.finish_epoch = tf.group(
            self.epochs.assign_add(1), self.round_samples.assign(0)
        )

    def check(self, session: Session) -> None:
        """Checks that the run that a session continues has epochs of the same length.

        Raises:
          InputError: it has not, so its counters mean something else.
        """
        steps = int(session.run(self._steps_per_epoch))
        if steps != self._steps_now:
            raise InputError(
                f"an epoch of the run to be continued has {steps} steps, now it would "
                f"have {self._steps_now}; batch_size, the training images or the "
                f"workers changed"
            )


def _counter(name: str, start: int) -> tf.Variable:
    return tf.compat.v1.get_variable(
        name, initializer=tf.constant(start, tf.int64), trainable=False
    )
