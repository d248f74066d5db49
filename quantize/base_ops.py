"""Straight-through gradients and a faster depthwise convolution, for every scheme.

A quantizer is a step function, so its own gradient is zero almost everywhere. The
straight-through estimator (Bengio et al., arXiv:1308.3432) passes the incoming gradient
on as if the step were the identity. Activations stop it where the input lies outside
the range that the quantizer can represent; ternary and n-bit weights never do.

This module must not know any scheme, layer or variable.
"""

from collections.abc import Callable

import tensorflow as tf


def gradient_within_one(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns dy where |x| <= 1, else 0, by one fused op.

    The op is the gradient of TensorFlow's fake quantization. Its range [-1, 1] is exact
    at two bits with a narrow range (levels -1, 0, 1).

    Args:
      dy, x: float32, of the same shape.
    """
    return tf.raw_ops.FakeQuantWithMinMaxArgsGradient(
        gradients=dy, inputs=x, min=-1.0, max=1.0, num_bits=2, narrow_range=True
    )


def gradient_between(low: float, high: float) -> Callable:
    """Makes the gradient function "dy where low <= x < high, else 0"."""

    def gradient(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        inside = tf.logical_and(tf.greater_equal(x, low), tf.less(x, high))
        return dy * tf.cast(inside, dy.dtype)

    return gradient


def gradient_everywhere(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns dy, whatever x is."""
    del x
    return dy


def straight_through(
    forward: Callable[[tf.Tensor], tf.Tensor],
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    x: tf.Tensor,
) -> tf.Tensor:
    """Returns forward(x), whose gradient is gradient(dy, x).

    Only x is kept for the backward pass, and the op that makes x keeps it anyway.

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
    """Depthwise convolution; odd kernels with stride 1 and SAME have a faster gradient.

    Their gradient with respect to x is the depthwise convolution of the incoming
    gradient with the kernel turned by 180°. oneDNN's forward op takes a quarter of the
    time that the op meant for this gradient takes. For the gradient with respect to the
    kernel, see `_kernel_gradient`.

    Args:
      x: float32 [N, H, W, C]. kernel: float32 [K, K, C, 1]. Both receive gradient.
      padding: 'SAME' or 'VALID'.

    Returns:
      [N, H', W', C].
    """
    strides = [1, stride, stride, 1]
    size = kernel.shape[0]
    if stride != 1 or padding != "SAME" or size % 2 == 0:
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)

    @tf.custom_gradient
    def convolve(x, kernel):
        def gradient(dy):
            turned = tf.reverse(kernel, [0, 1])
            dx = tf.nn.depthwise_conv2d(dy, turned, strides, "SAME")
            return dx, _kernel_gradient(x, dy, size)

        return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME"), gradient

    return convolve(x, kernel)


def _kernel_gradient(x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
    """Gradient of a depthwise kernel [size, size, C, 1] with stride 1 and SAME padding.

    oneDNN is fast if a kernel is one or three columns wide: eight times as fast for
    three columns as for five. So one op computes the middle three columns. Each other
    column is one more op, on a shifted x.
    """
    if size <= 3:
        return _columns_gradient(x, dy, size, size)
    half, width = size // 2, x.shape[2]
    moved = tf.pad(x, [[0, 0], [0, 0], [half, half], [0, 0]])

    def column(number):
        return _columns_gradient(moved[:, :, number : number + width], dy, size, 1)

    left = [column(number) for number in range(half - 1)]
    middle = _columns_gradient(x, dy, size, 3)
    right = [column(number) for number in range(half + 2, size)]
    return tf.concat([*left, middle, *right], axis=1)


def _columns_gradient(x: tf.Tensor, dy: tf.Tensor, rows: int, columns: int):
    return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=x,
        filter_sizes=[rows, columns, x.shape[-1], 1],
        out_backprop=dy,
        strides=[1, 1, 1, 1],
        padding="SAME",
    )


def scaled(quantizer: Callable[[tf.Tensor], tf.Tensor], w: tf.Tensor, H: float):
    """Returns H · quantizer(w / H), to use a quantizer made for [-1, 1] on [-H, H].

    The gradient with respect to w is that of the quantizer at w / H.
    """
    if H == 1.0:
        return quantizer(w)
    return H * quantizer(w / H)


def scale_gradient(x: tf.Tensor, factor: float) -> tf.Tensor:
    """Returns x; its gradient is multiplied by factor."""
    if factor == 1.0:
        return x
    return straight_through(tf.identity, lambda dy, _: factor * dy, x)
