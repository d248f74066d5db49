"""Ternary quantizers: values in {-1, 0, +1}.

Paper: Ternary Weight Networks (Li et al., arXiv:1605.04711); the fixed threshold of
one half is that of rounding.
"""

import tensorflow as tf

from quantize.base_ops import (
    gradient_everywhere,
    gradient_within_one,
    scaled,
    straight_through,
)


def _ternary(x: tf.Tensor) -> tf.Tensor:
    above = tf.cast(tf.greater(x, 0.5), x.dtype)
    below = tf.cast(tf.less_equal(x, -0.5), x.dtype)
    return above - below


def ternary_tanh(x: tf.Tensor) -> tf.Tensor:
    """The ternary activation.

    Forward: +1 where x > 0.5, -1 where x <= -0.5, else 0.
    Gradient: that of clip(x, -1, 1), 1 where |x| <= 1, else 0.

    Args:
      x: float32 of any shape; receives gradient.
    """
    return straight_through(_ternary, gradient_within_one, x)


def ternarize(w: tf.Tensor, H: float = 1.0) -> tf.Tensor:
    """Ternary weights in {-H, 0, +H}.

    Forward: H where w/H > 0.5, -H where w/H <= -0.5, else 0.
    Gradient: 1 everywhere (straight-through). arXiv:1605.04711, section 2.

    Args:
      w: latent weights, float32 of any shape; receives gradient.
      H: the scale, positive.
    """
    return scaled(lambda x: straight_through(_ternary, gradient_everywhere, x), w, H)
