"""Real digits are learnt: by a search child that is fed one constant string, and by a
fixed child, which is judged on other images by its moving averages."""

import numpy as np
import pytest
import tensorflow as tf

from enas.data_utils import FolderReader, open_sources
from enas.flags.table import Settings
from enas.loop.train import build as build_training
from enas.micro_child import MicroChild
from enas.session.input_pipeline import InputPipeline
from enas.space.schemes import make_scheme
from enas.utils import TrainConfig, get_train_ops
from tests.children import feed_of, placeholders, tiny_config
from train_arc_mnist import CONSTANTS

STEPS = 100


def digits(eval_limit: int) -> FolderReader:
    """2000 of 16×16 to train on."""
    sources = open_sources(
        *[f"data/mnist/{name}" for name in ("train", "valid", "test")]
    )
    return FolderReader(sources, 16, 1, train_limit=2000, eval_limit=eval_limit)


@pytest.mark.parametrize(
    ("scheme", "optim_algo"), [("ternarize", "adam"), ("float", "momentum")]
)
def test_a_constant_string_is_learnt(scheme, optim_algo, graph, session, initialize):
    config = tiny_config(
        scheme,
        img_size=16,
        num_classes=10,
        num_layers=1,
        pool_layers=(0, 1),
        out_filters=16,
        first_scheme=make_scheme("quantize" if scheme == "ternarize" else "float"),
    )
    pipeline = InputPipeline(digits(eval_limit=10), batch_size=64, seed=1)
    cells = placeholders(config)
    child = MicroChild(config, *cells)
    outputs = child.build(pipeline.images, pipeline.labels, True)
    step = tf.compat.v1.train.get_or_create_global_step()
    rate = TrainConfig(optim_algo, lr_max=0.05, lr_min=0.05)
    train = get_train_ops(outputs.total_loss, child.variables(), rate, step, 1, 1)
    initialize()
    pipeline.initialize(session)
    feed = pipeline.feed("train") | feed_of(cells, [1, 0, 0, 4, 2, 0, 1, 3] * 2)
    fetches = (train.train, outputs.correct)
    correct = [session.run(fetches, feed)[1] for _ in range(STEPS)]
    assert np.mean(correct[:3]) < 0.3 * 64
    assert np.mean(correct[-20:]) > 0.75 * 64


@pytest.mark.parametrize(("scheme", "rate"), [("ternarize", 0.05), ("float", 0.1)])
def test_a_training_tells_digits_that_it_has_not_seen(
    scheme, rate, graph, session, initialize
):
    constants = CONSTANTS | {
        "fixed_arc": "1 0 0 4 2 0 1 3 1 0 0 4 2 0 1 3",
        "num_epochs": 10,
        "child_scheme": scheme,
        "child_num_layers": 1,
        "child_num_cells": 2,
        "child_out_filters": 8,
        "child_pool_layers": "0 1",
        "child_use_aux_heads": False,
        "child_lr_max": rate,
    }
    pipeline = InputPipeline(digits(eval_limit=500), batch_size=64, seed=1)
    _, ops = build_training(Settings(**constants), pipeline, 10, STEPS // 10)
    initialize()
    pipeline.initialize(session)
    for _ in range(STEPS):
        session.run(ops.child.train.train, pipeline.feed("train"))
    correct = [
        session.run(ops.evaluated.correct, pipeline.feed("test"))
        for _ in range(pipeline.eval_batches("test"))
    ]
    assert sum(correct) > 0.7 * 500
