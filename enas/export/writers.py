"""The table of export formats: what each writes, and what it needs.

To add a format, write its entry here and a module that makes its files from a network's
steps. A module of a format is imported only when the format is asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from enas.base.errors import InputError
from enas.network import file

if TYPE_CHECKING:
    from enas.export.walk import Trained

REQUIREMENTS = "requirements-export.txt"


class Writer(NamedTuple):
    """An export format.

    Attributes:
      low_bit: whether it takes low-bit networks only.
      needs: a package that only this format needs; empty if there is none.
      write: a function of (folder, Trained) that writes the files and returns a
        sentence on each: its name, then what a person wants to know.
    """

    low_bit: bool
    needs: str
    write: Callable[[str, Trained], list[str]]


def _packed(folder: str, trained: Trained) -> list[str]:
    size = file.write(os.path.join(folder, file.FILE), trained.simplified())
    return [f"{file.FILE}: the packed network, {size:,} bytes"]


def _module(name: str) -> Callable[[str, Trained], list[str]]:
    def write(folder: str, trained: Trained) -> list[str]:
        return importlib.import_module(f"enas.export.{name}").write(folder, trained)

    return write


WRITERS = {
    "packed": Writer(True, "", _packed),
    "c": Writer(True, "", _module("c")),
    "onnx": Writer(False, "onnx", _module("onnx")),
    "qonnx": Writer(True, "onnx", _module("qonnx")),
    "keras": Writer(False, "", _module("keras")),
}


def check(names: list[str], is_float: bool) -> None:
    """Checks that formats can be written.

    Args:
      names: keys of WRITERS.
      is_float: whether the network is real-valued.

    Raises:
      InputError: a format takes no such network, or its package is missing.
    """
    for name in names:
        writer = WRITERS[name]
        if writer.low_bit and is_float:
            others = ", ".join(n for n, other in WRITERS.items() if not other.low_bit)
            raise InputError(
                f"{name} is for low-bit networks, and this one is float; try --to="
                f"{others}"
            )
        if writer.needs:
            try:
                importlib.import_module(writer.needs)
            except ImportError:
                raise InputError(
                    f"{name} needs the package {writer.needs}, which is not installed: "
                    f"enas_env/bin/python -m pip install -r {REQUIREMENTS}"
                ) from None
