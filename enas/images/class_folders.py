"""Lists what a set of class folders holds: the images, and what is left out of them.

Hidden files and macOS's own are neither. This module must not import TensorFlow.
"""

import os
import zipfile
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from enas.images.image_files import EXTENSIONS, folders_around, is_image, members_of

MOST_KINDS = 6  # that a line names


class ClassFolder(NamedTuple):
    """What one class folder holds.

    Attributes:
      images: the paths of its images, or the members of the zip.
      others: the names of the other files.
      folders: the names of the folders in it, which are not looked into.
    """

    images: list[str]
    others: list[str]
    folders: set[str]

    def put(self, path: str) -> None:
        """Adds a file, by its path or the member's name."""
        (self.images if is_image(path) else self.others).append(path)

    def lack(self) -> str:
        """Says that it holds no image, and what it holds instead."""
        reads = f"holds no image ({', '.join(EXTENSIONS)})"
        if self.others:
            return f"{reads}, but files that are not read: {endings(self.others)}"
        if self.folders:
            return f"{reads}, but {_counted(len(self.folders), 'folder')} of its own"
        return reads


class Listing(NamedTuple):
    """What a set holds.

    Attributes:
      classes: the class folders by their names, in the order of these.
      stray: the names of files that lie in no class folder.
    """

    classes: dict[str, ClassFolder]
    stray: list[str]

    def left_out(self) -> str:
        """Names and counts what is not read; empty if all of it is."""
        others = [name for held in self.classes.values() for name in held.others]
        folders = sum(len(held.folders) for held in self.classes.values())
        parts = [no_images(others)] if others else []
        if self.stray:
            files = _counted(len(self.stray), "file")
            parts.append(f"{files} in no class folder ({endings(self.stray)})")
        if folders:
            parts.append(f"{_counted(folders, 'folder')} within class folders")
        return "left out " + ", and ".join(parts) if parts else ""


def list_folder(path: str) -> Listing:
    """Lists a folder of class folders.

    Raises:
      OSError: a folder cannot be read.
    """
    classes, stray = {}, []
    for entry in sorted(_shown(path), key=lambda entry: entry.name):
        if not entry.is_dir():
            stray.append(entry.name)
            continue
        classes[entry.name] = held = ClassFolder([], [], set())
        for inner in sorted(_shown(entry.path), key=lambda inner: inner.name):
            if inner.is_dir() and not is_image(inner.name):
                held.folders.add(inner.name)
            else:
                held.put(os.path.join(path, entry.name, inner.name))
    return Listing(classes, stray)


def list_zip(archive: zipfile.ZipFile) -> Listing:
    """Lists a zip of class folders, as if it had been unpacked.

    The folders around all class folders are passed over.
    """
    members = members_of(archive)
    around = folders_around([p for p in members.values() if is_image(p[-1])])
    classes: dict[str, ClassFolder] = {}
    stray = []
    for name, parts in sorted(members.items()):
        folder, inner = name.endswith("/"), parts[len(around) :]
        if parts[: len(around)] != around or len(inner) + folder < 2:
            if not folder:
                stray.append(name)
            continue
        held = classes.setdefault(inner[0], ClassFolder([], [], set()))
        if len(inner) + folder > 2:
            held.folders.add(inner[1])
        elif not folder:
            held.put(name)
    return Listing({name: classes[name] for name in sorted(classes)}, stray)


def _shown(path: str) -> list[os.DirEntry]:
    with os.scandir(path) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def no_images(names: list[str]) -> str:
    """Counts files by their endings: '2 files that are no images (.txt 2)'."""
    what = "file that is no image" if len(names) == 1 else "files that are no images"
    return f"{len(names)} {what} ({endings(names)})"


def endings(names: Iterable[str]) -> str:
    """How many files have which ending, the commonest first: '.heic 10, .txt 2'."""
    counts = Counter(os.path.splitext(name)[1].lower() for name in names)
    kinds = sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))
    parts = [f"{end or 'without an ending'} {count}" for end, count in kinds]
    if len(parts) > MOST_KINDS:
        parts[MOST_KINDS:] = [f"others {sum(c for _, c in kinds[MOST_KINDS:])}"]
    return ", ".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
