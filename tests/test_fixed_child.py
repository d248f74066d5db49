"""The fixed child: shapes, weights counted by hand, batch norm, drop path, learning."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from enas import common_ops
from enas.common_ops import Context
from enas.fixed_child import FixedChild
from enas.flags.table import Settings
from enas.loop.configs import child_config
from enas.loop.train import build as build_training
from enas.models import LOSSES, Model, aux_pool
from enas.space.arc import arc_from_numbers, parse_arc, random_arc
from enas.space.layer_plan import default_pool_layers
from enas.space.operations import CLASSIC, conv_norm_specs
from enas.space.schemes import make_scheme
from enas.utils import TrainConfig, get_train_ops
from tests.children import (
    SCHEME_NAMES,
    convolved,
    halved,
    images_and_labels,
    new_build,
    normalized,
    tiny_config,
    values_of,
)
from tests.test_arc import README_STRINGS
from train_arc_mnist import CONSTANTS


def fixed_child(config, numbers, progress=0.0):
    return FixedChild(config, arc_from_numbers(numbers), tf.constant(progress))


class HeadsAlone(Model):
    """A child without layers, whose heads read given images."""

    def __init__(self, config, final, aux=None):
        super().__init__(config)
        self.given = (final, aux)

    def _layers(self, *_):
        return self.given


def training_of(images, labels, **changes):
    """(child, ops) of a script's training in float on one batch of three classes."""
    constants = CONSTANTS | {
        "fixed_arc": "1 0 0 4 1 1 2 3 1 0 0 4 1 1 2 2",
        "num_epochs": 2,
        "child_scheme": "float",
        "child_num_cells": 2,
        "child_out_filters": 4,
        "child_use_aux_heads": False,
    }
    pipeline = SimpleNamespace(images=images, labels=labels)
    return build_training(Settings(**(constants | changes)), pipeline, 3, 5)


def moving_averages():
    """Means and variances by turns."""
    return [v for v in tf.compat.v1.global_variables() if "moving" in v.op.name]


def relu(x):
    return np.maximum(x, 0)


def entropy_of(logits, labels):
    """Mean softmax cross-entropy."""
    likelihoods = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(likelihoods[range(len(labels)), labels]).mean()


def test_weights_counted_by_hand(graph):
    """One layer + 2, F = 4, K = 3 classes; layer 1 reduces to 8 filters."""
    config = tiny_config(num_layers=1, num_cells=1, pool_layers=(1,))
    # Normal cell: conv 3×3 on node 1 + identity of node 0; node 0 and 1 are read.
    # Reduction cell: conv 5×5 on node 1 + average pool of node 1; node 0 is unread.
    model = fixed_child(config, [1, 0, 0, 4, 1, 1, 1, 2])
    outputs = model.build(*images_and_labels(config), False)
    norm = lambda filters: 2 * filters  # noqa: E731
    conv_norm = lambda c, f, k=1: k * k * c * f + norm(f)  # noqa: E731
    separable = lambda k, f: 2 * (k * k * f + f * f + norm(f))  # noqa: E731
    stem = conv_norm(1, 12, 3)
    layer_0 = 2 * conv_norm(12, 4) + conv_norm(4, 4) + separable(3, 4)
    # Calibrates 12 → 8 (node 0; 8×8 as the second input) and 4 → 8, then the
    # reduction of unread node 0.
    layer_1 = conv_norm(12, 8) + conv_norm(4, 8) + conv_norm(8, 8) + separable(5, 8)
    layer_1 += 8 * 8 + norm(8)
    # Inputs [8, 8, 4] and [4, 4, 2·8]: factorized reduction 4 → 8, and 16 → 8.
    layer_2 = 4 * 8 + norm(8) + conv_norm(16, 8) + conv_norm(8, 8) + separable(3, 8)
    head = 8 * 3
    assert model.count_params() == (stem + layer_0 + layer_1 + layer_2 + head, 0)
    assert [tuple(shape) for shape in outputs.layers] == [
        (0, 8, 4),
        (1, 4, 16),
        (2, 4, 8),
    ]


