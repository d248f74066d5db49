"""Gives a training cores of its own, so that trainings side by side do not compete.

A training adds in an order that depends on its number of threads, and on nothing else.
So it is told a number of threads. Where the system can do that, it is also kept on as
many cores that no other training of this machine was given, by whatever command. A
claim is the lock of a file, so it ends with the process that holds it.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from enas.base.files import open_regular

try:
    import fcntl
except ImportError:  # on Windows, which cannot keep a process on a core this way, too
    fcntl = None  # type: ignore[assignment]

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def usable() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(count: int) -> dict[str, str]:
    """Returns the variables that tell TensorFlow how many threads to use."""
    return dict.fromkeys(THREADS, str(count))


@contextmanager
def claimed(count: int) -> Iterator[None]:
    """Keeps this thread, and what it starts meanwhile, on `count` cores.

    Where too few are free, cores are shared.
    """
    if fcntl is None or not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    if count >= len(before):
        yield
        return
    with ExitStack() as stack:
        mine = _claim(sorted(before), count, stack)
        others = sorted(before - mine)
        mine |= set(random.sample(others, count - len(mine)))
        os.sched_setaffinity(0, mine)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _claim(cores: list[int], count: int, stack: ExitStack) -> set[int]:
    """Claims up to `count` of some cores, until the stack is left; returns them."""
    folder = os.path.join(tempfile.gettempdir(), f"enas-cores-{os.getuid()}")
    mine: set[int] = set()
    with suppress(OSError):  # without claims, cores are shared
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.lstat(folder).st_uid != os.getuid():
            return mine
        for core in cores:
            if len(mine) == count:
                break
            stream = open_regular(os.path.join(folder, str(core)), "a")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another training has it
                stream.close()
                continue
            stack.enter_context(stream)
            mine.add(core)
    return mine
