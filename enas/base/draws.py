"""Random numbers in the graph, as a function of a seed and of where the run is.

No state is kept from one session run to the next: a run that was interrupted, and goes
on, draws what it would have drawn. Where no place is fed, each session run draws other
numbers. What a variable starts at is a function of the graph's seed and of the
variable's name, so that it does not depend on what else the graph holds.
"""

import secrets
import zlib

import tensorflow as tf

_DRAWS = "draws"  # collection that holds the one _Draws of a graph


class _Draws:
    def __init__(self):
        anywhere = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        self.place = tf.compat.v1.placeholder_with_default(anywhere, [2], "place")
        self.count = 0


def uniform(shape) -> tf.Tensor:
    """Float32 in [0, 1), another tensor for each call, in the default graph."""
    draws = _of_default_graph()
    draws.count += 1
    seed = draws.place + tf.constant([draws.count, 0], tf.int64)
    return tf.random.stateless_uniform(shape, seed)


def initial_uniform(shape, bound: float, name: str) -> tf.Tensor:
    """Where a variable starts: float32, uniform in [-bound, bound).

    Args:
      name: the variable's, in the current variable scope.
    """
    return tf.random.stateless_uniform(shape, _initial_seed(name), -bound, bound)


def initial_normal(shape, stddev: float, name: str) -> tf.Tensor:
    """Where a variable starts: float32, normal with mean 0.

    Args:
      name: the variable's, in the current variable scope.
    """
    return tf.random.stateless_normal(shape, _initial_seed(name), stddev=stddev)


def _initial_seed(name: str) -> list[int]:
    """Of the graph's seed, or another one each time where it has none."""
    seed = tf.compat.v1.get_default_graph().seed
    seed = secrets.randbits(31) if seed is None else seed
    scope = tf.compat.v1.get_variable_scope().name
    return [seed, zlib.crc32(f"{scope}/{name}".encode()) >> 1]


def feed(seed: int, activity: int, number: int) -> dict:
    """The feed_dict that says where the run is; empty where the graph draws nothing.

    Args:
      seed: of the run, at least 0 and below 2^32.
      activity: what the run is doing, at least 0 and below 256.
      number: of the step, the sample or the batch of that activity.
    """
    place = [seed << 24 | activity << 16, number]
    return {d.place: place for d in tf.compat.v1.get_collection(_DRAWS)}


def _of_default_graph() -> _Draws:
    collection = tf.compat.v1.get_collection_ref(_DRAWS)
    if not collection:
        collection.append(_Draws())
    return collection[0]
