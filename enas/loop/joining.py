"""Lets a run be one of several workers that share a search.

TensorFlow is loaded only once they join, so that a wrong flag is told at once.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from enas.base.cluster import Cluster, cluster_of
from enas.base.errors import UsageError
from enas.base.program import note
from enas.flags.datasets import open_data
from enas.flags.table import FILES, FLAGS, Settings
from enas.session.output_dir import versions

if TYPE_CHECKING:
    from enas.base.workers import Workers
    from enas.data_utils import DataReader

_PACKAGES = ("binarize", "enas", "quantize", "ternarize")


def cluster_for(task: str, settings: Settings) -> Cluster | None:
    """Returns the workers that share a run; None if this one has nothing to do.

    Args:
      task: 'search' or 'train'.

    Raises:
      UsageError: what names the workers is wrong, or they cannot share the run.
    """
    cluster = cluster_of()
    if not cluster.several or not settings.num_epochs:
        return Cluster()
    if task == "train":
        note(
            "a string alone is trained by one worker, the first, since each would have "
            "its own moving averages; enas.train_arcs trains several strings at once, "
            "also on several machines (docs/many.md)"
        )
        return Cluster() if cluster.is_chief else None
    if settings.controller_training and not settings.controller_bl_of_update:
        raise UsageError(
            "controller_bl_of_update=False compares each string with the average of "
            "all before it, which workers that sample at once do not know; pass "
            "--controller_bl_of_update=True, or start one worker"
        )
    return cluster


@contextmanager
def joined(
    cluster: Cluster,
    settings: Settings,
    data: DataReader,
    at_loss: Callable[[], None],
) -> Iterator[tuple[Settings, DataReader, Workers]]:
    """Joins the other workers of a search, until the run ends.

    Args:
      data: is opened anew if its seed was not known.
      at_loss: is called before the process ends because another worker is lost.

    Yields:
      (the settings with the chief's seed, the data with that seed, the workers).

    Raises:
      InputError: a worker does not come, or differs from the chief.
    """
    from enas.base.workers import Workers
    from enas.session.session import session_config

    workers = Workers(cluster)
    try:
        workers.join(session_config(), at_loss)
        seed = int(workers.of_chief(str(settings.seed)))
        if not settings.seed:
            settings = dataclasses.replace(settings, seed=seed)
            data = open_data(settings)
        workers.compare(_shared_facts(settings))
        yield settings, data, workers
    finally:
        workers.close()


def _shared_facts(settings: Settings) -> dict[str, str]:
    """Returns what all workers must have alike: flags but for files, and the code."""
    flags = {
        name: str(value)
        for name, value in settings.flags().items()
        if FLAGS[name].group != FILES
    }
    packages = {name: str(version) for name, version in versions().items()}
    return flags | packages | {"enas": _digest_of_code()}


def _digest_of_code() -> str:
    """Returns a short text that differs if the code of this project does."""
    above = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = hashlib.sha256()
    for package in _PACKAGES:
        paths = glob.glob(f"{package}/**/*.py", root_dir=above, recursive=True)
        for path in sorted(paths):
            with open(os.path.join(above, path), "rb") as stream:
                found.update(stream.read())
    return found.hexdigest()[:16]
