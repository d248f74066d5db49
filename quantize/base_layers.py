"""Keras 3 layers whose kernel passes through a quantizer before it is used.

A layer that makes its own latent kernels works in a plain `keras.Model` with `fit`,
`save` and `load_model`. A layer that takes existing tensors from `w_getter` as its
latent kernels works on slices of shared variables in a graph. The layers of this module
leave kernels as they are (float). `layers_of` makes the layers of a number format from
one mixin, which says how a kernel is quantized.

Layout: N = batch, H and W = height and width, C = channels, F = filters, K = kernel
size. Images are [N, H, W, C], kernels [K, K, C, F], depthwise kernels [K, K, C, 1].
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from quantize.base_ops import conv2d, depthwise_conv2d, scale_gradient

# The name scope of a 2×2 convolution whose kernel is zero off its diagonal.
DIAGONAL = "diagonal"
serializable = keras.saving.register_keras_serializable(package="lowbit")


def fans(shape: Sequence[int], depthwise: bool = False) -> tuple[int, int]:
    """Returns a kernel's (fan in, fan out).

    Fan in counts the inputs that one output sums; fan out counts the outputs that one
    input feeds.
    """
    window = math.prod(shape[:-2])
    return window * (1 if depthwise else shape[-2]), window * shape[-1]


def glorot_scale(shape: Sequence[int], depthwise: bool = False) -> float:
    """BinaryConnect's H, sqrt(1.5 / (fan in + fan out)) (arXiv:1511.00363)."""
    return math.sqrt(1.5 / sum(fans(shape, depthwise)))


@serializable
class Clip(keras.constraints.Constraint):
    """Keeps latent weights in [-H, H], where the quantizer still tells them apart."""

    def __init__(self, H: float):
        self.H = H

    def __call__(self, w):
        return keras.ops.clip(w, -self.H, self.H)

    def get_config(self):
        return {"H": self.H}


