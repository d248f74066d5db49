"""The LSTM that samples cells, and its REINFORCE trainer (ENAS, arXiv:1802.03268).

Layout: D = units of the LSTM, O = operations, B = blocks in a cell. The LSTM runs one
string at a time, so its state and input are [1, D].
"""

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from typing import NamedTuple

import tensorflow as tf

from enas.base import random_numbers
from enas.common_ops import create_bias, create_weight, lstm
from enas.controller import Controller, ControllerTraining, Sample
from enas.space.arc import CELLS, CHOICES, SIDES, Block
from enas.space.operations import CLASSIC, Operations
from enas.utils import IN_PAIRS

WEIGHT_RANGE = 0.1


class ControllerConfig(NamedTuple):
    """The controller's constants.

    Attributes:
      operations: the table of operations. It says where their learned biases start, and
        what is added to their logits in the normal cell.
      tanh_constant: the logits of an index lie within ± this. The logits of an
        operation lie within ± this / op_tanh_reduce before the table's prior is added.
      prefers: whether the table's biases and priors count. They make convolutions
        likely, and their start biases lie so far out on the tanh that no training can
        make them unlikely. If False, every operation starts alike.
      temperature: divides the logits before their tanh; 0 leaves them as they are.
      baseline_decay: decay of the exponential average of rewards, which starts at 0.
      baseline_of_update: whether a sample's baseline is the mean reward of the other
        samples in its update (Kool et al., "Buy 4 REINFORCE Samples, Get a Baseline for
        Free!", 2019). The average of rewards is then only logged, and starts at the
        first reward. If False, the average is the baseline.
      adam_epsilon: Adam's epsilon. A gradient is about 1e-4 in size, so the weights
        hardly move with 1e-3, the value of the older codes.
      num_aggregate: samples in an update.
    """

    num_cells: int = 5
    operations: Operations = CLASSIC
    lstm_size: int = 64
    tanh_constant: float = 1.10
    op_tanh_reduce: float = 2.5
    prefers: bool = True
    temperature: float = 0.0
    entropy_weight: float = 1e-4
    baseline_decay: float = 0.99
    baseline_of_update: bool = False
    lr: float = 0.0035
    adam_epsilon: float = 1e-3
    l2_reg: float = 0.0
    num_aggregate: int = 10


class _Weights(NamedTuple):
    """The trainable weights.

    Their shapes are start [1, D], w_lstm [2D, 4D], op_embedding [O, D], op_w [D, O],
    op_bias [O], anchor_w [D, D], query_w [D, D] and attention_v [D, 1].
    """

    start: tf.Variable
    w_lstm: tf.Variable
    op_embedding: tf.Variable
    op_w: tf.Variable
    op_bias: tf.Variable
    anchor_w: tf.Variable
    query_w: tf.Variable
    attention_v: tf.Variable


