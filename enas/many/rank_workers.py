"""Ranks strings by several workers, each of which holds an opened search.

A string is a task. How many images it classifies correctly does not depend on which
worker judges it, so the ranking is the one that a single worker makes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from tqdm import tqdm

from enas.base.errors import InputError
from enas.base.program import note
from enas.flags.table import Settings
from enas.many.engine import Engine, Worker, WorkerDied
from enas.many.ranker import Ranker
from enas.report.budget import Budget
from enas.report.ranking import Candidate, Ranked, ranked

MOST_DEATHS = 3  # of workers that are asked the same


class _Call:
    """Calls the methods of a Ranker in its worker."""

    def __init__(self, worker: Worker):
        self._worker = worker

    def __getattr__(self, name: str) -> Callable:
        return lambda *arguments: self._worker.call(name, *arguments)


class _Workers:
    """Workers for threads to take; one that died is replaced."""

    def __init__(self, engine: Engine, settings: Settings):
        self._engine, self._settings = engine, settings
        self._lock = threading.Lock()
        self._all: list[Worker] = []
        self._free: list[Worker] = []
        self._checkpoint: str | None = None
        self._closed = False

    def do(self, task: Callable[[Ranker], object]) -> object:
        """Does something with a worker that nobody else uses meanwhile.

        Raises:
          InputError: what the worker raises; or workers died again and again.
        """
        for tries in range(1, MOST_DEATHS + 1):
            try:
                worker = self._taken()
                self._check_checkpoint(worker)
                done = task(cast(Ranker, _Call(worker)))
            except WorkerDied as died:
                if self._closed or tries == MOST_DEATHS:
                    raise InputError(
                        f"{died}, {tries} times in a row; if it was for want of "
                        f"memory, fewer --jobs need less"
                    ) from None
                note(f"{died}; another one takes its string")
                continue
            with self._lock:
                self._free.append(worker)
            return done
        raise AssertionError

    def _taken(self) -> Worker:
        with self._lock:
            if self._closed:
                raise WorkerDied("the workers were closed")
            if self._free:
                return self._free.pop()
            # It is made in this thread, with which its process ends.
            worker = self._engine.worker(Ranker, self._settings)
            self._all.append(worker)
            return worker

    def _check_checkpoint(self, worker: Worker) -> None:
        """Checks that all workers read the same checkpoint.

        Raises:
          InputError: the search has saved another one meanwhile.
        """
        name = worker.call("checkpoint")
        with self._lock:
            self._checkpoint = self._checkpoint or name
        if name != self._checkpoint:
            raise InputError(
                f"the search goes on and has saved {name} after {self._checkpoint}, so "
                f"workers would not judge alike; rank with one worker, or again"
            )

    def close(self) -> None:
        """Ends all workers, whatever they are doing."""
        with self._lock:
            self._closed = True
            workers, self._all = self._all, []
        for worker in workers:
            worker.close()


def _judging(arc: str) -> Callable[[Ranker], object]:
    return lambda ranker: ranker.correct(arc)


def ranked_by_workers(
    engine: Engine,
    jobs: int | None,
    settings: Settings,
    candidates: Callable[[Ranker], list[Candidate]],
    budget: Budget | None = None,
) -> list[Ranked]:
    """Ranks strings by workers.

    Args:
      jobs: how many workers; None for as many as the engine has room for.
      settings: those of the search.
      candidates: a function of an opened search that returns the strings to rank.
      budget: if given, also the cost of each string is told.

    Returns:
      All of them, best first.

    Raises:
      InputError: the search cannot be opened, or workers died.
    """
    count, _ = engine.jobs(jobs, 1)
    workers = _Workers(engine, settings)
    try:
        with ThreadPoolExecutor(count) as pool:
            try:
                found = pool.submit(workers.do, candidates).result()
                drawn = cast(list[Candidate], found)
                images = cast(
                    int,
                    pool.submit(workers.do, lambda ranker: ranker.images()).result(),
                )
                tasks = [
                    pool.submit(workers.do, _judging(str(arc))) for arc, _ in drawn
                ]
                bar = tqdm(tasks, "ranking", disable=None, leave=False)
                counts = [cast(int, task.result()) for task in bar]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                workers.close()
                raise
    finally:
        workers.close()
    return ranked(drawn, counts, images, budget)
