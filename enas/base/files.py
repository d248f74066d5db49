"""Writes files whole, so that nobody ever sees half of one."""

import json
import os
from typing import Any

from enas.base.errors import InputError


def write_json(path: str, content: Any) -> None:
    """Replaces a whole file with `content` as JSON.

    Raises:
      InputError: it cannot be written.
    """
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """Replaces a whole file with `text`.

    Raises:
      InputError: it cannot be written.
    """
    try:
        with open(path + ".new", "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(path + ".new", path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
