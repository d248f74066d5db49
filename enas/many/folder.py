"""The folder of several trainings: whose it is, and what it keeps of them.

alone.json                what was trained with which flags, and what came of it
01-controller/            the output folder of the first training
01-controller.stderr.txt  what it said on stderr
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import Any

from enas.base.errors import InputError, UsageError
from enas.base.files import (
    LEFTOVER,
    missing_folders,
    read_json,
    readable,
    remove_folders,
    write_json,
)
from enas.flags.recipes import LATER
from enas.many import trainings as kept_trainings
from enas.many.plan import Plan
from enas.many.trainings import Training
from enas.session.lock import LOCK_FILE, FolderLock
from enas.session.output_dir import check_entries, check_place, plain_path

FILE = "alone.json"
# The mark in that file that says that this program made the folder.
MARK = {"folder_of": "enas trainings"}
FLAG = "folder"  # what names it
AT_WORK = ".at-work-"  # the file that stays while a command is at work in the folder
# Flags that may differ when a folder is gone on with: they change no weight.
FREE = ("max_minutes", "save_every_minutes", "log_every")


class Folder:
    """A folder of trainings that this command has claimed; leave it with `release`.

    Args:
      path: it is made if it is missing.
      plan: what the trainings have in common.

    Attributes:
      path: that of the folder itself.
      earlier: the trainings that it holds.
      at_work: the path of the file that stays while this command is at work.

    Raises:
      InputError: it holds other things, is in use, or cannot be written to.
      UsageError: no trainings may be put there, or they were made with other flags.
    """

    def __init__(self, path: str, plan: Plan):
        self.path, self._plan = os.path.abspath(plain_path(path)), plan
        check_place(self.path, FLAG)
        self._made = missing_folders(self.path)
        try:
            os.makedirs(self.path, exist_ok=True)
            self._lock = FolderLock(self.path)
        except BlockingIOError:
            raise InputError(
                f"{FLAG}: another train_arcs is at work in {self.path}"
            ) from None
        except OSError as error:
            raise self._unusable(error) from None
        try:
            self.earlier = self._read()
            self._begin()
        except OSError as error:
            self.release()
            raise self._unusable(error) from None
        except BaseException:
            self.release()
            raise

    def _unusable(self, error: OSError) -> InputError:
        return InputError(f"{FLAG}: cannot use {self.path}: {error.strerror}")

    def _read(self) -> list[Training]:
        """Returns the folder's trainings; checks that it is ours, and its flags."""
        file = os.path.join(self.path, FILE)
        if not os.path.lexists(file):
            names = set(os.listdir(self.path)) - {LOCK_FILE}
            if not all(_is_left_by_a_command(name) for name in names):
                raise InputError(
                    f"{FLAG}: {self.path} holds files that are not of trainings; name "
                    f"another folder"
                )
            return []
        check_entries(self.path, FLAG)
        script, flags, earlier = read(self.path)
        self._check_flags(script, flags)
        return earlier

    def _check_flags(self, script: str, flags: dict[str, Any]) -> None:
        now = {"script": os.path.basename(self._plan.script)} | self._plan.flags
        later = {name: value for name, value in LATER.items() if name in now}
        then = later | {"script": script} | flags
        changed = [
            f"{name} (was {then.get(name)!r})"
            for name in now | then
            if name not in FREE and now.get(name) != then.get(name)
        ]
        if changed:
            raise UsageError(
                f"the trainings in {self.path} were made with another "
                f"{', '.join(changed)}; name another --{FLAG}"
            )

    def _begin(self) -> None:
        """Removes what a killed command left, and puts up the sign of this one."""
        for name in os.listdir(self.path):
            if _is_left_by_a_command(name):
                os.remove(os.path.join(self.path, name))
        self.at_work = os.path.join(self.path, AT_WORK + secrets.token_hex(8))
        open(self.at_work, "xb").close()

    def ask_to_leave(self) -> None:
        """Asks all trainings to leave, wherever they are."""
        with suppress(FileNotFoundError):
            os.remove(self.at_work)

    def keep(self, trainings: list[Training]) -> None:
        """Keeps what is known of these trainings, beside the folder's others.

        Raises:
          InputError: it cannot be written.
        """
        rows = {one.task: one for one in [*self.earlier, *trainings]}
        content = MARK | {
            "script": os.path.basename(self._plan.script),
            "flags": self._plan.flags,
            "trainings": [kept_trainings.as_json(one) for one in rows.values()],
        }
        write_json(os.path.join(self.path, FILE), content)

    def release(self) -> None:
        """Takes down the sign, and unlocks the folder; an unused one is removed."""
        if hasattr(self, "at_work"):
            self.ask_to_leave()
        if self._lock.holds():
            remove_folders(self._made)
        self._lock.release()


def _is_left_by_a_command(name: str) -> bool:
    """Whether a file has a name that only a command gives that was killed."""
    return bool(LEFTOVER.fullmatch(name)) or name.startswith(AT_WORK)


def read(path: str) -> tuple[str, dict[str, Any], list[Training]]:
    """Returns what a folder of trainings keeps: the script, its flags, the trainings.

    Raises:
      InputError: the file is missing or damaged, or of another program.
    """
    file = os.path.join(path, FILE)
    with readable(file):
        content = read_json(file)
        if any(content.get(name) != value for name, value in MARK.items()):
            raise ValueError("not what was written there")
        script, flags = content["script"], content["flags"]
        if not (isinstance(script, str) and isinstance(flags, dict)):
            raise ValueError("not what was written there")
        rows = [kept_trainings.from_json(row) for row in content["trainings"]]
        if len({one.name for one in rows}) < len(rows):
            raise ValueError("two trainings have the same name")
    return script, flags, rows
