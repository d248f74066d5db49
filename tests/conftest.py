"""Fixtures for graph-mode tests on tiny graphs."""

import os

import enas  # noqa: F401, before TensorFlow: it limits OpenCV, which Keras imports

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf
from hypothesis import settings

from enas.session.session import session_config

settings.register_profile("no deadline", deadline=None)  # machines are shared and noisy
settings.load_profile("no deadline")


@pytest.fixture
def graph():
    """A fresh default graph with a fixed seed."""
    with tf.Graph().as_default() as graph:
        tf.compat.v1.set_random_seed(1)
        yield graph


@pytest.fixture
def session(graph):
    """A session on `graph`; initialize its variables once the graph is built."""
    with tf.compat.v1.Session(graph=graph, config=session_config()) as session:
        yield session


@pytest.fixture
def initialize(session):
    def run_initializers():
        session.run(tf.compat.v1.global_variables_initializer())

    return run_initializers
