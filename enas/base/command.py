"""What every program does with its command line and with what goes wrong."""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from enas.base.errors import InputError, Interrupted, UsageError


class Parser(argparse.ArgumentParser):
    """Says what is wrong as a UsageError of one line."""

    def error(self, message: str):
        raise UsageError(f"{message}; see --help")


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Around all that a program does: what its user can mend ends it with one line on
    stderr and an exit status: 2 for usage, 1 for the rest; for an interruption 128 and
    the signal's number, as shells have it."""
    try:
        yield
    except UsageError as error:
        _leave(program, error, 2)
    except (InputError, FloatingPointError, OSError, MemoryError) as error:
        _leave(program, error, 1)
    except Interrupted as interruption:
        (number,) = interruption.args
        going_on = "interrupted and saved; --reset_output_dir=False goes on"
        _leave(program, going_on, 128 + number)
    except KeyboardInterrupt:
        _leave(program, "interrupted", 130)


def show_all_letters() -> None:
    """A letter that the terminal's alphabet lacks, such as "±", is shown by its code
    and does not end a program."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """Prints a result. A reader that has seen enough (`… | head`) is no error, and what
    is printed after that goes nowhere."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(program: str, reason, status: int) -> None:
    print(f"{program}: {' '.join(str(reason).split())}", file=sys.stderr)
    sys.exit(status)
