"""Trains a search child for an epoch of MNIST, with one constant string.

    enas_env/bin/python -m benchmarks.constant_string

The layers, the banks and the optimizer are those of a search; only the sampling is
taken away. The output shows how fast the arithmetic learns, apart from the sharing. It
takes the flags of search_arc_mnist.py.
"""

import math
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.search_step import ARC
from enas.flags.datasets import open_data
from enas.flags.parse import parse
from enas.loop import search
from enas.session.input_pipeline import InputPipeline
from enas.session.session import session_config
from search_arc_mnist import CONSTANTS

WINDOW = 50


def main() -> None:
    settings = parse([*sys.argv, "--num_epochs=1"], CONSTANTS)
    data = open_data(settings)
    arc = settings.parse_arc(ARC)
    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_config()) as s:
        tf.compat.v1.set_random_seed(settings.seed or None)
        pipeline = InputPipeline(data, settings.batch_size, settings.seed or None)
        steps = math.ceil(pipeline.num_examples["train"] / settings.batch_size)
        _, ops = search.build(settings, pipeline, len(data.classes), steps)
        s.run(tf.compat.v1.global_variables_initializer())
        pipeline.initialize(s)
        feed = pipeline.feed("train") | ops.sample.feed(arc)
        start, correct = time.monotonic(), []
        for step in range(1, steps + 1):
            fetches = (ops.child.train.train, ops.child.outputs.correct)
            correct.append(int(s.run(fetches, feed)[1]))
            if step % WINDOW == 0 or step == steps:
                last = correct[-WINDOW:]
                accuracy = sum(last) / (len(last) * settings.batch_size)
                minutes = (time.monotonic() - start) / 60
                print(
                    f"step {step:<5d} training accuracy of the last {len(last)} steps "
                    f"{accuracy:.4f}   mins {minutes:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
