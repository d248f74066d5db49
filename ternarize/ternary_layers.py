"""Keras layers with ternary kernels.

The layers take the arguments of the base layers (`quantize/base_layers.py`). For
ternary activations, put `keras.layers.Activation(ternary_tanh)` before a layer.
"""

from quantize.base_layers import layers_of, serializable
from ternarize.ternary_ops import ternarize, ternary_tanh

serializable(ternary_tanh)


class Ternary:
    """Mixin: kernels in {-H, 0, +H}. arXiv:1605.04711."""

    def quantize_kernel(self, w, H):
        return ternarize(w, H)


LAYERS = layers_of(Ternary)
(
    TernaryDense,
    TernaryConv2D,
    TernaryDepthwiseConv2D,
    TernarySeparableConv2D,
    TernaryFactorizedReduction,
) = LAYERS
