"""Binary quantizers: values in {-1, +1}.

Papers: BinaryNet (Courbariaux et al., arXiv:1602.02830), QNN (Hubara et al.,
arXiv:1609.07061), XNOR-Net (Rastegari et al., arXiv:1603.05279).
"""

import tensorflow as tf

from quantize.base_ops import gradient_within_one, scaled, straight_through


def _positive(x: tf.Tensor) -> tf.Tensor:
    return 2.0 * tf.cast(tf.greater(x, 0.0), x.dtype) - 1.0


def binary_tanh(x: tf.Tensor) -> tf.Tensor:
    """The binary activation.

    Forward: 2·round(clip((x + 1)/2, 0, 1)) - 1, which is +1 where x > 0, else -1 (the
    tie at x = 0 rounds down, to even).
    Gradient: 1 where |x| <= 1, else 0. arXiv:1602.02830, eq. 4.

    Args:
      x: float32 of any shape; receives gradient.
    """
    return straight_through(_positive, gradient_within_one, x)


def binarize(w: tf.Tensor, H: float = 1.0) -> tf.Tensor:
    """Binary weights in {-H, +H}.

    Forward: H·(2·round(clip((w/H + 1)/2, 0, 1)) - 1).
    Gradient: 1 where |w| <= H, else 0. arXiv:1602.02830, section 1.

    Args:
      w: latent weights, float32 of any shape; receives gradient.
      H: the scale, positive.
    """
    return scaled(binary_tanh, w, H)


def xnorize(w: tf.Tensor, H: float = 1.0) -> tuple[tf.Tensor, tf.Tensor]:
    """Binary weights and the scale that brings each filter closest to its latent one.

    Forward: binarize(w, H) and alpha = mean |w| / H over all axes but the last, so that
    alpha·binarize(w, H) approximates w. arXiv:1603.05279, eq. 6.
    Gradient: it reaches w through the binary weights only; alpha is a constant.

    Args:
      w: latent weights, [..., filters]; receives gradient.
      H: the scale, positive.

    Returns:
      (binary weights [..., filters], alpha [1, ..., 1, filters]).
    """
    axes = list(range(len(w.shape) - 1))
    alpha = tf.reduce_mean(tf.abs(w), axis=axes, keepdims=True) / H
    return binarize(w, H), tf.stop_gradient(alpha)
