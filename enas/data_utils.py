"""Reads labelled images from a folder of class folders, or from a zip of one.

This module must not import TensorFlow, so that an error in the data is reported before
a graph is built. Images stay uint8 until they are batched.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from itertools import chain
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
        is_zip = os.path.isfile(self.path)
        if not is_zip and not os.path.isdir(self.path):
            raise InputError(
                f"{flag}: neither a folder {path} nor a file {path}.zip exists; "
                f"it holds one folder of images for each class"
            )
        self._archive = self._opened_zip() if is_zip else None
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
        if self._archive is not None:
            return list_zip(self._archive)
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

    def chosen(self, limit: int = 0) -> tuple[list[str], np.ndarray]:
        """Chooses images, evenly over the classes.

        Args:
          limit: how many; 0 for all.

        Returns:
          (N files, their labels as int32 [N]).
        """
        files = list(chain.from_iterable(self.files.values()))
        counts = [len(held) for held in self.files.values()]
        labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        positions = even_choice(labels, limit)
        return [files[position] for position in positions], labels[positions]

    def read(self, img_size: int, channels: int, limit: int = 0) -> Split:
        """Decodes the images that are `chosen`; see `begin_reading`."""
        files, labels = self.chosen(limit)
        reading = begin_reading([(self, file) for file in files], img_size, channels)
        return Split(reading.images(), labels)

    def image(self, file: str, img_size: int, channels: int) -> np.ndarray:
        """Decodes one file to uint8 [img_size, img_size, channels].

        Raises:
          InputError: it cannot be read; the message names it.
        """
        try:
            return read_image(file, self._archive, img_size, channels)
        except InputError as error:
            raise InputError(f"{self.flag}: {error}") from None

    def reopen(self) -> None:
        """Opens the zip anew, if it is one, without reading its directory again.

        A process that was copied shares the places in its files with the others.
        """
        if self._archive is not None and self._archive.fp is not None:
            self._archive.fp.close()
            self._archive.fp = open(self.path, "rb")  # noqa: SIM115


def begin_reading(
    files: Sequence[tuple[Source, str]], img_size: int, channels: int
) -> Reading:
    """Begins to decode files, each of a source.

    Args:
      img_size: height and width to which images are resized, in pixels.
      channels: 1 reads the images as gray, 3 as colour (RGB).

    Raises:
      InputError: the images do not fit into memory, or one cannot be read; the message
        names it. The latter is raised while the images are waited for.
    """
    memory.check(
        len(files) * img_size**2 * channels,
        f"{len(files)} images of {img_size} pixels a side",
        f"lower img_size ({img_size}) or set train_limit and eval_limit",
    )

    def read(images: np.ndarray, positions: range, shows: bool) -> None:
        for source in {source for source, _ in files}:
            source.reopen()
        hidden = None if shows else True  # None: unless stderr is a terminal
        for position in tqdm(positions, "loading images", disable=hidden, leave=False):
            source, file = files[position]
            images[position] = source.image(file, img_size, channels)

    return Reading((len(files), img_size, img_size, channels), read)


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


def digest(data: Data) -> str:
    """Returns a short text that differs if an image, a label or a class does."""
    found = hashlib.sha256(repr(data.classes).encode())
    for split in (data.train, data.valid, data.test):
        if split is not None:
            for array in split:
                found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:16]


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
    """A data set that is read when it is first called, and only once.

    Args:
      read: reads it.
    """

    def __init__(self, read: Callable[[], Data]):
        self._read = read
        self._data: Data | None = None

    def begin(self) -> None:
        """Lets other processes read while this one goes on, if they can; else reads.

        Raises:
          InputError: the images do not fit into memory, or one cannot be read.
        """
        self()

    def __call__(self) -> Data:
        """Returns the data set, once all of it is read.

        Raises:
          InputError: see `begin`.
        """
        if self._data is None:
            self._data = self._read()
        return self._data

    @property
    def sizes(self) -> dict[str, int]:
        """How many images each split has that is there, by its name."""
        data = self()
        splits = {"train": data.train, "valid": data.valid, "test": data.test}
        return {name: len(s.labels) for name, s in splits.items() if s is not None}

    @property
    def shape(self) -> tuple[int, ...]:
        """The height, width and channels of an image."""
        return self().train.images.shape[1:]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self().classes


def reader_of(data: Data) -> DataReader:
    """Returns the reader of a data set that has been read."""
    return DataReader(lambda: data)


class FolderReader(DataReader):
    """Reads three splits; the help of the scripts' flags explains the arguments.

    Its sizes, shape and classes are known without reading an image.
    """

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
        self._classes = sources[0].classes
        self._size = (img_size, channels)
        limits = (train_limit, eval_limit, eval_limit)
        chosen = [s.chosen(n) for s, n in zip(sources, limits, strict=True)]
        files, self._labels = zip(*chosen, strict=True)
        self._files = [
            (source, file)
            for source, own in zip(sources, files, strict=True)
            for file in own
        ]
        self._copies = (n_aug_img, seed)
        self._reading: Reading | None = None

    def begin(self) -> None:
        if self._data is None:
            self._reading = begin_reading(self._files, *self._size)
            if not self._reading.is_begun:
                self()

    def _finish(self) -> Data:
        reading = self._reading or begin_reading(self._files, *self._size)
        train, valid, test = map(Split, self._parts(reading.images()), self._labels)
        self._reading, self._files = None, []  # which held the zips' directories
        mean, std = image_statistics(train.images)
        train = Split(*with_augmented_copies(*train, *self._copies))
        return Data(train, valid, test, mean, std, self.classes)

    def _parts(self, images: np.ndarray) -> list[np.ndarray]:
        """Cuts the images of all splits into those of each."""
        return np.split(images, np.cumsum([len(own) for own in self._labels])[:-1])

    @property
    def sizes(self) -> dict[str, int]:
        train, valid, test = map(len, self._labels)
        return {"train": train * self._copies[0], "valid": valid, "test": test}

    @property
    def shape(self) -> tuple[int, ...]:
        img_size, channels = self._size
        return img_size, img_size, channels

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes
