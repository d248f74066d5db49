"""Writing a file whole, so that no half of one is ever seen."""

import json
import os
from typing import Any

from enas.base.errors import InputError


def write_json(path: str, content: Any) -> None:
    """Writes a file as `write_text` does."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """Replaces a file whole.

    Raises:
      InputError: it cannot be written.
    """
    try:
        with open(path + ".new", "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(path + ".new", path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