def test_aux_head_counted_by_hand(graph):
    pools = default_pool_layers(6)
    assert pools == (1, 3, 6)
    config = tiny_config(
        img_size=32, num_layers=6, pool_layers=pools, use_aux_heads=True
    )
    model = fixed_child(config, [0, 2, 1, 3, 2, 4, 2, 2] * 2)
    outputs = model.build(*images_and_labels(config, 2), True)
    assert model.aux_layer == 4
    channels = outputs.layers[4].channels
    # 8×8 → 5×5 pool, stride 3, VALID → 2×2.
    expected = channels * 128 + 2 * 128 + 2 * 2 * 128 * 768 + 2 * 768 + 768 * 3
    assert model.count_params()[1] == expected


def test_heads_and_the_aux_head_s_share_in_the_loss(graph, session, initialize):
    """Float, against NumPy. The aux head: 5×5 pool of 8×8, stride 3, to 2×2."""
    config = tiny_config("float", use_aux_heads=True)
    rng = np.random.default_rng(0)
    final, aux = (
        rng.normal(size=(4, size, size, 5)).astype(np.float32) for size in (4, 8)
    )
    images, labels = images_and_labels(config)
    model = HeadsAlone(config, tf.constant(final), tf.constant(aux))
    outputs = model.build(images, labels, True)
    initialize()
    w, labels = values_of(model, session), session.run(labels)
    logits = relu(final).mean((1, 2)) @ w["head/w"]
    corners = [(row, column) for row in (0, 3) for column in (0, 3)]
    windows = [relu(aux)[:, r : r + 5, c : c + 5].mean((1, 2)) for r, c in corners]
    x = np.stack(windows, axis=1).reshape(4, 2, 2, 5)
    x = relu(normalized(convolved(x, w["aux_head/proj/kernel"])))
    x = relu(normalized(convolved(x, w["aux_head/avg_pool/kernel"])))
    aux_logits = x.mean((1, 2)) @ w["aux_head/w"]
    actual = session.run([outputs.logits, outputs.loss, outputs.total_loss])
    np.testing.assert_allclose(actual[0], logits, rtol=1e-4, atol=1e-5)
    assert actual[1] == pytest.approx(entropy_of(logits, labels), rel=1e-4)
    of_aux_head = 0.4 * entropy_of(aux_logits, labels)
    assert actual[2] - actual[1] == pytest.approx(of_aux_head, rel=1e-3)


@pytest.mark.parametrize(
    "size, pooled",
    [(1, 1), (2, 1), (4, 2), (5, 1), (6, 2), (7, 2), (8, 2), (9, 2), (13, 2), (20, 2)],
)
def test_the_aux_head_s_pools_drop_no_pixel(size, pooled, graph, session):
    """Windows of 5, 3 apart, within the image where that covers it; else SAME. The
    second pool's windows do not overlap, and leave out what lies beyond the image."""
    x = tf.ones([1, size, size, 1])
    y = aux_pool(x)
    assert y.shape == (1, pooled, pooled, 1)
    means, share = session.run([y, tf.gradients(y, x)[0]])
    np.testing.assert_allclose(means, 1.0, rtol=1e-6)
    assert share.min() > 0


