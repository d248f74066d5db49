"""Keras layers with binary kernels, and with XNOR-Net's scaled ones.

The arguments are those of the base layers (`quantize/base_layers.py`). For binary
activations put `keras.layers.Activation(binary_tanh)` before a layer.
"""

from binarize.binary_ops import binarize, binary_tanh, xnorize
from quantize.base_layers import (
    BaseConv2D,
    BaseDense,
    BaseDepthwiseConv2D,
    BaseSeparableConv2D,
    serializable,
)

serializable(binary_tanh)


class Binary:
    """Mixin: kernels in {-H, +H}. arXiv:1602.02830."""

    bounded = True

    def quantize_kernel(self, w, H):
        return binarize(w, H)


class Xnor:
    """Mixin: kernels in {-alpha, +alpha}, alpha the filter's mean |w|. 1603.05279."""

    bounded = True

    def quantize_kernel(self, w, H):
        kernel, alpha = xnorize(w, H)
        return kernel * alpha


@serializable
class BinaryDense(Binary, BaseDense):
    """Dense layer with a binary kernel."""


@serializable
class BinaryConv2D(Binary, BaseConv2D):
    """Convolution with a binary kernel."""


@serializable
class BinaryDepthwiseConv2D(Binary, BaseDepthwiseConv2D):
    """Depthwise convolution with a binary kernel."""


@serializable
class BinarySeparableConv2D(Binary, BaseSeparableConv2D):
    """Separable convolution with two binary kernels."""


@serializable
class XnorDense(Xnor, BaseDense):
    """Dense layer with a scaled binary kernel."""


@serializable
class XnorConv2D(Xnor, BaseConv2D):
    """Convolution with a scaled binary kernel."""
