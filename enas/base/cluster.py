"""Which processes share a search: from TF_CONFIG, or from Slurm.

The processes are called workers. Worker 0 is the chief, which alone writes the output
folder. TF_CONFIG is what Kubeflow's TFJob and most launchers set; TF_CONFIG=slurm asks
Slurm. TensorFlow is loaded only to ask Slurm.
"""

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from enas.base.errors import UsageError
from enas.base.quiet import load_tensorflow

VARIABLE = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_SLURM = re.compile(r"slurm(:(?P<port>\d{1,5}))?")
_SLURM_PORT = 8888
_CHIEFS = ("chief", "master")  # the older word is still in use


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run, as one of them sees them.

    Attributes:
      hosts: the address of each worker, as HOST:PORT; the chief's comes first.
      index: the number of this worker.
    """

    hosts: tuple[str, ...] = ("",)
    index: int = 0

    @property
    def count(self) -> int:
        return len(self.hosts)

    @property
    def several(self) -> bool:
        return self.count > 1

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def name(self, index: int) -> str:
        """Returns what messages call a worker."""
        return f"worker {index} ({self.hosts[index]})"


def cluster_of(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Returns the workers that share a run; one that is alone if none are named.

    Raises:
      UsageError: what names them cannot be understood.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return Cluster()
    slurm = _SLURM.fullmatch(text)
    cluster = _of_slurm(int(slurm["port"] or _SLURM_PORT)) if slurm else _of_json(text)
    wrong = [h for h in cluster.hosts if not re.fullmatch(r"\S+:\d{1,5}", h)]
    if wrong and cluster.several:
        raise UsageError(f"{VARIABLE}: {wrong[0]!r} is no HOST:PORT")
    if len(set(cluster.hosts)) < cluster.count:
        raise UsageError(f"{VARIABLE} names the same HOST:PORT twice")
    return cluster


def _of_json(text: str) -> Cluster:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{VARIABLE} is no JSON ({error}); it must be like {EXAMPLE}"
        ) from None
    jobs = _dict_in(config, "cluster")
    if not jobs:  # some launchers set it for a process that is alone
        return Cluster()
    others = sorted(set(jobs) - {*_CHIEFS, "worker"})
    if others:
        raise UsageError(
            f"{VARIABLE} has tasks of the type {', '.join(map(str, others))}; those of "
            f"a search are workers, and one may be the chief"
        )
    names = [name for name in (*_CHIEFS, "worker") if jobs.get(name)]
    for name in names:
        hosts = jobs[name]
        if not isinstance(hosts, list) or not all(isinstance(h, str) for h in hosts):
            raise UsageError(f"{VARIABLE}: {name} is no list of HOST:PORT in quotes")
    task = _dict_in(config, "task")
    kind, index = task.get("type"), task.get("index")
    if kind not in names or type(index) is not int or not 0 <= index < len(jobs[kind]):
        raise UsageError(
            f"{VARIABLE}: no task of the type {kind!r} and index {index!r} is in its "
            f"cluster; it must be like {EXAMPLE}"
        )
    before = sum(len(jobs[name]) for name in names[: names.index(kind)])
    return Cluster(tuple(h for name in names for h in jobs[name]), before + index)


def _dict_in(config: Any, name: str) -> dict:
    """Returns one of the two parts of TF_CONFIG; empty if it is missing."""
    part = config.get(name, {}) if isinstance(config, dict) else None
    if not isinstance(part, dict):
        raise UsageError(f"{VARIABLE}: {name} is wrong; it must be like {EXAMPLE}")
    return part


def _of_slurm(port: int) -> Cluster:
    """Asks Slurm for the workers: one for each task of the job step.

    Args:
      port: that of the first worker of each machine; the next have the next ones.
    """
    load_tensorflow()
    import tensorflow as tf

    try:
        tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
        # Slurm itself gives each task its GPUs; the resolver is told of one a task, so
        # that it does not look for any.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        hosts = resolver.cluster_spec().as_dict()["worker"]
        return Cluster(tuple(hosts), resolver.get_task_info()[1])
    except (RuntimeError, ValueError, LookupError) as error:
        raise UsageError(
            f"{VARIABLE}=slurm: {error}; start the workers with srun"
        ) from None
