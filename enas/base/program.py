"""What all programs share: the argument parser, and how they print and fail."""

import argparse
import io
import os
import shlex
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from enas.base.errors import InputError, Interrupted, UsageError
from enas.base.text_table import terminal_width

LONGEST = 1000  # letters of a note


class Parser(argparse.ArgumentParser):
    """An argument parser that reports a mistake as a one-line UsageError."""

    def error(self, message: str):
        raise UsageError(f"{message}; see --help")


def whole_number(least: int) -> Callable[[str], int]:
    """Returns what reads an argument that is a whole number.

    Args:
      least: the least it may be, 0 or 1.
    """

    def read(text: str) -> int:
        number = text.isascii() and text.isdigit() and len(text) < 10
        if not number or int(text) < least:
            above = " above 0" if least else ""
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number{above}")
        return int(text)

    return read


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Ends a program with one line on stderr if its user can mend what went wrong.

    The exit status is 2 for wrong usage and 1 for other errors. For an interruption it
    is 128 plus the signal's number, as in shells. Ctrl-C leaves the program in order;
    a second one ends it at once.

    Args:
      program: its name, with which the line begins.
    """
    _prepare_streams()
    try:
        with _at_once_at_a_second_signal():
            yield
    except UsageError as error:
        _leave(program, error, 2)
    except MemoryError:
        _leave(program, "there is not enough memory", 1)
    except ImportError as error:
        reason = f"{error}; give the program more memory, or run ./setup.sh again"
        _leave(program, f"a package cannot be loaded: {reason}", 1)
    except (InputError, FloatingPointError, OSError) as error:
        _leave(program, error, 1)
    except Interrupted as interruption:
        number, *going_on = interruption.args
        _leave(program, "; ".join(["interrupted and saved", *going_on]), 128 + number)
    except KeyboardInterrupt:
        _leave(program, "interrupted", 130)


def _prepare_streams() -> None:
    """Makes sure that the program can print whatever it has to say.

    A stream that was closed goes nowhere. Without that, the next file that is opened
    would take its number, and get what is printed. A letter that an encoding lacks,
    such as "±", is printed as its code.
    """
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _at_once_at_a_second_signal() -> Iterator[None]:
    """Lets a first Ctrl-C leave the program in order, and a second one end it."""

    def interrupt(number, frame):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with suppress(ValueError):  # not in the main thread
        if before != signal.SIG_IGN:  # as it is under nohup or &
            signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, before)


def show(text: str) -> None:
    """Prints a result.

    It is no error if the reader has seen enough (`… | head`): what is printed after
    that goes nowhere.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """Prints a text of several lines on stderr; it is no error if nobody listens."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Prints one line on stderr; a terminal gets it in lines of whole words.

    It is made `visible`, and a long text is cut: a part of it may be a stranger's.
    """
    words = " ".join(text.split())
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]} … ({len(words)} letters)"
    words, columns = visible(words), terminal_width(sys.stderr)
    if columns is not None:
        words = textwrap.fill(
            words, columns, break_long_words=False, break_on_hyphens=False
        )
    tell(words)


def command(*words: str) -> str:
    """Returns a command that runs a script or a module, to paste into a shell.

    Args:
      words: what follows the name of this Python, which comes first.
    """
    python = sys.executable
    below = os.path.join(os.getcwd(), "")
    if python.startswith(below):  # as when it is enas_env/bin/python
        python = python[len(below) :]
    return shlex.join([python, *words])


def visible(text: str) -> str:
    """Returns a text as it can be printed, though a part of it may be a stranger's.

    Letters that cannot be seen, such as the escapes that steer a terminal, become their
    codes.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _leave(program: str, reason, status: int) -> None:
    note(f"{program}: {reason}")
    sys.exit(status)
