"""Measures what a second worker gains a search, with one core for each worker.

    enas_env/bin/python -m benchmarks.workers [--workers=2] [FLAG]

One worker, several that share a search, and as many that run side by side but share
nothing, take turns, on this machine and on random images. The last ones show what the
cores can do at the same time, since they share memory and caches. Child steps are timed
on strings that differ from worker to worker, and on one string for all; then a round of
the controller, and the judging of strings. FLAG is a flag of search_arc_mnist.py. There
must be a core for each worker, and nothing else at work.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import numpy as np

from benchmarks.search_step import string_of

TURNS = 8
STEPS = 8  # child steps in a turn
UPDATES = 4  # of the controller in a turn
STRINGS = 2  # that are judged in a turn
WHATS = {
    "different": "child steps, different strings",
    "same": "child steps, one string",
    "round": "controller's round",
    "ranking": "ranking",
}


class Group:
    """Some workers, one a core, that do the same things at the same time.

    Args:
      cores: the core of each.
      flags: those of search_arc_mnist.py.
    """

    def __init__(self, cores: list[int], flags: list[str]):
        hosts = _free_hosts(len(cores))
        self._processes = []
        for index, core in enumerate(cores):
            task = {"type": "worker", "index": index}
            config = {"cluster": {"worker": hosts}, "task": task}
            module = [sys.executable, "-m", "benchmarks.workers_worker", *flags]
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"TF_CONFIG": json.dumps(config)},
            )
            self._processes.append(process)
        answers = [self._answer(process) for process in self._processes]
        self.facts = answers[0]

    def ask(self, *request) -> None:
        for process in self._processes:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()

    def answer(self):
        """Returns the chief's answer, once all have answered."""
        answers = [self._answer(process) for process in self._processes]
        return answers[0]

    def _answer(self, process):
        line = process.stdout.readline()
        if not line:
            sys.exit(f"a worker ended with status {process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        for process in self._processes:
            process.stdin.close()
        for process in self._processes:
            process.wait()


def _free_hosts(count: int) -> list[str]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in found]


def requests(cells: int, factor: int) -> dict[str, tuple]:
    """Returns what is asked for each thing that is timed.

    Args:
      factor: by how much fewer workers take more steps, so that all train on as many
        images and strings.
    """
    return {
        "different": ("steps", STEPS * factor, None),
        "same": ("steps", STEPS * factor, string_of(cells)),
        "round": ("round", UPDATES),
        "ranking": ("ranking", STRINGS),
    }


def measure(count: int, flags: list[str]) -> dict:
    """Returns the images a second of each arrangement of workers, in turn."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    if len(cores) < count:
        sys.exit(f"there are {len(cores)} cores for {count} workers")
    several, singles = Group(cores, flags), [Group([core], flags) for core in cores]
    arranged = {"one": singles[:1], "apart": singles, "together": [several]}
    facts = several.facts
    taken: dict[str, dict[str, list]] = {
        what: {name: [] for name in arranged} for what in WHATS
    }
    for turn in range(TURNS + 1):
        for name, groups in arranged.items():
            factor = 1 if name == "together" else count
            for what, request in requests(facts["cells"], factor).items():
                for group in groups:
                    group.ask(*request)
                answers = [group.answer() for group in groups]
                if turn:  # the first one builds what later ones have ready
                    images, seconds = zip(*answers, strict=True)
                    taken[what][name].append((sum(images), max(seconds)))
    for group in (several, *singles):
        group.close()
    rates = {
        what: {n: np.divide(*np.sum(found, axis=0)) for n, found in each.items()}
        for what, each in taken.items()
    }
    return {"rates": rates} | facts


def table(count: int, result: dict) -> str:
    """Makes the table of images a second."""
    head = ("1 worker", f"{count} apart", f"{count} workers", "gain", "of apart")
    lines = [f"{'images a second':<34s}" + "".join(f"{word:>11s}" for word in head)]
    for what, words in WHATS.items():
        rates = result["rates"][what]
        one, apart, several = (rates[name] for name in ("one", "apart", "together"))
        numbers = "".join(f"{rate:>11.1f}" for rate in (one, apart, several))
        gains = f"{several / one:>11.2f}{several / apart:>11.2f}"
        lines.append(f"{words:<34s}{numbers}{gains}")
    lines.append(f"a worker receives {result['bytes'] / 1e6:.1f} MB in a child step")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="how many (2)")
    arguments, flags = parser.parse_known_args()
    if arguments.workers < 2:
        parser.error("--workers must be at least 2")
    print(table(arguments.workers, measure(arguments.workers, flags)))


if __name__ == "__main__":
    main()
