"""Lists the images that a person names, wherever they lie, and reads them one by one.

This module must not import TensorFlow.
"""

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import NamedTuple

import numpy as np

from enas.base.errors import InputError
from enas.images.class_folders import no_images
from enas.images.image_files import (
    EXTENSIONS,
    folders_around,
    is_image,
    members_of,
    open_zip,
    read_image,
)


class Listed(NamedTuple):
    """An image that was listed but not read.

    Attributes:
      name: its file, or its member of the zip.
      archive: the path of the zip; empty if the image is a file.
      label: the class whose folder it lies in; None if it lies in none.
    """

    name: str
    archive: str
    label: int | None

    @property
    def path(self) -> str:
        return os.path.join(self.archive, self.name)


def listed_in(path: str, classes: Sequence[str]) -> list[Listed]:
    """Lists the images of a file, a folder or a zip, in the order of their names.

    The class of an image is the folder right below `path` that it lies in. In a zip,
    the folders around all class folders are passed over, as they are for training.

    Args:
      classes: the names of the network's classes.

    Raises:
      InputError: nothing is there, or it holds no image, or it cannot be read.
    """
    label_of = {name: number for number, name in enumerate(classes)}

    def listed(name: str, archive: str, folders: Sequence[str]) -> Listed:
        return Listed(name, archive, label_of.get(folders[0]) if folders else None)

    others: list[str] = []
    if os.path.isdir(path):
        names = _files_below(path)
        others = [name for name in names if not is_image(os.path.basename(name))]
        found = [
            listed(name, "", os.path.relpath(name, path).split(os.sep)[:-1])
            for name in names
            if is_image(os.path.basename(name))
        ]
    elif not os.path.lexists(path):
        raise InputError(f"there is no file or folder {path}")
    elif path.lower().endswith(".zip"):
        with open_zip(path) as archive:
            members = sorted(members_of(archive).items())
        images = {name: parts for name, parts in members if is_image(name)}
        files = [name for name, _ in members if not name.endswith("/")]
        others = [name for name in files if name not in images]
        around = len(folders_around(list(images.values())))
        found = [listed(name, path, parts[around:-1]) for name, parts in images.items()]
    else:
        found = [Listed(path, "", None)]
    if not found:
        instead = f", but {no_images(others)}" if others else ""
        raise InputError(f"{path} holds no image ({', '.join(EXTENSIONS)}){instead}")
    return found


def _files_below(folder: str) -> list[str]:
    """Lists the files below a folder; hidden ones are left out.

    It follows links to folders, and enters each folder once, so a circle of links ends.

    Raises:
      InputError: a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        where = error.filename
        raise InputError(f"cannot read folder {where}: {error.strerror}") from None

    found, entered = [], set()
    for here, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        true_path = os.path.realpath(here)
        if true_path in entered:
            folders.clear()
            continue
        entered.add(true_path)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(here, name) for name in files if name[0] != "."]
    return sorted(found)


def read_listed(
    listed: Sequence[Listed], img_size: int, channels: int
) -> Iterator[np.ndarray]:
    """Yields images, as they are decoded for training; each zip is opened once.

    Args:
      img_size, channels: see `decode`.

    Returns:
      uint8 [img_size, img_size, channels] of each.

    Raises:
      InputError: an image cannot be read; the message names it.
    """
    for path, group in groupby(listed, lambda one: one.archive):
        with ExitStack() as stack:
            archive: zipfile.ZipFile | None = None
            if path:
                archive = stack.enter_context(open_zip(path))
            for one in group:
                yield read_image(one.name, archive, img_size, channels)