class _Draw(NamedTuple):
    """A choice among n: its number (int32), log-probability and entropy, [1] each."""

    number: tf.Tensor
    log_prob: tf.Tensor
    entropy: tf.Tensor

    def read(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the row [1, D] of the choice from rows [n, D].

        This is a matrix product, since its gradient takes two ops. The gradient of a
        gather takes twelve.
        """
        return tf.matmul(tf.one_hot(self.number, rows.shape[0]), rows)


class MicroController(Controller):
    """Samples a normal and a reduction cell, and learns by REINFORCE."""

    def __init__(self, config: ControllerConfig):
        self.config = config
        with tf.compat.v1.variable_scope(self.scope):
            self._weights = self._create_weights()

    def _create_weights(self) -> _Weights:
        units, operations = self.config.lstm_size, self.config.operations
        ops = len(operations)
        prefers = self.config.prefers
        op_bias = create_bias(
            "op_bias", [one.start_bias if prefers else 0.0 for one in operations]
        )
        shapes = {
            "start": [1, units],
            "w_lstm": [2 * units, 4 * units],
            "op_embedding": [ops, units],
            "op_w": [units, ops],
            "anchor_w": [units, units],
            "query_w": [units, units],
            "attention_v": [units, 1],
        }

        def initial(name, shape):
            return lambda: random_numbers.initial_uniform(shape, WEIGHT_RANGE, name)

        weights = {n: create_weight(n, s, initial(n, s)) for n, s in shapes.items()}
        return _Weights(op_bias=op_bias, **weights)

    def sample(self) -> Sample:
        units = self.config.lstm_size
        state = (tf.zeros([1, units]), tf.zeros([1, units]))
        prefers = self.config.prefers
        prior = tf.constant(
            [one.prior if prefers else 0.0 for one in self.config.operations]
        )
        noise = self._noise()
        weights = _Weights(*map(tf.convert_to_tensor, self._weights))
        choose = {
            "index": self._chooser(self._index_logits),
            "op": self._chooser(self._op_logits),
        }
        normal, drawn, state = self._sample_cell(state, prior, noise, weights, choose)
        reduction, drawn_too, _ = self._sample_cell(
            state, tf.zeros_like(prior), noise, weights, choose
        )
        drawn += drawn_too
        return Sample(
            normal,
            reduction,
            tf.reshape(reduce(tf.add, [draw.log_prob for draw in drawn]), []),
            tf.stop_gradient(
                tf.reshape(reduce(tf.add, [draw.entropy for draw in drawn]), [])
            ),
        )

    def _noise(self) -> Iterator[tf.Tensor]:
        """Returns Gumbel noise for each draw of an architecture, in order.

        A draw gets one variate for each of its options. Added to the logits, they make
        the largest logit a draw from the softmax.
        """
        counts = [
            count(block, self.config.operations)
            for block in range(self.config.num_cells)
            for count in CHOICES.values()
            for _ in SIDES
        ]
        counts *= CELLS
        uniform = random_numbers.uniform([sum(counts)])
        return iter(tf.split(-tf.math.log(-tf.math.log(uniform)), counts))

    def _sample_cell(
        self,
        state: tuple,
        op_prior: tf.Tensor,
        noise: Iterator[tf.Tensor],
        weights: _Weights,
        choose: dict[str, Callable],
    ) -> tuple[tf.Tensor, list[_Draw], tuple]:
        """Returns (the cell int32 [4·B], its draws, the LSTM's state after it).

        Args:
          weights: the values of the weights.
          choose: for each kind of choice, a function that `_chooser` made.
        """
        anchors, keys = [], []
        for _ in range(2):
            state = lstm(weights.start, state, weights.w_lstm)
            anchors.append(tf.zeros_like(state[1]))
            keys.append(tf.matmul(state[1], weights.anchor_w))
        drawn = []
        for _ in range(self.config.num_cells):
            # For each kind of choice, what its logits come from, and the embeddings of
            # its options.
            given = {
                "index": ((keys, weights.query_w, weights.attention_v), anchors),
                "op": (
                    (op_prior, weights.op_w, weights.op_bias),
                    [weights.op_embedding],
                ),
            }
            inputs, block = weights.start, {}
            for kind in CHOICES:
                for side in SIDES:
                    chosen = choose[kind](
                        inputs, state, weights.w_lstm, next(noise), *given[kind]
                    )
                    block[f"{kind}_{side}"], inputs, state = chosen
            drawn += [block[field] for field in Block._fields]
            state = lstm(inputs, state, weights.w_lstm)
            anchors.append(state[1])
            keys.append(tf.matmul(state[1], weights.anchor_w))
        return tf.concat([draw.number for draw in drawn], 0), drawn, state

    def _chooser(self, logits_of: Callable) -> Callable:
        """Makes the function that chooses for one side of a block.

        It is traced once for each number of options and called for every choice that
        has as many, so the graph stays small. It takes the LSTM's input and state, its
        weights, Gumbel noise, what `logits_of` takes before the state, and a list of
        the options' embeddings, [n, D] together. It returns (the _Draw, the next input,
        the next state).
        """

        @tf.function(autograph=False)
        def choose(inputs, state, w_lstm, noise, given, embeddings):
            state = lstm(inputs, state, w_lstm)
            draw = _draw(logits_of(*given, state[1]), noise)
            return draw, draw.read(tf.concat(embeddings, 0)), state

        return choose

    def _index_logits(
        self,
        keys: list[tf.Tensor],
        query_w: tf.Tensor,
        attention_v: tf.Tensor,
        h: tf.Tensor,
    ) -> tf.Tensor:
        """Attention over b+2 anchors: keys [1, D] and h [1, D] to logits [1, b+2]."""
        query = tf.tanh(tf.concat(keys, 0) + tf.matmul(h, query_w))
        logits = tf.matmul(attention_v, query, True, True)
        return self._squash(logits, self.config.tanh_constant)

    def _op_logits(
        self, prior: tf.Tensor, op_w: tf.Tensor, op_bias: tf.Tensor, h: tf.Tensor
    ) -> tf.Tensor:
        """Maps h [1, D] to the operations' logits [1, O]; the prior is [O]."""
        logits = tf.matmul(h, op_w) + op_bias
        constant = self.config.tanh_constant / self.config.op_tanh_reduce
        return self._squash(logits, constant) + prior

    def _squash(self, logits: tf.Tensor, constant: float) -> tf.Tensor:
        if self.config.temperature:
            logits /= self.config.temperature
        return constant * tf.tanh(logits)

    def train(
        self, sample: Sample, worth: tf.Tensor, totals: Callable = list
    ) -> ControllerTraining:
        """Builds the ops of REINFORCE training; see the base class.

        The reward is worth + entropy_weight · entropy. The loss is
        -log_prob · (reward - baseline).
        """
        config = self.config
        variables = self.variables()
        with tf.compat.v1.variable_scope("controller_training"):
            average = _state("baseline", [])
            updates = _state("updates", [], tf.int64)
        reward = worth + config.entropy_weight * sample.entropy
        kind = _OthersBaseline if config.baseline_of_update else _AverageBaseline
        baseline = kind(config, average, reward)
        gradients = tf.gradients(
            -sample.log_prob, variables, aggregation_method=IN_PAIRS
        )
        scores = {
            v.op.name: tf.convert_to_tensor(g)
            for v, g in zip(variables, gradients, strict=True)
        }
        with tf.compat.v1.variable_scope("controller_training"):
            sums = _Sums(baseline.terms(scores))
        means = baseline.mean_gradients(sums.values(totals), list(scores))
        decays = [2.0 * config.l2_reg * v if config.l2_reg else 0.0 for v in variables]
        optimizer = tf.compat.v1.train.AdamOptimizer(
            config.lr, beta1=0.0, epsilon=config.adam_epsilon
        )
        applied = optimizer.apply_gradients(
            zip(map(operator.add, means, decays), variables, strict=True), updates
        )
        with tf.control_dependencies([applied]):
            apply = sums.clear()
        advantage = baseline.advantage
        shown = [advantage * score for score in scores.values()]
        return ControllerTraining(
            tf.group(sums.add(), baseline.value),
            apply,
            -sample.log_prob * advantage,
            tf.linalg.global_norm(list(map(operator.add, shown, decays))),
            baseline.value,
            updates,
        )


class _AverageBaseline:
    """A baseline: the exponential average of rewards, which starts at 0.

    A sample's reward moves the average before the sample is compared with it.

    Attributes:
      value: scalar, the average.
      advantage: scalar, reward - value, without gradient.
    """

    def __init__(
        self, config: ControllerConfig, average: tf.Variable, reward: tf.Tensor
    ):
        self.config, self.reward = config, reward
        self.value = self._moved(average, reward)
        self.advantage = tf.stop_gradient(reward - self.value)

    def _moved(self, average: tf.Variable, value) -> tf.Tensor:
        """Adds a value to an exponential average; returns the new average."""
        change = (1.0 - self.config.baseline_decay) * (value - average)
        return tf.convert_to_tensor(average.assign_add(change, read_value=True))

    def terms(self, scores: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns what a sample adds to each sum that an update needs, by its name.

        Args:
          scores: the gradient of a sample's -log_prob, by the name of the variable.
        """
        return {name: self.advantage * score for name, score in scores.items()}

    def mean_gradients(self, sums: dict[str, tf.Tensor], names: list[str]) -> list:
        """Returns the mean gradient of an update's losses for each named variable."""
        return [sums[name] / self.config.num_aggregate for name in names]


class _OthersBaseline(_AverageBaseline):
    """A baseline: the mean reward of an update's other samples (Kool et al., 2019).

    An update has n rewards r_j, whose mean is r̄, and n gradients g_j of -log_prob. With
    this baseline its mean gradient is Σ (r_j - r̄) g_j / (n - 1), which is known only
    when the update is complete. So `value` and `advantage` still use the average of
    rewards, which here starts at the first reward.
    """

    def _moved(self, average: tf.Variable, value) -> tf.Tensor:
        moved = super()._moved(average, value)
        # Divide by the rewards' share of the weight; the rest is that of the initial 0.
        return moved / super()._moved(_state("baseline_weight", []), 1.0)

    def terms(self, scores: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = {"reward": self.reward}
        for name, score in scores.items():
            found[f"{name}_score"] = score
            found[name] = self.reward * score
        return found

    def mean_gradients(self, sums: dict[str, tf.Tensor], names: list[str]) -> list:
        count, means = self.config.num_aggregate, []
        for name in names:
            common = sums["reward"] / count * sums[f"{name}_score"]
            means.append((sums[name] - common) / (count - 1))
        return means


class _Sums:
    """Sums over the samples of an update; each sum is a variable with a name.

    Args:
      terms: what each sample adds to each sum.
    """

    def __init__(self, terms: dict[str, tf.Tensor]):
        self._terms = {
            name: (_state(f"{name}_sum", term.shape), term)
            for name, term in terms.items()
        }

    def values(self, totals: Callable) -> dict[str, tf.Tensor | tf.Variable]:
        """Returns the sums so far, over all who sample; see `Controller.train`."""
        sums = [total for total, _ in self._terms.values()]
        return dict(zip(self._terms, totals(sums), strict=True))

    def add(self) -> tf.Operation:
        return tf.group(*[a.assign_add(term) for a, term in self._terms.values()])

    def clear(self) -> tf.Operation:
        sums = [total for total, _ in self._terms.values()]
        return tf.group(*[total.assign(tf.zeros_like(total)) for total in sums])


def _draw(logits: tf.Tensor, noise: tf.Tensor) -> _Draw:
    """Draws one of n options by softmax, from logits [1, n] and Gumbel noise [n]."""
    number = tf.argmax(logits + noise, axis=1, output_type=tf.int32)
    log_prob = -tf.nn.sparse_softmax_cross_entropy_with_logits(number, logits)
    log_probs = tf.nn.log_softmax(tf.stop_gradient(logits))
    entropy = -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=1)
    return _Draw(number, log_prob, entropy)


def _state(name: str, shape, dtype=tf.float32) -> tf.Variable:
    return tf.compat.v1.get_variable(
        name,
        shape,
        dtype,
        initializer=tf.compat.v1.zeros_initializer(),
        trainable=False,
    )
