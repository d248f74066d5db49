"""A search child that is fed one constant string learns real digits."""

import numpy as np
import pytest
import tensorflow as tf

from enas.data_utils import open_sources, read_data
from enas.input_pipeline import InputPipeline
from enas.micro_child import MicroChild
from enas.schemes import make_scheme
from enas.utils import TrainConfig, get_train_ops
from tests.children import feed_of, placeholders, tiny_config

STEPS = 100


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
    sources = open_sources(
        *[f"data/mnist/{name}" for name in ("train", "valid", "test")]
    )
    data = read_data(sources, 16, 1, train_limit=2000, eval_limit=10)
    pipeline = InputPipeline(data, batch_size=64, seed=1)
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
