"""Base class of controllers, and a uniform sampler to use instead of a trained one.

A controller samples architectures and learns from how well they do. It must not know
more about a child than what it is worth.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from enas.base import random_numbers
from enas.space.arc import CELLS, Arc, numbers_of, options_of
from enas.space.operations import CLASSIC, Operations


class Sample(NamedTuple):
    """One sampled architecture.

    Attributes:
      normal_arc, reduce_arc: int32 [4·B], the two cells of B blocks.
      log_prob: scalar, the log-probability of all choices together. Its gradient
        reaches the controller.
      entropy: scalar, the sum of the entropies of all choices, without gradient.
    """

    normal_arc: tf.Tensor
    reduce_arc: tf.Tensor
    log_prob: tf.Tensor
    entropy: tf.Tensor

    def feed(self, arc: Arc) -> dict:
        """Returns the feed_dict that puts `arc` in the place of the sampled one."""
        numbers = numbers_of(arc)
        half = len(numbers) // CELLS
        return {self.normal_arc: numbers[:half], self.reduce_arc: numbers[half:]}


class ControllerTraining(NamedTuple):
    """The ops and tensors of REINFORCE training.

    Attributes:
      accumulate: adds one sample's gradient and moves the baseline.
      apply: makes one update with the mean of the gradients that were accumulated since
        the last update.
      loss, grad_norm, baseline: scalars of the sample that `accumulate` adds. They use
        the average of rewards as the baseline, even if the update uses another one.
      updates: int64 scalar variable, the number of updates so far.
    """

    accumulate: tf.Operation
    apply: tf.Operation
    loss: tf.Tensor
    grad_norm: tf.Tensor
    baseline: tf.Tensor
    updates: tf.Variable


class Controller:
    """Base class of controllers; all weights are in the variable scope `controller`."""

    scope = "controller"

    def sample(self) -> Sample:
        """Builds the sample of an architecture; each session run draws a new one."""
        raise NotImplementedError

    def train(
        self, sample: Sample, worth: tf.Tensor, totals: Callable = list
    ) -> ControllerTraining:
        """Builds the ops that train the controller on what a sample is worth.

        Args:
          worth: float32 scalar: the accuracy of the sampled child on a validation
            batch, less a penalty if it is over a budget.
          totals: adds up each of a list of tensors over all who sample for an update,
            who each have a controller of their own with the same weights; `list` if
            there are no others.
        """
        raise NotImplementedError

    def variables(self) -> list[tf.Variable]:
        """Every trainable weight of the controller."""
        return tf.compat.v1.get_collection(
            tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES, scope=self.scope + "/"
        )


class UniformSampler(Controller):
    """Draws every number of a string uniformly from its range: random search."""

    def __init__(self, num_cells: int, operations: Operations = CLASSIC):
        self.num_cells = num_cells
        self.operations = operations

    def sample(self) -> Sample:
        zero = tf.zeros([])
        return Sample(self._cell(), self._cell(), zero, zero)

    def _cell(self) -> tf.Tensor:
        counts = [
            options
            for block in range(self.num_cells)
            for options in options_of(block, self.operations)
        ]
        drawn = random_numbers.uniform([len(counts)]) * tf.constant(counts, tf.float32)
        return tf.minimum(tf.cast(drawn, tf.int32), tf.constant(counts) - 1)
