"""Random numbers of the graph depend on seed, activity and number alone."""

import zlib

import numpy as np
import pytest
import tensorflow as tf

from enas.base import random_numbers


def test_a_place_draws_the_same_again_and_others_draw_others(session):
    first, second = random_numbers.uniform([1000]), random_numbers.uniform([1000])
    places = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (2**32 - 1, 255, 2**62)]
    drawn = [
        numbers
        for place in places
        for numbers in session.run((first, second), random_numbers.feed(*place))
    ]
    again = session.run((first, second), random_numbers.feed(*places[0]))
    np.testing.assert_array_equal(again, drawn[:2])
    correlation = np.corrcoef(drawn)
    assert np.abs(correlation - np.eye(len(drawn))).max() < 0.2
    assert abs(np.mean(drawn) - 0.5) < 0.02
    assert np.min(drawn) >= 0.0
    assert np.max(drawn) < 1.0


def test_an_unfed_place_is_another_one_each_time(session):
    numbers = random_numbers.uniform([100])
    assert not np.array_equal(session.run(numbers), session.run(numbers))


def test_each_graph_has_its_own():
    for _ in range(2):
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as s:
            drawn = s.run(random_numbers.uniform([3]), random_numbers.feed(1, 0, 0))
            assert len(set(drawn)) == 3


def test_where_a_variable_starts_depends_on_seed_and_name_alone():
    def starts(seed, name, ops_before=0):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.set_random_seed(seed)
            for _ in range(ops_before):
                tf.random.uniform([])
            with tf.compat.v1.variable_scope("scope"):
                uniform = random_numbers.initial_uniform([1000], 0.5, name)
                normal = random_numbers.initial_normal([1000], 2.0, name)
            return session.run((uniform, normal))

    first = starts(1, "w")
    for one, again in zip(first, starts(1, "w", ops_before=3), strict=True):
        np.testing.assert_array_equal(one, again)
    others = [*starts(1, "v"), *starts(2, "w"), *starts(2**31 - 1, "w")]
    correlation = np.corrcoef([*first, *others])
    of_kinds = correlation[0::2, 0::2], correlation[1::2, 1::2]
    for one in of_kinds:
        assert np.abs(one - np.eye(len(one))).max() < 0.2
    assert np.abs(first[0]).max() <= 0.5 and first[0].std() > 0.25
    assert abs(first[1].std() - 2.0) < 0.15


def test_a_graph_without_a_seed_starts_anew_each_time():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        numbers = [random_numbers.initial_uniform([9], 1.0, "w") for _ in range(2)]
        first, second = session.run(numbers)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("bound", [1.0, 0.1, 1 / 3])
def test_a_variable_starts_where_tensorflow_would_let_it(bound):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(7)
        seed = [7, zlib.crc32(b"/w") >> 1]
        shape = [5, 30]
        pairs = [
            (
                random_numbers.initial_uniform(shape, bound, "w"),
                tf.random.stateless_uniform(shape, seed, -bound, bound),
            ),
            (
                random_numbers.initial_normal(shape, bound, "w"),
                tf.random.stateless_normal(shape, seed, stddev=bound),
            ),
        ]
        for ours, theirs in session.run(pairs):
            np.testing.assert_array_equal(ours, theirs)
