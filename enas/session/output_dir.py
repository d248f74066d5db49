"""Claims the folder that a run writes to, and keeps what an earlier run left there.

A fresh run must not delete or overwrite anything of an earlier run: it moves it aside.
A folder that does not belong to a run must not be touched at all.
"""

import os
import platform
from contextlib import suppress
from importlib import metadata
from typing import Any

import enas
from enas.base.errors import InputError, UsageError
from enas.base.files import (
    LEFTOVER,
    missing_folders,
    read_json,
    remove_folders,
    write_json,
)
from enas.base.program import note
from enas.flags.parse import LARGEST
from enas.flags.recipes import OLDER_FLAGS
from enas.flags.table import FLAGS
from enas.session.lock import LOCK_FILE, FolderLock, is_locked

FLAGS_FILE = "flags.json"
# The mark in that file that says that this program made the folder. Runs of before the
# mark are known by flags that they must have.
MARK = {"folder_of": "an enas run"}
MUST_HAVE = {"output_dir", "reset_output_dir", "num_epochs", "seed", "child_num_layers"}
SCRIPT = "script"  # a key of the file: the script that started the run
VERSIONS_FILE = "versions.json"
LOG_FILE = "log.txt"
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")
TRIES = 5  # to lock a folder that others make and remove


class OutputDir:
    """A folder that a run has claimed: it is locked, and otherwise as it was.

    Args:
      output_dir: the folder, which is made if it is missing.
      reset: whether an earlier run in it is moved aside rather than continued.
      flags: what `flags.json` will hold, with SCRIPT.

    Attributes:
      path: the path of the folder itself, not of a link to it.
      continues: whether it holds a run that will be continued.

    Raises:
      InputError: the folder holds other things, is in use, or cannot be written to.
      UsageError: no run may use this folder, or the run in it cannot be continued with
        these flags.
    """

    def __init__(self, output_dir: str, reset: bool, flags: dict[str, Any]):
        self.path, self._flags = plain_path(output_dir), flags
        check_place(self.path)
        self._made = missing_folders(self.path)
        self._lock = self._locked()
        try:
            is_new = _is_new(self.path)
            self._moves_aside = reset and not is_new
            self.continues = not reset and not is_new
            if not is_new:
                check_entries(self.path)
                earlier = _flags_of_a_run(self.path)
                if self.continues:
                    _check_flags(self.path, earlier, flags)
                else:
                    self._check_inside()
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(0, "it is read-only, or not yours to write to")
        except OSError as error:
            self.release()
            raise self._unusable(error) from None
        except (InputError, UsageError):
            self.release()
            raise

    def _locked(self) -> FolderLock:
        gone: OSError | None = None
        for _ in range(TRIES):
            try:
                os.makedirs(self.path, exist_ok=True)
                return FolderLock(self.path)
            except FileNotFoundError as error:  # a refused start has just removed it
                gone = error
            except BlockingIOError:
                gone = None
                break
            except OSError as error:
                raise self._unusable(error) from None
        if gone is not None:
            raise self._unusable(gone) from None
        raise self._in_use()

    def _check_inside(self) -> None:
        """Checks that nobody is at work in a folder in this one, which is moved aside.

        Raises:
          InputError: `train_arcs` is.
        """
        for name in os.listdir(self.path):
            inside = os.path.join(self.path, name)
            if os.path.isdir(inside) and is_locked(inside):
                raise InputError(
                    f"output_dir: another command is at work in {inside}; name another "
                    f"folder"
                )

    def _in_use(self) -> InputError:
        return InputError(
            f"output_dir: another run is at work in {self.path}; name another folder"
        )

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
        self.check()
        try:
            if self._moves_aside:
                self._check_inside()
                _move_aside(self.path, self._lock)
                self._lock = self._locked()
                if not _is_new(self.path):  # another start was quicker
                    raise self._in_use()
            for name in os.listdir(self.path):
                file = os.path.join(self.path, name)
                if LEFTOVER.fullmatch(name) and os.path.isfile(file):
                    os.remove(file)
            if not self.continues:
                self.keep_flags()
        except OSError as error:
            raise self._unusable(error) from None
        self._made = []
        return self

    def check(self) -> None:
        """Checks that the folder is still the one that this run has locked.

        If that one was moved, another run, or somebody's files, may be in its place.

        Raises:
          InputError: it is not.
        """
        if not self._lock.holds():
            raise InputError(
                f"{self.path} was moved or removed while the run was at work; go on "
                f"from where it is now, with --reset_output_dir=False"
            )

    def keep_flags(self) -> None:
        """Writes the flags that are in use from now on, and the versions.

        The same flags and seed repeat a run only where these versions are the same.

        Raises:
          InputError: the folder cannot be written to.
        """
        about = {
            "python": platform.python_version(),
            "platform": platform.platform(),
        }
        write_json(os.path.join(self.path, FLAGS_FILE), MARK | self._flags)
        write_json(os.path.join(self.path, VERSIONS_FILE), about | versions())

    def release(self) -> None:
        """Unlocks the folder; removes what was made for a run that never began."""
        if self._lock.holds():
            remove_folders(self._made)
        self._lock.release()


