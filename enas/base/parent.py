"""Lets a process end with the one that started it, however that ends."""

import ctypes
import os
import signal
from contextlib import suppress

_SET_DEATH_SIGNAL = 1  # Linux: PR_SET_PDEATHSIG


def die_with(parent: int) -> None:
    """Ends this process once the thread that started it ends; only Linux can do that.

    Args:
      parent: the number of the process that started it, which may have died by now.
    """
    if os.name == "nt":  # a virtual environment's Python has its own parent there
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
