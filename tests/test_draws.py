"""Random numbers of the graph depend on seed, activity and number alone."""

import numpy as np
import tensorflow as tf

from enas.base import draws


def test_a_place_draws_the_same_again_and_others_draw_others(session):
    first, second = draws.uniform([1000]), draws.uniform([1000])
    places = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (2**32 - 1, 255, 2**62)]
    drawn = [
        numbers
        for place in places
        for numbers in session.run((first, second), draws.feed(*place))
    ]
    again = session.run((first, second), draws.feed(*places[0]))
    np.testing.assert_array_equal(again, drawn[:2])
    correlation = np.corrcoef(drawn)
    assert np.abs(correlation - np.eye(len(drawn))).max() < 0.2
    assert abs(np.mean(drawn) - 0.5) < 0.02
    assert np.min(drawn) >= 0.0
    assert np.max(drawn) < 1.0


def test_an_unfed_place_is_another_one_each_time(session):
    numbers = draws.uniform([100])
    assert not np.array_equal(session.run(numbers), session.run(numbers))


def test_each_graph_has_its_own():
    for _ in range(2):
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as s:
            drawn = s.run(draws.uniform([3]), draws.feed(1, 0, 0))
            assert len(set(drawn)) == 3
