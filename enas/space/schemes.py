"""The number formats that a child can be built with.

A scheme combines an activation with the layers of one quantizer. A child is given a
scheme and never asks which one it is. To add a scheme, write its entry in SCHEMES.

This module must not import TensorFlow before a scheme is made, so that checking a flag
takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from enas.network.formats import BINARY, REAL, TERNARY, Format, fixed

if TYPE_CHECKING:
    import tensorflow as tf

    from quantize.base_layers import Layers

# The name scope of activations, which shows whether an op of the graph reads one. In it
# is another one, with the name of the activation's format.
ACTIVATION = "activation"


class Scheme(NamedTuple):
    """One number format.

    Attributes:
      activation: the function that is applied before a convolution.
      layers: the Keras layer classes of its quantizer.
      format: that of a weight, and of an activation, when they are stored packed.
      H: latent kernels start uniform in [-H, H], stay there, and are quantized within
        that range. None is for real-valued kernels with He initialization.
      options: further arguments of the layers.
    """

    name: str
    activation: Callable
    layers: Layers
    format: Format
    H: float | None = 1.0
    options: Mapping[str, Any] = MappingProxyType({})

    def layer(self, kind: str, *args, **kwargs):
        """Makes a layer of this format.

        Args:
          kind: a field of `quantize.base_layers.Layers`.
        """
        bound = {} if self.H is None else {"H": self.H}
        return getattr(self.layers, kind)(*args, **bound, **self.options, **kwargs)

    def quantize(self, w: tf.Tensor) -> tf.Tensor:
        """Returns the kernel that a layer uses, from a latent kernel of any shape."""
        return self.layer("dense", 1).quantize_kernel(w, self.H)


def _binarize(n_bits: int) -> Scheme:
    from binarize.binary_layers import LAYERS
    from binarize.binary_ops import binary_tanh

    return Scheme("binarize", binary_tanh, LAYERS, BINARY)


def _ternarize(n_bits: int) -> Scheme:
    from ternarize.ternary_layers import LAYERS
    from ternarize.ternary_ops import ternary_tanh

    return Scheme("ternarize", ternary_tanh, LAYERS, TERNARY)


def _quantize(n_bits: int) -> Scheme:
    from quantize.quantized_layers import LAYERS
    from quantize.quantized_ops import quantized_tanh

    activation = partial(quantized_tanh, n_bits=n_bits)
    options = {"n_bits": n_bits}
    return Scheme("quantize", activation, LAYERS, fixed(n_bits), options=options)


def _float(n_bits: int) -> Scheme:
    import tensorflow as tf

    from quantize.base_layers import LAYERS

    return Scheme("float", tf.nn.relu, LAYERS, REAL, H=None)


SCHEMES = {
    "binarize": _binarize,
    "ternarize": _ternarize,
    "quantize": _quantize,
    "float": _float,
}


def make_scheme(name: str, n_bits: int = 4) -> Scheme:
    """Makes the scheme of that name.

    Args:
      name: a key of SCHEMES.
      n_bits: the bits of `quantize`; the other schemes have their own.
    """
    scheme = SCHEMES[name](n_bits)
    activation = partial(_in_scope, scheme.activation, str(scheme.format))
    return scheme._replace(activation=activation)


def _in_scope(activation: Callable, form: str, x: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    with tf.name_scope(ACTIVATION), tf.name_scope(form):
        return activation(x)
