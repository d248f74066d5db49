"""Trains several strings side by side, and looks after the trainings."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from tqdm import tqdm

from enas.base.errors import UsageError
from enas.base.program import show
from enas.base.text_table import terminal_width
from enas.flags.table import Settings
from enas.loop.kept_run import flag_names
from enas.many.attempts import train
from enas.many.engine import Engine
from enas.many.engines import engine_named
from enas.many.folder import Folder
from enas.many.orders import Order
from enas.many.plan import Plan, plan
from enas.many.progress import Progress
from enas.many.strings import Wanted
from enas.many.table import Rows, table, table_of_means
from enas.many.trainings import FINISHED, PAUSED, RUNNING, WAITING, Training, named
from enas.session.interruption import Interruption

LOOK_EVERY = 1.0  # seconds
Change = tuple[Training, str]  # a training, and what has become of it


def run(
    search: Settings,
    strings: Sequence[Wanted],
    given: Sequence[str],
    path: str,
    engine_name: str,
    jobs: int | None = None,
    cores: int | None = None,
    seeds: int = 0,
) -> list[Training]:
    """Trains strings alone, except those that are trained already; prints their table.

    Args:
      search: the settings of the search that they are of.
      given: flags of the train script.
      path: the folder of the trainings.
      jobs, cores: how many trainings go side by side, and how many cores each gets;
        None for what the engine chooses.
      seeds: train each string with the seeds 1 to this; 0 to leave it to the flags.

    Returns:
      The trainings, in the order of the strings.

    Raises:
      UsageError, InputError: a flag, a string, a file or the folder is wrong; nothing
        was started then.
      Interrupted: a signal asked to leave, and the trainings were saved.
    """
    if seeds and "seed" in flag_names(given):
        raise UsageError("--seeds says what seed is; leave one of them out")
    planned = plan(search, strings[0].arc, given)
    engine = engine_named(engine_name)
    folder = Folder(path, planned)
    try:
        trainings = named(folder.earlier, strings, seeds)
        left = [one for one in trainings if one.state != FINISHED]
        if left:
            with engine:
                many = _Many(trainings, engine, folder, planned)
                many.train(left, *engine.jobs(jobs, cores))
        show(table(trainings, terminal_width(sys.stdout)))
        if means := table_of_means(trainings):
            show(means)
    finally:
        folder.release()
    return trainings


class _Many:
    """Trainings at work."""

    def __init__(
        self, trainings: list[Training], engine: Engine, folder: Folder, plan: Plan
    ):
        self._trainings, self._engine = trainings, engine
        self._folder, self._plan = folder, plan
        self._changes: queue.Queue[Change] = queue.Queue()
        self._progress = Progress(folder.path, plan.settings)
        self._rows = Rows(trainings, terminal_width(sys.stdout))
        self._has_head = False

    def train(self, left: list[Training], jobs: int, cores: int) -> None:
        """Trains those that are left, so many at a time, each on so many cores."""
        folder = self._folder
        self._engine.check([folder.at_work, self._plan.script])
        order = Order((), os.getcwd(), "", cores, folder.at_work)
        for one in left:
            one.state, one.reason = WAITING, ""
        folder.keep(self._trainings)
        pool = ThreadPoolExecutor(min(jobs, len(left)))
        with Interruption() as interruption:
            try:
                futures = [
                    pool.submit(
                        train,
                        one,
                        self._engine,
                        order,
                        folder.path,
                        self._plan,
                        partial(self._tell, one),
                    )
                    for one in left
                ]
                self._wait(pool, futures, interruption)
            finally:
                folder.ask_to_leave()
                pool.shutdown(cancel_futures=True)
                self._take()
                self._progress.close()
            if interruption.came():
                show(table(self._trainings, terminal_width(sys.stdout)))
                interruption.leave()

    def _tell(self, training: Training, words: str) -> None:
        self._changes.put((training, words))

    def _wait(
        self, pool: ThreadPoolExecutor, futures: list[Future], signal: Interruption
    ) -> None:
        """Waits until all trainings have ended, or have left after a signal."""
        while not all(future.done() for future in futures):
            self._take(LOOK_EVERY)
            self._progress.look()
            if signal.came():
                self._folder.ask_to_leave()
                pool.shutdown(wait=False, cancel_futures=True)
        for future in futures:
            if not future.cancelled():
                future.result()

    def _take(self, seconds: float = 0.0) -> None:
        """Takes all changes there are; waits for a first one for so many seconds."""
        try:
            change = self._changes.get(timeout=seconds or 1e-3)
            while True:
                self._show(*change)
                change = self._changes.get_nowait()
        except queue.Empty:
            return

    def _show(self, training: Training, words: str) -> None:
        self._progress.changed(training, words)
        self._folder.keep(self._trainings)
        if training.state in (RUNNING, PAUSED):
            return
        lines = [] if self._has_head else [self._rows.head()]
        self._has_head = True
        with tqdm.external_write_mode(sys.stdout):
            show("\n".join([*lines, self._rows.row(training)]))
