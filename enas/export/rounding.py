"""Finds out how this machine's TensorFlow rounds, so that a network does the same.

TensorFlow's kernels differ between machines, and between numbers of channels, in what
they round and in which order they add. One ulp before an activation can move it to
another level. So each batch norm, the convolution of the images and the classifier are
tried on random numbers, and what a step can say of it (`enas/network/steps.py`) is
chosen to be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from enas.network.steps import (
    COLUMNS,
    FUSED,
    ROWS,
    SEPARATE,
    Convolve,
    Dense,
    Value,
    normalized,
)
from quantize.base_ops import conv2d

_PIXELS = (2, 16, 16)  # images, height and width that are tried
MOST_BLOCKS = 9  # of channels, in a dense layer
_BATCH = 100  # rows that are tried, as many as an evaluation has in a batch


class Rounding:
    """How kernels of TensorFlow round, tried in one session.

    Args:
      epsilon: that of the batch norms.
      config: the options of the sessions that run the network, since grappler may
        choose other kernels.
    """

    def __init__(self, epsilon: float, config: tf.compat.v1.ConfigProto):
        self._epsilon = np.float32(epsilon)
        self._config = config
        self._random = np.random.default_rng(0)

    def norms(self, norms: Sequence[Sequence[np.ndarray]]) -> list[tuple]:
        """Returns how each batch norm rounds, and its tensors for a Norm.

        Args:
          norms: (scale, offset, mean, variance) of each, float32 [C].

        Returns:
          (roundings, (mean, r, scale, offset)) of each.
        """
        if not norms:
            return []
        tried = [self._numbers(len(norm[0])) * 3 * _deviation(norm) for norm in norms]
        with tf.Graph().as_default(), self._session() as session:
            results, roots = [], []
            for x, (scale, offset, mean, variance) in zip(tried, norms, strict=True):
                fused = tf.compat.v1.nn.fused_batch_norm(
                    tf.compat.v1.placeholder_with_default(x, x.shape),
                    scale,
                    offset,
                    mean,
                    variance,
                    float(self._epsilon),
                    is_training=False,
                )
                results.append(fused[0])
                roots.append(tf.math.rsqrt(tf.constant(variance) + self._epsilon))
            found = session.run((results, roots))
        return [self._norm(*one) for one in zip(tried, norms, *found, strict=True)]

    def _session(self) -> tf.compat.v1.Session:
        return tf.compat.v1.Session(config=self._config)

    def _numbers(self, channels: int) -> np.ndarray:
        return self._random.normal(size=(*_PIXELS, channels)).astype(np.float32)

    def _norm(self, x, norm, result, root) -> tuple:
        scale, offset, mean, variance = norm
        exact = np.float32(1) / np.sqrt(variance + self._epsilon)
        found = []
        for roundings, folded in ((FUSED, False), (SEPARATE, False), (SEPARATE, True)):
            wrong, tensors = [], []
            for r in (exact, root):  # two ways to make it, chosen for each channel
                factors = (r * scale, np.ones_like(r)) if folded else (r, scale)
                tensors.append(np.stack([mean, *factors, offset]))
                y = normalized(x, roundings, mean, *factors, offset)
                wrong.append((y != result).sum(axis=(0, 1, 2)))
            chosen = np.where(wrong[0] <= wrong[1], *tensors)
            found.append((np.minimum(*wrong).sum(), roundings, tuple(chosen)))
        _, roundings, chosen = min(found, key=lambda one: one[0])
        return roundings, chosen

    def order(self, step: Convolve, x: Value, kernel: np.ndarray) -> int:
        """Returns the order in which a convolution of real numbers adds.

        Args:
          x: what it reads.
          kernel: as the step stores it.
        """
        images = self._numbers(x.channels)
        unit = step.format.integers
        with tf.Graph().as_default(), self._session() as session:
            placed = tf.compat.v1.placeholder_with_default(images, images.shape)
            real = kernel * np.float32(2.0**-unit.shift if unit else 1.0)
            result = session.run(
                conv2d(placed, tf.constant(real, tf.float32), 1, "SAME")
            )
        wrong = {}
        for order in (ROWS, COLUMNS):
            one = Convolve((0,), step.size, step.filters, step.format, order)
            wrong[order] = np.sum(one.run([images], [Value(x.shape)], kernel) != result)
        return min(wrong, key=lambda order: wrong[order])

    def blocks(self, step: Dense, weights: np.ndarray) -> int:
        """Returns the number of blocks in which a dense layer adds.

        Args:
          weights: as the step stores it.
        """
        x = self._random.uniform(-1, 1, (_BATCH, len(weights))).astype(np.float32)
        with tf.Graph().as_default(), self._session() as session:
            placed = tf.compat.v1.placeholder_with_default(x, x.shape)
            result = session.run(tf.matmul(placed, step.real_weights(weights)))
        wrong = {}
        for blocks in range(1, MOST_BLOCKS + 1):
            one = replace(step, blocks=blocks)
            wrong[blocks] = np.sum(one.run([x], [Value(x.shape)], weights) != result)
        return min(wrong, key=lambda blocks: wrong[blocks])


def _deviation(norm: Sequence[np.ndarray]) -> np.ndarray:
    return np.sqrt(norm[3] + np.float32(1e-3))
