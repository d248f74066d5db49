"""Measures what a training step of a fixed child costs in each scheme, against float.

    enas_env/bin/python -m benchmarks.fixed_step [--profile] [train_arc_mnist flags]

The schemes take turns in one process. The images are random.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.profiling import profile, timed
from benchmarks.search_step import ARC
from benchmarks.step_worker import IMAGES, random_data
from enas.flags.parse import parse
from enas.loop import train
from enas.session.input_pipeline import InputPipeline
from enas.session.session import session_config
from train_arc_mnist import CONSTANTS

SCHEMES = ("float", "ternarize", "binarize", "quantize")
TURNS = 5
STEPS = 4


class FixedChild:
    """A child of one scheme, and its session."""

    def __init__(self, scheme: str, flags: list[str]):
        arguments = [f"-fixed_arc={ARC}", f"--child_scheme={scheme}", *flags]
        settings = parse(["fixed_step", *arguments], CONSTANTS)
        data = random_data(settings)
        with tf.Graph().as_default():
            pipeline = InputPipeline(data, settings.batch_size)
            steps = IMAGES // settings.batch_size
            _, ops = train.build(settings, pipeline, len(data.classes), steps)
            self._session = tf.compat.v1.Session(config=session_config())
            self._session.run(tf.compat.v1.global_variables_initializer())
            pipeline.initialize(self._session)
        self._fetches = ops.child.fetches()
        self._feed = pipeline.feed("train")

    def run(self, *options) -> None:
        self._session.run(self._fetches, self._feed, *options)


def main() -> None:
    flags = [flag for flag in sys.argv[1:] if flag != "--profile"]
    children = {scheme: FixedChild(scheme, flags) for scheme in SCHEMES}
    seconds = {scheme: [] for scheme in SCHEMES}
    for _ in range(TURNS):
        for scheme, child in children.items():
            seconds[scheme] += timed(child.run, STEPS + 1)[1:]
    medians = {scheme: float(np.median(times)) for scheme, times in seconds.items()}
    print(f"{'scheme':<12s}{'ms a step':>10s}{'/ float':>9s}")
    for scheme, median in medians.items():
        ratio = median / medians["float"]
        print(f"{scheme:<12s}{1000 * median:>10.0f}{ratio:>9.2f}")
    if "--profile" in sys.argv:
        for scheme in ("float", "ternarize"):
            print(f"\n{scheme}\n{profile(children[scheme].run)}")


if __name__ == "__main__":
    main()
