"""Estimates how long a run will still take, for its progress bars."""

import time
from itertools import pairwise

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """Returns a duration in its two largest units, such as '2 h 5 min' or '40 s'."""
    rest = round(seconds)
    for (unit, size), (next_unit, next_size) in pairwise(_UNITS):
        if rest >= size:
            rounded = round(rest / next_size) * next_size
            count, part = divmod(rounded, size)
            tail = f" {part // next_size} {next_unit}" if part else ""
            return f"{count} {unit}{tail}"
    return f"{rest} s"


class TimeLeft:
    """Estimates the time that a run will still take, from the time since it started.

    Args:
      steps: how many child steps are left.
    """

    def __init__(self, steps: int):
        self._left = steps
        self._done = 0
        self._start = 0.0

    def step(self) -> str:
        """Counts a step; returns what to show of the time left, maybe nothing.

        Controller rounds and evaluations count with the epochs that they follow, so
        that the estimate is too low in the first epoch. The first step builds much that
        later ones have ready, and is not counted.
        """
        now = time.monotonic()
        self._left -= 1
        if not self._start:
            self._start = now
            return ""
        self._done += 1
        return f"{duration((now - self._start) / self._done * self._left)} left"
