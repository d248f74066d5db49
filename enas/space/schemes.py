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


def _binarize(form: Format) -> Scheme:
    from binarize.binary_layers import LAYERS
    from binarize.binary_ops import binary_tanh

    return Scheme("binarize", binary_tanh, LAYERS, form)


def _ternarize(form: Format) -> Scheme:
    from ternarize.ternary_layers import LAYERS
    from ternarize.ternary_ops import ternary_tanh

    return Scheme("ternarize", ternary_tanh, LAYERS, form)


def _quantize(form: Format) -> Scheme:
    from quantize.quantized_layers import LAYERS
    from quantize.quantized_ops import quantized_tanh

    activation = partial(quantized_tanh, n_bits=form.bits)
    options = {"n_bits": form.bits}
    return Scheme("quantize", activation, LAYERS, form, options=options)


def _float(form: Format) -> Scheme:
    import tensorflow as tf

    from quantize.base_layers import LAYERS

    return Scheme("float", tf.nn.relu, LAYERS, form, H=None)


class _Entry(NamedTuple):
    """A row of SCHEMES.

    Attributes:
      make: makes the scheme of a format.
      format: the format for the bits that `child_n_bits` names.
    """

    make: Callable[[Format], Scheme]
    format: Callable[[int], Format]


SCHEMES = {
    "binarize": _Entry(_binarize, lambda n_bits: BINARY),
    "ternarize": _Entry(_ternarize, lambda n_bits: TERNARY),
    "quantize": _Entry(_quantize, fixed),
    "float": _Entry(_float, lambda n_bits: REAL),
}


class SchemeSpec(NamedTuple):
    """Names a scheme before it is made, which loads TensorFlow.

    Attributes:
      name: a key of SCHEMES.
      n_bits: the bits of `quantize`; the other schemes have their own.
    """

    name: str
    n_bits: int = 4

    @property
    def format(self) -> Format:
        """The format of a weight, and of an activation."""
        return SCHEMES[self.name].format(self.n_bits)

    def make(self) -> Scheme:
        return make_scheme(*self)


def specs_of(name: str, first: str, n_bits: int) -> tuple[SchemeSpec, SchemeSpec]:
    """Returns (the scheme of a network, that of its stem and layer 0).

    Args:
      name: the scheme of the network.
      first: that of the stem and layer 0. If it is empty they have 4-bit `quantize`, or
        `float` in a float network.
      n_bits: the bits of the schemes that are named, where they are `quantize`.
    """
    scheme = SchemeSpec(name, n_bits)
    if first:
        return scheme, SchemeSpec(first, n_bits)
    return scheme, scheme if scheme.format == REAL else SchemeSpec("quantize", 4)


def head_spec(bits: int) -> SchemeSpec:
    """Returns the scheme of a classifier's weights; 0 bits are those of float32."""
    return SchemeSpec("quantize", bits) if bits else SchemeSpec("float")


def make_scheme(name: str, n_bits: int = 4) -> Scheme:
    """Makes the scheme of that name; see SchemeSpec."""
    entry = SCHEMES[name]
    scheme = entry.make(entry.format(n_bits))
    activation = partial(_in_scope, scheme.activation, str(scheme.format))
    return scheme._replace(activation=activation)


def _in_scope(activation: Callable, form: str, x: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    with tf.name_scope(ACTIVATION), tf.name_scope(form):
        return activation(x)
