"""The folder of an export, whose files are replaced only if an export made them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from enas.base.errors import InputError, UsageError
from enas.base.files import open_regular, read_json, write_json

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

    Files of an earlier export with the same names are replaced, unless a person has
    changed them since. All others stay.

    Args:
      about: facts that are kept with the mark.

    Raises:
      InputError: the folder cannot be written.
      UsageError: see check_target; or a file would be replaced that no export made.
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
        _take_place(new, path, about)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _take_place(new: str, path: str, about: dict[str, str]) -> None:
    """Moves the files of a new export to their place.

    Before that the mark tells the checksums of the old files and of the new ones, so
    that an export that was interrupted can be repeated.
    """
    os.makedirs(path, exist_ok=True)
    exported = _exported(path)
    made = {name: _checksum(os.path.join(new, name)) for name in os.listdir(new)}
    for name in made:
        place = os.path.join(path, name)
        if os.path.lexists(place) and _checksum(place) not in exported.get(name, []):
            raise UsageError(
                f"{place} was not exported, or was changed since, so it is not "
                f"replaced; move it, or name another folder with --output"
            )
    moving = {name: [*exported.get(name, []), one] for name, one in made.items()}
    _write_mark(path, about, exported | moving)
    for name in sorted(made):
        os.replace(os.path.join(new, name), os.path.join(path, name))
    _write_mark(path, about, exported | {name: [one] for name, one in made.items()})


def _write_mark(path: str, about: dict[str, str], files: dict[str, list[str]]) -> None:
    content = MARK | about | {"files": files}
    write_json(os.path.join(path, MARK_FILE), content)


def _checksum(path: str) -> str:
    """Returns the SHA-256 of a file; empty if it is no file of its own."""
    if os.path.islink(path) or not os.path.isfile(path):
        return ""
    digest = hashlib.sha256()
    with open_regular(path, "rb") as stream:
        while content := stream.read(2**20):
            digest.update(content)
    return digest.hexdigest()


def _exported(path: str) -> dict[str, list[str]]:
    """Returns the checksums of each file that an export wrote into a folder."""
    try:
        files = read_json(os.path.join(path, MARK_FILE))["files"]
        return {
            str(name): [one for one in checksums if isinstance(one, str) and one]
            for name, checksums in files.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
