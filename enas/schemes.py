"""The number formats a child can be built of.

A scheme brings together an activation, layers and a weight quantizer; a child is given
one and never asks which. To add a scheme, write its entry in SCHEMES.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from binarize.binary_layers import BinaryConv2D, BinarySeparableConv2D
from binarize.binary_ops import binarize, binary_tanh
from quantize.base_layers import BaseConv2D, BaseSeparableConv2D
from quantize.quantized_layers import QuantizedConv2D, QuantizedSeparableConv2D
from quantize.quantized_ops import quantize, quantized_tanh
from ternarize.ternary_layers import TernaryConv2D, TernarySeparableConv2D
from ternarize.ternary_ops import ternarize, ternary_tanh


class Scheme(NamedTuple):
    """One number format.

    activation: the function before a convolution.
    conv2d, separable_conv2d: Keras layer classes, called as the base layers are.
    quantize: latent kernel to the kernel that is used.
    bound: latent kernels start uniform in [-bound, bound] and stay there; None for
      real-valued kernels, which start as He.
    """

    name: str
    activation: Callable
    conv2d: Callable
    separable_conv2d: Callable
    quantize: Callable
    bound: float | None = 1.0


def _binarize(n_bits: int) -> Scheme:
    del n_bits
    return Scheme(
        "binarize", binary_tanh, BinaryConv2D, BinarySeparableConv2D, binarize
    )


def _ternarize(n_bits: int) -> Scheme:
    del n_bits
    return Scheme(
        "ternarize", ternary_tanh, TernaryConv2D, TernarySeparableConv2D, ternarize
    )


def _quantize(n_bits: int) -> Scheme:
    return Scheme(
        "quantize",
        partial(quantized_tanh, n_bits=n_bits),
        partial(QuantizedConv2D, n_bits=n_bits),
        partial(QuantizedSeparableConv2D, n_bits=n_bits),
        partial(quantize, n_bits=n_bits),
    )


def _float(n_bits: int) -> Scheme:
    del n_bits
    return Scheme(
        "float", tf.nn.relu, BaseConv2D, BaseSeparableConv2D, tf.identity, bound=None
    )


SCHEMES = {
    "binarize": _binarize,
    "ternarize": _ternarize,
    "quantize": _quantize,
    "float": _float,
}


def make_scheme(name: str, n_bits: int = 4) -> Scheme:
    """The scheme of that name.

    Args:
      name: a key of SCHEMES.
      n_bits: of `quantize`; the others have their own.

    Raises:
      ValueError: no such scheme.
    """
    if name not in SCHEMES:
        raise ValueError(f"no scheme {name!r}; there are {', '.join(SCHEMES)}")
    return SCHEMES[name](n_bits)
