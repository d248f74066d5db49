"""The Keras layers that an exported model needs besides those of the number formats.

Import this module before you load network.keras:

    import keras
    import enas.export.keras_layers
    model = keras.saving.load_model("network.keras")

Layout: N = batch, H and W = height and width, C = channels. Images are [N, H, W, C].
"""

import keras
import tensorflow as tf

# They register the layers and activations of their number formats.
import binarize.binary_layers  # noqa: F401
import quantize.quantized_layers  # noqa: F401
import ternarize.ternary_layers  # noqa: F401
from enas.common_ops import BN_DECAY, BN_EPSILON
from quantize.base_layers import LAYERS, serializable

for _layer in LAYERS:  # those of the float format
    serializable(_layer)


@serializable
class NormalizedImage(keras.layers.Layer):
    """Normalizes images of 0 … 255 as for training: (x / 255 - mean) / std.

    The weights are mean and std, [C] each, of images scaled to [0, 1], and the 255. All
    three are variables, because TensorFlow turns a division by a constant into a
    product with its reciprocal, which rounds otherwise.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_jit = False  # see FusedBatchNorm

    def build(self, input_shape):
        shape = tuple(input_shape[-1:])
        self.mean = self._constant("mean", shape, 0.0)
        self.std = self._constant("std", shape, 1.0)
        self.white = self._constant("white", (), 255.0)

    def _constant(self, name: str, shape: tuple[int, ...], value: float):
        start = keras.initializers.Constant(value)
        return self.add_weight(
            name=name, shape=shape, initializer=start, trainable=False
        )

    def call(self, inputs):
        return (tf.cast(inputs, tf.float32) / self.white - self.mean) / self.std


@serializable
class FusedBatchNorm(keras.layers.BatchNormalization):
    """Batch norm of the last axis that rounds as the trained child does.

    Outside training it runs the child's op: Keras multiplies and adds in another order,
    and one ulp can move the activation that follows to another level. For the same
    reason Keras must not compile a model with this layer with XLA, which rounds
    otherwise, unless a person asks for it. In training it does what Keras does.
    """

    def __init__(
        self, *, momentum: float = BN_DECAY, epsilon: float = BN_EPSILON, **kwargs
    ):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        self.supports_jit = False

    def call(self, inputs, training=None, mask=None):
        if training and self.trainable:
            return super().call(inputs, training=training, mask=mask)
        outputs, *_ = tf.compat.v1.nn.fused_batch_norm(
            _apart(inputs),
            self.gamma,
            self.beta,
            self.moving_mean,
            self.moving_variance,
            self.epsilon,
            is_training=False,
        )
        return outputs


@tf.custom_gradient
def _apart(x: tf.Tensor) -> tuple:
    """Returns x, in a way that keeps TensorFlow from merging what makes and reads it.

    In `predict` it would merge a convolution and its batch norm, and round otherwise.
    """
    return tf.raw_ops.Snapshot(input=x), lambda dy: dy
