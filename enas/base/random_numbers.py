"""Draws random numbers in the graph, from a seed and the place in the run.

It must keep no state between session runs: a run that is interrupted and continued
draws the same numbers as one that is not. If no place is fed, each session run draws
different numbers. The initial value of a variable is a function of the graph's seed and
the variable's name, so it does not depend on what else the graph holds.
"""

import secrets
import zlib

import tensorflow as tf

_DRAWS = "draws"  # the collection that holds a graph's only _Draws


class _Draws:
    def __init__(self):
        anywhere = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        self.place = tf.compat.v1.placeholder_with_default(anywhere, [2], "place")
        self.count = 0


def uniform(shape) -> tf.Tensor:
    """Draws uniform float32 in [0, 1) in the default graph, other ones in each call."""
    draws = _of_default_graph()
    draws.count += 1
    seed = draws.place + tf.constant([draws.count, 0], tf.int64)
    return tf.random.stateless_uniform(shape, seed)


def initial_uniform(shape, bound: float, name: str) -> tf.Tensor:
    """Returns the initial value of a variable: float32, uniform in [-bound, bound).

    Args:
      name: the variable's name in the current variable scope.
    """
    # `tf.random.stateless_uniform` and `stateless_normal` draw the same numbers by more
    # ops, and a search has many variables.
    seed = _initial_seed(name)
    drawn = tf.raw_ops.StatelessRandomUniform(shape=shape, seed=seed)  # in [0, 1)
    return drawn * (2.0 * bound) - bound


def initial_normal(shape, stddev: float, name: str) -> tf.Tensor:
    """Returns the initial value of a variable: float32, normal with mean 0.

    Args:
      name: the variable's name in the current variable scope.
    """
    seed = _initial_seed(name)
    return tf.raw_ops.StatelessRandomNormal(shape=shape, seed=seed) * stddev


def _initial_seed(name: str) -> list[int]:
    """Returns a variable's seed, from the graph's seed or else a random one."""
    seed = tf.compat.v1.get_default_graph().seed
    seed = secrets.randbits(31) if seed is None else seed
    scope = tf.compat.v1.get_variable_scope().name
    return [seed, zlib.crc32(f"{scope}/{name}".encode()) >> 1]


def feed(seed: int, activity: int, number: int) -> dict:
    """Returns the feed_dict of a place in the run; empty if the graph draws nothing.

    Args:
      seed: the run's seed, at least 0 and below 2^32.
      activity: a number for what the run is doing, at least 0 and below 256.
      number: the number of the step, sample or batch within that activity.
    """
    place = [seed << 24 | activity << 16, number]
    return {d.place: place for d in tf.compat.v1.get_collection(_DRAWS)}


def _of_default_graph() -> _Draws:
    collection = tf.compat.v1.get_collection_ref(_DRAWS)
    if not collection:
        collection.append(_Draws())
    return collection[0]
