"""What several workers do together is what one does: sums, means and equal weights."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import tensorflow as tf

from enas.base import random_numbers
from enas.base import workers as workers_module
from enas.base.cluster import Cluster
from enas.base.errors import InputError
from enas.base.exchange import Exchange
from enas.base.workers import ALONE
from enas.common_ops import create_weight
from enas.flags.parse import parse
from enas.loop import joining
from enas.micro_controller import ControllerConfig, MicroController
from enas.session import session as session_module
from enas.session.session import Session
from enas.utils import TrainConfig, get_train_ops
from search_arc_mnist import CONSTANTS
from tests.together import free_hosts, session_of, together


def test_workers_meet():
    def work(workers):
        table = workers.meet(workers.index, 7)
        total = workers.sum(10**12 + workers.index)
        text = workers.of_chief(f"é{workers.index}" * 3)
        return table.tolist(), total, text, workers.of_chief("")

    for result in together(3, work):
        assert result == ([[0, 7], [1, 7], [2, 7]], 3 * 10**12 + 3, "é0é0é0", "")


def test_one_that_is_alone_meets_itself(graph):
    assert ALONE.meet(3, 4).tolist() == [[3, 4]]
    assert ALONE.sum(5) == 5 and ALONE.of_chief("x") == "x"
    x = tf.constant(1.0)
    assert ALONE.total(x) is x and ALONE.totals([x]) == [x]
    ALONE.compare({"a": "b"})
    assert [op.type for op in graph.get_operations()] == ["Const"]
    assert ALONE.gather(tf.ones([2])).shape == [1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_a_meeting_keeps_no_thread():
    """A process may have some thirty thousand; a search meets more often than that."""

    def count(workers):
        workers.sum(1)
        return len(os.listdir("/proc/self/task"))

    def work(workers):
        before = count(workers)
        for _ in range(300):
            after = count(workers)
        return after - before

    assert max(together(2, work)) < 100


def test_pauses_in_quick_succession_are_passed(tmp_path, monkeypatch):
    """But not one whose numbers are added up, nor any that comes late."""
    monkeypatch.setattr(session_module, "MEET_EVERY", 0.5)

    def work(workers):
        tf.compat.v1.get_variable("x", initializer=tf.zeros([2]))
        tf.compat.v1.train.get_or_create_global_step()
        met, meet = [], workers.meet
        workers.meet = lambda *numbers: met.append(numbers) or meet(*numbers)
        (tmp_path / str(workers.index)).mkdir()
        with Session(str(tmp_path / str(workers.index)), workers=workers) as session:
            assert [session.pause() for _ in range(200)] == [0] * 200
            quick = len(met)
            for _ in range(2):
                time.sleep(0.6)
                assert session.pause(number=3) == 6
            late = len(met)
            for _ in range(3):
                time.sleep(0.6)
                session.pause()
            return quick, len(met) - late

    (quick, late), other = together(2, work)
    assert other == (quick, late)
    assert 200 // 21 <= quick < 40 and late == 3


def test_a_worker_that_hangs_is_told(monkeypatch):
    monkeypatch.setattr(workers_module, "WAIT", 6.0)
    over = Event()

    def work(workers):
        if not workers.is_chief:
            assert over.wait(60)
            workers.leave = workers.close  # the chief does not come
            return None
        begun = time.monotonic()
        with pytest.raises(InputError, match="another worker has not answered for"):
            workers.sum(1)
        over.set()
        workers.leave = workers.close
        return time.monotonic() - begun

    seconds, _ = together(2, work)
    assert 5 < seconds < 30


def test_a_worker_that_differs_is_named():
    def work(workers):
        own = {"seed": "1", "batch_size": "20" if workers.index == 1 else "10"}
        with pytest.raises(InputError) as caught:
            workers.compare(own)
        return str(caught.value), workers.cluster.name(1)

    (chief, name), (own, _) = together(2, work)
    assert chief.startswith(f"{name} and the chief differ in flags")
    assert own.startswith(name)
    assert own.endswith("differ in batch_size (20; the chief has 10)")


def test_the_code_of_all_packages_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "__file__", str(tmp_path / "enas/loop/joining.py"))
    found = {joining._digest_of_code()}
    for path in ("enas/loop/search.py", "quantize/base_ops.py", "ternarize/x.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        for text in ("x = 1", "x = 2"):
            (tmp_path / path).write_text(text)
            found.add(joining._digest_of_code())
    assert len(found) == 7


def test_workers_share_a_seed_and_the_chief_s_flags(tmp_path, monkeypatch):
    """Files may differ; a seed that was not given is the chief's, also that of data."""
    monkeypatch.setattr(joining, "open_data", lambda settings: settings.seed)

    def settings_of(index, **changes):
        words = [f"--output_dir={tmp_path / str(index)}", "--batch_size=20"]
        words += ["--seed=7"] * (index == 0)
        words += [f"--{name}={value}" for name, value in changes.items()]
        return parse(["search_arc_mnist.py", *words], CONSTANTS)

    def join(hosts, index, settings):
        cluster = Cluster(hosts, index)
        with joining.joined(cluster, settings, settings.seed, print) as shared:
            settings, data, workers = shared
            workers.leave()
            return settings.seed, data

    def join_both(*both):
        hosts = free_hosts(2)
        with ThreadPoolExecutor(2) as pool:
            return [pool.submit(join, hosts, n, both[n]) for n in range(2)]

    done = join_both(settings_of(0), settings_of(1))
    assert [one.result() for one in done] == [(7, 7), (7, 7)]
    done = join_both(settings_of(0), settings_of(1, batch_size=10, seed=3))
    words = ("worker 1 .* and the chief differ in flags", "batch_size .10; the chief")
    for one, reason in zip(done, words, strict=True):
        with pytest.raises(InputError, match=reason):
            one.result()


