"""The errors that end a program with one line on stderr instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(Exception):
    """A flag is wrong, or flags contradict each other; exit status 2."""


class InputError(Exception):
    """A file, a folder or data cannot be used; exit status 1."""


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Around all that a program does: whatever ends it is one line on stderr and an
    exit status: 2 for usage, 1 for the rest, 130 for an interruption."""
    try:
        yield
    except UsageError as error:
        _leave(program, error, 2)
    except (InputError, FloatingPointError, OSError, MemoryError) as error:
        _leave(program, error, 1)
    except KeyboardInterrupt:
        _leave(program, "interrupted", 130)


def _leave(program: str, reason, status: int) -> None:
    print(f"{program}: {' '.join(str(reason).split())}", file=sys.stderr)
    sys.exit(status)
