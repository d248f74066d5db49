"""What all programs share: the argument parser, and how they print and fail."""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from enas.base.errors import InputError, Interrupted, UsageError


class Parser(argparse.ArgumentParser):
    """An argument parser that reports a mistake as a one-line UsageError."""

    def error(self, message: str):
        raise UsageError(f"{message}; see --help")


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Ends a program with one line on stderr if its user can mend what went wrong.

    The exit status is 2 for wrong usage and 1 for other errors. For an interruption it
    is 128 plus the signal's number, as in shells.

    Args:
      program: its name, with which the line begins.
    """
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
    """Makes stdout print the code of a letter, such as "±", that its encoding lacks.

    Without this, such a letter would end the program.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """Prints a result.

    It is no error if the reader has seen enough (`… | head`): what is printed after
    that goes nowhere.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(program: str, reason, status: int) -> None:
    print(f"{program}: {' '.join(str(reason).split())}", file=sys.stderr)
    sys.exit(status)
