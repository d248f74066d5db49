"""The table of data sets: the flags that name their images, and the scripts of each.

To add a data set, write its entry, and its two scripts. What reads images is imported
where it is needed, so that reading a log stays quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from enas.flags.table import Settings

if TYPE_CHECKING:
    from enas.data_utils import Data


class DataSet(NamedTuple):
    """A data set.

    flags: its own, of which a log shows at least one.
    search, train: its scripts, without '.py'.
    paths: those of the flags that are places on disk.
    open: settings to what reads the images (see open_data).
    """

    name: str
    flags: tuple[str, ...]
    search: str
    train: str
    paths: tuple[str, ...]
    open: Callable[[Settings], Callable[[], Data]]

    def train_constants(self) -> dict[str, Any]:
        """The train script's flags with their defaults, as they stand in the script,
        which is there to be edited."""
        return importlib.import_module(self.train).CONSTANTS


def _open_folders(settings: Settings) -> Callable[[], Data]:
    from enas.data_utils import open_sources, read_data

    sources = open_sources(
        settings.train_data_dir, settings.val_data_dir, settings.test_data_dir
    )
    return partial(
        read_data,
        sources,
        settings.img_size,
        settings.channel,
        settings.n_aug_img,
        settings.train_limit,
        settings.eval_limit,
        settings.seed or None,
    )


def _open_cifar(settings: Settings) -> Callable[[], Data]:
    from enas.data_utils_cifar import CifarSource

    source = CifarSource(settings.data_path)
    return partial(
        source.read, settings.num_valids, settings.train_limit, settings.eval_limit
    )


FOLDERS = ("train_data_dir", "val_data_dir", "test_data_dir")
DATASETS = (
    DataSet(
        "mnist",
        (*FOLDERS, "channel", "img_size"),
        "search_arc_mnist",
        "train_arc_mnist",
        FOLDERS,
        _open_folders,
    ),
    DataSet(
        "cifar",
        ("data_path", "num_valids"),
        "search_arc_cifar",
        "train_arc_cifar",
        ("data_path",),
        _open_cifar,
    ),
)


def dataset_of(names: Collection[str]) -> DataSet:
    """The data set to which some flags belong; the first one where none of them tells,
    as in an older log."""
    told = [data for data in DATASETS if any(name in names for name in data.flags)]
    return told[0] if told else DATASETS[0]


def open_data(settings: Settings) -> Callable[[], Data]:
    """Finds the images that the flags name.

    Returns:
      What reads them, and may take a while.

    Raises:
      InputError: they are not there, or not as they should be.
    """
    return dataset_of(settings.names).open(settings)
