"""Reads image files, plain ones and members of zips, and tells which names are images.

Images stay uint8. This module must not import TensorFlow.
"""

import lzma
import os
import re
import zipfile
import zlib

import cv2
import numpy as np

from enas.base.errors import InputError
from enas.images.header import check_size

MOST_BYTES = 2**26  # of the largest image file that is read
EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm"),
)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX)")  # a part of a member's path begins so
# What can be raised if a damaged zip is opened, or a damaged image is read or decoded.
_DAMAGE = (
    ValueError,
    KeyError,  # of a zip that has changed since it was listed
    OSError,
    RuntimeError,
    EOFError,
    cv2.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_image(name: str) -> bool:
    """Whether a file is an image, by its name; the name of a hidden file is none."""
    file = name.rpartition("/")[2]
    return file.lower().endswith(EXTENSIONS) and not file.startswith(".")


def folders_around(images: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Finds the folders around all class folders, from the paths of the images."""
    around = []
    for names in zip(*(parts[:-2] for parts in images), strict=False):
        if len(set(names)) > 1:
            break
        around.append(names[0])
    return tuple(around)


def open_zip(path: str) -> zipfile.ZipFile:
    """Opens a zip to read it.

    Raises:
      InputError: it is none, or cannot be read.
    """
    try:
        return zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise InputError(f"{path} is no zip file that can be read: {error}") from None


def members_of(archive: zipfile.ZipFile) -> dict[str, tuple[str, ...]]:
    """Maps each member of a zip to its folders and its name; hidden ones are left out.

    macOS adds files of its own to a zip, and they are left out as well.
    """
    names = (name for name in archive.namelist() if not _HIDDEN.search(name))
    members = {name: tuple(filter(None, name.split("/"))) for name in names}
    return {name: parts for name, parts in members.items() if parts}


def read_image(
    file: str, archive: zipfile.ZipFile | None, img_size: int, channels: int
) -> np.ndarray:
    """Reads and decodes one image: a file, or a member of a zip.

    Args:
      archive: the zip; None if the image is a file.
      img_size, channels: see `decode`.

    Returns:
      uint8 [img_size, img_size, channels].

    Raises:
      InputError: it cannot be read; the message names it.
    """
    try:
        content = _read_member(archive, file) if archive else _read_file(file)
        return decode(content, img_size, channels)
    except _DAMAGE:
        where = f"{file} in {archive.filename}" if archive else file
        raise InputError(f"cannot read image {where}") from None


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Reads a member of a zip; it is never unpacked to disk, whatever its name.

    Raises:
      ValueError: it has more than MOST_BYTES bytes.
      Other errors: see _DAMAGE.
    """
    with archive.open(name) as stream:
        return _read_some(stream)


def _read_file(path: str) -> bytes:
    """Reads a file.

    Raises:
      ValueError: it is not a regular file, or has more than MOST_BYTES bytes.
      OSError: it cannot be read.
    """
    if not os.path.isfile(path):  # reading a pipe might never end
        raise ValueError("no plain file")
    with open(path, "rb") as stream:
        return _read_some(stream)


def _read_some(stream) -> bytes:
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes")
    return content


def decode(content: bytes, img_size: int, channels: int) -> np.ndarray:
    """Decodes an image file to uint8 [img_size, img_size, channels].

    Args:
      content: the bytes of the file.
      channels: 1 for gray, 3 for RGB.

    Raises:
      ValueError, cv2.error: the content is not an image, or absurdly large.
    """
    check_size(content)
    mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    image = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
    if image is None:
        raise ValueError("no image")
    if channels == 3:
        image = image[:, :, ::-1]
    if image.shape[:2] != (img_size, img_size):
        shrinks = min(image.shape[:2]) > img_size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, (img_size, img_size), interpolation=method)
    return image.reshape(img_size, img_size, channels)
