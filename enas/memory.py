"""How much memory is free, and whether what comes would fit; without TensorFlow."""

import psutil

from enas.errors import InputError

# A container's limit and what it holds, in cgroups of either version.
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def free_bytes() -> int:
    """What the machine, and the container if there is one, can still give."""
    free = [psutil.virtual_memory().available]
    for limit, usage in _CGROUPS:
        try:
            free.append(_number_in(limit) - _number_in(usage))
        except (OSError, ValueError):  # there is none, or its limit is 'max'
            continue
    return max(0, min(free))


def _number_in(path: str) -> int:
    with open(path, encoding="ascii") as stream:
        return int(stream.read())


def check(needed: float, what: str, remedy: str) -> None:
    """Whether so many bytes are free.

    Args:
      what: needs them; remedy: what would make it smaller; both for the message.

    Raises:
      InputError: they are not.
    """
    free = free_bytes()
    if needed > free:
        raise InputError(
            f"not enough memory: {what} need at least {needed / 2**30:.1f} GB, "
            f"{free / 2**30:.1f} GB are free; {remedy}"
        )
