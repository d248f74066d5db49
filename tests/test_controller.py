"""The sampler against a NumPy twin, and what it learns from made-up rewards."""

import numpy as np
import pytest
import tensorflow as tf

from enas.controller import UniformSampler
from enas.flags.recipes import RECIPES
from enas.flags.table import Settings
from enas.loop.configs import controller_config
from enas.micro_child import MicroChild
from enas.micro_controller import ControllerConfig, MicroController
from enas.space.arc import arc_from_numbers
from enas.space.operations import CLASSIC, Operations
from enas.utils import TrainConfig, get_train_ops
from search_arc_mnist import CONSTANTS
from tests.children import images_and_labels, tiny_config

OPS = len(CLASSIC)
BIASES = np.array([op.start_bias for op in CLASSIC])
PRIORS = np.array([op.prior for op in CLASSIC])


def test_the_numbers_of_older_codes_and_of_the_scripts():
    older = {
        "num_cells": 5,
        "lstm_size": 64,
        "tanh_constant": 1.10,
        "op_tanh_reduce": 2.5,
        "temperature": 0.0,
        "entropy_weight": 1e-4,
        "baseline_decay": 0.99,
        "baseline_of_update": False,
        "lr": 0.0035,
        "adam_epsilon": 1e-3,
        "l2_reg": 0.0,
        "num_aggregate": 10,
    }
    recommended = {"baseline_of_update": True, "lr": 0.002, "adam_epsilon": 1e-8}
    assert ControllerConfig()._replace(**older) == ControllerConfig()
    faithful = controller_config(Settings(**(CONSTANTS | RECIPES["faithful"])))
    assert faithful == ControllerConfig()
    scripts = controller_config(Settings(**CONSTANTS))
    assert scripts == ControllerConfig()._replace(**recommended)


def test_the_flags_reach_the_controller():
    names = {
        "num_cells": "child_num_cells",
        "baseline_decay": "controller_bl_dec",
        "baseline_of_update": "controller_bl_of_update",
    }
    fixed = {"lstm_size", "operations", "prefers"}
    fields = [name for name in ControllerConfig._fields if name not in fixed]
    flags = {names.get(f, f"controller_{f}"): number for number, f in enumerate(fields)}
    config = controller_config(Settings(**flags))
    assert [getattr(config, name) for name in fields] == list(range(len(fields)))


@pytest.mark.parametrize(
    ("name", "start_bias", "prior"),
    [
        ("separable conv 3×3", 10.0, 0.25),
        ("separable conv 5×5", 10.0, 0.25),
        ("average pool 3×3", 0.0, -0.25),
        ("max pool 3×3", 0.0, -0.25),
        ("identity", 0.0, -0.25),
    ],
)
def test_what_is_preferred_at_first(name, start_bias, prior):
    (operation,) = [op for op in ControllerConfig().operations if op.name == name]
    assert (operation.start_bias, operation.prior) == (start_bias, prior)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class NumpySampler:
    """Follows given strings through the controller, step by step."""

    def __init__(self, config: ControllerConfig, weights: dict):
        self.config, self.w = config, weights
        self.c = self.h = np.zeros((1, config.lstm_size))
        self.log_prob = self.entropy = 0.0

    def step(self, x):
        gates = np.concatenate([x, self.h], 1) @ self.w["w_lstm"]
        i, f, o, g = np.split(gates, 4, axis=1)
        self.c = sigmoid(i) * np.tanh(g) + sigmoid(f) * self.c
        self.h = sigmoid(o) * np.tanh(self.c)

    def score(self, logits, number):
        log_probs = logits - np.log(np.exp(logits).sum())
        self.log_prob += log_probs[number]
        self.entropy -= (np.exp(log_probs) * log_probs).sum()

    def squash(self, logits, constant):
        return constant * np.tanh(logits / (self.config.temperature or 1.0))

    def follow(self, cell, prior):
        w, tanh_constant = self.w, self.config.tanh_constant
        anchors, keys = [], []
        for _ in range(2):
            self.step(w["start"])
            anchors.append(np.zeros_like(self.h))
            keys.append(self.h @ w["anchor_w"])
        for block in cell:
            x = w["start"]
            for index in (block.index_x, block.index_y):
                self.step(x)
                query = np.tanh(np.concatenate(keys) + self.h @ w["query_w"])
                logits = (query @ w["attention_v"])[:, 0]
                self.score(self.squash(logits, tanh_constant), index)
                x = anchors[index]
            for op in (block.op_x, block.op_y):
                self.step(x)
                logits = (self.h @ w["op_w"] + w["op_bias"])[0]
                reduced = tanh_constant / self.config.op_tanh_reduce
                self.score(self.squash(logits, reduced) + prior, op)
                x = w["op_embedding"][op : op + 1]
            self.step(x)
            anchors.append(self.h)
            keys.append(self.h @ w["anchor_w"])


