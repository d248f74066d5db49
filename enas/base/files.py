"""Opens files without surprises, and writes them whole.

A file that a program writes must be a regular file of its own: never what a link leads
to, and never a pipe or a device, which could block for ever.
"""

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeVar

from enas.base.errors import InputError

# What a killed write leaves: nobody else gives files such names.
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.enas-new")
MOST_JSON = 2**24  # letters
Content = TypeVar("Content")
_WRITE = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_FLAGS = {"r": os.O_RDONLY, "a": _WRITE | os.O_APPEND, "w": _WRITE}


def open_regular(path: str, mode: str = "r") -> IO[Any]:
    """Opens a file, but no pipe and no device, and to write none with two names.

    Args:
      mode: 'r', which follows links, or 'a' or 'w', which do not; with 'b' for bytes,
        and else for text.

    Raises:
      OSError: it is no regular file of its own, or cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits for its other end.
    flags = _FLAGS[mode[0]] | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        if mode[0] != "r" and found.st_nlink > 1:
            raise OSError(errno.EMLINK, "it has another name, too; copy it", path)
        if mode[0] == "w":
            os.ftruncate(descriptor, 0)
        encoding = None if "b" in mode else "utf-8"
        return os.fdopen(descriptor, mode, encoding=encoding)
    except BaseException:
        os.close(descriptor)
        raise


def read_json(path: str) -> Any:
    """Reads what `write_json` wrote.

    Raises:
      ValueError: it is no JSON, or longer than MOST_JSON.
      RecursionError: it is nested too deeply.
      OSError: it is no regular file, or cannot be read.
    """
    with open_regular(path) as stream:
        text = stream.read(MOST_JSON + 1)
    if len(text) > MOST_JSON:
        raise ValueError(f"it is longer than {MOST_JSON} letters")
    return json.loads(text)


def write_json(path: str, content: Any) -> None:
    """Replaces a whole file with `content` as JSON.

    Raises:
      InputError: it cannot be written.
    """
    write_text(path, json.dumps(content, indent=2) + "\n")


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Turns what a file that was written here may raise when read into InputErrors.

    Raises:
      InputError: it cannot be read, or it is damaged.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as e:
        raise InputError(f"{path} is damaged: {e}") from None


def read_kept(path: str, made_of: Callable[[Any], Content]) -> Content | None:
    """Returns what a file that `write_json` wrote holds; None if there is no such file.

    Args:
      made_of: makes it of the file's JSON, and checks it.

    Raises:
      InputError: the file cannot be read, or it is damaged.
    """
    if not os.path.exists(path):
        return None
    with readable(path):
        return made_of(read_json(path))


def write_text(path: str, text: str) -> None:
    """Replaces a whole file with `text`, as `write_bytes` does.

    Raises:
      InputError: it cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: str, content: bytes) -> None:
    """Replaces a whole file.

    The content is on the disk before the file gets its name, and the name before this
    returns, so that a power cut leaves the old file or the new one.

    Raises:
      InputError: it cannot be written.
    """
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.enas-new")
    try:
        with open(new, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, path)
        sync_folder(folder)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with suppress(OSError):  # unless it has the other name by now
            os.remove(new)


def missing_folders(path: str) -> list[str]:
    """Returns the folders that `os.makedirs` would make, the innermost first."""
    missing = []
    while path and not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing


def remove_folders(paths: Sequence[str]) -> None:
    """Removes folders that are empty, up to the first one that is not."""
    with suppress(OSError):
        for path in paths:
            os.rmdir(path)


def sync_file(path: str) -> None:
    """Waits until a file's content is on the disk.

    Raises:
      OSError: it cannot be opened, or the disk fails.
    """
    _sync(path, os.O_RDWR)


def sync_folder(path: str) -> None:
    """Waits until the names in a folder are on the disk.

    Raises:
      OSError: it cannot be opened, or the disk fails.
    """
    if os.name != "nt":  # Windows cannot open a folder
        _sync(path or os.curdir, os.O_RDONLY)


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
