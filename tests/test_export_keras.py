"""A network as a Keras model: it computes what the child does, and trains further."""

import os
import subprocess
import sys
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas.export import keras as export
from enas.export.keras_layers import FusedBatchNorm, NormalizedImage
from enas.space.arc import parse_arc
from enas.space.operations import TABLES
from tests.networks import MIXED_NUMBERS, Child, random_child
from tests.runs import ROOT, SMALL_ARC

# Both pools, both separable convolutions and the identity, with stride 1 and 2.
ARCS = (SMALL_ARC, "0 1 1 0 0 4 2 2 0 3 1 4 0 2 1 0")
MIXED_ARC = " ".join(map(str, MIXED_NUMBERS))
CASES = [
    ("binarize", 1, ARCS[0]),
    ("ternarize", 1, ARCS[0]),
    ("quantize", 3, ARCS[1]),
    ("float", 3, ARCS[1]),
    ("ternarize", 1, MIXED_ARC, "mixed"),
    ("binarize", 3, ARCS[1], "plain", 8, True),
]


@cache
def child(
    scheme, channels, arc=SMALL_ARC, table="classic", head=0, fold=False, filters=4
) -> Child:
    """A random child that has seen 64 images of 8 pixels."""
    operations = TABLES[table]
    return random_child(
        scheme,
        arc=parse_arc(arc, len(arc.split()) // 8, operations),
        operations=operations,
        head=head,
        fold_norms=fold,
        channels=channels,
        first=None if scheme == "float" else ("quantize", 3),
        count=64,
        num_layers=0,
        out_filters=filters,
        shortcut=True,
        op_shortcut=True,
        node_mean=channels == 3,
    )


@cache
def model_of(case) -> keras.Model:
    """The model of a child; no test may change it."""
    return export.model_of(child(*case).trained)


def assert_alike(actual, expected):
    largest = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * largest)
    np.testing.assert_array_equal(actual.argmax(1), expected.argmax(1))


@pytest.mark.parametrize("case", CASES)
def test_a_model_computes_what_its_child_does(case):
    one = child(*case)
    assert np.ptp(one.logits, axis=0).min() > 0.01  # they depend on the image
    assert_alike(model_of(case)(one.images).numpy(), one.logits)


def test_images_may_be_floats_or_tensors():
    one, model = child(*CASES[0]), model_of(CASES[0])
    for form in (one.images.astype(np.float32), tf.constant(one.images)):
        assert_alike(model(form).numpy(), one.logits)


def test_predict_rounds_as_the_child_does():
    one, model = child(*CASES[2]), model_of(CASES[2])
    assert not model.jit_compile
    assert_alike(model.predict(one.images, verbose=0), one.logits)


def test_norms_keep_the_scale_and_the_variance_of_the_child():
    """A stored scale may be 1, with 6 filters for example (enas/export/rounding.py)."""
    one = child("ternarize", 1, filters=6)
    model = export.model_of(one.trained)
    assert_alike(model(one.images).numpy(), one.logits)
    found = [
        (layer.gamma.numpy().tolist(), layer.moving_variance.numpy().tolist())
        for layer in model.layers  # Keras has an order of its own
        if isinstance(layer, FusedBatchNorm)
    ]
    wanted = [(scale.tolist(), variance.tolist()) for scale, variance in one.norms]
    assert sorted(found) == sorted(wanted)


def test_names_say_where_a_layer_is():
    names = [layer.name for layer in model_of(CASES[1]).layers]
    assert len(set(names)) == len(names)
    assert names[:3] == ["image", "image_normalize", "stem_conv_conv"]
    assert {"layer_0_norm", "layer_0_norm_2", "head_dense"} <= set(names)


def test_a_fresh_interpreter_loads_it(tmp_path):
    lines = ["import numpy, os, sys"]
    for number, case in enumerate(CASES):
        folder, one = tmp_path / str(number), child(*case)
        folder.mkdir()
        (line,) = export.write(str(folder), one.trained)
        assert line.startswith("network.keras: ")
        *imports, load = line.partition("load it with ")[2].split("; ")
        np.save(folder / "images.npy", one.images)
        lines += [*imports, f"os.chdir('{number}')", f"model = {load}"]
        lines += ["logits = model(numpy.load('images.npy')).numpy()"]
        lines += ["numpy.save('logits.npy', logits)", "os.chdir('..')"]
    process = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    for number, case in enumerate(CASES):
        logits = np.load(tmp_path / str(number) / "logits.npy")
        assert_alike(logits, child(*case).logits)


@pytest.mark.parametrize("case", [CASES[0], *CASES[3:]])
def test_it_trains_further(case, tmp_path):
    one = child(*case)
    model, images = export.model_of(one.trained), one.images
    before = {w.path: w.numpy() for w in model.weights}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss)
    model.fit(images, np.arange(len(images)) % 3, batch_size=32, verbose=0)
    for weight in model.weights:
        moved = (weight.numpy() != before[weight.path]).any()
        assert moved is np.bool_("image_normalize" not in weight.path), weight.path
        low_bit = case[0] != "float" and "dense" not in weight.path
        if "kernel" in weight.name and low_bit:
            assert np.abs(weight.numpy()).max() <= 1.0, weight.path
    model.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again(images), model(images))


def test_moving_averages_move_by_a_tenth():
    layer = FusedBatchNorm()
    x = np.random.default_rng(0).normal(3.0, 2.0, (5, 4, 4, 2)).astype(np.float32)
    layer(x, training=True)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)
    layer.trainable = False  # then Keras takes the moving averages in training, too
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    with tf.GradientTape() as tape:
        tape.watch(y := tf.constant(x))
        outputs = layer(y)
    gradient = tape.gradient(outputs, y).numpy()
    expected = 1.0 / np.sqrt(layer.moving_variance.numpy() + 1e-5)
    np.testing.assert_allclose(gradient, np.broadcast_to(expected, x.shape), rtol=1e-5)


def test_images_are_normalized_bit_by_bit():
    layer = NormalizedImage()
    layer.build((None, 1, 256, 1))
    mean, std = np.float32([0.13]), np.float32([0.31])
    layer.set_weights([mean, std, np.float32(255.0)])
    x = np.arange(256, dtype=np.uint8).reshape(1, 1, 256, 1)
    expected = (x.astype(np.float32) / np.float32(255.0) - mean) / std
    np.testing.assert_array_equal(tf.function(layer)(tf.constant(x)), expected)
