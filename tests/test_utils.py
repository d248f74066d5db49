"""Learning rates and the op that trains a child."""

import math

import numpy as np
import pytest
import tensorflow as tf

from enas.common_ops import Piece, create_weight
from enas.flags.table import FLAGS
from enas.models import LOSSES, cross_entropy, smoothed_cross_entropy
from enas.utils import (
    OPTIMIZERS,
    Adam,
    TrainConfig,
    get_train_ops,
    learning_rate,
    learning_rates,
)


def test_cosine_restarts_after_10_30_70_and_150_epochs():
    config = TrainConfig(lr_max=0.05, lr_min=0.0005, lr_T_0=10, lr_T_mul=2)
    rates = learning_rates(config, 200)
    restarts = [epoch for epoch, rate in enumerate(rates) if rate == 0.05]
    assert restarts == [0, 10, 30, 70, 150]
    assert rates[5] == pytest.approx((0.05 + 0.0005) / 2)
    last = 0.0005 + 0.5 * 0.0495 * (1 + math.cos(math.pi * 19 / 20))
    assert rates[29] == pytest.approx(last)


def test_stepwise_decay():
    config = TrainConfig(lr_cosine=False, lr=0.1, lr_dec_every=2, lr_dec_rate=0.5)
    assert learning_rates(config, 5) == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


def rates_of(config, steps, session):
    """The learning rate of each step; two steps an epoch, seven epochs."""
    step = tf.compat.v1.placeholder(tf.int64, [])
    rate = learning_rate(config, step, 2, 7)
    return [session.run(rate, {step: number}) for number in range(steps)]


def test_a_rate_that_falls_at_each_step(graph, session):
    config = TrainConfig(lr_max=0.5, lr_min=0.1, lr_T_0=2, lr_T_mul=2)
    rates = rates_of(config._replace(lr_by_step=True), 20, session)
    by_epoch = learning_rates(config, 7)
    assert rates[:14:2] == pytest.approx(by_epoch, rel=1e-6)
    assert rates[4] == rates[12] == pytest.approx(0.5)  # the restarts
    between = [0.1 + 0.2 * (1 + math.cos(math.pi * n / 8)) for n in range(8)]
    assert rates[4:12] == pytest.approx(between, rel=1e-6)
    assert rates[12] > rates[13] > rates[14]  # the schedule's end is within a period
    falling = config._replace(lr_T_0=7, lr_by_step=True)
    assert rates_of(falling, 20, session)[14:] == [pytest.approx(0.1)] * 6


def test_a_rate_that_rises_in_the_first_steps(graph, session):
    config = TrainConfig(lr_cosine=False, lr=0.8, lr_dec_every=3, lr_dec_rate=0.5)
    rates = rates_of(config._replace(lr_warmup=4), 8, session)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.4, 0.4])


def test_smoothed_labels(graph, session):
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
    labels = np.array([0, 2], np.int32)
    log_parts = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    expected = -(targets * log_parts).sum(axis=1).mean()
    given = tf.constant(logits), tf.constant(labels)
    assert session.run(smoothed_cross_entropy(*given, 0.3)) == pytest.approx(expected)
    hard, none = cross_entropy(*given), smoothed_cross_entropy(*given, 0.0)
    assert session.run(none) == pytest.approx(session.run(hard))


def sparse_problem(config, pieces=()):
    """A [3, 4] variable of ones; rows in a placeholder have the gradient 1 … 4."""
    w = create_weight("w", [3, 4], lambda: tf.ones([3, 4]), pieces)
    rows = tf.compat.v1.placeholder(tf.int32, [None])
    loss = tf.reduce_sum(tf.gather(w, rows) * tf.constant([1.0, 2.0, 3.0, 4.0]))
    step = tf.compat.v1.train.get_or_create_global_step()
    return w, rows, get_train_ops(loss, [w], config, step, 1, 5)


