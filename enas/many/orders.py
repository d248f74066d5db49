"""What an engine is asked to run, and how it is run on the machine it comes to.

A training is a process of its own. It ends with the process that started it, whatever
ends that. It is asked to save and leave when a certain file goes: every machine can see
that without a connection to the command.
"""

import os
import signal
import subprocess
import sys
from typing import NamedTuple

from enas.base import cluster
from enas.base.files import open_regular
from enas.many.cores import claimed, threads

LOOK_EVERY = 0.5  # seconds
# Starts a command that the system kills when its parent ends (on Linux).
_LAUNCH = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except (OSError, AttributeError):
    pass
if os.getppid() == int(parent):
    os.execv(sys.executable, [sys.executable, *command])
"""


class Order(NamedTuple):
    """A program to run. All paths are absolute, and the same on every machine.

    Attributes:
      words: what follows the name of Python.
      cwd: the folder to run it in.
      errors: the file that its stderr is appended to.
      cores: how many it gets.
      stays: a file; when it goes, the program is asked to leave.
    """

    words: tuple[str, ...]
    cwd: str
    errors: str
    cores: int
    stays: str


class Ended(NamedTuple):
    """How a program ended.

    Attributes:
      status: its exit status, -N after signal N; None if nobody knows.
      how: why nobody knows, in a few words.
      left: whether it had been asked to leave.
    """

    status: int | None
    how: str = ""
    left: bool = False

    def died(self) -> bool:
        """Whether it ended without a word of its own."""
        return self.status is None or self.status < 0 or self.status > 128

    def words(self) -> str:
        """Returns how it died, in a few words."""
        if self.status is None:
            return self.how
        number = -self.status if self.status < 0 else self.status - 128
        try:
            return f"ended by {signal.Signals(number).name}"
        except ValueError:
            return f"ended with status {self.status}"


def run_here(order: Order) -> Ended:
    """Runs a program on this machine, and waits for its end.

    Raises:
      OSError: it cannot be started.
    """
    if is_over(order):
        return Ended(None, "it was not started", left=True)
    launched = [sys.executable]
    if os.name != "nt":  # there, a virtual environment's Python has its own parent
        launched += ["-I", "-S", "-c", _LAUNCH, str(os.getpid())]
    left = False
    with claimed(order.cores), open_regular(order.errors, "a") as errors:
        process = subprocess.Popen(
            [*launched, *order.words],
            cwd=order.cwd,
            env=_environment() | threads(order.cores),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # a terminal's Ctrl-C is for the command alone
        )
        try:
            while process.poll() is None:
                if not left and is_over(order):
                    left = True
                    process.send_signal(signal.SIGTERM)
                try:
                    process.wait(LOOK_EVERY)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return Ended(process.returncode, left=left)


def _environment() -> dict[str, str]:
    """Returns this program's environment without the workers of a search.

    They may have started this program, and what it starts is not one of them.
    """
    return {n: value for n, value in os.environ.items() if n != cluster.VARIABLE}


def is_over(order: Order) -> bool:
    """Whether the file that stays while the command is at work has gone."""
    try:
        # A file system that is shared by machines asks anew when a file is opened.
        with open(order.stays, "rb"):
            return False
    except FileNotFoundError:
        return True
    except OSError:  # as while the network is away
        return False
