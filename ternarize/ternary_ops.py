"""Ternary quantizers: values in {-1, 0, +1}.

Paper: Ternary Weight Networks (Li et al., arXiv:1605.04711). The threshold is fixed at
one half, as in rounding.
"""

import tensorflow as tf

from quantize.base_ops import (
    gradient_everywhere,
    gradient_within_one,
    scaled,
    straight_through,
)


def _ternary(x: tf.Tensor) -> tf.Tensor:
    """Computes clip(ceil(x - 1/2), -1, 1), which takes half the time of comparisons.

    Rounding in x - 1/2 matters only for the next float above -1/2, which becomes -1.
    """
    return tf.raw_ops.ClipByValue(
        t=tf.math.ceil(x - 0.5), clip_value_min=-1.0, clip_value_max=1.0
    )


def ternary_tanh(x: tf.Tensor) -> tf.Tensor:
    """The ternary activation.

    Forward: +1 where x > 0.5, -1 where x <= -0.5, else 0.
    Gradient: that of clip(x, -1, 1), which is 1 where |x| <= 1, else 0.

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
