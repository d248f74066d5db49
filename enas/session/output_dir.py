"""Claims the folder that a run writes to, and keeps what an earlier run left there.

A fresh run must not delete or overwrite anything of an earlier run: it moves it aside.
A folder that does not belong to a run must not be touched at all.
"""

import json
import os
import platform
import sys
from contextlib import suppress
from importlib import metadata
from typing import Any

from filelock import FileLock, Timeout

import enas
from enas.base.errors import InputError, UsageError
from enas.base.files import write_json
from enas.flags.recipes import OLDER, RECIPES
from enas.flags.table import FLAGS

FLAGS_FILE = "flags.json"  # its presence says that this program made the folder
SCRIPT = "script"  # a key of that file: the script that started the run
VERSIONS_FILE = "versions.json"
LOG_FILE = "log.txt"
LOCK_FILE = "lock"  # held while a run works in the folder
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


class OutputDir:
    """A folder that a run has claimed: it is locked, and otherwise as it was.

    Args:
      output_dir: the folder, which is made if it is missing.
      reset: whether an earlier run in it is moved aside rather than continued.
      flags: what `flags.json` will hold, with SCRIPT.

    Attributes:
      path: the path of the folder itself, not of a link to it.

    Raises:
      InputError: the folder holds other things, is in use, or cannot be written to.
      UsageError: no run may use this folder, or the run in it cannot be continued with
        these flags.
    """

    def __init__(self, output_dir: str, reset: bool, flags: dict[str, Any]):
        self.path, self._flags = _plain(output_dir), flags
        _check_place(self.path)
        self._made = not os.path.lexists(self.path)
        try:
            os.makedirs(self.path, exist_ok=True)
            is_new = _is_new(self.path)
            if not is_new and not os.path.isfile(os.path.join(self.path, FLAGS_FILE)):
                raise InputError(
                    f"output_dir: {self.path} holds files that are not of an earlier "
                    f"run; name another folder"
                )
            self._lock = _lock(self.path)
        except OSError as error:
            raise self._unusable(error) from None
        self._moves_aside = reset and not is_new
        self._continues = not reset and not is_new
        if self._continues:
            try:
                _check_flags(self.path, flags)
            except (InputError, UsageError):
                self.release()
                raise

    def _unusable(self, error: OSError) -> InputError:
        return InputError(f"output_dir: cannot use {self.path}: {error.strerror}")

    def begin(self) -> "OutputDir":
        """Makes the folder the run's own.

        An earlier run moves to `output_dir.1`, `output_dir.2` …, unless it is
        continued. The flags of a fresh run are written. Call this when only the
        checkpoints can still refuse the run.

        Raises:
          InputError: the folder cannot be written to, or is in use by now.
        """
        try:
            if self._moves_aside:
                _move_aside(self.path, self._lock)
                os.makedirs(self.path, exist_ok=True)
                self._lock = _lock(self.path)
            if not self._continues:
                self.keep_flags()
        except OSError as error:
            raise self._unusable(error) from None
        self._made = False
        return self

    def keep_flags(self) -> None:
        """Writes the flags that are in use from now on, and the versions.

        The same flags and seed repeat a run only where these versions are the same.

        Raises:
          InputError: the folder cannot be written to.
        """
        versions: dict[str, str | None] = {
            "python": platform.python_version(),
            "platform": platform.platform(),
        }
        for name in PACKAGES:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # another build, like tensorflow-cpu
                versions[name] = None
        write_json(os.path.join(self.path, FLAGS_FILE), self._flags)
        write_json(os.path.join(self.path, VERSIONS_FILE), versions)

    def release(self) -> None:
        """Unlocks the folder; removes it if it was made for a run that never began."""
        self._lock.release()
        if self._made:
            with suppress(OSError):
                os.rmdir(self.path)


def _plain(output_dir: str) -> str:
    """Returns the path of the folder itself if `output_dir` is a link to it.

    Otherwise the link would be moved aside instead of the folder.
    """
    path, real = os.path.normpath(output_dir), os.path.realpath(output_dir)
    return real if os.path.islink(path) or os.path.realpath(path) != real else path


def _is_new(path: str) -> bool:
    """Returns whether a folder is empty but for what is written before its flags."""
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(path)}
    sizes.pop(FLAGS_FILE + ".new", None)
    return not sizes or sizes == {LOCK_FILE: 0}


def _check_place(path: str) -> None:
    """Refuses folders that hold other things than a run, whatever they look like."""
    real = os.path.realpath(path)
    repository = os.path.dirname(os.path.dirname(os.path.realpath(enas.__file__)))
    places = {
        "the home folder": real == os.path.realpath(os.path.expanduser("~")),
        "this program's own folder": real == repository,
        "around this program's own folder": repository.startswith(
            os.path.join(real, "")
        ),
        "where a file system is mounted": os.path.ismount(real),
    }
    for place, is_there in places.items():
        if is_there:
            raise UsageError(f"output_dir: {path} is {place}; name a folder in it")


def _lock(path: str) -> FileLock:
    with os.scandir(path) as entries:
        links = sorted(entry.path for entry in entries if entry.is_symlink())
    if links:
        raise InputError(
            f"output_dir: {links[0]} is a symbolic link, which could lead elsewhere; "
            f"remove it"
        )
    lock = FileLock(os.path.join(path, LOCK_FILE))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"output_dir: another run is at work in {path}; name another folder"
        ) from None
    except NotImplementedError as error:
        raise InputError(
            f"output_dir: {path} cannot be locked: {error}; name a folder of another "
            f"file system"
        ) from None
    return lock


def earlier_seed(output_dir: str) -> int | None:
    """Returns the seed of the run in a folder; None if there is none.

    Raises:
      InputError: the flags of the run are damaged.
    """
    path = _plain(output_dir)
    if not os.path.isfile(os.path.join(path, FLAGS_FILE)):
        return None
    seed = read_flags(path).get("seed")
    return seed if type(seed) is int and seed > 0 else None


def read_flags(path: str) -> dict:
    """Returns the flags that the folder of a run keeps.

    Raises:
      InputError: there are none, or they are damaged.
    """
    file = os.path.join(path, FLAGS_FILE)
    try:
        with open(file, encoding="utf-8") as stream:
            flags = json.load(stream)
        if not isinstance(flags, dict):
            raise ValueError("not what was written there")
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; name the output folder of a run"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is damaged: {error}") from None
    return flags


def _check_flags(path: str, flags: dict[str, Any]) -> None:
    earlier = read_flags(path)
    older = {n: value for n, value in RECIPES[OLDER].items() if n in flags}
    earlier = older | earlier
    changed = [
        f"{flag.name} (was {earlier[flag.name]!r})"
        for flag in FLAGS.values()
        if flag.fixed
        and flag.name in earlier
        and earlier[flag.name] != flags.get(flag.name)
    ]
    if changed:
        raise UsageError(
            f"the run in {path} cannot be continued with another {', '.join(changed)}"
        )


def _move_aside(path: str, lock: FileLock) -> None:
    number = 1
    while os.path.lexists(f"{path}.{number}"):
        number += 1
    if os.name == "nt":  # Windows cannot rename a folder with an open file
        lock.release()
    os.rename(path, f"{path}.{number}")
    lock.release()
    moved = f"{path}.{number}"
    print(
        f"moved the earlier run in {path} to {moved}; "
        f"--output_dir={moved} --reset_output_dir=False goes on with it",
        file=sys.stderr,
    )
