"""Trains three small Keras models of low-bit layers on MNIST with plain `fit`.

    enas_env/bin/python -m benchmarks.keras_layers_mnist [NAME …] [--epochs=N]

There is no search and no graph mode. A binary MLP, a ternary CNN and a 4-bit CNN use
this project's layers like any others. It prints the test error of each model after its
last epoch.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from binarize.binary_layers import BinaryDense
from binarize.binary_ops import binary_tanh
from enas.data_utils import Data, FolderReader, Split, open_sources
from quantize.quantized_layers import QuantizedConv2D, QuantizedDense, QuantizedReLU
from ternarize.ternary_layers import TernaryConv2D, TernaryDense
from ternarize.ternary_ops import ternary_tanh

BATCH = 100
LEARNING_RATE = 0.005  # at the start; it decays to zero by a cosine

# For each later convolution of the CNNs: its filters, and whether a max pool follows.
BLOCKS = ((64, False), (64, True), (128, False))

Layer = Callable[..., keras.layers.Layer]


def binary_mlp() -> keras.Model:
    """Makes an MLP whose weights and activations are -1 or +1.

    It has three hidden layers of 1024, and dropout, on the pixels too, as in BinaryNet
    (1602.02830).
    """
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    for _ in range(3):
        model.add(keras.layers.Dropout(0.2))
        model.add(BinaryDense(1024))
        model.add(keras.layers.BatchNormalization(momentum=0.9))
        model.add(keras.layers.Activation(binary_tanh))
    model.add(BinaryDense(10))
    model.add(keras.layers.BatchNormalization(momentum=0.9))
    return model


def cnn(first: int, conv: Layer, dense: Layer, activation: Layer) -> keras.Model:
    """Makes a CNN of 3×3 convolutions and a classifier, all of them low-bit.

    Args:
      first: filters of the first convolution.
      conv: makes a layer from (filters, kernel size).
      dense: makes a layer from the number of units.
      activation: makes a layer without arguments.
    """
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters, pooled in ((first, True), *BLOCKS):
        model.add(conv(filters, 3))
        if pooled:
            model.add(keras.layers.MaxPooling2D())
        model.add(keras.layers.BatchNormalization(momentum=0.9))
        model.add(activation())
    model.add(keras.layers.AveragePooling2D(7))
    model.add(keras.layers.Flatten())
    model.add(dense(10))
    model.add(keras.layers.BatchNormalization(momentum=0.9))
    return model


def ternary_cnn() -> keras.Model:
    """Makes a CNN whose weights and activations are -1, 0 or +1."""
    activation = partial(keras.layers.Activation, ternary_tanh)
    return cnn(64, TernaryConv2D, TernaryDense, activation)


def four_bit_cnn() -> keras.Model:
    """Makes a CNN with 4-bit weights in [-1, 1) and 4-bit activations in [0, 1)."""
    conv, dense = (
        partial(layer, n_bits=4) for layer in (QuantizedConv2D, QuantizedDense)
    )
    return cnn(32, conv, dense, partial(QuantizedReLU, n_bits=4))


# The model and the number of epochs, by name.
MODELS = {
    "binary_mlp": (binary_mlp, 25),
    "ternary_cnn": (ternary_cnn, 30),
    "four_bit_cnn": (four_bit_cnn, 20),
}


def read_mnist() -> Data:
    names = ("train", "valid", "test")
    return FolderReader(open_sources(*(f"data/mnist/{n}" for n in names)), 28, 1)()


def inputs_of(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns float32 images [N, 28, 28, 1] in [-1, 1], and labels int32 [N]."""
    return split.images.astype(np.float32) / 127.5 - 1.0, split.labels


def train(model: keras.Model, data: Data, epochs: int) -> float:
    """Fits the model; returns its error on the test set, from 0 to 1."""
    steps = epochs * -(-len(data.train.labels) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # on a CPU, XLA's convolutions are slower
    )
    model.fit(
        *inputs_of(data.train),
        batch_size=BATCH,
        epochs=epochs,
        validation_data=inputs_of(data.valid),
        verbose=2,
    )
    _, accuracy = model.evaluate(*inputs_of(data.test), batch_size=BATCH, verbose=0)
    return 1.0 - accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--epochs", type=int, help="instead of each model's own number")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in MODELS:
            parser.error(f"there is no {name}; there are {', '.join(MODELS)}")
    data, results = read_mnist(), []
    for name in arguments.names or MODELS:
        make_model, epochs = MODELS[name]
        keras.utils.set_random_seed(arguments.seed)
        model, start = make_model(), time.monotonic()
        error = train(model, data, arguments.epochs or epochs)
        minutes = (time.monotonic() - start) / 60
        results.append(
            f"{name:<13s} {model.count_params():>8d} weights   "
            f"test error {100 * error:.2f} %   {minutes:.1f} min"
        )
        print(results[-1], flush=True)
    print("\n".join(results))


if __name__ == "__main__":
    main()
