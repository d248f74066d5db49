"""Keras layers with ternary kernels.

The arguments are those of the base layers (`quantize/base_layers.py`). For ternary
activations put `keras.layers.Activation(ternary_tanh)` before a layer.
"""

from quantize.base_layers import (
    BaseConv2D,
    BaseDense,
    BaseDepthwiseConv2D,
    BaseSeparableConv2D,
    serializable,
)
from ternarize.ternary_ops import ternarize, ternary_tanh

serializable(ternary_tanh)


class Ternary:
    """Mixin: kernels in {-H, 0, +H}. arXiv:1605.04711."""

    bounded = True

    def quantize_kernel(self, w, H):
        return ternarize(w, H)


@serializable
class TernaryDense(Ternary, BaseDense):
    """Dense layer with a ternary kernel."""


@serializable
class TernaryConv2D(Ternary, BaseConv2D):
    """Convolution with a ternary kernel."""


@serializable
class TernaryDepthwiseConv2D(Ternary, BaseDepthwiseConv2D):
    """Depthwise convolution with a ternary kernel."""


@serializable
class TernarySeparableConv2D(Ternary, BaseSeparableConv2D):
    """Separable convolution with two ternary kernels."""
