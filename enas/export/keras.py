"""Writes a network as a Keras model with latent kernels, to train it further.

The layers are those of `quantize/`, `binarize/` and `ternarize/`, which `fit` can
train. The class of a layer is chosen by the kind of its step; to export a new step, add
its entry to `_MAKERS`.

The model must be built outside of any graph of TensorFlow 1.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from binarize.binary_ops import binary_tanh
from enas.export.keras_layers import FusedBatchNorm, NormalizedImage
from enas.export.walk import Trained
from enas.network.formats import Format
from enas.network.steps import (
    Activate,
    Add,
    AveragePool,
    Concatenate,
    Convolve,
    Dense,
    Depthwise,
    GlobalAverage,
    MaxPool,
    Mean,
    Norm,
    Normalize,
    Reduce,
    Step,
)
from enas.space.schemes import SCHEMES, Scheme, make_scheme
from quantize.quantized_layers import QuantizedTanh
from ternarize.ternary_ops import ternary_tanh

FILE = "network.keras"
Arrays = Sequence[np.ndarray]
Made = tuple[Any, Arrays]  # a layer, and the weights that it gets once it is built


def write(folder: str, trained: Trained) -> list[str]:
    """Writes the model of a network; returns a sentence on its file.

    Raises:
      OSError: it cannot be written.
    """
    model = model_of(trained)
    model.save(os.path.join(folder, FILE))
    return [
        f"{FILE}: a Keras model with {model.count_params():,} numbers, to train it "
        f"further; it reads images of 0 to 255 and returns logits; load it with "
        f'import keras, enas.export.keras_layers; keras.saving.load_model("{FILE}")'
    ]


def model_of(trained: Trained) -> keras.Model:
    """Returns the model of a network with its latent kernels.

    It maps images [N, H, W, C] of 0 … 255, integers or floats, to logits [N, classes].
    """
    network, numbers = trained.network, Counter[str]()
    image = network.image
    shape = (image.height, image.width, image.channels)
    made: list[Any] = [keras.Input(shape, name="image")]
    for step, part, stored, latent in zip(
        network.steps, network.parts, network.tensors, trained.latent, strict=True
    ):
        if step is image:
            continue
        name = f"{part}_{step.kind}"
        numbers[name] += 1
        if numbers[name] > 1:
            name += f"_{numbers[name]}"
        layer, weights = _MAKERS[step.kind](step, name, stored, latent)
        inputs = [made[number] for number in step.inputs]
        made.append(layer(inputs if len(inputs) > 1 else inputs[0]))
        layer.set_weights(weights)
    return keras.Model(made[0], made[-1], name="network")


def _normalize(step: Step, name: str, stored: Arrays, latent: Arrays) -> Made:
    return NormalizedImage(name=name), (*stored, np.array(255.0, np.float32))


def _activate(step: Activate, name: str, stored: Arrays, latent: Arrays) -> Made:
    if step.format.name == "fixed":
        return QuantizedTanh(step.format.bits, name=name), ()
    return keras.layers.Activation(_ACTIVATIONS[step.format.name], name=name), ()


def _conv(step: Convolve, name: str, stored: Arrays, latent: Arrays) -> Made:
    scheme = _scheme_of(step.format)
    return scheme.layer("conv2d", step.filters, step.size, name=name), latent


def _depthwise(step: Depthwise, name: str, stored: Arrays, latent: Arrays) -> Made:
    layer = _scheme_of(step.format).layer(
        "depthwise_conv2d", step.size, strides=step.stride, name=name
    )
    return layer, latent


def _reduce(step: Reduce, name: str, stored: Arrays, latent: Arrays) -> Made:
    scheme = _scheme_of(step.format)
    return scheme.layer("factorized_reduction", step.filters, name=name), latent


def _norm(step: Step, name: str, stored: Arrays, latent: Arrays) -> Made:
    scale, variance, *others = latent
    mean, offset = others or (stored[0], stored[-1])
    return FusedBatchNorm(name=name), (scale, offset, mean, variance)


def _dense(step: Dense, name: str, stored: Arrays, latent: Arrays) -> Made:
    if step.format.integers is None:
        return keras.layers.Dense(step.units, use_bias=False, name=name), stored
    return _scheme_of(step.format).layer("dense", step.units, name=name), latent


def _pool(kind: type) -> Callable:
    def make(step: Any, name: str, stored: Arrays, latent: Arrays) -> Made:
        layer = kind(
            step.size,
            step.stride,
            padding="same",
            data_format="channels_last",
            name=name,
        )
        return layer, ()

    return make


def _plain(kind: type, **options: Any) -> Callable:
    """Makes layers that need nothing of their step."""

    def make(step: Step, name: str, stored: Arrays, latent: Arrays) -> Made:
        return kind(name=name, **options), ()

    return make


def _scheme_of(form: Format) -> Scheme:
    """Returns the scheme whose kernels have a format."""
    schemes = (make_scheme(name, form.bits) for name in SCHEMES)
    return next(scheme for scheme in schemes if scheme.format == form)


_ACTIVATIONS = {"binary": binary_tanh, "ternary": ternary_tanh, "real": "relu"}

# For each kind of step, a function of (step, name of the layer, what the step stores,
# what Trained.latent has of it) that returns the layer and its weights.
_MAKERS: dict[str, Callable[..., Made]] = {
    Normalize.kind: _normalize,
    Activate.kind: _activate,
    Convolve.kind: _conv,
    Depthwise.kind: _depthwise,
    Reduce.kind: _reduce,
    Norm.kind: _norm,
    AveragePool.kind: _pool(keras.layers.AveragePooling2D),
    MaxPool.kind: _pool(keras.layers.MaxPooling2D),
    Add.kind: _plain(keras.layers.Add),
    Mean.kind: _plain(keras.layers.Average),
    Concatenate.kind: _plain(keras.layers.Concatenate),
    GlobalAverage.kind: _plain(
        keras.layers.GlobalAveragePooling2D, data_format="channels_last"
    ),
    Dense.kind: _dense,
}
