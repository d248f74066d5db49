"""The table of data sets: the flags that name their images, and the scripts of each.

To add a data set, write its entry and its two scripts. Import what reads images only
where it is needed, so that reading a log stays quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from enas.flags.table import Settings

if TYPE_CHECKING:
    from enas.data_utils import DataReader


class DataSet(NamedTuple):
    """A data set.

    Attributes:
      flags: the flags that it alone has. A log shows at least one of them.
      search, train: its scripts, without '.py'.
      paths: those of its flags that are paths on disk.
      open: a function of the settings; it returns what reads the images.
    """

    name: str
    flags: tuple[str, ...]
    search: str
    train: str
    paths: tuple[str, ...]
    open: Callable[[Settings], DataReader]

    def train_constants(self) -> dict[str, Any]:
        """Returns the flags of the train script, with their defaults.

        They come from the script itself, since a person may edit it.
        """
        return importlib.import_module(self.train).CONSTANTS


def _open_folders(settings: Settings) -> DataReader:
    from enas.data_utils import FolderReader, open_sources

    sources = open_sources(
        settings.train_data_dir, settings.val_data_dir, settings.test_data_dir
    )
    return FolderReader(
        sources,
        settings.img_size,
        settings.channel,
        settings.n_aug_img,
        settings.train_limit,
        settings.eval_limit,
        settings.seed or None,
    )


def _open_cifar(settings: Settings) -> DataReader:
    from enas.data_utils import DataReader
    from enas.data_utils_cifar import CifarSource

    source = CifarSource(settings.data_path)
    limits = (settings.train_limit, settings.eval_limit)
    return DataReader(partial(source.read, settings.num_valids, *limits))


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
    """Returns the data set to which some flags belong.

    If none of the flags tells, as in an older log, it is the first one.
    """
    told = [data for data in DATASETS if any(name in names for name in data.flags)]
    return told[0] if told else DATASETS[0]


def open_data(settings: Settings) -> DataReader:
    """Finds the images that the flags name.

    Returns:
      What reads the images, which may take a while.

    Raises:
      InputError: the images are missing, or are not laid out as they should be.
    """
    return dataset_of(settings.names).open(settings)
