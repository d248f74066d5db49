"""Low-bit Keras layers: on given kernels, and on their own with fit, save and load."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from binarize import binary_layers
from binarize.binary_layers import BinaryDense, XnorConv2D, XnorDense
from binarize.binary_ops import binarize, binary_tanh, xnorize
from enas.common_ops import create_weights, pieces_of
from enas.space.operations import conv_norm_specs, reduction_specs
from enas.space.schemes import make_scheme
from quantize import base_layers, quantized_layers
from quantize.base_layers import (
    BaseConv2D,
    BaseDense,
    BaseDepthwiseConv2D,
    BaseFactorizedReduction,
    BaseSeparableConv2D,
    glorot_scale,
)
from quantize.quantized_layers import QuantizedReLU, QuantizedTanh
from quantize.quantized_ops import quantize
from ternarize import ternary_layers
from ternarize.ternary_layers import TernaryDense
from ternarize.ternary_ops import ternarize, ternary_tanh

BASES = base_layers.LAYERS
SCHEMES = {
    "binary": (
        binary_layers.LAYERS,
        binarize,
        lambda: keras.layers.Activation(binary_tanh),
    ),
    "ternary": (
        ternary_layers.LAYERS,
        ternarize,
        lambda: keras.layers.Activation(ternary_tanh),
    ),
    "4-bit": (
        quantized_layers.LAYERS,
        lambda w, H: quantize(w, 4, H),
        lambda: QuantizedTanh(4),
    ),
}
ARGUMENTS = {
    BaseDense: (5,),
    BaseConv2D: (5, 3),
    BaseDepthwiseConv2D: (3,),
    BaseSeparableConv2D: (5, 3),
    BaseFactorizedReduction: (16,),
}
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 6, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("H", [1.0, 0.5, "Glorot"])
def test_equals_the_float_layer_on_quantized_kernels(base, name, H):
    keras.utils.set_random_seed(1)  # few weights could all have the same sign
    layers, quantizer, _ = SCHEMES[name]
    layer = layers[BASES.index(base)](*ARGUMENTS[base], H=H, use_bias=True)
    actual = layer(IMAGES)
    latent = layer.latent_kernels
    kernels = []
    for w in latent:
        depthwise = "depthwise" in w.name
        scale = glorot_scale(w.shape, depthwise) if H == "Glorot" else H
        assert np.abs(w.numpy()).max() <= scale
        kernels.append(quantizer(tf.convert_to_tensor(w), scale))
        assert len(np.unique(kernels[-1])) > 1
    twin = base(*ARGUMENTS[base], w_getter=lambda: kernels)
    np.testing.assert_allclose(actual, twin(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("base", [BaseConv2D, BaseDepthwiseConv2D, BaseSeparableConv2D])
@pytest.mark.parametrize(
    ("strides", "padding"), [(1, "same"), (2, "same"), (2, "valid")]
)
def test_float_layers_equal_those_of_keras(base, strides, padding):
    layer = base(*ARGUMENTS[base], strides=strides, padding=padding)
    twin = {
        BaseConv2D: keras.layers.Conv2D,
        BaseDepthwiseConv2D: keras.layers.DepthwiseConv2D,
        BaseSeparableConv2D: keras.layers.SeparableConv2D,
    }[base](*ARGUMENTS[base], strides=strides, padding=padding, use_bias=False)
    twin.build(IMAGES.shape)
    layer.build(IMAGES.shape)
    for mine, theirs in zip(layer.latent_kernels, twin.trainable_weights, strict=True):
        mine.assign(theirs)
    np.testing.assert_allclose(layer(IMAGES), twin(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SCHEMES)
def test_fit_save_and_load(name, tmp_path):
    (dense, conv, depthwise, separable, reduction), _, activation = SCHEMES[name]
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            conv(8, 3),
            activation(),
            depthwise(3),
            keras.layers.BatchNormalization(),
            activation(),
            separable(8, 3, strides=2, H="Glorot"),
            keras.layers.BatchNormalization(),
            activation(),
            reduction(6),
            keras.layers.BatchNormalization(),
            QuantizedReLU(3),
            keras.layers.GlobalAveragePooling2D(),
            dense(2, use_bias=True, kernel_lr_multiplier="Glorot"),
        ]
    )
    images = np.random.normal(size=(64, 6, 6, 3)).astype(np.float32)
    labels = (images.mean((1, 2, 3)) > 0).astype(np.int32)
    before = [w.numpy() for w in model.trainable_weights]
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.learning_rate = 0.5
    model.fit(images, labels, epochs=2, verbose=0)
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert (old != weight.numpy()).any(), weight.path
        if "kernel" in weight.name:
            assert np.abs(weight.numpy()).max() <= 1.0
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(loaded.predict(images), model.predict(images))


def test_bias_has_one_number_an_output_channel():
    for base in BASES:
        layer = base(*ARGUMENTS[base], use_bias=True)
        channels = layer(IMAGES).shape[-1]
        assert layer.bias.shape == (channels,)


@pytest.mark.parametrize("layer", [XnorDense(5), XnorConv2D(5, 3)])
def test_xnor_layers_scale_their_binary_kernels(layer):
    actual = layer(IMAGES)
    (latent,) = layer.latent_kernels
    kernel, alpha = xnorize(tf.convert_to_tensor(latent))
    arguments = (5,) if isinstance(layer, XnorDense) else (5, 3)
    base = BaseDense if isinstance(layer, XnorDense) else BaseConv2D
    twin = base(*arguments, w_getter=lambda: kernel * alpha)
    np.testing.assert_allclose(actual, twin(IMAGES), rtol=1e-5, atol=1e-6)


def test_kernel_lr_multiplier_scales_the_gradient():
    x, w = tf.ones([1, 3]), tf.Variable([[0.1], [0.2], [0.3]])
    gradients = []
    for factor in (1.0, 4.0):
        layer = TernaryDense(1, kernel_lr_multiplier=factor, w_getter=lambda: w)
        with tf.GradientTape() as tape:
            y = layer(x)
        gradients.append(tape.gradient(y, w).numpy())
    np.testing.assert_allclose(gradients[1], 4.0 * gradients[0])


def test_a_given_kernel_receives_gradient_in_a_graph_and_cannot_be_saved(
    graph, session
):
    bank = tf.compat.v1.get_variable("bank", [2, 3 * 4])
    number = tf.compat.v1.placeholder(tf.int32, [])
    layer = BinaryDense(4, w_getter=lambda: tf.reshape(bank[number], [3, 4]))
    gradient = tf.gradients(layer(tf.ones([2, 3])), bank)[0]
    session.run(tf.compat.v1.global_variables_initializer())
    gradient = session.run(tf.convert_to_tensor(gradient), {number: 1})
    assert not gradient[0].any() and gradient[1].any()
    assert not layer.weights
    with pytest.raises(ValueError, match="w_getter"):
        layer.get_config()


@pytest.mark.parametrize("arguments", [{"H": 0.0}, {"H": "He"}, {"H": None}])
def test_a_wrong_scale_is_refused(arguments):
    with pytest.raises(ValueError, match="positive or 'Glorot'"):
        BinaryDense(3, **arguments)
    with pytest.raises(ValueError, match="positive or 'Glorot'"):
        BinaryDense(3, kernel_lr_multiplier=arguments["H"])


def test_names_of_layers_say_format_and_kind():
    names = [layer.__name__ for layer in ternary_layers.LAYERS]
    assert names == [
        "TernaryDense",
        "TernaryConv2D",
        "TernaryDepthwiseConv2D",
        "TernarySeparableConv2D",
        "TernaryFactorizedReduction",
    ]
    for layers in (ternary_layers, binary_layers, quantized_layers):
        for layer in layers.LAYERS:
            assert getattr(layers, layer.__name__) is layer
            assert layer.__module__ == layers.__name__


@pytest.mark.parametrize("name", ["binarize", "ternarize", "quantize"])
def test_a_scheme_s_H_decides_range_and_quantizer(name, graph, session, initialize):
    """Of every kernel, those of a factorized reduction included."""
    scheme = make_scheme(name)._replace(H=0.5)
    x = tf.constant(IMAGES)
    with tf.compat.v1.variable_scope("a"):
        kernel, *_ = create_weights(conv_norm_specs(3, 3, 8), scheme)
    with tf.compat.v1.variable_scope("b"):
        even, odd, *_ = create_weights(reduction_specs(3, 8), scheme)
    outputs = [
        scheme.layer("conv2d", 8, 3, w_getter=lambda: kernel)(x),
        scheme.layer("factorized_reduction", 8, w_getter=lambda: (even, odd))(x),
    ]
    # The same layers of H = 1 on kernels of twice the size, halved.
    whole = make_scheme(name)
    twins = [
        whole.layer("conv2d", 8, 3, w_getter=lambda: 2 * kernel)(x) / 2,
        whole.layer("factorized_reduction", 8, w_getter=lambda: (2 * even, 2 * odd))(x)
        / 2,
    ]
    initialize()
    for actual, expected in zip(*session.run([outputs, twins]), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
        assert actual.std() > 0
    for variable in (kernel, even, odd):
        (piece,) = pieces_of(variable)
        assert piece.bound == 0.5
        assert 0.4 < np.abs(session.run(variable)).max() <= 0.5
