"""Reads CIFAR-10 from the Python batches that its authors publish.

Like data_utils, this module must not import TensorFlow, and images stay uint8.
"""

import os
from typing import Any

import numpy as np
from tqdm import tqdm

from enas.base.errors import InputError
from enas.data_utils import Data, Split, evenly, image_statistics
from enas.images import safe_pickle
from enas.images.cifar_files import (
    CLASSES,
    META_FILE,
    SIZE,
    TEST_FILE,
    TRAIN_FILES,
    find_folder,
    missing_file,
)


class CifarSource:
    """The batches of CIFAR-10 on disk, found but not read.

    Args:
      path: the folder that holds the batches, or the one that holds ARCHIVE_FOLDER.

    Raises:
      InputError: a file is missing.
    """

    def __init__(self, path: str):
        folder = find_folder(path)
        if folder is None:
            raise InputError(
                f"data_path: there is no file {missing_file(path)}; "
                f"data/cifar10_dataset.txt says how to get CIFAR-10"
            )
        self.path = folder

    def read(self, num_valids: int, train_limit: int = 0, eval_limit: int = 0) -> Data:
        """Reads all batches.

        Args:
          num_valids: how many of the last training images to use for validation. With 0
            there is no validation set.
          train_limit: how many training images to keep, evenly over the classes; 0
            keeps all.
          eval_limit: the same for the validation images, and for the test images.

        Raises:
          InputError: a file is not a CIFAR-10 batch (the message names it), or
            num_valids leaves no images to train on.
        """
        classes = self._class_names()
        bar = tqdm(TRAIN_FILES, f"loading {self.path}", disable=None, leave=False)
        batches = [self._read_batch(name) for name in bar]
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        count = len(labels) - num_valids
        if count < 1:
            raise InputError(
                f"num_valids: {num_valids} validation images leave none of "
                f"{len(labels)} to train on"
            )
        train = evenly(Split(images[:count], labels[:count]), train_limit)
        valid = Split(images[count:], labels[count:]) if num_valids else None
        return Data(
            train,
            valid and evenly(valid, eval_limit),
            evenly(self._read_batch(TEST_FILE), eval_limit),
            *image_statistics(train.images),
            classes,
        )

    def _read_batch(self, name: str) -> Split:
        batch = self._unpickle(name)
        rows, labels = batch.get("data"), batch.get("labels")
        if not isinstance(rows, safe_pickle.ByteArray):
            raise self._error(name, "it holds no array 'data'")
        rows = rows.values
        if rows.ndim != 2 or rows.shape[1] != 3 * SIZE * SIZE or not len(rows):
            raise self._error(
                name, f"'data' has the shape {rows.shape}, not (images, 3072)"
            )
        if not isinstance(labels, list) or len(labels) != len(rows):
            raise self._error(name, f"'labels' is no list of {len(rows)} numbers")
        if not all(type(n) is int and 0 <= n < CLASSES for n in labels):
            raise self._error(name, f"a label is no number from 0 to {CLASSES - 1}")
        images = rows.reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
        return Split(np.ascontiguousarray(images), np.array(labels, np.int32))

    def _class_names(self) -> tuple[str, ...]:
        names = self._unpickle(META_FILE).get("label_names")
        if (
            not isinstance(names, list)
            or len(names) != CLASSES
            or not all(isinstance(name, (str, bytes)) for name in names)
        ):
            raise self._error(META_FILE, f"'label_names' is no list of {CLASSES} names")
        return tuple(n if isinstance(n, str) else n.decode("latin1") for n in names)

    def _unpickle(self, name: str) -> dict[str, Any]:
        """Reads the dict that a file holds."""
        try:
            with open(os.path.join(self.path, name), "rb") as stream:
                content = safe_pickle.load(stream.read(safe_pickle.MOST_BYTES + 1))
        except (OSError, ValueError) as error:
            raise self._error(name, getattr(error, "strerror", None) or error) from None
        if not isinstance(content, dict):
            raise self._error(name, "it holds no dict")
        return content

    def _error(self, name: str, reason) -> InputError:
        return InputError(
            f"data_path: {os.path.join(self.path, name)} is no CIFAR-10 batch: "
            f"{reason}; remove it and get it anew (data/cifar10_dataset.txt)"
        )