class BaseLayer(keras.layers.Layer):
    """What all layers share: latent kernels, their quantizer, an optional bias.

    Args:
      H: the weights stay in [-H, H]. A positive number, or 'Glorot' for
        sqrt(1.5/(fan in + fan out)). Float layers have no such bound.
      kernel_lr_multiplier: multiplies the gradient of the latent kernels. A positive
        number, or 'Glorot' for sqrt((fan in + fan out)/1.5). With SGD and momentum it
        multiplies the kernels' learning rate. Adam divides it out again, except for the
        effect of epsilon.
      use_bias: whether to add a real-valued bias, which starts at zero.
      w_getter: a function without arguments that returns the latent kernel as a tensor
        (both kernels, for a separable convolution with the depthwise one first, and for
        a factorized reduction with the even one first). The layer then has no kernel of
        its own and cannot be saved.

    Raises:
      ValueError: H or kernel_lr_multiplier is neither positive nor 'Glorot'.
    """

    bounded = False  # whether latent kernels start in, and are kept in, [-H, H]

    def __init__(
        self,
        *,
        H: float | str = 1.0,
        kernel_lr_multiplier: float | str = 1.0,
        use_bias: bool = False,
        w_getter: Callable | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value in (("H", H), ("kernel_lr_multiplier", kernel_lr_multiplier)):
            if value != "Glorot" and not (
                isinstance(value, (int, float)) and value > 0
            ):
                raise ValueError(f"{name} is {value!r}; it is positive or 'Glorot'")
        self.H = H
        self.kernel_lr_multiplier = kernel_lr_multiplier
        self.use_bias = use_bias
        self.w_getter = w_getter
        self.latent_kernels: list = []

    def quantize_kernel(self, w: tf.Tensor, H: float) -> tf.Tensor:
        """Quantizes the latent kernel w; a float layer returns w itself."""
        del H
        return w

    def kernel_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Maps the name of each latent kernel to its shape.

        The name of a depthwise kernel must start with 'depthwise'.
        """
        raise NotImplementedError

    def build(self, input_shape):
        shapes = self.kernel_shapes(input_shape[-1])
        if self.w_getter is None:
            self.latent_kernels = [
                self._add_kernel(name, shape) for name, shape in shapes.items()
            ]
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.outputs(input_shape[-1]),), initializer="zeros"
            )

    def outputs(self, channels: int) -> int:
        """The number of output channels; by default that of the last kernel."""
        *_, last = self.kernel_shapes(channels).values()
        return last[-1]

    def _add_kernel(self, name: str, shape: tuple[int, ...]):
        if self.bounded:
            H = self._resolved(self.H, name, shape)
            initializer = keras.initializers.RandomUniform(-H, H)
            constraint = Clip(H)
        else:
            fan_in, _ = fans(shape, name.startswith("depthwise"))
            initializer = keras.initializers.RandomNormal(stddev=math.sqrt(2 / fan_in))
            constraint = None
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, constraint=constraint
        )

    def _resolved(self, value, name: str, shape, inverse: bool = False) -> float:
        if value != "Glorot":
            return float(value)
        scale = glorot_scale(shape, name.startswith("depthwise"))
        return 1.0 / scale if inverse else scale

    def kernels(self, channels: int) -> list[tf.Tensor]:
        """The quantized kernels for inputs with that number of channels."""
        latent = self.latent_kernels
        if self.w_getter is not None:
            latent = self.w_getter()
            latent = latent if isinstance(latent, (list, tuple)) else [latent]
        quantized = []
        for (name, shape), w in zip(
            self.kernel_shapes(channels).items(), latent, strict=True
        ):
            factor = self._resolved(self.kernel_lr_multiplier, name, shape, True)
            w = scale_gradient(tf.convert_to_tensor(w), factor)
            H = self._resolved(self.H, name, shape)
            quantized.append(self.quantize_kernel(w, H))
        return quantized

    def add_bias(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs if self.bias is None else outputs + self.bias

    def get_config(self):
        if self.w_getter is not None:
            raise ValueError(
                f"layer {self.name} takes its kernel from w_getter; it cannot be saved"
            )
        return super().get_config() | {
            "H": self.H,
            "kernel_lr_multiplier": self.kernel_lr_multiplier,
            "use_bias": self.use_bias,
        }


class BaseDense(BaseLayer):
    """Dense layer: [..., C] to [..., units]. The kernel is [C, units]."""

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def kernel_shapes(self, channels):
        return {"kernel": (channels, self.units)}

    def call(self, inputs):
        (kernel,) = self.kernels(inputs.shape[-1])
        return self.add_bias(tf.tensordot(inputs, kernel, 1))

    def get_config(self):
        return super().get_config() | {"units": self.units}


class BaseSpatial(BaseLayer):
    """Base class of the convolutions.

    Args:
      kernel_size: K, for a K×K kernel.
      strides: one stride for both directions.
      padding: 'same' or 'valid'.
    """

    def __init__(
        self, kernel_size: int, *, strides: int = 1, padding: str = "same", **kwargs
    ):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding

    def get_config(self):
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
        }

    def _depthwise(self, inputs, kernel):
        return depthwise_conv2d(inputs, kernel, self.strides, self.padding.upper())


class BaseConv2D(BaseSpatial):
    """Convolution: [N, H, W, C] to [N, H', W', F]. The kernel is [K, K, C, F]."""

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(kernel_size, **kwargs)
        self.filters = filters

    def kernel_shapes(self, channels):
        return {"kernel": (self.kernel_size, self.kernel_size, channels, self.filters)}

    def call(self, inputs):
        (kernel,) = self.kernels(inputs.shape[-1])
        padding = self.padding.upper()
        return self.add_bias(conv2d(inputs, kernel, self.strides, padding))

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


class BaseDepthwiseConv2D(BaseSpatial):
    """Depthwise convolution: [N, H, W, C] to [N, H', W', C]. Kernel: [K, K, C, 1]."""

    def outputs(self, channels):
        return channels

    def kernel_shapes(self, channels):
        return {
            "depthwise_kernel": (self.kernel_size, self.kernel_size, channels, 1),
        }

    def call(self, inputs):
        (kernel,) = self.kernels(inputs.shape[-1])
        return self.add_bias(self._depthwise(inputs, kernel))


class BaseSeparableConv2D(BaseSpatial):
    """Separable convolution: [N, H, W, C] to [N, H', W', F].

    The kernels are [K, K, C, 1] and [1, 1, C, F]. Nothing comes between the depthwise
    and the pointwise convolution.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(kernel_size, **kwargs)
        self.filters = filters

    def kernel_shapes(self, channels):
        return {
            "depthwise_kernel": (self.kernel_size, self.kernel_size, channels, 1),
            "pointwise_kernel": (1, 1, channels, self.filters),
        }

    def call(self, inputs):
        depthwise, pointwise = self.kernels(inputs.shape[-1])
        outputs = self._depthwise(inputs, depthwise)
        return self.add_bias(conv2d(outputs, pointwise, 1, "SAME"))

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


class BaseFactorizedReduction(BaseLayer):
    """Factorized reduction: [N, H, W, C] to [N, H/2, W/2, F].

    There are two kernels, [1, 1, C, F/2] each. A 1×1 convolution with stride 2 reads
    pixels 0, 2, 4 … in both directions and makes the first half of the filters. Another
    one reads pixels 1, 3, 5 … (zero beyond the edge of an odd size) and makes the other
    half. Both are computed as one 2×2 convolution whose kernel is zero off its
    diagonal. This avoids slicing the image, and the gradient of the slices.

    Args:
      filters: F, even.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def outputs(self, channels):
        return self.filters

    def kernel_shapes(self, channels):
        shape = (1, 1, channels, self.filters // 2)
        return {"kernel_even": shape, "kernel_odd": shape}

    def call(self, inputs):
        even, odd = self.kernels(inputs.shape[-1])
        zeros = tf.zeros_like(even)
        corners = ((even, zeros), (zeros, zeros), (zeros, zeros), (zeros, odd))
        kernel = tf.concat([tf.concat(pair, axis=-1) for pair in corners], axis=1)
        kernel = tf.reshape(kernel, [2, 2, inputs.shape[-1], self.filters])
        with tf.name_scope(DIAGONAL):
            outputs = tf.nn.conv2d(inputs, kernel, 2, "SAME")
        return self.add_bias(outputs)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


class Layers(NamedTuple):
    """The layer classes of one number format."""

    dense: type[BaseDense]
    conv2d: type[BaseConv2D]
    depthwise_conv2d: type[BaseDepthwiseConv2D]
    separable_conv2d: type[BaseSeparableConv2D]
    factorized_reduction: type[BaseFactorizedReduction]


LAYERS = Layers(  # float: kernels stay as they are
    BaseDense,
    BaseConv2D,
    BaseDepthwiseConv2D,
    BaseSeparableConv2D,
    BaseFactorizedReduction,
)


def layers_of(mixin: type) -> Layers:
    """Makes the layers whose kernels a mixin quantizes: Ternary makes TernaryDense.

    Args:
      mixin: a class with `quantize_kernel` (see BaseLayer); it may have arguments of
        its own. The names of the layers begin with its name.
    """
    return Layers(*[_quantized(mixin, base) for base in LAYERS])


def _quantized(mixin: type, base: type[BaseLayer]) -> type:
    name = base.__name__.replace("Base", mixin.__name__)
    summary = f"{base.__name__} with a kernel that {mixin.__name__} quantizes."
    content = {
        "__doc__": f"{summary}\n\n    {base.__doc__}",
        "__module__": mixin.__module__,  # users import it from there
        "bounded": True,
    }
    return serializable(type(name, (mixin, base), content))
