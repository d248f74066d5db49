"""An opened search that draws and judges strings, for a process that holds it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from enas.base.quiet import load_tensorflow
from enas.flags.datasets import open_data
from enas.flags.table import Settings


def _with_input_errors(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turns the errors of TensorFlow in a method into InputErrors of one line."""

    @wraps(method)
    def told(*arguments):
        from enas.session.session import input_errors  # TensorFlow is loaded by now

        with input_errors():
            return method(*arguments)

    return told


class Ranker:
    """A search, opened from its last checkpoint; it can be used as a context manager.

    Strings go in and out as text, since other processes call.

    Args:
      settings: those of the search; its folder is `output_dir`.

    Raises:
      InputError: the images or the checkpoint cannot be used.
    """

    def __init__(self, settings: Settings):
        data = open_data(settings)
        data.begin()  # TensorFlow is loaded and the graph is built meanwhile
        load_tensorflow()
        from enas.loop import search

        self._settings, self._stack = settings, ExitStack()
        self.judge = self._stack.enter_context(search.opened(settings, data))

    def __enter__(self) -> Ranker:
        return self

    def __exit__(self, *exception) -> None:
        self._stack.__exit__(*exception)

    def checkpoint(self) -> str:
        """Returns the name of the checkpoint that it was opened from."""
        return os.path.basename(self.judge.reader.session.opened_from or "")

    @_with_input_errors
    def drawn(self, count: int) -> list[str]:
        """Returns strings that the controller draws, the same ones each time."""
        from enas.loop import search

        session, sample = self.judge.reader.session, self.judge.sample
        arcs = search.draw_arcs(session, sample, self._settings, count)
        return [str(arc) for arc in arcs]

    @_with_input_errors
    def untrained(self, count: int) -> list[str]:
        """Returns strings that an untrained controller draws."""
        from enas.loop import search

        return [str(arc) for arc in search.untrained_arcs(self._settings, count)]

    def images(self) -> int:
        """Returns how many images a string is judged on."""
        return self.judge.images()

    @_with_input_errors
    def correct(self, arc: str) -> int:
        """Returns how many of them a string classifies correctly."""
        return self.judge.correct(self._settings.parse_arc(arc))
