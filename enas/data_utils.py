"""Reads labelled images from a folder of class folders, or from a zip of one.

This module must not import TensorFlow, so that an error in the data is reported before
a graph is built. Images stay uint8 until they are batched.
"""

import os
import zipfile
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from enas.base import memory
from enas.base.errors import InputError
from enas.base.program import note
from enas.images.augment import with_augmented_copies
from enas.images.class_folders import Listing, list_folder, list_zip
from enas.images.image_files import open_zip, read_image
from enas.images.reading import Reading


class Split(NamedTuple):
    """Labelled images.

    Attributes:
      images: uint8 [N, H, W, C].
      labels: int32 [N].
    """

    images: np.ndarray
    labels: np.ndarray


class Data(NamedTuple):
    """The three splits, and the statistics that normalize them.

    Attributes:
      train, valid, test: the splits; `valid` may be None.
      mean, std: float32 [C], those of the training images scaled to [0, 1].
      classes: the class names; a label is a position among them. Names of folders
        are sorted, and those of CIFAR-10 are in its own order.
    """

    train: Split
    valid: Split | None
    test: Split
    mean: np.ndarray
    std: np.ndarray
    classes: tuple[str, ...]


class Source:
    """The images of one split on disk, listed but not read.

    A line on stderr tells what else is there, and is left out.

    Args:
      path: a folder of class folders, a zip of one, or the path of such a zip without
        '.zip'.
      flag: the flag that gives the path, for messages.

    Raises:
      InputError: nothing is there, it cannot be read, or it has no class folders or a
        class without images.
    """

    def __init__(self, path: str, flag: str):
        self.flag = flag
        self.path = path
        if not os.path.isdir(path) and not os.path.isfile(path):
            self.path = path + ".zip"
        self.is_zip = os.path.isfile(self.path)
        if not self.is_zip and not os.path.isdir(self.path):
            raise InputError(
                f"{flag}: neither a folder {path} nor a file {path}.zip exists; "
                f"it holds one folder of images for each class"
            )
        listing = self._listing()
        if not listing.classes:
            raise InputError(f"{flag}: {self.path} holds no class folders")
        for name, held in listing.classes.items():
            if not held.images:
                raise InputError(
                    f"{flag}: class folder {name} in {self.path} {held.lack()}; "
                    f"fill it or remove it"
                )
        self.files = {name: held.images for name, held in listing.classes.items()}
        self.classes = tuple(self.files)
        if left_out := listing.left_out():
            note(f"{flag}: {left_out}")

    def _listing(self) -> Listing:
        if self.is_zip:
            with self._opened_zip() as archive:
                return list_zip(archive)
        try:
            return list_folder(self.path)
        except OSError as error:
            raise InputError(
                f"{self.flag}: cannot read folder {error.filename}: {error.strerror}"
            ) from None

    def _opened_zip(self) -> zipfile.ZipFile:
        try:
            return open_zip(self.path)
        except InputError as error:
            raise InputError(f"{self.flag}: {error}") from None

    def chosen(self, limit: int) -> list[tuple[str, int]]:
        """(file, label) of every image, or of `limit` taken evenly over the classes."""
        items = [
            (file, label)
            for label, files in enumerate(self.files.values())
            for file in files
        ]
        labels = np.array([label for _, label in items])
        return [items[position] for position in even_choice(labels, limit)]

    def read(self, img_size: int, channels: int, limit: int = 0) -> Split:
        """Decodes the images; see `begin`."""
        reading, labels = self.begin(img_size, channels, limit)
        return Split(reading.images(), labels)

    def begin(
        self, img_size: int, channels: int, limit: int = 0
    ) -> tuple[Reading, np.ndarray]:
        """Begins to decode the images.

        Args:
          img_size: height and width to which images are resized, in pixels.
          channels: 1 reads the images as gray, 3 as colour (RGB).
          limit: how many images to read, evenly over the classes; 0 for all.

        Returns:
          (what reads the images, their labels).

        Raises:
          InputError: the images do not fit into memory, or one cannot be read; the
            message names it. The latter is raised while the images are waited for.
        """
        chosen = self.chosen(limit)
        memory.check(
            len(chosen) * img_size**2 * channels,
            f"{len(chosen)} images of {img_size} pixels a side",
            f"lower img_size ({img_size}) or set train_limit and eval_limit",
        )
        labels = np.array([label for _, label in chosen], np.int32)
        files = [file for file, _ in chosen]
        shape = (len(files), img_size, img_size, channels)
        return Reading(shape, partial(self._read, files)), labels

    def _read(
        self, files: list[str], images: np.ndarray, positions: range, shows: bool
    ) -> None:
        """Decodes the files at some positions into [N, H, W, C]."""
        _, img_size, _, channels = images.shape
        archive = self._opened_zip() if self.is_zip else None
        title = f"loading {self.path}"
        bar = tqdm(positions, title, disable=None if shows else True, leave=False)
        for position in bar:
            try:
                images[position] = read_image(
                    files[position], archive, img_size, channels
                )
            except InputError as error:
                raise InputError(f"{self.flag}: {error}") from None
        if archive:
            archive.close()


