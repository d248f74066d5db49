"""The folder that a run writes into: whose it is, and what is kept of an earlier run.

Nothing that an earlier run left is deleted or written over: a fresh run moves it aside.
What is no folder of a run's own is left alone altogether.
"""

import json
import os
import platform
import sys
from importlib import metadata

from filelock import FileLock, Timeout

from enas.errors import InputError, UsageError
from enas.recipes import OLDER, RECIPES

FLAGS_FILE = "flags.json"  # its presence says that this program made the folder
VERSIONS_FILE = "versions.json"
LOG_FILE = "log.txt"
LOCK_FILE = "lock"  # held while a run works in the folder
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")
# Flags that shape the network: a checkpoint fits only a run that has them alike.
SHAPING = (
    "fixed_arc",
    "channel",
    "img_size",
    "child_scheme",
    "child_first_scheme",
    "child_n_bits",
    "child_optim_algo",
    "batch_size",
    "child_num_layers",
    "child_num_cells",
    "child_out_filters",
    "child_pool_layers",
    "child_use_aux_heads",
    "child_shortcut",
    "child_op_shortcut",
    "child_node_mean",
    "child_share_output_kernel",
    "controller_bl_of_update",
    "controller_training",
)


def prepare(output_dir: str, reset: bool, flags: dict) -> FileLock:
    """Makes the folder, and keeps in a new one the flags and the versions in use.

    A folder of an earlier run is moved aside to `output_dir.1`, `output_dir.2` …; or,
    unless `reset`, continued, and then its flags are as they were.

    Returns:
      The folder's lock, held; keep it as long as the run goes on.

    Raises:
      InputError: the folder holds other things, is in use, or cannot be written to.
      UsageError: it may not be one of a run's own, or a run cannot be continued with
        these flags.
    """
    path = _plain(output_dir)
    _check_place(path)
    try:
        if os.path.isdir(path) and not _is_new(path):
            if not os.path.isfile(os.path.join(path, FLAGS_FILE)):
                raise InputError(
                    f"output_dir: {path} holds files that are not of an earlier run; "
                    f"name another folder"
                )
            lock = _lock(path)
            if not reset:
                _check_flags(path, flags)
                return lock
            _move_aside(path, lock)
        os.makedirs(path, exist_ok=True)
        lock = _lock(path)
        keep_flags(path, flags)
    except OSError as error:
        raise InputError(f"output_dir: cannot use {path}: {error.strerror}") from None
    return lock


def _plain(output_dir: str) -> str:
    """The folder's path, and not that of a link to it, which would be moved aside in
    its place."""
    path, real = os.path.normpath(output_dir), os.path.realpath(output_dir)
    return real if os.path.islink(path) or os.path.realpath(path) != real else path


def _is_new(path: str) -> bool:
    """Whether nothing stands in a folder but what precedes its flags."""
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(path)}
    sizes.pop(FLAGS_FILE + ".new", None)
    return not sizes or sizes == {LOCK_FILE: 0}


def _check_place(path: str) -> None:
    """Refuses the places that hold other things than a run, whatever they look like."""
    real = os.path.realpath(path)
    repository = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
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


def write_json(path: str, content) -> None:
    """Writes a file as `write_text` does."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """Replaces a file whole, so that no half of one is ever seen.

    Raises:
      InputError: it cannot be written.
    """
    try:
        with open(path + ".new", "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(path + ".new", path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def keep_flags(path: str, flags: dict) -> None:
    """Keeps those in use from now on, and the versions: the same flags and seed repeat
    a run only where what computes is alike."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # another build, as tensorflow-cpu
            versions[name] = None
    write_json(os.path.join(path, FLAGS_FILE), flags)
    write_json(os.path.join(path, VERSIONS_FILE), versions)


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
    """The seed of the run that a folder holds, if it holds one."""
    path = _plain(output_dir)
    if not os.path.isfile(os.path.join(path, FLAGS_FILE)):
        return None
    seed = read_flags(path).get("seed")
    return seed if type(seed) is int and seed > 0 else None


def read_flags(path: str) -> dict:
    """The flags that the folder of a run was made with.

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


def _check_flags(path: str, flags: dict) -> None:
    earlier = read_flags(path)
    older = {n: value for n, value in RECIPES[OLDER].items() if n in flags}
    earlier = older | earlier
    changed = [
        f"{name} (was {earlier[name]!r})"
        for name in SHAPING
        if name in earlier and earlier[name] != flags.get(name)
    ]
    if changed:
        raise UsageError(
            f"the run in {path} cannot be continued with another {', '.join(changed)}"
        )


def _move_aside(path: str, lock: FileLock) -> None:
    number = 1
    while os.path.lexists(f"{path}.{number}"):
        number += 1
    if os.name == "nt":  # where a folder with an open file cannot be renamed
        lock.release()
    os.rename(path, f"{path}.{number}")
    lock.release()
    moved = f"{path}.{number}"
    print(
        f"moved the earlier run in {path} to {moved}; "
        f"--output_dir={moved} --reset_output_dir=False goes on with it",
        file=sys.stderr,
    )