CONSTANT = TrainConfig("sgd", lr_max=0.1, lr_min=0.1)
GRADIENT = np.array([1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, GRADIENT),
        ({"l2_reg": 0.5}, GRADIENT + 1.0),
        ({"clip_mode": "global", "grad_bound": 1.0}, GRADIENT / math.sqrt(60)),
        (
            {"clip_mode": "norm", "grad_bound": 1.0},
            np.array([1 / math.sqrt(5), 2 / math.sqrt(5), 3 / 5, 4 / 5]),
        ),
    ],
)
def test_decay_and_clipping_of_the_rows_read(changes, step, graph, session, initialize):
    config = CONSTANT._replace(**changes)
    w, rows, ops = sparse_problem(config, [Piece(2, math.inf), Piece(2, math.inf)])
    initialize()
    _, lr, norm = session.run(ops, {rows: [0, 2]})
    assert lr == pytest.approx(0.1)
    if not config.l2_reg:
        assert norm == pytest.approx(math.sqrt(60))
    expected = np.ones((3, 4))
    expected[[0, 2]] -= 0.1 * step
    np.testing.assert_allclose(session.run(w), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, [3.0, 4.0]),
        ({"l2_reg": 0.5}, [4.0, 5.0]),
        ({"clip_mode": "global", "grad_bound": 1.0}, [0.6, 0.8]),
        ({"clip_mode": "norm", "grad_bound": 1.0}, [0.6, 0.8]),
    ],
)
def test_decay_and_clipping_of_a_dense_weight(
    changes, step, graph, session, initialize
):
    w = create_weight("w", [2], lambda: tf.ones([2]))
    global_step = tf.compat.v1.train.get_or_create_global_step()
    config = CONSTANT._replace(**changes)
    loss = tf.reduce_sum(w * tf.constant([3.0, 4.0]))
    ops = get_train_ops(loss, [w], config, global_step, 1, 1)
    initialize()
    session.run(ops.train)
    np.testing.assert_allclose(session.run(w), 1.0 - 0.1 * np.array(step), rtol=1e-5)


def test_rows_read_are_kept_in_the_bounds_of_their_pieces(graph, session, initialize):
    config = CONSTANT._replace(lr_max=1.0, lr_min=1.0)
    w, rows, ops = sparse_problem(config, [Piece(3, 1.0), Piece(1, math.inf)])
    initialize()
    session.run(ops.train, {rows: [1]})
    np.testing.assert_allclose(session.run(w)[1], [0, -1, -1, -3])


def test_dense_weights_are_kept_in_bounds(graph, session, initialize):
    w = create_weight("w", [2], lambda: tf.constant([0.9, -0.9]), [Piece(2, 1.0)])
    step = tf.compat.v1.train.get_or_create_global_step()
    ops = get_train_ops(-5 * tf.reduce_sum(w), [w], CONSTANT, step, 1, 1)
    initialize()
    session.run(ops.train)
    np.testing.assert_allclose(session.run(w), [1.0, -0.4], rtol=1e-6)
    assert session.run(step) == 1


def test_momentum_is_nesterov_s(graph, session, initialize):
    """v ← 0.9 v + g, w ← w - rate · (g + 0.9 v); rows that were not read keep still."""
    w, rows, ops = sparse_problem(CONSTANT._replace(optim_algo="momentum"))
    initialize()
    session.run(ops.train, {rows: [0, 2]})
    session.run(ops.train, {rows: [2]})
    once, twice = 1.9, 1.9 + (1.0 + 0.9 * 1.9)
    expected = 1.0 - 0.1 * np.outer([once, 0.0, twice], GRADIENT)
    np.testing.assert_allclose(session.run(w), expected, rtol=1e-5)