@pytest.mark.parametrize("count", [2, 3])
def test_all_get_the_chiefs_values_bit_by_bit(count):
    values = np.array([np.nan, -0.0, 1e-42, np.inf, 0.1], np.float32)

    def work(workers):
        first = values if workers.is_chief else np.full(5, workers.index, np.float32)
        floats = tf.compat.v1.get_variable("floats", initializer=first)
        large = tf.constant(2**62 + 1 - workers.index, tf.int64)
        number = tf.compat.v1.get_variable("number", initializer=large)
        give = workers.chiefs_values([floats, number])
        with session_of(workers) as session:
            session.run(give)
            return session.run((floats, number))

    for floats, number in together(count, work):
        assert floats.tobytes() == values.tobytes()
        assert number == 2**62 + 1


ROWS = ([4, 0, 2], [2], [4, 0])  # that each worker reads of a bank
ROWS_OF_OTHER = ([3, 1], [], [1])  # and of another one
SCALES = (1.0, 3.0, -2.0)
# How many numbers the rows that a worker reads are said to have at most. For more than
# ALIGNED of them there may be a second message.
ONE_MESSAGE = 164
TWO_MESSAGES = 82
WHOLE_BANKS = 308  # for so many, whole banks are sent


def step_of(algorithm, index, workers=ALONE, most=TWO_MESSAGES):
    """A worker's step down a loss that reads rows of two banks, and a dense weight."""
    rng = np.random.default_rng(0)
    bank = create_weight("bank", [12, 24], lambda: tf.constant(first_bank()))
    other = create_weight("other", [4, 5], lambda: tf.ones([4, 5]))
    dense = create_weight("dense", [2, 2], lambda: tf.ones([2, 2]))
    rows, scale = ROWS[index], SCALES[index] / workers.count
    factors = rng.normal(size=(3, 24)).astype(np.float32)[: len(rows)]
    loss = scale * tf.reduce_sum(tf.gather(bank, rows) * factors)
    of_other = tf.gather(other, tf.constant(ROWS_OF_OTHER[index], tf.int32))
    loss += scale * tf.reduce_sum(of_other**2) + scale * tf.reduce_sum(dense * dense)
    step = tf.compat.v1.train.get_or_create_global_step()
    config = TrainConfig(algorithm, lr_max=0.1, lr_min=0.1, adam_beta1=0.9)
    exchange = None
    if workers.several:
        exchange = Exchange(workers, most, [tf.constant([scale, 1.0])]).sums
    return get_train_ops(loss, [bank, dense, other], config, step, 1, 9, exchange)


def first_bank():
    return np.random.default_rng(1).normal(size=(12, 24)).astype(np.float32)


