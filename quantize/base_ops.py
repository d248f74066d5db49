"""Rounding with a straight-through gradient, shared by every low-bit scheme.

A quantizer is a step function: its own gradient is zero almost everywhere. The
straight-through estimator (Bengio et al., arXiv:1308.3432) passes the incoming
gradient on as if the step were the identity, and stops it where the input lies outside
the range that the quantizer can represent.

This module knows no scheme, no layer and no variable.
"""

from collections.abc import Callable

import tensorflow as tf


def gradient_within_one(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """dy where |x| <= 1, else 0; one fused op.

    The op is the gradient of TensorFlow's fake quantization, whose range [-1, 1] is
    exact at two bits with a narrow range (levels -1, 0, 1).

    Args:
      dy, x: float32, of one shape.
    """
    return tf.raw_ops.FakeQuantWithMinMaxArgsGradient(
        gradients=dy, inputs=x, min=-1.0, max=1.0, num_bits=2, narrow_range=True
    )


def gradient_between(low: float, high: float) -> Callable:
    """The gradient function "dy where low <= x < high, else 0"."""

    def gradient(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        inside = tf.logical_and(tf.greater_equal(x, low), tf.less(x, high))
        return dy * tf.cast(inside, dy.dtype)

    return gradient


def gradient_everywhere(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """dy, whatever x is."""
    del x
    return dy


def straight_through(
    forward: Callable[[tf.Tensor], tf.Tensor],
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    x: tf.Tensor,
) -> tf.Tensor:
    """forward(x), whose gradient is gradient(dy, x).

    Only x is kept for the backward pass, which x's producer keeps in any case.

    Args:
      forward: the step function.
      gradient: one of the gradient functions above.
      x: float32 of any shape; receives gradient.
    """

    @tf.custom_gradient
    def step(x):
        return forward(x), lambda dy: gradient(dy, x)

    return step(x)


def depthwise_conv2d(
    x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: str
) -> tf.Tensor:
    """Depthwise convolution with a faster gradient.

    At stride 1 with SAME padding and an odd kernel, the gradient with respect to x is
    the depthwise convolution of the incoming gradient with the kernel turned by 180°,
    for which the forward op takes a fifth of the time of the op meant for it.

    Args:
      x: float32 [N, H, W, C]. kernel: float32 [K, K, C, 1]. Both receive gradient.
      padding: 'SAME' or 'VALID'.

    Returns:
      [N, H', W', C].
    """
    strides = [1, stride, stride, 1]
    if stride != 1 or padding != "SAME" or kernel.shape[0] % 2 == 0:
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)

    @tf.custom_gradient
    def convolve(x, kernel):
        def gradient(dy):
            turned = tf.reverse(kernel, [0, 1])
            kernel_gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=x,
                filter_sizes=kernel.shape.as_list(),
                out_backprop=dy,
                strides=strides,
                padding=padding,
            )
            return tf.nn.depthwise_conv2d(dy, turned, strides, padding), kernel_gradient

        return tf.nn.depthwise_conv2d(x, kernel, strides, padding), gradient

    return convolve(x, kernel)


def scaled(quantizer: Callable[[tf.Tensor], tf.Tensor], w: tf.Tensor, H: float):
    """H · quantizer(w / H): a quantizer made for [-1, 1] applied to [-H, H].

    The gradient with respect to w is that of the quantizer at w / H.
    """
    if H == 1.0:
        return quantizer(w)
    return H * quantizer(w / H)


def scale_gradient(x: tf.Tensor, factor: float) -> tf.Tensor:
    """x, whose gradient is multiplied by factor."""
    if factor == 1.0:
        return x
    return straight_through(tf.identity, lambda dy, _: factor * dy, x)
