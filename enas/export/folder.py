"""The folder of an export: replaced only if an export made it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from enas.base.errors import InputError, UsageError
from enas.base.files import read_json, write_json

MARK_FILE = "export.json"
MARK = {"folder_of": "an enas export"}


def check_target(path: str) -> None:
    """Checks that a folder may be written.

    Raises:
      UsageError: something that no export made has the name.
    """
    if not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path)):
        return
    try:
        content = read_json(os.path.join(path, MARK_FILE))
    except (OSError, ValueError, RecursionError):
        content = None
    is_marked = isinstance(content, dict) and all(
        content.get(name) == value for name, value in MARK.items()
    )
    if not is_marked or os.path.islink(path):
        raise UsageError(
            f"{path} exists and was not exported, so it is not replaced; name another "
            f"folder with --output"
        )


@contextmanager
def replaced(path: str, about: dict[str, str]) -> Iterator[str]:
    """Yields an empty folder that takes the place of `path` if all goes well.

    What an earlier export left there is deleted then, and only the files that it made.

    Args:
      about: facts that are kept with the mark.

    Raises:
      InputError: the folder cannot be written.
      UsageError: see check_target.
    """
    check_target(path)
    parent, name = os.path.split(os.path.abspath(path))
    try:
        os.makedirs(parent, exist_ok=True)
        new = tempfile.mkdtemp(prefix=f".{name}.", suffix=".enas-new", dir=parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    try:
        os.chmod(new, 0o755)
        yield new
        files = sorted(os.listdir(new))
        write_json(os.path.join(new, MARK_FILE), MARK | about | {"files": files})
        _take_place(new, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _take_place(new: str, path: str) -> None:
    """Moves the files of a new export to their place, and deletes those of an earlier.

    The mark goes first, so that an export that was interrupted can be repeated.
    """
    os.makedirs(path, exist_ok=True)
    earlier = _exported(path)
    names = sorted(os.listdir(new), key=lambda name: (name != MARK_FILE, name))
    for name in names:
        os.replace(os.path.join(new, name), os.path.join(path, name))
    for name in earlier - set(names):
        with suppress(OSError):
            os.remove(os.path.join(path, name))


def _exported(path: str) -> set[str]:
    """Returns the names of the files that an earlier export wrote into a folder."""
    try:
        names = read_json(os.path.join(path, MARK_FILE))["files"]
        return {name for name in names if name == os.path.basename(name)} - {""}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return set()
