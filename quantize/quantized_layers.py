"""Keras layers with n-bit fixed-point kernels, and the n-bit activations as layers.

The layers take the arguments of the base layers (`quantize/base_layers.py`) and
`n_bits`.
"""

import keras

from quantize.base_layers import layers_of, serializable
from quantize.quantized_ops import quantize, quantized_relu, quantized_tanh


class Quantized:
    """Mixin: kernels in {-H, ..., H·(m - 1)/m}, m = 2^(n_bits - 1). arXiv:1609.07061.

    Args:
      n_bits: 2 or more.
    """

    def __init__(self, *args, n_bits: int = 4, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_bits = n_bits

    def quantize_kernel(self, w, H):
        return quantize(w, self.n_bits, H)

    def get_config(self):
        return super().get_config() | {"n_bits": self.n_bits}


LAYERS = layers_of(Quantized)
(
    QuantizedDense,
    QuantizedConv2D,
    QuantizedDepthwiseConv2D,
    QuantizedSeparableConv2D,
    QuantizedFactorizedReduction,
) = LAYERS


class _Activation(keras.layers.Layer):
    def __init__(self, n_bits: int = 4, **kwargs):
        super().__init__(**kwargs)
        self.n_bits = n_bits

    def get_config(self):
        return super().get_config() | {"n_bits": self.n_bits}


@serializable
class QuantizedTanh(_Activation):
    """The activation `quantized_tanh` at n_bits, for a Keras model."""

    def call(self, inputs):
        return quantized_tanh(inputs, self.n_bits)


@serializable
class QuantizedReLU(_Activation):
    """The activation `quantized_relu` at n_bits, for a Keras model."""

    def call(self, inputs):
        return quantized_relu(inputs, self.n_bits)
