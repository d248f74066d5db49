"""Times the stages of a search's start, in a process of its own.

benchmarks/search_step.py starts it, with the time at which it did so, a file for the
answer and the search's flags. The search is the real one, up to its first step.
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import enas.loop.main
from enas.data_utils import DataReader
from enas.flags.parse import parse
from search_arc_mnist import CONSTANTS

REST = "Python, flags, folder, summary"


class FirstStepDone(Exception):
    """The first step has ended, and with it the start."""


class Stages:
    """The seconds of each stage, without those of the stages within it."""

    def __init__(self, started: float):
        self.seconds: dict[str, float] = defaultdict(float)
        self._last, self._within = started, [REST]

    def time(self, owner: Any, name: str, stage: str) -> None:
        """Times a function of a module or class as a stage of its own."""
        setattr(owner, name, self.of(stage, getattr(owner, name)))

    def of(self, stage: str, function: Callable) -> Callable:
        def timed(*arguments, **options):
            self._turn()
            self._within.append(stage)
            try:
                return function(*arguments, **options)
            finally:
                self._turn()
                self._within.pop()

        return timed

    def _turn(self) -> None:
        now = time.time()
        self.seconds[self._within[-1]] += now - self._last
        self._last = now


def time_search(stages: Stages) -> None:
    """Times what is known only once TensorFlow is loaded."""
    from enas.loop import epochs, search
    from enas.micro_controller import MicroController
    from enas.session.session import Session

    stages.time(search, "build_sampled_child", "graph: controller, child for reward")
    stages.time(search, "build", "graph: child in training")
    stages.time(epochs, "make_child_ops", "graph: child's gradients and optimizer")
    stages.time(MicroController, "train", "graph: controller's gradients")
    stages.time(epochs, "_open", "session, variables, images into it")
    run = stages.of("first step", Session.run)

    def run_once(session, fetches, feed_dict=None):
        if not isinstance(fetches, epochs.ChildStep):
            return session.raw(fetches, feed_dict)
        run(session, fetches, feed_dict)
        raise FirstStepDone

    Session.raw, Session.run = Session.run, run_once


def main() -> None:
    started, answer, *flags = sys.argv[1:]
    stages = Stages(float(started))
    # `search.search` holds `search.build`, so both are replaced before it is asked for.
    load = enas.loop.main._loaded

    def loaded(task):
        found = load(task)
        time_search(stages)
        return found

    enas.loop.main._loaded = stages.of("TensorFlow and Keras", loaded)
    stages.time(DataReader, "__call__", "images, that is, waiting for them")
    with tempfile.TemporaryDirectory() as folder:
        flags += [f"--output_dir={folder}/run"]
        try:
            enas.loop.main.run("search", parse(["start_worker", *flags], CONSTANTS))
        except FirstStepDone:
            with open(answer, "w", encoding="utf-8") as stream:
                json.dump(stages.seconds, stream)


if __name__ == "__main__":
    main()
