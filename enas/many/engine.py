"""What an engine does: it says where programs run and workers live.

The table of them is in engines.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from enas.many.orders import Ended, Order


class WorkerDied(Exception):
    """A worker ended without an answer."""


class Worker(Protocol):
    """Something that was made in a process of its own, and lives there."""

    def call(self, method: str, *arguments: Any) -> Any:
        """Calls a method there and waits for what it returns.

        Raises:
          WorkerDied: its process ended, or its machine.
          InputError: what the method raises.
        """

    def close(self) -> None:
        """Ends it."""


class Engine(Protocol):
    """Runs programs and workers; use it as a context manager."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...

    def jobs(self, asked: int | None, cores: int | None) -> tuple[int, int]:
        """Returns how many programs run side by side, and how many cores each gets.

        Args:
          asked, cores: what the user says of the two; None to choose.

        Raises:
          UsageError: no machine has so many cores.
        """

    def check(self, paths: Sequence[str]) -> None:
        """Checks that every machine sees some files.

        Raises:
          InputError: one does not.
        """

    def run(self, order: Order) -> Ended:
        """Runs a program and waits for its end; threads call this side by side."""

    def worker(self, make: Callable[..., Any], *arguments: Any) -> Worker:
        """Makes a worker: `make(*arguments)`, in a process of its own.

        Args:
          make: a function or a class that another process can import.
        """


class Held:
    """What lives in a worker's process: it is made at the first call.

    Args:
      make, arguments: see Engine.worker.
    """

    def __init__(self, make: Callable[..., Any], arguments: tuple):
        self._make, self._arguments, self._made = make, arguments, None

    def answer(self, method: str, arguments: tuple) -> tuple[bool, Any]:
        """Calls a method.

        Returns:
          (True, what it returned), or (False, the error that it raised).
        """
        try:
            if self._made is None:
                self._made = self._make(*self._arguments)
            return True, getattr(self._made, method)(*arguments)
        except Exception as error:
            return False, error