def test_momentum_of_a_dense_gradient(graph, session, initialize):
    w = create_weight("w", [1], lambda: tf.zeros([1]))
    slope = tf.compat.v1.placeholder(tf.float32, [])
    step = tf.compat.v1.train.get_or_create_global_step()
    config = CONSTANT._replace(optim_algo="momentum")
    ops = get_train_ops(slope * tf.reduce_sum(w), [w], config, step, 1, 1)
    initialize()
    for gradient in (1.0, 3.0):
        session.run(ops.train, {slope: gradient})
    # v is 1, then 0.9 + 3.
    expected = -0.1 * ((1.0 + 0.9 * 1.0) + (3.0 + 0.9 * 3.9))
    np.testing.assert_allclose(session.run(w), [expected], rtol=1e-5)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_adam_on_rows_equals_adam_where_every_row_is_read(
    beta1, graph, session, initialize
):
    start = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    sparse, dense = (tf.compat.v1.get_variable(n, initializer=start) for n in "ab")
    ops = []
    for variable, gather in ((sparse, True), (dense, False)):
        used = tf.gather(variable, [2, 0, 1]) if gather else variable
        gradient = tf.gradients(tf.reduce_sum(used**3), variable)
        optimizer = Adam if gather else tf.compat.v1.train.AdamOptimizer
        optimizer = optimizer(0.1, beta1=beta1, epsilon=1e-3)
        ops.append(optimizer.apply_gradients(zip(gradient, [variable], strict=True)))
    initialize()
    for _ in range(4):
        session.run(ops)
    a, b = session.run([sparse, dense])
    np.testing.assert_allclose(a, b, rtol=1e-5)
    assert np.abs(a - start).max() > 0.1


def test_adam_s_average_is_the_configured_one(graph, session, initialize):
    w = create_weight("w", [1], lambda: tf.zeros([1]))
    step = tf.compat.v1.train.get_or_create_global_step()
    config = CONSTANT._replace(optim_algo="adam", adam_beta1=0.9)
    slope = tf.compat.v1.placeholder(tf.float32, [])
    ops = get_train_ops(slope * tf.reduce_sum(w), [w], config, step, 1, 1)
    initialize()
    session.run(ops.train, {slope: 1.0})
    before = session.run(w)
    session.run(ops.train, {slope: 0.0})  # the average goes on
    assert session.run(w)[0] < before[0] - 0.01


def test_adam_s_epsilon_is_the_configured_one(graph, session, initialize):
    """A gradient far above it moves a weight by the rate, one far below hardly."""
    step = tf.compat.v1.train.get_or_create_global_step()
    moved = []
    for epsilon in (1e-8, 1.0):
        config = CONSTANT._replace(optim_algo="adam", lr=0.1, adam_epsilon=epsilon)
        w = create_weight(f"w_{epsilon}", [1], lambda: tf.zeros([1]))
        train = get_train_ops(1e-3 * tf.reduce_sum(w), [w], config, step, 1, 1).train
        moved.append((w, train))
    initialize()
    session.run([train for _, train in moved])
    free, held = session.run([w[0] for w, _ in moved])
    assert free == pytest.approx(-0.1, rel=1e-3)
    assert -1e-3 < held < 0


def test_the_learning_rate_follows_the_epochs(graph, session, initialize):
    w = create_weight("w", [1], lambda: tf.zeros([1]))
    step = tf.compat.v1.train.get_or_create_global_step()
    config = TrainConfig(
        "sgd", lr_cosine=False, lr=1.0, lr_dec_every=1, lr_dec_rate=0.5
    )
    ops = get_train_ops(tf.reduce_sum(w), [w], config, step, 3, 2)
    initialize()
    rates = [session.run((ops.lr, ops.train))[0] for _ in range(8)]
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_the_flags_offer_what_the_tables_hold():
    for flag, table in (("child_optim_algo", OPTIMIZERS), ("child_loss", LOSSES)):
        allowed = FLAGS[flag].allowed
        assert set(allowed.words.removeprefix("one of ").split(", ")) == set(table)
        assert all(allowed.holds(name) for name in table)