@pytest.mark.parametrize(
    "changes", [{}, {"temperature": 5.0, "tanh_constant": 2.5, "num_cells": 3}]
)
def test_probability_and_entropy_of_a_sample(changes, graph, session, initialize):
    config = ControllerConfig(**changes)
    controller = MicroController(config)
    sample = controller.sample()
    initialize()
    # Larger weights than at the start, so that every path matters.
    names = [v.op.name.split("/")[1] for v in controller.variables()]
    rng = np.random.default_rng(0)
    weights = {
        n: rng.uniform(-0.7, 0.7, v.shape)
        for n, v in zip(names, controller.variables(), strict=True)
    }
    for name, variable in zip(names, controller.variables(), strict=True):
        variable.load(weights[name], session)
    seen = set()
    for _ in range(5):
        normal, reduction, log_prob, entropy = session.run(sample)
        arc = arc_from_numbers([*normal, *reduction])
        twin = NumpySampler(config, weights)
        twin.follow(arc.normal, np.array([op.prior for op in config.operations]))
        twin.follow(arc.reduction, 0.0)
        assert log_prob == pytest.approx(twin.log_prob, rel=1e-4)
        assert entropy == pytest.approx(twin.entropy, rel=1e-4)
        seen.add(arc)
    assert len(seen) == 5


def test_first_samples_are_nearly_uniform_but_for_the_prior(graph, session, initialize):
    sample = MicroController(ControllerConfig()).sample()
    initialize()
    drawn = [session.run(sample) for _ in range(200)]
    normal_ops = np.stack([s.normal_arc for s in drawn])[:, 1::2].ravel()
    reduce_ops = np.stack([s.reduce_arc for s in drawn])[:, 1::2].ravel()
    for ops, prior in ((normal_ops, PRIORS), (reduce_ops, 0.0)):
        weights = np.exp(0.44 * np.tanh(BIASES) + prior)
        frequencies = np.bincount(ops, minlength=OPS) / len(ops)
        np.testing.assert_allclose(frequencies, weights / weights.sum(), atol=0.04)


def trained(config, reward, updates, session, samples=1000):
    """Trains on reward(normal [4·B], reduce [4·B]); returns strings drawn after it."""
    controller = MicroController(config)
    sample = controller.sample()
    training = controller.train(sample, reward(sample.normal_arc, sample.reduce_arc))
    session.run(tf.compat.v1.global_variables_initializer())
    for _ in range(updates):
        for _ in range(config.num_aggregate):
            session.run(training.accumulate)
        session.run(training.apply)
    assert session.run(training.updates) == updates
    cells = (sample.normal_arc, sample.reduce_arc)
    drawn = [session.run(cells) for _ in range(samples)]
    return [np.stack(cell) for cell in zip(*drawn, strict=True)]


def share(cells, start, value):
    return tf.reduce_mean(tf.cast(tf.equal(cells[start::2], value), tf.float32))


