"""n-bit fixed-point quantizers, n >= 2. Throughout, m = 2^(n-1).

Paper: QNN (Hubara et al., arXiv:1609.07061). TensorFlow rounds ties to even.
"""

import tensorflow as tf

from quantize.base_ops import (
    gradient_between,
    gradient_everywhere,
    scaled,
    straight_through,
)


def _levels(n_bits: int) -> float:
    if n_bits < 2:
        raise ValueError(
            f"n_bits is {n_bits}; fixed point needs 2 or more (1 bit is binarize)"
        )
    return float(2 ** (n_bits - 1))


def _fixed_point(x: tf.Tensor, n_bits: int) -> tf.Tensor:
    """Computes clip(round(x·m), -m, m - 1)/m by one op, which reads x only once."""
    return tf.raw_ops.QuantizeAndDequantizeV2(
        input=x,
        input_min=-1.0,
        input_max=1.0 - 1.0 / _levels(n_bits),
        num_bits=n_bits,
        range_given=True,
        round_mode="HALF_TO_EVEN",
    )


def quantized_tanh(x: tf.Tensor, n_bits: int = 4) -> tf.Tensor:
    """The n-bit activation on [-1, 1).

    Forward: clip(round(x·m), -m, m - 1)/m.
    Gradient: 1 where the rounded value is not clipped, that is, where
    -1 - 1/(2m) <= x < 1 - 1/(2m); else 0. arXiv:1609.07061, section 3.

    Args:
      x: float32 of any shape; receives gradient.
      n_bits: 2 or more.

    Raises:
      ValueError: n_bits below 2.
    """
    m = _levels(n_bits)
    gradient = gradient_between(-1.0 - 0.5 / m, 1.0 - 0.5 / m)
    return straight_through(lambda x: _fixed_point(x, n_bits), gradient, x)


def quantized_relu(x: tf.Tensor, n_bits: int = 4) -> tf.Tensor:
    """The n-bit activation on [0, 1).

    Forward: clip(2·round(h(x)·2^n)/2^n - 1, 0, 1 - 2^(1-n)), where
    h(x) = clip((x + 1)/2, 0, 1).
    Gradient: 1 where the rounded value is not clipped, that is, where
    -2^-n <= x < 1 - 2^-n; else 0.

    Args:
      x: float32 of any shape; receives gradient.
      n_bits: 2 or more.

    Raises:
      ValueError: n_bits below 2.
    """
    m = _levels(n_bits)

    def forward(x):
        h = tf.clip_by_value((x + 1.0) / 2.0, 0.0, 1.0)
        return tf.clip_by_value(tf.round(h * 2.0 * m) / m - 1.0, 0.0, 1.0 - 1.0 / m)

    return straight_through(forward, gradient_between(-0.5 / m, 1.0 - 0.5 / m), x)


def quantize(w: tf.Tensor, n_bits: int = 4, H: float = 1.0) -> tf.Tensor:
    """n-bit weights in {-H, ..., H·(m - 1)/m}.

    Forward: H·clip(round(w/H·m), -m, m - 1)/m.
    Gradient: 1 everywhere, even at the upper end. A gradient of zero there would hold a
    weight for ever once it got there. arXiv:1609.07061, section 3.

    Args:
      w: latent weights, float32 of any shape; receives gradient.
      n_bits: 2 or more.
      H: the scale, positive.

    Raises:
      ValueError: n_bits below 2.
    """

    def step(x):
        return straight_through(
            lambda x: _fixed_point(x, n_bits), gradient_everywhere, x
        )

    return scaled(step, w, H)