def even_choice(labels: np.ndarray, limit: int) -> np.ndarray:
    """Chooses positions evenly over the classes.

    The first example of each class comes first, then the second of each, and so on.

    Args:
      labels: int [N].
      limit: how many positions to choose; 0 returns all N in their order.

    Returns:
      int [min(limit, N)], or [N] if the limit is 0.
    """
    if not limit:
        return np.arange(len(labels))
    rank = np.empty(len(labels), int)  # within the class
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        rank[of_class] = np.arange(len(of_class))
    return np.lexsort((labels, rank))[:limit]


def evenly(split: Split, limit: int) -> Split:
    """Cuts a split down to `limit` images, evenly over the classes; 0 keeps all."""
    chosen = even_choice(split.labels, limit)
    return Split(split.images[chosen], split.labels[chosen]) if limit else split


def image_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of images scaled to [0, 1].

    They are exact. They come from counts of the 256 values, so no float copy of the
    images is made. A channel that never varies gets standard deviation 1.

    Args:
      images: uint8 [N, H, W, C].

    Returns:
      (mean, standard deviation), float32 [C] each.
    """
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(images), 1024):
        chunk = images[start : start + 1024]
        for channel, count in enumerate(counts):
            count += np.bincount(chunk[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255.0
    mean = np.array([np.average(values, weights=count) for count in counts])
    square = np.array([np.average(values**2, weights=count) for count in counts])
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    return mean.astype(np.float32), np.where(std < 1e-6, 1.0, std).astype(np.float32)


def open_sources(train_dir: str, val_dir: str, test_dir: str) -> tuple[Source, ...]:
    """Finds the three splits on disk and checks them against each other.

    Raises:
      InputError: a split is missing or unusable (see Source), or the classes of valid
        or test differ from those of train.
    """
    train = Source(train_dir, "train_data_dir")
    others = (Source(val_dir, "val_data_dir"), Source(test_dir, "test_data_dir"))
    for other in others:
        if other.classes != train.classes:
            differing = sorted(set(other.classes) ^ set(train.classes))
            raise InputError(
                f"{other.flag}: {other.path} and {train.path} differ in the classes "
                f"{', '.join(differing)}"
            )
    return train, *others


class DataReader:
    """Reads a data set when it is called.

    Args:
      read: reads it.
    """

    def __init__(self, read: Callable[[], Data]):
        self._read = read

    def begin(self) -> bool:
        """Begins to read by other processes, if it can; returns whether it does."""
        return False

    def __call__(self) -> Data:
        """Returns the images, once all are read.

        Raises:
          InputError: they do not fit into memory, or one cannot be read.
        """
        return self._read()


class FolderReader(DataReader):
    """Reads three splits; the help of the scripts' flags explains the arguments."""

    def __init__(
        self,
        sources: tuple[Source, ...],
        img_size: int,
        channels: int,
        n_aug_img: int = 1,
        train_limit: int = 0,
        eval_limit: int = 0,
        seed: int | None = None,
    ):
        super().__init__(self._finish)
        self._sources = sources
        self._size = (img_size, channels)
        self._limits = (train_limit, eval_limit, eval_limit)
        self._copies = (n_aug_img, seed)
        self._begun: list[tuple[Reading, np.ndarray]] = []

    def begin(self) -> bool:
        self._begun = [
            source.begin(*self._size, limit)
            for source, limit in zip(self._sources, self._limits, strict=True)
        ]
        return any(reading.is_begun for reading, _ in self._begun)

    def _finish(self) -> Data:
        if not self._begun:
            self.begin()
        train, valid, test = (
            Split(reading.images(), labels) for reading, labels in self._begun
        )
        self._begun = []
        mean, std = image_statistics(train.images)
        train = Split(*with_augmented_copies(*train, *self._copies))
        return Data(train, valid, test, mean, std, self._sources[0].classes)


def read_data(*arguments, **options) -> Data:
    """Reads all three splits at once, with the arguments of a FolderReader."""
    return FolderReader(*arguments, **options)()
