"""Tells how much memory is free, and whether a run would fit; without TensorFlow."""

import os
from typing import NamedTuple

import psutil

from enas.base.errors import InputError


class _Cgroup(NamedTuple):
    """The files that tell a container's memory limit and use.

    Attributes:
      cached: the statistic of cached files, which are dropped when memory is wanted.
    """

    folder: str
    limit: str
    usage: str
    cached: str


_CGROUPS = (
    _Cgroup("/sys/fs/cgroup", "memory.max", "memory.current", "file"),
    _Cgroup(
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_cache",
    ),
)


def free_bytes() -> int:
    """Returns the bytes that the machine, and its container if any, can still give."""
    free = [psutil.virtual_memory().available + psutil.swap_memory().free]
    for cgroup in _CGROUPS:
        try:
            statistics = dict(line.split() for line in _lines(cgroup, "memory.stat"))
            (limit,), (usage,) = (
                _lines(cgroup, cgroup.limit),
                _lines(cgroup, cgroup.usage),
            )
            free.append(int(limit) - int(usage) + int(statistics[cgroup.cached]))
        except (OSError, ValueError, KeyError):  # no such cgroup, or its limit is 'max'
            continue
    return max(0, min(free))


def _lines(cgroup: _Cgroup, name: str) -> list[str]:
    with open(os.path.join(cgroup.folder, name), encoding="ascii") as stream:
        return stream.read().splitlines()


def check(needed: float, what: str, remedy: str) -> None:
    """Checks that enough memory is free.

    Args:
      needed: bytes.
      what: what needs them, for the message.
      remedy: how to need less, for the message.

    Raises:
      InputError: fewer bytes are free.
    """
    free = free_bytes()
    if needed > free:
        raise InputError(
            f"not enough memory: {what} need at least {needed / 2**30:.1f} GB, "
            f"{free / 2**30:.1f} GB are free; {remedy}"
        )
