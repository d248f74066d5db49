"""Python's search for garbage, put off while a run starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Around a part of the start, which makes half a million objects and hardly any
    garbage: looking for it takes a second. What was made stays, so later searches leave
    it out."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
