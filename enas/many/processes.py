"""The engine of one machine: programs and workers are processes, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from tqdm import tqdm

from enas.base.errors import InputError
from enas.base.parent import die_with
from enas.many.cores import usable
from enas.many.engine import Held, WorkerDied
from enas.many.orders import Ended, Order, run_here


class Processes:
    """See `Engine`."""

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def jobs(self, asked: int | None, cores: int | None) -> tuple[int, int]:
        count = asked or 1
        return count, cores or max(1, usable() // count)

    def check(self, paths: Sequence[str]) -> None:
        for path in paths:
            if not os.path.exists(path):
                raise InputError(f"there is no {path}")

    def run(self, order: Order) -> Ended:
        return run_here(order)

    def worker(self, make: Callable[..., Any], *arguments: Any) -> ProcessWorker:
        return ProcessWorker(make, arguments)


class ProcessWorker:
    """A worker in a process that was started for it."""

    def __init__(self, make: Callable[..., Any], arguments: tuple):
        # A copy of this process would hang in TensorFlow, so a new one is started.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, os.getpid(), make, arguments), daemon=True
        )
        self._process.start()
        theirs.close()

    def call(self, method: str, *arguments: Any) -> Any:
        try:
            self._connection.send((method, arguments))
            fine, answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            status = Ended(self._process.exitcode)
            raise WorkerDied(f"a worker {status.words()}") from None
        if not fine:
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()  # it holds nothing that would have to be saved
        self._process.join()


def _serve(
    connection: Connection, parent: int, make: Callable[..., Any], arguments: tuple
) -> None:
    """Makes the worker in its process, and answers calls until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends its workers
    die_with(parent)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # many bars would be one mess
    tqdm.set_lock(threading.RLock())  # the usual one is left behind by a kill
    held = Held(make, arguments)
    with suppress(EOFError, OSError):
        while True:
            connection.send(held.answer(*connection.recv()))