@pytest.mark.parametrize("op", [n for n, bias in enumerate(BIASES) if bias == 0])
def test_a_rewarded_operation_comes_close_to_its_ceiling(op, graph, session):
    """The ceiling: its logit at +c, c = 1.10/2.5, those of its like at -c. The
    convolutions start at +c, in the flat part of tanh, where no gradient moves them."""
    config = ControllerConfig(num_cells=1, lr=0.02, num_aggregate=5)
    cells = trained(
        config,
        lambda *arcs: tf.add_n([share(arc, 1, op) for arc in arcs]) / 2,
        200,
        session,
    )
    c = config.tanh_constant / config.op_tanh_reduce
    for drawn, prior in zip(cells, (PRIORS, 0.0), strict=True):
        start = np.exp(c * np.tanh(BIASES) + prior)
        logits = c * np.where(BIASES == 0, -1.0, np.tanh(BIASES))
        logits[op] = c
        ceiling = np.exp(logits + prior)
        start, ceiling = start[op] / start.sum(), ceiling[op] / ceiling.sum()
        frequency = np.mean(drawn[:, 1::2] == op)
        assert start < 0.8 * ceiling < frequency


def test_a_rewarded_index_is_drawn_most_of_the_time(graph, session):
    config = ControllerConfig(
        num_cells=1,
        tanh_constant=5.0,
        op_tanh_reduce=1.0,
        operations=Operations("unbiased", (CLASSIC[4],) * OPS),
        num_aggregate=5,
    )
    cells = trained(
        config,
        lambda *arcs: tf.add_n([share(arc, 0, 1) for arc in arcs]) / 2,
        150,
        session,
    )
    for drawn in cells:
        assert np.mean(drawn[:, 0::2] == 1) > 0.7


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_entropy_is_rewarded(weight, graph, session, initialize):
    """The first reward moves the baseline from 0 by a hundredth of itself."""
    controller = MicroController(ControllerConfig(num_cells=1, entropy_weight=weight))
    sample = controller.sample()
    training = controller.train(sample, tf.constant(0.25))
    initialize()
    fetches = (training.accumulate, training.baseline, training.loss, sample)
    _, baseline, loss, drawn = session.run(fetches)
    assert drawn.entropy > 1.0
    reward = 0.25 + weight * drawn.entropy
    assert baseline == pytest.approx(0.01 * reward, rel=1e-4)
    assert loss == pytest.approx(-drawn.log_prob * 0.99 * reward, rel=1e-4)


def test_a_baseline_from_the_first_reward(graph, session, initialize):
    """The average of rewards alone: 0.9 times as much weight to each earlier one."""
    config = ControllerConfig(
        num_cells=1, entropy_weight=0.0, baseline_of_update=True, baseline_decay=0.9
    )
    controller = MicroController(config)
    reward = tf.compat.v1.placeholder(tf.float32, [])
    training = controller.train(controller.sample(), reward)
    initialize()
    rewards = [0.5, 0.25, 1.0]
    for number, value in enumerate(rewards, start=1):
        fetches = (training.accumulate, training.baseline)
        _, baseline = session.run(fetches, {reward: value})
        weights = [0.9**age for age in reversed(range(number))]
        expected = np.average(rewards[:number], weights=weights)
        assert baseline == pytest.approx(expected, rel=1e-5)


