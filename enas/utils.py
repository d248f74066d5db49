"""Learning rates, optimizers and the op that trains a child.

Layout: R = rows of a bank, P = numbers in a row, n = rows that the sampled architecture
reads.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from enas.common_ops import pieces_of

# AddN of three tensors or more adds them up in an order that depends on which of them
# nobody else reads any more, and so on timing. In pairs it has no choice.
IN_PAIRS = tf.AggregationMethod.EXPERIMENTAL_TREE


class TrainConfig(NamedTuple):
    """How a child is trained; `child_` and a name here make the name of a flag.

    Attributes:
      adam_beta1, adam_epsilon: for Adam only.
      lr_dec_every, lr_T_0: in epochs.
      lr_by_step: whether the cosine falls at each step, and not after each epoch.
      lr_warmup: in steps.
    """

    optim_algo: str = "adam"
    adam_beta1: float = 0.0
    adam_epsilon: float = 1e-3
    l2_reg: float = 0.0
    clip_mode: str = "none"
    grad_bound: float = 5.0
    lr: float = 0.1
    lr_dec_every: int = 100
    lr_dec_rate: float = 0.1
    lr_cosine: bool = True
    lr_max: float = 0.05
    lr_min: float = 0.0005
    lr_T_0: int = 10
    lr_T_mul: int = 2
    lr_by_step: bool = False
    lr_warmup: int = 0


class TrainOps(NamedTuple):
    """The op that trains a child, and what a log shows of it.

    Attributes:
      train: makes one update.
      lr: scalar, the learning rate.
      grad_norm: scalar, the norm of the gradient before clipping.
    """

    train: tf.Operation
    lr: tf.Tensor
    grad_norm: tf.Tensor


def learning_rates(config: TrainConfig, num_epochs: int) -> list[float]:
    """The learning rate of each epoch.

    A cosine schedule with warm restarts (arXiv:1608.03983) gives
    min + ½(max - min)(1 + cos(π·t/T)). Here t is the number of whole epochs since the
    last restart, and T is the length of the current period in epochs. The first period
    is T_0, and each later one is T_mul times the one before. The stepwise schedule
    gives lr·lr_dec_rate^(epoch // lr_dec_every).
    """
    if not config.lr_cosine:
        decays = [epoch // config.lr_dec_every for epoch in range(num_epochs)]
        return [config.lr * config.lr_dec_rate**count for count in decays]
    rates = []
    for epoch, (start, length) in enumerate(_periods(config, num_epochs)):
        wave = 0.5 * (1.0 + math.cos(math.pi * (epoch - start) / length))
        rates.append(config.lr_min + (config.lr_max - config.lr_min) * wave)
    return rates


def _periods(config: TrainConfig, num_epochs: int) -> list[tuple[int, int]]:
    """Returns the cosine's period of each epoch: its first epoch and its length."""
    periods, start, length = [], 0, config.lr_T_0
    for epoch in range(num_epochs):
        if epoch == start + length:
            start, length = epoch, length * config.lr_T_mul
        periods.append((start, length))
    return periods


def learning_rate(
    config: TrainConfig,
    global_step: tf.Variable,
    steps_per_epoch: int,
    num_epochs: int,
) -> tf.Tensor:
    """Builds the learning rate of a step, a scalar.

    It is that of the epoch. With `lr_by_step` the cosine falls at each step, so that t
    in `learning_rates` also counts the part of the epoch that is done. In the first
    `lr_warmup` steps the rate rises evenly from nearly 0 (arXiv:1706.02677).

    Args:
      num_epochs: the schedule's length, at least 1; the last learning rate stays.
    """
    epoch = tf.minimum(global_step // steps_per_epoch, num_epochs - 1)
    if config.lr_cosine and config.lr_by_step:
        periods = tf.constant(_periods(config, num_epochs), tf.int64)  # [epochs, 2]
        start, length = tf.unstack(steps_per_epoch * tf.gather(periods, epoch))
        done = tf.minimum(tf.cast(global_step, tf.int64) - start, length)
        part = tf.cast(done, tf.float32) / tf.cast(length, tf.float32)
        wave = 0.5 * (1.0 + tf.cos(math.pi * part))
        rate = config.lr_min + (config.lr_max - config.lr_min) * wave
    else:
        rates = learning_rates(config, num_epochs)
        rate = tf.gather(tf.constant(rates, tf.float32), epoch)
    if config.lr_warmup:
        step = tf.cast(global_step + 1, tf.float32)
        rate *= tf.minimum(1.0, step / config.lr_warmup)
    return rate


class _UniqueRows:
    """Optimizer mixin for sparse gradients whose rows are distinct.

    Every edge of a cell reads rows of its own, so no duplicate rows need to be summed.
    """

    def _resource_apply_sparse_duplicate_indices(self, grad, handle, indices):
        return self._resource_apply_sparse(grad, handle, indices)


class Momentum(_UniqueRows, tf.compat.v1.train.MomentumOptimizer):
    """Nesterov momentum; rows that were not read keep their weights and their slot."""


class Adam(_UniqueRows, tf.compat.v1.train.AdamOptimizer):
    """Adam (arXiv:1412.6980) that touches only the rows that were read.

    TensorFlow's own Adam moves every row and decays its slots at every step, which
    costs time in proportion to all candidates. Here, rows that were not read keep their
    weights and slots. The bias correction counts all steps, as in TensorFlow's.
    """

    def _resource_apply_sparse(self, grad, var, indices):
        beta1_power, beta2_power = self._get_beta_accumulators()
        beta1, beta2, epsilon = self._beta1_t, self._beta2_t, self._epsilon_t
        lr = self._lr_t * tf.sqrt(1.0 - beta2_power) / (1.0 - beta1_power)
        m_slot, v_slot = self.get_slot(var, "m"), self.get_slot(var, "v")
        m = beta1 * tf.gather(m_slot, indices) + (1.0 - beta1) * grad
        v = beta2 * tf.gather(v_slot, indices) + (1.0 - beta2) * tf.square(grad)
        step = tf.IndexedSlices(lr * m / (tf.sqrt(v) + epsilon), indices)
        return tf.group(
            m_slot.scatter_update(tf.IndexedSlices(m, indices)),
            v_slot.scatter_update(tf.IndexedSlices(v, indices)),
            var.scatter_sub(step),
        )


OPTIMIZERS = {
    "sgd": lambda lr, config: tf.compat.v1.train.GradientDescentOptimizer(lr),
    "momentum": lambda lr, config: Momentum(lr, momentum=0.9, use_nesterov=True),
    "adam": lambda lr, config: Adam(
        lr, beta1=config.adam_beta1, epsilon=config.adam_epsilon
    ),
}


def get_train_ops(
    loss: tf.Tensor,
    variables: list[tf.Variable],
    config: TrainConfig,
    global_step: tf.Variable,
    steps_per_epoch: int,
    num_epochs: int,
    exchange: Callable[[list, list], list] | None = None,
) -> TrainOps:
    """Builds the op that takes one step down the loss, and what a log shows of it.

    The gradient with respect to a bank is sparse. So only the rows that the sampled
    architecture read are regularized, clipped, updated and kept in bounds.

    Args:
      loss: scalar.
      num_epochs: the schedule's length; after it the last learning rate stays.
      exchange: makes the gradients of the update from those of this step and the
        variables; None if they are the same. A sparse gradient stays one.
    """
    lr = learning_rate(config, global_step, steps_per_epoch, max(1, num_epochs))
    gradients = tf.gradients(loss, variables, aggregation_method=IN_PAIRS)
    if exchange is not None:
        gradients = exchange(gradients, variables)
    if config.l2_reg:
        gradients = [
            _add_decay(g, v, config.l2_reg)
            for g, v in zip(gradients, variables, strict=True)
        ]
    grad_norm = tf.linalg.global_norm(gradients)
    if config.clip_mode == "global":
        gradients, _ = tf.clip_by_global_norm(gradients, config.grad_bound, grad_norm)
    elif config.clip_mode == "norm":
        gradients = [
            _clip_pieces(g, v, config.grad_bound)
            for g, v in zip(gradients, variables, strict=True)
        ]
    optimizer = OPTIMIZERS[config.optim_algo](lr, config)
    applied = optimizer.apply_gradients(
        zip(gradients, variables, strict=True), global_step
    )
    with tf.control_dependencies([applied]):
        bounded = [
            _keep_in_bounds(g, v) for g, v in zip(gradients, variables, strict=True)
        ]
        train = tf.group(applied, *[op for op in bounded if op is not None])
    return TrainOps(train, lr, grad_norm)


def _add_decay(gradient, variable: tf.Variable, l2_reg: float):
    """Returns the gradient of loss + l2_reg · sum of squared weights.

    If the gradient is sparse, the sum is over the rows that were read.
    """
    if isinstance(gradient, tf.IndexedSlices):
        rows = tf.gather(variable, gradient.indices)
        values = gradient.values + 2.0 * l2_reg * rows
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient + 2.0 * l2_reg * variable


def _clip_pieces(gradient, variable: tf.Variable, bound: float):
    """Clips the norm of each logical tensor, even if a variable packs several."""
    if not isinstance(gradient, tf.IndexedSlices):
        (_,) = pieces_of(variable)  # only a bank holds several pieces
        return tf.clip_by_norm(gradient, bound)
    sizes = [piece.size for piece in pieces_of(variable)]
    parts = tf.split(gradient.values, sizes, axis=1)  # [n, size] each
    values = tf.concat([tf.clip_by_norm(part, bound, axes=1) for part in parts], axis=1)
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)


def _keep_in_bounds(gradient, variable: tf.Variable) -> tf.Operation | None:
    """Clips latent weights to their bounds after an update; None without bounds."""
    pieces = pieces_of(variable)
    if all(math.isinf(piece.bound) for piece in pieces):
        return None
    if not isinstance(gradient, tf.IndexedSlices):
        (piece,) = pieces
        return variable.assign(tf.clip_by_value(variable, -piece.bound, piece.bound)).op
    bounds = np.concatenate([np.full(p.size, p.bound, np.float32) for p in pieces])
    rows = tf.gather(variable, gradient.indices)  # [n, P]
    clipped = tf.maximum(tf.minimum(rows, bounds), -bounds)
    return variable.scatter_update(tf.IndexedSlices(clipped, gradient.indices)).op
