"""The table of engines.

To add one, write a class with the methods of `Engine` in a file of its own, its entry
in ENGINES, and its name in the tests that are made of all engines.
"""

from __future__ import annotations

from collections.abc import Callable

from enas.base.errors import UsageError
from enas.many.engine import Engine


def _processes() -> Engine:
    from enas.many.processes import Processes

    return Processes()


def _ray() -> Engine:
    from enas.many.ray_cluster import RayCluster

    return RayCluster()


ENGINES: dict[str, Callable[[], Engine]] = {"processes": _processes, "ray": _ray}
DEFAULT = "processes"


def engine_named(name: str) -> Engine:
    """Returns an engine that is yet to be entered.

    Raises:
      UsageError: there is none of that name.
      InputError: what it needs is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine is {name!r}; it is one of {', '.join(ENGINES)}")
    return ENGINES[name]()
