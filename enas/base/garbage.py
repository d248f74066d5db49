"""Puts off Python's garbage collection while a run starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Turns garbage collection off for a part of the start.

    The start makes half a million objects and hardly any garbage, and the search for it
    takes a second. These objects stay, so later collections leave them out.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
