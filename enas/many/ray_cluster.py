"""The engine of several machines: programs are tasks of Ray, and workers its actors.

It starts Ray on this machine, or joins the cluster that RAY_ADDRESS names. Of Ray it
uses nothing but where to run what: a program that died is started again by the same
rules as with any engine. Nothing but this file may import Ray.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from enas.base.errors import InputError, UsageError
from enas.many.cores import threads, usable
from enas.many.engine import Held, WorkerDied
from enas.many.orders import Ended, Order, run_here

REQUIREMENTS = "requirements-cluster.txt"
STORE_BYTES = 100 * 2**20  # of memory for objects; a few words are passed
SECONDS = 120  # in which a machine must answer


class RayCluster:
    """See `Engine`.

    Raises:
      InputError: Ray is not installed.
    """

    def __init__(self) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it is read when Ray is loaded
        try:
            import ray
        except ImportError as error:
            raise InputError(
                f"--engine=ray needs Ray ({error}): enas_env/bin/python -m pip install "
                f"-r {REQUIREMENTS}"
            ) from None
        self._ray = ray
        self._run = ray.remote(max_retries=0)(run_here)
        self._look = ray.remote(num_cpus=0, max_retries=0)(_unseen)

    def __enter__(self) -> RayCluster:
        address = os.environ.get("RAY_ADDRESS")
        options: dict[str, Any] = {"address": address or "local"}
        if not address:
            options |= {
                "num_cpus": usable(),
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
            }
        try:
            self._ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception as error:  # of many kinds
            where = f"join the cluster {address}" if address else "start"
            raise InputError(f"Ray cannot {where}: {_first_line(error)}") from None
        return self

    def __exit__(self, *exception: object) -> None:
        self._ray.shutdown()

    def jobs(self, asked: int | None, cores: int | None) -> tuple[int, int]:
        cores = cores or 1
        rooms = [int(node["Resources"].get("CPU", 0)) for node in self._nodes()]
        if cores > max(rooms, default=0):
            raise UsageError(
                f"--cores is {cores}; the largest machine of the cluster has "
                f"{max(rooms, default=0)}"
            )
        most = sum(room // cores for room in rooms)
        return min(asked or most, most), cores

    def _nodes(self) -> list[dict]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def check(self, paths: Sequence[str]) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = []
        for node in self._nodes():
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            look = self._look.options(scheduling_strategy=there)
            asked.append((node["NodeManagerAddress"], look.remote(list(paths))))
        for address, answer in asked:
            try:
                unseen = self._ray.get(answer, timeout=SECONDS)
            except self._ray.exceptions.RayError as error:
                raise InputError(
                    f"the machine {address} of the cluster cannot run this program: "
                    f"{_last_line(error)}; it needs the same Python, packages and "
                    f"files at the same paths"
                ) from None
            if unseen:
                raise InputError(
                    f"the machine {address} of the cluster does not see {unseen[0]}; "
                    f"share its folder, at the same path on every machine"
                )

    def run(self, order: Order) -> Ended:
        ref = self._run.options(num_cpus=order.cores).remote(order)
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            raise OSError(_last_line(error)) from None
        except self._ray.exceptions.RayError as error:
            return Ended(None, f"was lost ({type(error).__name__})")

    def worker(self, make: Callable[..., Any], *arguments: Any) -> RayWorker:
        return RayWorker(self._ray, make, arguments)


class RayWorker:
    """A worker that is an actor of Ray."""

    def __init__(self, ray: Any, make: Callable[..., Any], arguments: tuple):
        self._ray = ray
        held = ray.remote(num_cpus=1, max_restarts=0)(_HeldThere)
        self._actor = held.remote(make, arguments, threads(usable()))

    def call(self, method: str, *arguments: Any) -> Any:
        try:
            fine, answer = self._ray.get(self._actor.answer.remote(method, arguments))
        except self._ray.exceptions.RayError as error:
            raise WorkerDied(f"a worker was lost: {_last_line(error)}") from None
        if not fine:
            raise answer
        return answer

    def close(self) -> None:
        self._ray.kill(self._actor)


class _HeldThere(Held):
    """What lives in an actor.

    Args:
      variables: to set before it is made. All actors have as many threads as this
        machine has cores, since sums depend on their number.
    """

    def __init__(
        self, make: Callable[..., Any], arguments: tuple, variables: dict[str, str]
    ):
        os.environ.update(variables)
        super().__init__(make, arguments)


def _unseen(paths: list[str]) -> list[str]:
    """Returns those of some files that this machine does not see."""
    return [path for path in paths if not os.path.exists(path)]


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _last_line(error: Exception) -> str:
    return next(reversed(str(error).strip().splitlines()), type(error).__name__)
