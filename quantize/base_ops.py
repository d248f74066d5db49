"""Straight-through gradients and faster convolutions, for every scheme.

A quantizer is a step function, so its own gradient is zero almost everywhere. The
straight-through estimator (Bengio et al., arXiv:1308.3432) passes the incoming gradient
on as if the step were the identity. Activations stop it where the input lies outside
the range that the quantizer can represent; ternary and n-bit weights never do.

This module must not know any scheme, layer or variable.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

# The name scopes of a 1×1 convolution, and of a depthwise kernel's gradient, that are
# computed as products of matrices.
POINTWISE, PAIRS = "pointwise", "pairs"


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
    """Makes the gradient function "dy where low <= x < high, else 0", as one fused op.

    Args:
      low, high: float32 numbers.
    """
    last = float(np.nextafter(np.float32(high), np.float32(-np.inf)))

    def gradient(dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.QuantizeAndDequantizeV4Grad(
            gradients=dy, input=x, input_min=low, input_max=last
        ).input_backprop

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


def conv2d(x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
    """Convolution; a 1×1 kernel with stride 1 is computed as a product of matrices.

    That is faster than the op for convolutions, above all in the gradients. The op
    remains if the number of channels is known only when it runs.

    Args:
      x: float32 [N, H, W, C]. kernel: float32 [K, K, C, F]. Both receive gradient.
      padding: 'SAME' or 'VALID'.

    Returns:
      [N, H', W', F].
    """
    size, _, channels, filters = kernel.shape
    if size != 1 or stride != 1 or channels is None:
        return tf.nn.conv2d(x, kernel, stride, padding)
    with tf.name_scope(POINTWISE):
        pixels = tf.reshape(x, [-1, channels])
        products = tf.matmul(pixels, tf.reshape(kernel, [channels, filters]))
        if None in x.shape[1:3]:
            return tf.reshape(products, tf.concat([tf.shape(x)[:3], [filters]], 0))
        return tf.reshape(products, [-1, *x.shape[1:3], filters])


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

    Images smaller than the kernel have a way of their own, since oneDNN takes ten times
    as long for them. On others oneDNN is fast if a kernel is one or three columns wide:
    eight times as fast for three columns as for five. So one op computes the middle
    three columns. Each other column is one more op, on a shifted x.
    """
    if size <= 3:
        return _columns_gradient(x, dy, size, size)
    height, width = x.shape[1:3]
    if None not in (height, width) and max(height, width) < size:
        return _pairs_gradient(x, dy, size)
    half = size // 2
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


def _pairs_gradient(x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
    """The same gradient for small images, as two products of matrices.

    The first one multiplies, in each channel, every pixel of x with every pixel of dy,
    and adds over the batch: [C, H·W, H·W]. The second one adds those pairs of pixels
    that lie under the same weight of the kernel.
    """
    _, height, width, channels = x.shape
    pixels = height * width
    with tf.name_scope(PAIRS):
        left, right = (tf.reshape(images, [-1, pixels, channels]) for images in (x, dy))
        left, right = tf.transpose(left, [2, 1, 0]), tf.transpose(right, [2, 0, 1])
        pairs = tf.reshape(tf.matmul(left, right), [channels, pixels * pixels])
        sums = tf.matmul(pairs, tf.constant(_under_weight(height, width, size)))
        return tf.reshape(tf.transpose(sums), [size, size, channels, 1])


def _under_weight(height: int, width: int, size: int) -> np.ndarray:
    """Tells which weight of a kernel joins a pixel of x with one of the output.

    Returns:
      float32 [(H·W)², size²], 1 where a weight joins the two pixels of a pair, else 0.
    """
    rows, columns = np.indices((height, width)).reshape(2, -1)
    row = rows[:, None] - rows + size // 2
    column = columns[:, None] - columns + size // 2
    joined = (np.minimum(row, column) >= 0) & (np.maximum(row, column) < size)
    weight = np.where(joined, row * size + column, -1)
    return (weight.reshape(-1, 1) == np.arange(size * size)).astype(np.float32)


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