def versions() -> dict[str, str | None]:
    """Returns the versions of the packages that a run's numbers depend on."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # another build, like tensorflow-cpu
            found[name] = None
    return found


def plain_path(output_dir: str) -> str:
    """Returns the path of the folder itself, which is the only one that a run uses.

    A link would be moved aside instead of the folder, and a `..` behind a link leads
    elsewhere for some programs.
    """
    path, real = os.path.normpath(output_dir), os.path.realpath(output_dir)
    if os.path.basename(path) in (os.curdir, os.pardir):  # which cannot be renamed
        return real
    return real if os.path.islink(path) or os.path.realpath(path) != real else path


def _is_new(path: str) -> bool:
    """Returns whether a folder holds nothing but what precedes a run's flags."""
    names = set(os.listdir(path)) - {LOCK_FILE}
    return all(LEFTOVER.fullmatch(name) for name in names)


def check_entries(path: str, flag: str = "output_dir") -> None:
    """Refuses links, which could lead elsewhere, and what is neither file nor folder,
    which could block for ever.

    Args:
      flag: what names the folder, for the message.
    """
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_symlink():
                raise InputError(
                    f"{flag}: {entry.path} is a symbolic link, which could lead "
                    f"elsewhere; remove it"
                )
            if not (entry.is_file() or entry.is_dir()):
                raise InputError(
                    f"{flag}: {entry.path} is neither a file nor a folder; remove it"
                )


def check_place(path: str, flag: str = "output_dir") -> None:
    """Refuses folders that hold other things than a run, whatever they look like.

    Args:
      flag: what names the folder, for the message.

    Raises:
      UsageError: it is such a folder.
    """
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
            raise UsageError(f"{flag}: {path} is {place}; name a folder in it")


def earlier_seed(output_dir: str) -> int | None:
    """Returns the seed of the run in a folder; None if there is none.

    Raises:
      InputError: the flags of the run are damaged.
    """
    path = plain_path(output_dir)
    if not os.path.lexists(os.path.join(path, FLAGS_FILE)):
        return None
    seed = read_flags(path).get("seed")
    if type(seed) is not int or not 0 < seed <= LARGEST:
        return None
    return seed


def read_flags(path: str) -> dict[str, Any]:
    """Returns the flags that the folder of a run keeps.

    Raises:
      InputError: there are none, or they are damaged.
    """
    return _without_mark(_read_marked_flags(path))


def _without_mark(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if name not in MARK}


def _read_marked_flags(path: str) -> dict[str, Any]:
    file = os.path.join(path, FLAGS_FILE)
    try:
        flags = read_json(file)
        if not isinstance(flags, dict):
            raise ValueError("not what was written there")
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; name the output folder of a run"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is damaged: {error}") from None
    return flags


def _flags_of_a_run(path: str) -> dict[str, Any]:
    """Returns the flags of the run that a folder holds.

    Raises:
      InputError: the folder is not of a run, or its flags are damaged.
    """
    foreign = InputError(
        f"output_dir: {path} holds files that are not of an earlier run; name another "
        f"folder"
    )
    if not os.path.isfile(os.path.join(path, FLAGS_FILE)):
        raise foreign
    flags = _read_marked_flags(path)
    is_marked = all(flags.get(name) == value for name, value in MARK.items())
    is_older = flags.keys() >= MUST_HAVE and flags.keys() <= {*FLAGS, SCRIPT}
    if not (is_marked or is_older):
        raise foreign
    return _without_mark(flags)


def _check_flags(path: str, earlier: dict[str, Any], flags: dict[str, Any]) -> None:
    older = {n: value for n, value in OLDER_FLAGS.items() if n in flags}
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


def _move_aside(path: str, lock: FolderLock) -> None:
    """Moves a folder to the first name that is free, and unlocks it."""
    number = 1
    while True:
        moved = f"{path}.{number}"
        try:
            os.mkdir(moved)  # so that no other start takes the name
            break
        except FileExistsError:
            number += 1
    if os.name == "nt":  # Windows can rename neither onto a folder nor an open one
        os.rmdir(moved)
        lock.release()
    try:
        os.rename(path, moved)
    except OSError:
        with suppress(OSError):
            os.rmdir(moved)
        raise
    lock.release()
    note(
        f"moved the earlier run in {path} to {moved}; --resume={moved} goes on with it"
    )
