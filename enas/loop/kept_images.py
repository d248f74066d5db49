"""Keeps in a run's folder what a network needs to know of its images.

This module must not import TensorFlow.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from enas.base.files import read_kept, write_json
from enas.data_utils import Data
from enas.flags.datasets import open_data
from enas.flags.table import Settings

IMAGES_FILE = "images.json"


class Images(NamedTuple):
    """What a network needs to know of its training images.

    Attributes:
      mean, std: float32 [C], of images scaled to [0, 1].
      classes: the class names.
    """

    mean: np.ndarray
    std: np.ndarray
    classes: Sequence[str]


def keep(output_dir: str, data: Data) -> None:
    """Keeps what a network needs to know of its images in the output folder.

    Raises:
      InputError: the file cannot be written.
    """
    content = {
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "classes": list(data.classes),
    }
    write_json(os.path.join(output_dir, IMAGES_FILE), content)


def kept(settings: Settings) -> Images:
    """Returns what the folder of a run keeps; reads the images again if there is none.

    Raises:
      InputError: the file is damaged, or the images cannot be read.
    """
    images = read_kept(os.path.join(settings.output_dir, IMAGES_FILE), _checked)
    if images is None:  # of a version before there was such a file
        data = open_data(settings)()
        images = Images(data.mean, data.std, data.classes)
    return images


def _checked(content: Any) -> Images:
    """Checks what was read.

    Raises:
      ValueError: it is not what was written.
    """
    mean, std = (np.array(content[name], np.float32) for name in ("mean", "std"))
    classes = content["classes"]
    if not (
        mean.ndim == 1
        and mean.shape == std.shape
        and np.isfinite([mean, std]).all()
        and all(std > 0)
        and classes
        and all(isinstance(name, str) for name in classes)
    ):
        raise ValueError("not what was written there")
    return Images(mean, std, classes)
