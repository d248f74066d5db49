"""Fixtures: tiny graphs, and finished runs that tests share; and the order of tests."""

import gc
import os

import enas  # noqa: F401, before TensorFlow: it limits OpenCV, which Keras imports

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf
from hypothesis import settings

from enas.session.session import session_config
from tests import finished

settings.register_profile("no deadline", deadline=None)  # machines are shared and noisy
settings.load_profile("no deadline")
gc.freeze()  # what is loaded by now stays, so collections need not look at it

# The longest files begin first. Else one of them may come last, and go on alone while
# the other processes of ./setup.sh test have nothing left.
LONG = (
    "test_resume",
    "test_train_arcs",
    "test_scripts",
    "test_shared_search",
    "test_attacks",
    "test_tables",
    "test_damage",
    "test_disks",
    "test_reference_children",
    "test_search_child",
)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))


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


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all processes of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def finished_search(shared_folder):
    """A small search of two epochs, which no test may change."""
    return finished.finished_run(shared_folder, "search", *finished.SEARCH)


@pytest.fixture(scope="session")
def finished_training(shared_folder):
    """A small training of two epochs, which no test may change."""
    return finished.finished_run(shared_folder, "training", *finished.TRAINING)