def variables_after(session, ops, steps):
    for _ in range(steps):
        session.run(ops.train)
    found = tf.compat.v1.global_variables()
    return dict(zip([v.op.name for v in found], session.run(found), strict=True))


KINDS = pytest.mark.parametrize("most", [ONE_MESSAGE, TWO_MESSAGES, WHOLE_BANKS])


@KINDS
@pytest.mark.parametrize("count", [2, 3])
def test_an_update_takes_the_mean_gradient(count, most):
    def work(workers):
        ops = step_of("sgd", workers.index, workers, most)
        with session_of(workers) as session:
            return variables_after(session, ops, 1)

    moved = []
    for index in range(count):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            ops = step_of("sgd", index)
            session.run(tf.compat.v1.global_variables_initializer())
            moved.append(variables_after(session, ops, 1))
    for found in together(count, work):
        for name in ("bank", "other", "dense"):
            mean = np.mean([one[name] for one in moved], axis=0)
            np.testing.assert_allclose(found[name], mean, atol=1e-6)


@KINDS
@pytest.mark.parametrize("algorithm", ["adam", "momentum"])
def test_rows_that_nobody_read_keep_every_bit(algorithm, most):
    def work(workers):
        ops = step_of(algorithm, workers.index, workers, most)
        types = {op.type for op in tf.compat.v1.get_default_graph().get_operations()}
        assert ("CollectiveGatherV2" in types) is (most != WHOLE_BANKS)
        with session_of(workers) as session:
            return variables_after(session, ops, 3)

    one, other = together(2, work)
    for name, value in one.items():  # among them the slots
        assert value.tobytes() == other[name].tobytes()
    for bank, first, read in (("bank", first_bank(), [0, 2, 4]), ("other", 1, [1, 3])):
        first = np.broadcast_to(first, one[bank].shape)
        unread = np.setdiff1d(np.arange(len(first)), read)
        assert (one[bank][unread] == first[unread]).all()
        assert (one[bank][read] != first[read]).all()
        slots = [name for name in one if name.startswith(f"{bank}/")]
        assert slots
        for name in slots:
            assert (one[name][unread] == 0).all() and one[name][read].any()


@KINDS
@pytest.mark.parametrize("count", [2, 3])
def test_other_numbers_are_added_up_with_gradients(count, most):
    def work(workers):
        bank = create_weight("bank", [12, 24], lambda: tf.constant(first_bank()))
        numbers = [tf.constant(1.5 + workers.index), tf.fill([2, 3], 4.0)]
        exchange = Exchange(workers, most, numbers)
        rows = tf.constant(ROWS[workers.index])
        exchange.sums([tf.IndexedSlices(tf.gather(bank, rows), rows)], [bank])
        with session_of(workers) as session:
            return session.run(exchange.totals)

    for number, table in together(count, work):
        assert number == sum(1.5 + index for index in range(count))
        assert (table == 4.0 * count).all() and table.shape == (2, 3)


def controller_weights(workers):
    """A controller's weights before and after updates whose samples workers share."""
    config = ControllerConfig(
        num_cells=1, lstm_size=8, num_aggregate=5, baseline_of_update=True, lr=1.0
    )
    controller = MicroController(config)
    sample = controller.sample()
    reward = tf.reduce_mean(tf.cast(tf.equal(sample.normal_arc, 1), tf.float32))
    training = controller.train(sample, reward, workers.totals)
    with session_of(workers) as session:
        before = session.run(controller.variables())
        for number in range(2 * config.num_aggregate):
            if workers.owns(number):
                session.run(training.accumulate, random_numbers.feed(1, 1, number))
            if (number + 1) % config.num_aggregate == 0:
                session.run(training.apply)
        return before, session.run(controller.variables())


def test_a_controller_s_update_is_that_of_one_worker():
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(1)
        before, alone = controller_weights(ALONE)
    (_, one), (_, other) = together(2, controller_weights)
    for first, second, expected in zip(one, other, alone, strict=True):
        assert first.tobytes() == second.tobytes()
        np.testing.assert_allclose(first, expected, atol=1e-6)
    moved = zip(alone, before, strict=True)
    assert max(np.abs(after - first).max() for after, first in moved) > 1e-4
