"""Is one of the workers that benchmarks/workers.py times.

It talks to it in lines of JSON: requests come on stdin, answers go to stdout. It is not
meant to be run by hand.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

from benchmarks.step_worker import random_data
from enas.base.cluster import cluster_of
from enas.base.exchange import SCOPE
from enas.base.garbage import no_garbage_collection
from enas.base.workers import Workers
from enas.flags.parse import parse
from enas.loop import configs, judging, search
from enas.loop.epochs import Reader
from enas.loop.judging import Judge
from enas.report.ranking import uniform_arcs
from enas.session.input_pipeline import InputPipeline
from enas.session.session import Session, session_config
from search_arc_mnist import CONSTANTS

IMAGES = 5000  # as the validation images of MNIST and CIFAR-10


class Worker:
    """A built search, and what can be asked of it."""

    def __init__(self, flags: list[str], folder: str):
        self.settings = parse(["workers_worker", "--seed=1", *flags], CONSTANTS)
        self.workers = Workers(cluster_of())
        if self.workers.several:
            self.workers.join(session_config(), lambda: None)
        data = random_data(self.settings, IMAGES)
        pipeline = InputPipeline(
            data,
            self.settings.batch_size,
            1,
            reward_repeats=configs.reward_repeats(self.settings),
            stride=self.workers.count,
        )
        _, self.ops = search.build(
            self.settings, pipeline, len(data.classes), 100, workers=self.workers
        )
        self.bytes = received(self.workers.count)
        session = Session(folder, pipeline, workers=self.workers)
        self.reader = Reader(session, pipeline, 1, self.workers)
        self.steps_done = self.samples_done = 0

    def facts(self) -> dict:
        """Returns the blocks in a cell, and the bytes that a step exchanges."""
        return {"cells": self.settings.child_num_cells, "bytes": self.bytes}

    def steps(self, count: int, arc: str | None) -> int:
        """Runs child steps; returns how many images all workers took."""
        fetches, fed = self.ops.child.fetches(), {}
        if arc is not None:
            fed = self.ops.sample.feed(self.settings.parse_arc(arc))
        for _ in range(count):
            number = self.workers.own(self.steps_done)
            self.steps_done += 1
            self.reader.session.run(fetches, self.reader.feed("train", number) | fed)
            self.reader.session.pause()
        return count * self.settings.batch_size * self.workers.count

    def round(self, updates: int) -> int:
        """Runs updates of the controller; returns how many images all workers took."""
        training, each = self.ops.controller, self.settings.controller_num_aggregate
        fetches = self.ops.fetches(training)
        for _ in range(updates):
            for _ in range(each):
                number, self.samples_done = self.samples_done, self.samples_done + 1
                if self.workers.owns(number):
                    self.reader.session.run(fetches, self.reader.feed("reward", number))
            self.reader.session.run(training.apply)
            self.reader.session.pause()
        return updates * each * self.settings.batch_size

    def ranking(self, count: int) -> int:
        """Judges strings; returns how many images all workers took."""
        judge = Judge(self.reader, self.ops.sample, self.ops.evaluated)
        arcs = uniform_arcs(self.settings, count)
        judging.rank(judge, [(arc, "uniform") for arc in arcs])
        return count * judge.images()

    def timed(self, name: str, *arguments) -> tuple[int, float]:
        """Returns the images of a request and its seconds, from when all are there."""
        self.workers.meet(0)
        start = time.perf_counter()
        images = getattr(self, name)(*arguments)
        self.workers.meet(0)
        return images, time.perf_counter() - start


def received(count: int) -> float:
    """Returns the bytes that one of so many workers receives in a child step.

    Rows that need a second message, as few steps do, are not among them.
    """
    # A tensor of each of the others; or a ring, in which all parts come twice.
    times = {
        "CollectiveGatherV2": count - 1,
        "CollectiveReduceV2": 2 * (count - 1) / count,
    }
    return sum(
        times[op.type] * op.inputs[0].shape.num_elements() * op.inputs[0].dtype.size
        for op in tf.compat.v1.get_default_graph().get_operations()
        if f"{SCOPE}/" in op.name and op.type in times
    )


def main() -> None:
    import tempfile

    with tf.Graph().as_default(), tempfile.TemporaryDirectory() as folder:
        tf.compat.v1.set_random_seed(1)
        with no_garbage_collection():  # as a run does
            worker = Worker(sys.argv[1:], folder)
        print(json.dumps(worker.facts()), flush=True)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            print(json.dumps(worker.timed(name, *arguments)), flush=True)
        worker.workers.leave()


if __name__ == "__main__":
    main()
