"""Writes a network as C: network.c, network.h, an example main.c and a Makefile.

The C is C99 that needs only libc and libm, no heap and no threads. Where gcc or clang
compile it, the innermost loops use their vector types, which keep 16 sums in registers.
It computes what `enas/network/steps.py` defines, bit for bit, at every optimization
level.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from enas.base.errors import InputError
from enas.base.files import write_text
from enas.export.c_source import FILES, Source
from enas.export.c_stages import add_stage
from enas.network.network import Network

if TYPE_CHECKING:
    from enas.export.walk import Trained


def write(folder: str, trained: Trained) -> list[str]:
    """Writes the files of the C export; returns a sentence on them.

    Raises:
      InputError: the network has a number format that C has no kernels for.
    """
    files, ram, flash = sources(trained.simplified())
    for name, text in files.items():
        write_text(os.path.join(folder, name), text)
    return [
        f"network.c: C for any device, {flash:,} bytes of constants, {ram:,} bytes of "
        f"memory (make && ./network < images)"
    ]


def sources(network: Network) -> tuple[dict[str, str], int, int]:
    """Returns the files of the C export by name, and bytes of memory and constants.

    Raises:
      InputError: see `write`.
    """
    try:
        source = Source(network)
        for stage in source.plan.stages:
            add_stage(source, stage)
    except ValueError as error:
        raise InputError(f"c cannot hold this network: {error}") from None
    image, ram = network.image, source.ram()
    facts = {
        "HEIGHT": image.height,
        "WIDTH": image.width,
        "CHANNELS": image.channels,
        "CLASSES": len(network.classes),
        "MEMORY": ram,
        "CONSTANTS": source.constants,
        "ABOUT": "\n".join(f" * {k}: {_comment(v)}" for k, v in network.about.items()),
    }
    files = {"network.c": source.text()}
    for name in ("network.h", "main.c", "Makefile"):
        with open(os.path.join(FILES, name), encoding="utf-8") as stream:
            files[name] = _completed(stream.read(), facts)
    return files, ram, source.constants


def _completed(text: str, facts: dict[str, Any]) -> str:
    for name, value in facts.items():
        text = text.replace(f"${name}$", str(value))
    return text


def _comment(text: str) -> str:
    """Returns a text that neither ends a comment nor makes compilers warn."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"(?<=[*/?])(?=[*/?])", " ", text)