@pytest.mark.parametrize("img_size, pools", [(32, 1), (40, 2), (56, 2), (64, 2)])
def test_the_aux_head_does_not_grow_with_the_image(img_size, pools, graph):
    """The aux layer's output is a quarter as wide as the image. At 32 pixels there is
    the one pool that there always was."""
    config = tiny_config(use_aux_heads=True)
    aux = tf.zeros([4, img_size // 4, img_size // 4, 5])
    model = HeadsAlone(config, tf.zeros([4, 2, 2, 5]), aux)
    model.build(*images_and_labels(config), True)
    expected = 5 * 128 + 2 * 128 + 2 * 2 * 128 * 768 + 2 * 768 + 768 * 3
    assert model.count_params()[1] == expected
    types = [op.type for op in graph.get_operations() if "/aux_head/" in op.name]
    assert types.count("AvgPool") == pools
    # The 1×1 convolution is a product, as is the classifier.
    assert types.count("Conv2D") == 1 and types.count("MatMul") == 2


def test_stem_and_layer_0_are_of_the_first_scheme_and_the_head_is_not(
    graph, session, initialize
):
    config = tiny_config("binarize", first_scheme=make_scheme("float"))
    final = np.random.default_rng(0).normal(size=(4, 2, 2, 5)).astype(np.float32)
    child = HeadsAlone(config, tf.constant(final))
    names = [child.scheme_of(layer).name for layer in range(-1, 4)]
    assert names == ["float"] * 2 + ["binarize"] * 3
    outputs = child.build(*images_and_labels(config), True)
    initialize()
    expected = np.sign(final).mean((1, 2)) @ values_of(child, session)["head/w"]
    np.testing.assert_allclose(session.run(outputs.logits), expected, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_initial_weights(scheme, graph, session, initialize):
    """He's for real numbers; else uniform, up to 1 or, in the classifier, Glorot's
    bound. The deviation of what is uniform is its bound by √3."""
    config = tiny_config(scheme, num_classes=100)
    child = HeadsAlone(config, tf.zeros([4, 1, 1, 500]))
    child.build(*images_and_labels(config), True)
    specs = conv_norm_specs(3, 20, 50)
    kernel, scale, offset = common_ops.create_weights(specs, config.scheme)
    initialize()
    w = values_of(child, session)["head/w"]
    kernel, scale, offset = session.run([kernel, scale, offset])
    deviations = [np.sqrt(2 / 180), np.sqrt(2 / 500)]
    if scheme != "float":
        assert np.abs(kernel).max() <= 1.0
        deviations = [1 / np.sqrt(3), np.sqrt(6 / 600) / np.sqrt(3)]
    for values, deviation in zip((kernel, w), deviations, strict=True):
        assert values.std() == pytest.approx(deviation, rel=0.05)
        assert values.mean() == pytest.approx(0.0, abs=0.05 * deviation)
    assert (scale == 1).all() and (offset == 0).all()


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_any_string_builds_with_the_shapes_it_says(scheme):
    config = tiny_config(
        scheme, img_size=16, num_layers=2, pool_layers=(1, 3), num_cells=3
    )
    for seed in range(2):
        with tf.Graph().as_default(), tf.compat.v1.Session() as fresh:
            arc = random_arc(3, random.Random(seed))
            model = FixedChild(config, arc, tf.constant(0.5))
            outputs = model.build(*images_and_labels(config), True)
            fresh.run(tf.compat.v1.global_variables_initializer())
            logits = fresh.run(outputs.logits)
        assert logits.shape == (4, 3) and np.isfinite(logits).all()
        assert [s.size for s in outputs.layers] == [16, 8, 8, 4]


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_factorized_reduction(scheme, size, graph, session):
    scheme = make_scheme(scheme)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, size, size, 3)).astype(np.float32)
    even, odd = rng.uniform(-1, 1, (2, 1, 1, 3, 2)).astype(np.float32)
    context = Context(scheme, lambda x, scale, offset: x)
    weights = [tf.constant(even), tf.constant(odd), None, None]
    output = common_ops.factorized_reduction(context, tf.constant(x), weights)
    quantized = [scheme.quantize(tf.constant(kernel)) for kernel in (even, odd)]
    actual, (even, odd) = session.run([output, quantized])
    shifted = np.zeros_like(x)
    shifted[:, : size - 1, : size - 1] = x[:, 1:, 1:]
    expected = np.concatenate(
        [x[:, ::2, ::2] @ even[0, 0], shifted[:, ::2, ::2] @ odd[0, 0]], axis=-1
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size, channels", [(8, 3), (4, 3), (4, 4)])
def test_calibration(size, channels, graph, session, initialize):
    """Activation, convolution, batch norm; a larger first input is halved as well, and
    one of the right shape is left as it is."""
    config = tiny_config("float")
    rng = np.random.default_rng(0)
    first = rng.normal(size=(2, size, size, channels)).astype(np.float32)
    second = rng.normal(size=(2, 4, 4, 5)).astype(np.float32)
    child, context = Model(config), Context(config.scheme, common_ops.batch_norm)
    with tf.compat.v1.variable_scope("child"):
        inputs = (tf.constant(first), tf.constant(second))
        calibrated = child._calibrate(context, inputs, 4)
    initialize()
    w, calibrated = values_of(child, session), session.run(calibrated)
    if size == 8:
        kernels = [w[f"calibrate_x/kernel_{name}"] for name in ("even", "odd")]
        first = normalized(halved(relu(first), *kernels))
    elif channels == 3:
        first = normalized(convolved(relu(first), w["calibrate_x/kernel"]))
    second = normalized(convolved(relu(second), w["calibrate_y/kernel"]))
    for actual, expected in zip(calibrated, (first, second), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_a_child_of_one_layer(graph, session, initialize):
    """Float, against NumPy: the node is the sum of the two inputs."""
    config = tiny_config("float", num_layers=-1, num_cells=1, pool_layers=())
    images, labels = images_and_labels(config)
    model = fixed_child(config, [0, 4, 1, 4] * 2)
    outputs = model.build(images, labels, True)
    initialize()
    w = values_of(model, session)

    def conv_norm(x, scope):
        return normalized(convolved(x, w[f"{scope}/kernel"]))

    logits, images = session.run([outputs.logits, images])
    stem = relu(conv_norm(images, "stem_conv"))
    first = conv_norm(stem, "layer_0/calibrate_x")
    second = conv_norm(stem, "layer_0/calibrate_y")
    node = first + conv_norm(relu(second), "layer_0/preprocess")
    expected = relu(node).mean((1, 2)) @ w["head/w"]
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_op_shortcut(stride, graph, session):
    """x is added to a separable convolution of stride 1."""
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    specs = CLASSIC[0].weights(3, stride, 0.5)
    ends_at = 0.5 if stride == 1 else 1.0
    assert [s.start for s in specs if s.kind == "scale"] == [1.0, ends_at]
    weights = [tf.random.stateless_uniform(s.shape, [1, 2], -1.0) for s in specs]
    outputs = []
    for op_shortcut in (False, True):
        context = Context(make_scheme("ternarize"), common_ops.batch_norm, op_shortcut)
        inputs = (CLASSIC[0], context, tf.constant(x), weights, stride)
        outputs.append(common_ops.run_operation(*inputs))
    plain, added = session.run(outputs)
    assert plain.std() > 0
    np.testing.assert_allclose(added, plain + x if stride == 1 else plain, atol=1e-6)


def test_batch_norm_of_the_batch_in_training_and_of_the_averages_after(
    graph, session, initialize
):
    config = tiny_config("float", num_layers=1, pool_layers=())
    model = fixed_child(config, [1, 4, 0, 4, 1, 4, 2, 4] * 2)
    images, labels = images_and_labels(config, 16)
    training = model.build(images, labels, True)
    evaluated = model.build(images, labels, False)
    initialize()
    unlike, batch = session.run([evaluated.logits, training.logits])
    assert np.abs(unlike - batch).max() > 0.01
    moving = moving_averages()
    assert len(moving) == 2 * sum("scale" in v.op.name for v in model.variables())
    before = session.run(moving)
    session.run(training.updates)
    first = session.run(moving)
    for _ in range(200):
        session.run(training.updates)
    last = session.run(moving)
    for old, once, converged in zip(before, first, last, strict=True):
        np.testing.assert_allclose(once, old + 0.1 * (converged - old), atol=1e-4)
    evaluated = session.run(evaluated.logits)
    # The averages hold the unbiased variance, the batch its own; hence the tolerance.
    np.testing.assert_allclose(evaluated, batch, atol=0.05)


def test_a_folded_norm_is_a_batch_norm(graph, session):
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 5.0, (2, 4, 4, 6)).astype(np.float32)
    scale, offset, mean = rng.normal(size=(3, 6)).astype(np.float32)
    variance = rng.uniform(1e-6, 9.0, 6).astype(np.float32)
    found = session.run(common_ops.folded_norm(x, scale, offset, mean, variance))
    expected = normalized(x.astype(np.float64), mean, variance) * scale + offset
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fold", [False, True])
def test_a_step_moves_the_averages_that_an_evaluation_uses(
    fold, graph, session, initialize
):
    """Against NumPy: stem and head alone, on faint images, where epsilon counts."""
    images, labels = images_and_labels(tiny_config())
    images = 0.01 * images
    flags = {"child_lr_max": 0.0, "child_lr_min": 0.0, "child_fold_norms": fold}
    child, ops = training_of(images, labels, child_num_layers=-2, **flags)
    initialize()
    moving, averages = moving_averages(), [np.full(12, 0.002), np.full(12, 1e-4)]
    for variable, value in zip(moving, averages, strict=True):
        variable.load(value, session)
    w, images = values_of(child, session), session.run(images)
    stem = convolved(images, w["stem_conv/kernel"])

    def check(outputs, normalized_stem):
        logits = relu(normalized_stem).mean((1, 2)) @ w["head/w"]
        actual = session.run(outputs.logits)
        np.testing.assert_allclose(actual, logits, rtol=1e-3, atol=1e-4)

    check(ops.child.outputs, normalized(stem))
    check(ops.evaluated, normalized(stem, *averages))
    session.run(ops.child.train.train)
    of_batch = stem.mean((0, 1, 2)), stem.var((0, 1, 2), ddof=1)
    averages = [
        0.9 * old + 0.1 * new for old, new in zip(averages, of_batch, strict=True)
    ]
    for actual, expected in zip(session.run(moving), averages, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-8)
    check(ops.evaluated, normalized(stem, *averages))


def test_a_step_of_training_moves_every_average(graph, session, initialize):
    child, ops = training_of(*images_and_labels(tiny_config()), child_num_layers=1)
    initialize()
    before = session.run(moving_averages())
    assert session.run(child.progress) == pytest.approx(1 / 10)
    session.run(ops.child.fetches())
    assert session.run(child.progress) == pytest.approx(2 / 10)
    after = session.run(moving_averages())
    assert len(after) == 2 * sum("scale" in v.op.name for v in child.variables())
    for old, new in zip(before, after, strict=True):
        assert (old != new).all()


def test_dropout_before_the_head(graph, session, initialize):
    """Of single numbers, and what is kept is scaled; the classifier is the identity."""
    config = tiny_config("float", keep_prob=0.8, num_classes=100)
    child = HeadsAlone(config, tf.ones([200, 1, 1, 100]))
    images, labels = tf.zeros([200, 8, 8, 1]), tf.zeros([200], tf.int32)
    outputs = child.build(images, labels, True)
    initialize()
    w = next(v for v in child.variables() if v.op.name == "child/head/w")
    w.load(np.eye(100), session)
    dropped = session.run(outputs.logits).round(4)
    assert set(np.unique(dropped)) == {0.0, 1.25}
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    for axis in (0, 1):
        assert dropped.std(axis).min() > 0


@pytest.mark.parametrize("op", range(len(CLASSIC)))
def test_drop_path_spares_the_identity(op, graph, session, initialize):
    """The last layer's branches, of which hardly any is kept at the end of training."""
    config = tiny_config(
        "float", num_layers=-1, num_cells=1, pool_layers=(), drop_path_keep_prob=1e-6
    )
    outputs = fixed_child(config, [0, op, 1, op] * 2, 1.0).build(
        *images_and_labels(config), True
    )
    initialize()
    kept = session.run(outputs.logits).any()
    assert kept == (CLASSIC[op].name == "identity")


def test_drop_path_keeps_the_expectation(graph, session):
    x = tf.ones([20000, 1, 1, 2])
    dropped = session.run(common_ops.drop_path(x, tf.constant(0.6)))
    assert set(np.unique(dropped.round(4))) == {0.0, np.float32(1 / 0.6).round(4)}
    np.testing.assert_array_equal(dropped[..., 0], dropped[..., 1])
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("progress", "layer", "expected"),
    [(0.0, 7, 1.0), (0.5, 3, 0.9), (1.0, 7, 0.6), (2.0, 7, 0.6), (1.0, 0, 0.95)],
)
def test_drop_path_follows_depth_and_time(progress, layer, expected, graph, session):
    config = tiny_config(num_layers=6, drop_path_keep_prob=0.6)
    model = fixed_child(config, [0, 0, 0, 0, 0, 0, 0, 0] * 2, progress)
    assert session.run(model._keep_prob(layer)) == pytest.approx(expected)


def test_dropout_and_drop_path_act_in_training_only(graph, session, initialize):
    config = tiny_config(
        "float", keep_prob=0.5, drop_path_keep_prob=0.5, num_layers=1, pool_layers=()
    )
    model = fixed_child(config, [0, 0, 1, 2, 2, 0, 1, 1] * 2, 1.0)
    batch = images_and_labels(config)
    training, evaluated = model.build(*batch, True), model.build(*batch, False)
    initialize()
    for outputs, varies in ((training, True), (evaluated, False)):
        first, second = (session.run(outputs.logits) for _ in range(2))
        assert (first != second).any() == varies


def test_losses(graph, session):
    logits = tf.constant([[2.0, -0.5, 0.5], [0.0, 0.0, -3.0]])
    labels = tf.constant([0, 1])
    hinge, entropy = session.run(
        [LOSSES[name](logits, labels) for name in ("squared_hinge", "cross_entropy")]
    )
    assert hinge == pytest.approx((0.25 + 2.25 + 1 + 1) / 6)
    likelihoods = [
        np.exp(2) / (np.exp(2) + np.exp(-0.5) + np.exp(0.5)),
        1 / (2 + np.exp(-3)),
    ]
    assert entropy == pytest.approx(-np.mean(np.log(likelihoods)), rel=1e-5)


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_a_fixed_child_learns_a_batch(scheme, graph, session, initialize):
    config = tiny_config(scheme, num_layers=1, pool_layers=(1,), out_filters=8)
    model = fixed_child(config, [1, 0, 0, 4, 1, 1, 2, 3] * 2)
    images, labels = images_and_labels(config, 12)
    outputs = model.build(images, labels, True)
    step = tf.compat.v1.train.get_or_create_global_step()
    algorithm = "momentum" if scheme == "float" else "adam"
    rate = TrainConfig(algorithm, lr_max=0.01, lr_min=0.01)
    train = get_train_ops(outputs.total_loss, model.variables(), rate, step, 1, 1)
    initialize()
    for _ in range(150):
        _, correct = session.run([train.train, outputs.correct])
        if correct == 12:
            break
    assert correct >= 11


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_gradients_are_moderate_at_first(scheme, graph, session, initialize):
    """Where all that a reduction cell's nodes read of its inputs is convolved, too."""
    settings = {"op_shortcut": True, "op_scale": 0.1, "node_mean": True}
    config = tiny_config(
        scheme, num_layers=3, num_cells=3, pool_layers=(1, 3), **settings
    )
    # The reduction cell: convs of stride 2, whose node two convs in a row read.
    model = fixed_child(config, [0, 0, 1, 4] * 3 + [1, 1, 0, 0, 2, 0, 2, 3, 3, 0, 3, 2])
    outputs = model.build(*images_and_labels(config, 12), True)
    gradients = tf.gradients(outputs.total_loss, model.variables())
    initialize()
    norm = session.run(tf.linalg.global_norm(gradients))
    assert norm < 10


def test_base_class_has_no_layers(graph):
    with pytest.raises(NotImplementedError):
        Model(tiny_config()).build(*images_and_labels(tiny_config()), True)


def test_strings_of_older_codes_build(graph):
    config = tiny_config(num_layers=1, num_cells=5)
    for number, text in enumerate(README_STRINGS):
        with tf.compat.v1.variable_scope(f"string_{number}"):
            FixedChild(config, parse_arc(text, 5), tf.constant(0.0)).build(
                *images_and_labels(config), True
            )


@pytest.mark.parametrize(
    ("scheme", "first_scheme", "n_bits", "expected"),
    [
        ("ternarize", "", 4, ("ternarize", "quantize", 8)),
        ("quantize", "", 2, ("quantize", "quantize", 8)),
        ("quantize", "quantize", 2, ("quantize", "quantize", 2)),
        ("float", "", 4, ("float", "float", None)),
        ("binarize", "float", 4, ("binarize", "float", None)),
    ],
)
def test_the_first_scheme_is_four_bits_unless_named(
    scheme, first_scheme, n_bits, expected
):
    changes = {
        "child_scheme": scheme,
        "child_first_scheme": first_scheme,
        "child_n_bits": n_bits,
    }
    settings = Settings(**(CONSTANTS | changes))
    config = child_config(settings, tf.zeros([1, 32, 32, 1]), 10)
    assert (config.img_size, config.channels) == (32, 1)
    name, first, m = expected
    assert (config.scheme.name, config.first_scheme.name) == (name, first)
    if m:
        step = config.first_scheme.quantize(tf.constant([1.0 / m, 0.49 / m]))
        np.testing.assert_allclose(step, [1.0 / m, 0.0])


@pytest.mark.parametrize("op_shortcut, starts", [(True, 0.1), (False, 1.0)])
def test_a_small_scale_stands_beside_a_shortcut_alone(op_shortcut, starts):
    assert CONSTANTS["child_op_scale"] == 0.1
    settings = Settings(**(CONSTANTS | {"child_op_shortcut": op_shortcut}))
    assert child_config(settings, tf.zeros([1, 32, 32, 1]), 10).op_scale == starts


@pytest.mark.parametrize("mean", [False, True])
def test_a_node_is_the_sum_or_the_mean(mean, graph, session, initialize):
    x, y = np.random.default_rng(0).normal(size=(2, 1, 4, 4, 3)).astype(np.float32)
    model = fixed_child(tiny_config(node_mean=mean), [0, 4, 1, 4, 2, 4, 0, 4] * 2)
    inputs = [tf.constant(x), tf.constant(y)]
    *_, first, second = session.run(
        model.run_blocks(new_build(), 1, inputs, model.arc.normal, 1)
    )
    divisor = 2 if mean else 1
    np.testing.assert_allclose(first, (x + y) / divisor, rtol=1e-6)
    np.testing.assert_allclose(second, (first + x) / divisor, rtol=1e-6)


@pytest.mark.parametrize("stride, width", [(1, 8), (2, 8), (2, 9)])
def test_shortcut(stride, width, graph, session, initialize):
    """The second input, max pooled by a stride, is added to each output node."""
    shape = (2, width, width, 4)
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    outputs = []
    for shortcut in (False, True):
        config = tiny_config("ternarize", shortcut=shortcut)
        model = fixed_child(config, [0, 2, 1, 3, 0, 3, 1, 4] * 2)
        with tf.compat.v1.variable_scope("child", reuse=tf.compat.v1.AUTO_REUSE):
            inputs = (tf.constant(images), tf.constant(images))
            cell = (model.arc.normal, 4, stride)
            outputs.append(model._cell(new_build(), 1, inputs, *cell))
    initialize()
    plain, added = session.run(outputs)
    size = -(-width // stride)
    edge = (0, size * stride - width)  # beyond the image, where the pool sees nothing
    images = np.pad(images, ((0, 0), edge, edge, (0, 0)), constant_values=-np.inf)
    pooled = images.reshape(2, size, stride, size, stride, 4).max((2, 4))
    assert plain.shape == (2, size, size, 8)
    expected = plain + np.concatenate([pooled, pooled], axis=-1)
    np.testing.assert_allclose(added, expected, rtol=1e-5, atol=1e-6)
