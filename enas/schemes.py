"""The number formats a child can be built of.

A scheme brings together an activation, layers and a weight quantizer; a child is given
one and never asks which. To add a scheme, write its entry in SCHEMES.

Nothing here imports TensorFlow before a scheme is made, so that checking a flag costs
milliseconds.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple


class Scheme(NamedTuple):
    """One number format.

    activation: the function before a convolution.
    conv2d, separable_conv2d: Keras layer classes, called as the base layers are.
    quantize: latent kernel to the kernel that is used.
    bits: of a weight, and of an activation, as they are stored packed.
    bound: latent kernels start uniform in [-bound, bound] and stay there; None for
      real-valued kernels, which start as He.
    """

    name: str
    activation: Callable
    conv2d: Callable
    separable_conv2d: Callable
    quantize: Callable
    bits: int
    bound: float | None = 1.0


def _binarize(n_bits: int) -> Scheme:
    from binarize import binary_layers as layers
    from binarize import binary_ops as ops

    del n_bits
    return Scheme(
        "binarize",
        ops.binary_tanh,
        layers.BinaryConv2D,
        layers.BinarySeparableConv2D,
        ops.binarize,
        bits=1,
    )


def _ternarize(n_bits: int) -> Scheme:
    from ternarize import ternary_layers as layers
    from ternarize import ternary_ops as ops

    del n_bits
    return Scheme(
        "ternarize",
        ops.ternary_tanh,
        layers.TernaryConv2D,
        layers.TernarySeparableConv2D,
        ops.ternarize,
        bits=2,
    )


def _quantize(n_bits: int) -> Scheme:
    from quantize import quantized_layers as layers
    from quantize import quantized_ops as ops

    return Scheme(
        "quantize",
        partial(ops.quantized_tanh, n_bits=n_bits),
        partial(layers.QuantizedConv2D, n_bits=n_bits),
        partial(layers.QuantizedSeparableConv2D, n_bits=n_bits),
        partial(ops.quantize, n_bits=n_bits),
        bits=n_bits,
    )


def _float(n_bits: int) -> Scheme:
    import tensorflow as tf

    from quantize import base_layers as layers

    del n_bits
    return Scheme(
        "float",
        tf.nn.relu,
        layers.BaseConv2D,
        layers.BaseSeparableConv2D,
        tf.identity,
        bits=32,
        bound=None,
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
    """
    return SCHEMES[name](n_bits)
