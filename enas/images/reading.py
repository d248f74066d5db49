"""Reads images by several processes, while this one does something else.

Decoding is Python's work for the most part, so threads would take turns. Where a
process cannot simply be copied, it does the work itself when it waits for the images.
"""

import mmap
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import numpy as np

from enas.base.parent import die_with

FEW = 2000  # images for which no process is worth its start
POLITENESS = 10  # of the processes, which let the program go first


class Reading:
    """An array of images that is being read.

    Args:
      shape: [N, H, W, C] of the uint8 images.
      read: reads some of the images into the array. It is given the array, the
        positions of the images, and whether to show a progress bar.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        read: Callable[[np.ndarray, range, bool], None],
    ):
        self._read = read
        count, processes = shape[0], _processes(shape[0])
        if processes:
            size = int(np.prod(shape))
            self._images = np.frombuffer(mmap.mmap(-1, size), np.uint8).reshape(shape)
        else:
            self._images = np.empty(shape, np.uint8)
        parts = max(processes, 1)
        ends = [count * part // parts for part in range(parts + 1)]
        self._parts = [range(*pair) for pair in pairwise(ends)]
        self._workers = [self._start(n) for n in range(processes)]

    @property
    def is_begun(self) -> bool:
        """Whether other processes read the images."""
        return bool(self._workers)

    def images(self) -> np.ndarray:
        """Waits for the images.

        Raises:
          Whatever `read` raises.
        """
        # What another process could not do is done again here, which shows the reason.
        for number, positions in enumerate(self._parts):
            if not self._workers or not _has_done(self._workers[number]):
                self._read(self._images, positions, True)
        self._parts = []
        return self._images

    def _start(self, number: int) -> int:
        """Starts a process that reads one part; returns its number."""
        parent, process = os.getpid(), os.fork()
        if process:
            return process
        status = 1
        with suppress(BaseException):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.nice(POLITENESS)
            die_with(parent)
            self._read(self._images, self._parts[number], number == 0)
            status = 0
        os._exit(status)


def _processes(images: int) -> int:
    """Returns how many processes to start for some images; 0 if none can be.

    A process with threads must not be copied, and TensorFlow has many.
    """
    alone = threading.active_count() == 1 and "tensorflow" not in sys.modules
    if sys.platform != "linux" or not alone or images < FEW:
        return 0
    return len(os.sched_getaffinity(0))


def _has_done(process: int) -> bool:
    """Waits for a process, and tells whether it ended well."""
    try:
        _, status = os.waitpid(process, 0)
    except ChildProcessError:  # somebody else waited for it
        return False
    return status == 0