def test_the_others_of_an_update_as_baseline(graph, session, initialize):
    """Against each sample's gradient alone; Adam, without an average of gradients,
    keeps the mean gradient that it was given."""
    config = ControllerConfig(
        num_cells=1,
        num_aggregate=3,
        entropy_weight=0.2,
        baseline_of_update=True,
        adam_epsilon=1e-12,
        l2_reg=1e-4,
    )
    controller = MicroController(config)
    sample = controller.sample()
    accuracy = tf.compat.v1.placeholder(tf.float32, [])
    training = controller.train(sample, accuracy)
    variables = controller.variables()
    scores = [
        tf.convert_to_tensor(g) for g in tf.gradients(-sample.log_prob, variables)
    ]
    initialize()
    for accuracies in ([0.5, 0.25, 1.0], [0.9, 0.95, 0.2]):
        expected = [2e-4 * value for value in session.run(variables)]
        fetches = (training.accumulate, scores, sample.entropy)
        drawn = [session.run(fetches, {accuracy: value}) for value in accuracies]
        entropies = np.array([entropy for *_, entropy in drawn])
        rewards = np.array(accuracies) + 0.2 * entropies
        for number, (_, gradients, _) in enumerate(drawn):
            advantage = rewards[number] - np.delete(rewards, number).mean()
            for mean, gradient in zip(expected, gradients, strict=True):
                mean += advantage * gradient / 3
        session.run(training.apply)
        kept = [
            v for v in tf.compat.v1.global_variables() if v.op.name.endswith("/Adam")
        ]
        for actual, gradient in zip(session.run(kept), expected, strict=True):
            np.testing.assert_allclose(actual, gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_one_update_is_adam_on_the_mean_gradient_and_moves_the_baseline_first(
    epsilon, graph, session, initialize
):
    config = ControllerConfig(
        num_cells=1, num_aggregate=2, entropy_weight=0.0, adam_epsilon=epsilon
    )
    controller = MicroController(config)
    sample = controller.sample()
    reward = tf.compat.v1.placeholder(tf.float32, [])
    training = controller.train(sample, reward)
    initialize()
    fetches = (training.accumulate, training.baseline, training.loss, sample.log_prob)
    baseline = 0.0
    for value in (0.5, 0.25):
        _, moved, loss, log_prob = session.run(fetches, {reward: value})
        baseline += 0.01 * (value - baseline)
        assert moved == pytest.approx(baseline, rel=1e-5)
        assert loss == pytest.approx(-log_prob * (value - baseline), rel=1e-4)
    sums = {
        v.op.name: v
        for v in tf.compat.v1.global_variables()
        if v.op.name.endswith("_sum")
    }
    before = session.run(controller.variables())
    gradients = [
        session.run(sums[f"controller_training/{v.op.name}_sum"]) / 2
        for v in controller.variables()
    ]
    session.run(training.apply)
    after = session.run(controller.variables())
    for old, new, g in zip(before, after, gradients, strict=True):
        rate = 0.0035 * np.sqrt(1 - 0.999)
        step = rate * g / (np.sqrt(0.001 * g**2) + epsilon)
        np.testing.assert_allclose(new, old - step, atol=1e-6)
    for value in sums.values():
        assert not session.run(value).any()
    session.run(training.apply)  # No average of gradients goes on without any.
    np.testing.assert_array_equal(session.run(controller.variables()[0]), after[0])


def test_each_training_leaves_the_other_network_alone(graph, session, initialize):
    config = tiny_config(num_layers=1, pool_layers=())
    controller = MicroController(ControllerConfig(num_cells=2))
    sample = controller.sample()
    child = MicroChild(config, sample.normal_arc, sample.reduce_arc)
    outputs = child.build(*images_and_labels(config), False)
    step = tf.compat.v1.train.get_or_create_global_step()
    train = get_train_ops(
        outputs.total_loss, child.variables(), TrainConfig(), step, 1, 1
    )
    training = controller.train(sample, tf.cast(outputs.correct, tf.float32))
    initialize()

    def changed_by(*ops):
        both = (child.variables(), controller.variables())
        before = session.run(both)
        for op in ops:
            session.run(op)
        after = session.run(both)
        return [
            any((old != new).any() for old, new in zip(*pair, strict=True))
            for pair in zip(before, after, strict=True)
        ]

    assert changed_by(train.train) == [True, False]
    assert changed_by(training.accumulate) == [False, False]
    assert changed_by(training.accumulate, training.apply) == [False, True]


def test_uniform_sampler_draws_every_number_equally_often(graph, session):
    sample = UniformSampler(3).sample()
    drawn = np.stack([session.run(sample.reduce_arc) for _ in range(1000)])
    limits = (2, OPS, 2, OPS, 3, OPS, 3, OPS, 4, OPS, 4, OPS)
    for column, limit in enumerate(limits):
        counts = np.bincount(drawn[:, column], minlength=limit)
        assert len(counts) == limit
        np.testing.assert_allclose(counts / 1000, 1 / limit, atol=0.07)
