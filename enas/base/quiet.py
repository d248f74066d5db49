"""Loads TensorFlow without what it prints of itself, and what it hardly needs."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from enas.base.later import put_off

# Keras loads these for pictures of its own, which takes a quarter of the whole time.
_PICTURES = ("matplotlib", "matplotlib.patches", "matplotlib.pyplot")
# Passes on each line of stdin that is not one of TensorFlow's remarks: that its log has
# no file yet, and what begins with a level (information, warning) and a date.
_FILTER = r"""
import re, sys
remark = re.compile(rb"WARNING: All log messages before absl|[IW]\d{4} [\d:.]+ ")
for line in sys.stdin.buffer:
    if not remark.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


def quiet_tensorflow() -> None:
    """Keeps TensorFlow from telling more than errors; call it before it is loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def load_tensorflow() -> None:
    """Loads TensorFlow; on a terminal, its remarks about this machine do not show.

    Raises:
      ImportError, MemoryError: it cannot be loaded.
    """
    quiet_tensorflow()
    try:
        with _without_remarks(), put_off(*_PICTURES):
            import tensorflow  # noqa: F401
    except SystemError as error:  # as where there is too little memory
        raise ImportError(str(error)) from error


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Filters what is written to stderr, if that is a terminal.

    Some remarks are printed before TensorFlow reads how much it may tell. The filter is
    a process of its own, so that nothing is lost if this one is aborted.
    """
    if "tensorflow" in sys.modules or not os.isatty(2):
        yield
        return
    terminal = os.dup(2)
    command = [sys.executable, "-I", "-S", "-c", _FILTER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=terminal, start_new_session=True
    ) as process:
        assert process.stdin is not None
        os.dup2(process.stdin.fileno(), 2)
        process.stdin.close()
        try:
            yield
        finally:
            os.dup2(terminal, 2)  # which ends the filter's input
            os.close(terminal)
