"""Base class of controllers, and the uniform sampler that replaces one.

A controller samples architectures and learns from how well they do.
"""

from typing import NamedTuple

import tensorflow as tf

from enas.base import draws
from enas.space.arc import CELLS, Arc, numbers_of, options_of


class Sample(NamedTuple):
    """One sampled architecture.

    normal_arc, reduce_arc: int32 [4·B], the two cells.
    log_prob: scalar, the log-probability of all choices; gradient reaches the
    controller.
    entropy: scalar, summed over the choices, without gradient.
    """

    normal_arc: tf.Tensor
    reduce_arc: tf.Tensor
    log_prob: tf.Tensor
    entropy: tf.Tensor

    def feed(self, arc: Arc) -> dict:
        """The feed_dict that puts an architecture in place of the sampled one."""
        numbers = numbers_of(arc)
        half = len(numbers) // CELLS
        return {self.normal_arc: numbers[:half], self.reduce_arc: numbers[half:]}


class ControllerTraining(NamedTuple):
    """The ops and tensors of REINFORCE training.

    accumulate: adds one sample's gradient, and moves the baseline.
    apply: one update by the average of the gradients accumulated since the last.
    loss, grad_norm, baseline: scalars, of the sample that `accumulate` adds, with the
    average of rewards as baseline, whatever an update compares it with.
    updates: int64 scalar variable, how many updates were applied.
    """

    accumulate: tf.Operation
    apply: tf.Operation
    loss: tf.Tensor
    grad_norm: tf.Tensor
    baseline: tf.Tensor
    updates: tf.Variable


class Controller:
    """Base of controllers: all weights live in the variable scope `controller`."""

    scope = "controller"

    def sample(self) -> Sample:
        """Samples an architecture, another one at each session run."""
        raise NotImplementedError

    def train(self, sample: Sample, accuracy: tf.Tensor) -> ControllerTraining:
        """Ops that teach the controller how accurate a sample's child was.

        Args:
          accuracy: float32 scalar, of the sampled child on a validation batch.
        """
        raise NotImplementedError

    def variables(self) -> list[tf.Variable]:
        return tf.compat.v1.get_collection(
            tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES, scope=self.scope + "/"
        )


class UniformSampler(Controller):
    """Draws every number of a string uniformly from its range: random search."""

    def __init__(self, num_cells: int):
        self.num_cells = num_cells

    def sample(self) -> Sample:
        zero = tf.zeros([])
        return Sample(self._cell(), self._cell(), zero, zero)

    def _cell(self) -> tf.Tensor:
        counts = [n for block in range(self.num_cells) for n in options_of(block)]
        drawn = draws.uniform([len(counts)]) * tf.constant(counts, tf.float32)
        return tf.minimum(tf.cast(drawn, tf.int32), tf.constant(counts) - 1)
