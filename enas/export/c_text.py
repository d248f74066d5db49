"""Writes numbers, texts and steps as C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from enas.export.c_kernels import stored_bits
from enas.network.formats import Format, codes_of
from enas.network.steps import Step

LONGEST = 96  # letters of a line


def packed(values: np.ndarray, form: Format) -> np.ndarray:
    """Packs integers into bytes, the first in the lowest bits; uint8."""
    bits = stored_bits(form)
    codes = codes_of(values, form)
    per_byte = 8 // bits
    padded = np.zeros(-(-len(codes) // per_byte) * per_byte, np.uint32)
    padded[: len(codes)] = codes
    shifts = np.arange(per_byte, dtype=np.uint32) * bits
    return (padded.reshape(-1, per_byte) << shifts).sum(axis=1).astype(np.uint8)


def number(value: Any, kind: str) -> str:
    """Returns a constant of C; it is read back as the same number."""
    if kind == "float":
        text = f"{float(value):.9g}"
        return f"{text}f" if set(text) & set(".e") else f"{text}.0f"
    return f"{float(value)!r}" if kind == "double" else str(int(value))


def lines_of(numbers: Sequence[str]) -> str:
    """Lays out numbers in lines of at most LONGEST letters."""
    lines, line = [], "   "
    for number in numbers:
        if len(line) + len(number) + 2 > LONGEST:
            lines.append(line)
            line = "   "
        line += f" {number},"
    return "\n".join([*lines, line])


def string(text: str) -> str:
    """Returns a C string; what is not plain ASCII is written as octal bytes."""
    letters = [
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogatepass")
    ]
    return f'"{"".join(letters)}"'


def words(step: Step) -> str:
    """Describes a step: "conv 3x3 to 48 filters in fixed4"."""
    given, said = step.parameters(), [step.kind.replace("_", " ")]
    if "size" in given:
        said.append(f"{given['size']}x{given['size']}")
    if "filters" in given:
        said.append(f"to {given['filters']} filters")
    if given.get("stride", 1) > 1:
        said.append(f"with stride {given['stride']}")
    if "format" in given:
        said.append(f"in {given['format']}")
    return " ".join(said)
