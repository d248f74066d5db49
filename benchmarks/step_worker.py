"""Runs steps of one search child, in its own process, when it is told to.

benchmarks/search_step.py starts it and talks to it in lines of JSON: requests come on
stdin, answers go to stdout. It is not meant to be run by hand.
"""

import json
import os
import sys
import time
from functools import partial

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

from benchmarks.profiling import profile, timed
from benchmarks.reference_children import AllBranchesChild, StraightChild
from enas.base.garbage import no_garbage_collection
from enas.data_utils import Data, DataReader, Split, reader_of
from enas.flags.parse import parse
from enas.loop import search
from enas.micro_child import MicroChild
from enas.report.multiply_adds import multiply_adds
from enas.session.input_pipeline import InputPipeline
from enas.session.session import session_config
from enas.space.arc import Arc
from search_arc_mnist import CONSTANTS

IMAGES = 2048
CONV = (32, 64)  # size in pixels and channels of the plain convolution


def child_maker(kind: str, arc):
    return {
        "own": MicroChild,
        "all": AllBranchesChild,
        "straight": partial(StraightChild, arc),
    }[kind]


def random_data(settings, count: int = IMAGES) -> DataReader:
    rng = np.random.default_rng(0)
    shape = (count, settings.img_size, settings.img_size, settings.channel)
    images = rng.integers(0, 256, shape).astype(np.uint8)
    split = Split(images, rng.integers(10, size=count).astype(np.int32))
    half = np.full(settings.channel, 0.5, np.float32)
    return reader_of(Data(split, split, split, half, half, tuple("0123456789")))


def memory(field: str) -> float:
    """Reads this process's 'VmRSS' (memory held) or 'VmHWM' (most so far), in GB."""
    with open("/proc/self/status", encoding="ascii") as stream:
        line = next(line for line in stream if line.startswith(field + ":"))
    return int(line.split()[1]) / 2**20


def needed_by(op: tf.Operation) -> set[tf.Operation]:
    """Returns an op and all ops that run before it."""
    needed, waiting = set(), [op]
    while waiting:
        op = waiting.pop()
        if op not in needed:
            needed.add(op)
            waiting += [tensor.op for tensor in op.inputs] + op.control_inputs
    return needed


class Worker:
    """A built search, its session, and what can be asked of it."""

    def __init__(self, kind: str, arc: str, flags: list[str]):
        self.settings = parse(["step_worker", *flags], CONSTANTS)
        self.arc = self._parsed(arc)
        data = random_data(self.settings)
        self.before = memory("VmRSS")
        self.pipeline = InputPipeline(data, self.settings.batch_size)
        _, self.ops = search.build(
            self.settings,
            self.pipeline,
            len(data.classes),
            IMAGES // self.settings.batch_size,
            child_maker(kind, self.arc),
        )
        self.session = tf.compat.v1.Session(config=session_config())
        self.session.run(tf.compat.v1.global_variables_initializer())
        self.pipeline.initialize(self.session)

    def _feed(self, stream: str, arc: str | None) -> dict:
        """Returns a step's feed_dict; if arc is None, the sampler draws the string."""
        feed = self.pipeline.feed(stream)
        if arc is not None:
            feed |= self.ops.sample.feed(self._parsed(arc))
        return feed

    def _parsed(self, arc: str) -> Arc:
        return self.settings.parse_arc(arc)

    def _run_child(self, arc, *options):
        """Runs a step of an epoch, as enas/loop/epochs.py does."""
        feed = self._feed("train", arc)
        self.session.run(self.ops.child.fetches(), feed, *options)

    def _run_controller(self, arc, *options):
        """Runs a sample of a round, as enas/loop/search.py does."""
        fetches = self.ops.fetches(self.ops.controller)
        self.session.run(fetches, self._feed("reward", arc), *options)

    def steps(self, what: str, arc: str | None, count: int) -> list[float]:
        """Returns the seconds of each of `count` 'child' or 'controller' steps."""
        run = self._runner(what)
        return timed(lambda: run(arc), count)

    def _runner(self, what: str):
        return {"child": self._run_child, "controller": self._run_controller}[what]

    def facts(self) -> dict:
        """Counts ops in the graph and in its functions; measures GB above the start."""
        graph = tf.compat.v1.get_default_graph()
        functions = graph.as_graph_def().library.function
        return {
            "ops": len(graph.get_operations()),
            "function_ops": sum(len(function.node_def) for function in functions),
            "peak_gb": memory("VmHWM") - self.before,
            "now_gb": memory("VmRSS") - self.before,
        }

    def multiply_adds(self) -> int:
        """Counts the multiply-adds of a batch, forward and backward."""
        ops = needed_by(self.ops.child.train.train)
        return multiply_adds(ops) * self.settings.batch_size

    def conv(self, count: int) -> float:
        """Measures the multiply-adds per second of a plain 3×3 convolution.

        Forward and backward are both timed and counted.
        """
        size, channels = CONV
        batch = self.settings.batch_size
        with tf.Graph().as_default() as graph:
            x = tf.random.uniform([batch, size, size, channels])
            x = tf.compat.v1.get_variable("x", initializer=x)
            kernel = tf.random.uniform([3, 3, channels, channels])
            kernel = tf.compat.v1.get_variable("kernel", initializer=kernel)
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
            gradients = tf.gradients(y, [x, kernel], tf.ones_like(y) * 0.5)
            run = tf.group(*[tf.reduce_max(g) for g in gradients], tf.reduce_max(y))
            work = multiply_adds(graph.get_operations()) * batch
            with tf.compat.v1.Session(config=session_config()) as session:
                session.run(tf.compat.v1.global_variables_initializer())
                session.run(run)
                seconds = timed(lambda: session.run(run), count)
        return work / float(np.median(seconds))

    def profile(self, what: str, arc: str | None) -> str:
        run = self._runner(what)
        run(arc)
        return profile(lambda *options: run(arc, *options))


def main() -> None:
    started, kind, arc, *flags = sys.argv[1:]
    with tf.Graph().as_default():
        with no_garbage_collection():  # as a run does
            worker = Worker(kind, arc, flags)
        worker.steps("child", arc, 1)
        print(json.dumps(time.time() - float(started)), flush=True)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            print(json.dumps(getattr(worker, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
