"""Gradients that are computed in a way of our own, against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from enas.common_ops import average_pool, max_pool
from quantize.base_ops import depthwise_conv2d


def gradients(function, *inputs):
    """The value, and the gradients of a sum of its squares."""
    inputs = [tf.constant(x, tf.float32) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = function(*inputs)
        loss = tf.reduce_sum(y * y)
    return [y.numpy(), *(g.numpy() for g in tape.gradient(loss, inputs))]


def check(function, reference, *inputs):
    expected = gradients(reference, *inputs)
    for call in (function, tf.function(function)):
        for actual, wanted in zip(gradients(call, *inputs), expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel_size", [2, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_depthwise_convolution(kernel_size, stride, padding):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 9, 7, 3))
    kernel = rng.normal(size=(kernel_size, kernel_size, 3, 1))
    check(
        lambda x, w: depthwise_conv2d(x, w, stride, padding),
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, stride, stride, 1], padding),
        images,
        kernel,
    )


@pytest.mark.parametrize("kind", ["MAX", "AVG"])
@pytest.mark.parametrize("stride", [1, 2])
def test_pools(kind, stride):
    images = np.random.default_rng(0).normal(size=(2, 8, 7, 3))
    check(
        lambda x: {"AVG": average_pool, "MAX": max_pool}[kind](x, 3, stride),
        lambda x: tf.nn.pool(x, [3, 3], kind, [stride, stride], "SAME"),
        images,
    )
