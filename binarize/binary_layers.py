"""Keras layers with binary kernels, and with XNOR-Net's scaled ones.

The layers take the arguments of the base layers (`quantize/base_layers.py`). For binary
activations, put `keras.layers.Activation(binary_tanh)` before a layer.
"""

from binarize.binary_ops import binarize, binary_tanh, xnorize
from quantize.base_layers import layers_of, serializable

serializable(binary_tanh)


class Binary:
    """Mixin: kernels in {-H, +H}. arXiv:1602.02830."""

    def quantize_kernel(self, w, H):
        return binarize(w, H)


class Xnor:
    """Mixin: kernels in {-alpha, +alpha}. arXiv:1603.05279.

    A filter's alpha is its mean |w|.
    """

    def quantize_kernel(self, w, H):
        kernel, alpha = xnorize(w, H)
        return kernel * alpha


LAYERS = layers_of(Binary)
(
    BinaryDense,
    BinaryConv2D,
    BinaryDepthwiseConv2D,
    BinarySeparableConv2D,
    BinaryFactorizedReduction,
) = LAYERS
# XNOR-Net has a scale for each filter, but none for depthwise kernels.
XnorDense, XnorConv2D, *_ = layers_of(Xnor)
