"""Writes pictures, and never over anything but a picture."""

import os

from enas.base.errors import InputError, UsageError
from enas.base.files import open_regular, write_bytes

# The formats, by the ending of a name: how a file of each starts.
STARTS = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF"}


def ending_of(path: str) -> str:
    """Returns the ending of a name in lower case, with its dot."""
    return os.path.splitext(path)[1].lower()


def check_ending(flag: str, path: str) -> None:
    """Checks that the name of a picture tells its format.

    Raises:
      UsageError: it does not; the message names the flag.
    """
    if ending_of(path) not in STARTS:
        raise UsageError(f"{flag} is {path}; it ends in .png, .svg or .pdf")


def check_target(path: str) -> None:
    """Checks that a picture may be written.

    Raises:
      InputError: something other than a picture of that format has the name, or there
        is no such folder.
    """
    if not os.path.lexists(path):
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(folder):
            raise InputError(
                f"cannot write {path}: there is no folder {folder}; make it, or name "
                f"another file"
            )
        return
    expected = STARTS[ending_of(path)]
    try:
        with open_regular(path, "rb") as stream:
            start = stream.read(len(expected))
    except OSError:
        start = b""
    if start != expected or os.path.islink(path):
        raise InputError(
            f"{path} exists and is no {ending_of(path)[1:].upper()} file, so it is not "
            f"written over; remove it, or name another file"
        )


def write_picture(path: str, content: bytes) -> None:
    """Writes a picture, as a whole.

    Raises:
      InputError: it cannot be written, or would replace something other than a picture.
    """
    check_target(path)
    try:
        write_bytes(path, content)
    except InputError as error:
        raise InputError(f"{error}; name another file") from None
