"""Quantizers and their gradients against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from binarize.binary_ops import binarize, binary_tanh, xnorize
from quantize.base_ops import scale_gradient
from quantize.quantized_ops import quantize, quantized_relu, quantized_tanh
from ternarize.ternary_ops import ternarize, ternary_tanh

TIES = np.array(
    [
        -2,
        -1.0625,
        -1,
        -0.9375,
        -0.5,
        -0.25,
        -0.0625,
        0,
        0.0625,
        0.25,
        0.5,
        0.9375,
        1,
        2,
    ],
    np.float32,
)
# Multiples of 1/1024 are exact in every formula below, so ties are met, not missed.
arrays = hnp.arrays(
    np.float32,
    st.integers(1, 20),
    elements=st.integers(-3000, 3000).map(lambda number: number / 1024.0),
)


def value_and_gradient(function, x):
    x = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y.numpy(), tape.gradient(y, x).numpy()


def np_binary(x):
    return 2 * np.round(np.clip((x + 1) / 2, 0, 1)) - 1


def np_ternary(x):
    return np.where(x > 0.5, 1.0, np.where(x <= -0.5, -1.0, 0.0))


def np_fixed_point(x, n_bits):
    m = 2 ** (n_bits - 1)
    return np.clip(np.round(x * m), -m, m - 1) / m


def np_fixed_point_is_unclipped(x, n_bits):
    m = 2 ** (n_bits - 1)
    return (np.round(x * m) >= -m) & (np.round(x * m) <= m - 1)


def np_relu(x, n_bits):
    h = np.clip((x + 1) / 2, 0, 1)
    return 2 * np.round(h * 2**n_bits) / 2**n_bits - 1


def check(function, x, expected, gradient):
    for sample in (x, TIES):
        value, slope = value_and_gradient(function, sample)
        exact = sample.astype(np.float64)
        np.testing.assert_allclose(value, expected(exact), atol=1e-6)
        np.testing.assert_array_equal(slope, gradient(exact).astype(np.float32))


def within_one(x):
    return np.abs(x) <= 1


def floats_around(points):
    """The float32 numbers at and beside some points, eight on each side."""
    found = [np.array(points, np.float32)]
    up = down = found[0]
    for _ in range(8):
        up = np.nextafter(up, np.float32(np.inf))
        down = np.nextafter(down, np.float32(-np.inf))
        found += [up, down]
    return np.concatenate(found)


def test_the_ternary_activation_is_its_formula_in_float32():
    """The packed file, C and ONNX compute it so; x - 1/2 is rounded."""
    rng = np.random.default_rng(0)
    x = [floats_around([0, 0.5, -0.5, 1, -1, 1.5, -1.5, 1e-30, 1e30])]
    x += [rng.normal(size=10**5), rng.uniform(-1, 1, 10**5), [np.inf, -np.inf]]
    x = np.concatenate(x).astype(np.float32)
    expected = np.clip(np.ceil(x - np.float32(0.5)), -1, 1)
    np.testing.assert_array_equal(ternary_tanh(tf.constant(x)), expected)
    assert np.isnan(ternary_tanh(tf.constant([np.nan]))).all()


@pytest.mark.parametrize("n", [2, 3, 4, 8, 16, 24, 32])
def test_the_n_bit_activation_is_its_formula_in_float32(n):
    m = np.float32(2 ** (n - 1))
    rng = np.random.default_rng(n)
    halves = np.concatenate([np.arange(-40, 41) / 2, [-m, -m - 0.5, m - 1, m - 0.5]])
    x = [floats_around(halves / m), rng.normal(size=10**5), [np.inf, -np.inf]]
    x = np.concatenate(x).astype(np.float32)
    value, slope = value_and_gradient(lambda x: quantized_tanh(x, n), x)
    expected = np.clip(np.round(x * m), -m, m - np.float32(1)) / m
    np.testing.assert_array_equal(value, expected)
    low, high = np.float32(-1 - 0.5 / m), np.float32(1 - 0.5 / m)
    np.testing.assert_array_equal(slope, (low <= x) & (x < high))
    np.testing.assert_array_equal(quantize(tf.constant(x), n), expected)


@given(arrays)
def test_binary_activation(x):
    check(binary_tanh, x, np_binary, within_one)


@given(arrays)
def test_ternary_activation(x):
    check(ternary_tanh, x, np_ternary, within_one)


@given(arrays, st.integers(2, 8))
def test_n_bit_activation(x, n):
    check(
        lambda x: quantized_tanh(x, n),
        x,
        lambda x: np_fixed_point(x, n),
        lambda x: np_fixed_point_is_unclipped(x, n),
    )


@given(arrays, st.integers(2, 8))
def test_n_bit_relu(x, n):
    top = 1 - 2.0 ** (1 - n)
    check(
        lambda x: quantized_relu(x, n),
        x,
        lambda x: np.clip(np_relu(x, n), 0, top),
        lambda x: (np_relu(x, n) >= 0) & (np_relu(x, n) <= top),
    )


# H is a power of two, so that w/H is exact; the Glorot scale is tested with the layers.
scales = st.sampled_from([0.25, 0.5, 1.0, 2.0])


@given(arrays, scales)
def test_binary_weights(w, H):
    check(
        lambda w: binarize(w, H),
        w,
        lambda w: H * np_binary(w / H),
        lambda w: np.abs(w) <= H,
    )


@given(arrays, scales)
def test_ternary_weights(w, H):
    check(lambda w: ternarize(w, H), w, lambda w: H * np_ternary(w / H), np.ones_like)


@given(arrays, scales, st.integers(2, 8))
def test_n_bit_weights(w, H, n):
    check(
        lambda w: quantize(w, n, H),
        w,
        lambda w: H * np_fixed_point(w / H, n),
        np.ones_like,
    )


@given(arrays)
def test_quantizing_twice_changes_nothing(x):
    for function in (binarize, quantize):
        once = function(tf.constant(x))
        np.testing.assert_array_equal(function(once), once)
    once = ternarize(tf.constant(x))
    np.testing.assert_array_equal(ternarize(once), once)


def test_xnor_scale_is_the_mean_magnitude_of_each_filter():
    w = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
    for H in (1.0, 0.5):
        kernel, alpha = xnorize(tf.constant(w), H)
        np.testing.assert_allclose(
            kernel * alpha, np.sign(w) * np.abs(w).mean((0, 1, 2)), rtol=1e-5
        )


def test_one_bit_is_refused():
    for function in (quantize, quantized_tanh, quantized_relu):
        with pytest.raises(ValueError, match="2 or more"):
            function(tf.zeros([1]), 1)


def test_scale_gradient():
    value, slope = value_and_gradient(lambda x: scale_gradient(x, 3.0), TIES)
    np.testing.assert_array_equal(value, TIES)
    np.testing.assert_array_equal(slope, np.full_like(TIES, 3.0))
