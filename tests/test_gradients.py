"""Gradients that are computed in a way of our own, against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from enas.common_ops import average_pool, max_pool
from quantize.base_ops import conv2d, depthwise_conv2d


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


@pytest.mark.parametrize("kernel_size", [3, 5, 7])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 3), (4, 4), (3, 6), (6, 6)])
def test_depthwise_convolution_of_images_around_the_kernel_s_size(kernel_size, size):
    rng = np.random.default_rng(1)
    check(
        lambda x, w: depthwise_conv2d(x, w, 1, "SAME"),
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"),
        rng.normal(size=(3, *size, 4)),
        rng.normal(size=(kernel_size, kernel_size, 4, 1)),
    )


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_convolution(kernel_size, stride, padding):
    rng = np.random.default_rng(2)
    images = rng.normal(size=(2, 9, 7, 3))
    kernel = rng.normal(size=(kernel_size, kernel_size, 3, 5))
    check(
        lambda x, w: conv2d(x, w, stride, padding),
        lambda x, w: tf.nn.conv2d(x, w, stride, padding),
        images,
        kernel,
    )


def test_a_pointwise_convolution_of_integers_is_exact_whatever_the_size():
    rng = np.random.default_rng(3)
    kernel = tf.constant(rng.integers(-1, 2, (1, 1, 300, 7)), tf.float32)
    unknown = tf.TensorSpec([None, None, None, 300], tf.float32)
    run = tf.function(lambda x: conv2d(x, kernel, 1, "SAME"), [unknown])
    for size in ((5, 4, 3), (1, 1, 1), (2, 7, 2)):
        x = tf.constant(rng.integers(-8, 8, (*size, 300)), tf.float32)
        expected = np.einsum("nhwc,cf->nhwf", x, kernel[0, 0])
        np.testing.assert_array_equal(run(x), expected)


@pytest.mark.parametrize("kind", ["MAX", "AVG"])
@pytest.mark.parametrize("stride", [1, 2])
def test_pools(kind, stride):
    images = np.random.default_rng(0).normal(size=(2, 8, 7, 3))
    check(
        lambda x: {"AVG": average_pool, "MAX": max_pool}[kind](x, 3, stride),
        lambda x: tf.nn.pool(x, [3, 3], kind, [stride, stride], "SAME"),
        images,
    )
