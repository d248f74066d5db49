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

_BELOW = 1.5 * 2.0**-24  # one and a half times the distance of floats just above 1/2


def _ternary(x: tf.Tensor) -> tf.Tensor:
    """Computes clip(ceil(x - 1/2), -1, 1) by two ops; each op reads a whole image.

    The second op is floor(y + 1/2) within [-1, 1], where a tie goes up. Just enough is
    subtracted first for 1/2 to go down, and for no other number to move: the result is
    that of the formula in float32 for every x. There, x - 1/2 is rounded, which matters
    only for the next float above -1/2: it becomes -1.
    """
    return tf.raw_ops.QuantizeAndDequantizeV2(
        input=x - _BELOW,
        input_min=-1.0,
        input_max=1.0,
        num_bits=2,
        range_given=True,
        round_mode="HALF_UP",
        narrow_range=True,
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
