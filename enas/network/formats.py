"""The number formats of a stored network, and how their numbers become bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Integers(NamedTuple):
    """The integers that stand for numbers: a number is its integer · 2^-shift."""

    lowest: int
    highest: int
    shift: int

    @property
    def most(self) -> int:
        """The largest magnitude."""
        return max(-self.lowest, self.highest)

    def times(self, other: Integers, terms: int) -> Integers:
        """What a sum of `terms` products with integers of another kind can be."""
        most = self.most * other.most * terms
        return Integers(-most, most, self.shift + other.shift)


class Format(NamedTuple):
    """A format of weights, and of activations.

    Attributes:
      name: 'real' (float32), 'binary' {-1, 1}, 'ternary' {-1, 0, 1}, or 'fixed', the
        n-bit fixed point {-m, …, m - 1} / m with m = 2^(n-1).
      bits: how many one number takes.
    """

    name: str
    bits: int

    def __str__(self) -> str:
        return f"fixed{self.bits}" if self.name == "fixed" else self.name

    @property
    def integers(self) -> Integers | None:
        """The integers of this format; None if its numbers are real."""
        if self.name == "real":
            return None
        if self.name == "fixed":
            m = 2 ** (self.bits - 1)
            return Integers(-m, m - 1, self.bits - 1)
        return Integers(-1, 1, 0)

    @property
    def levels(self) -> int:
        """How many integers it has."""
        return {"binary": 2, "ternary": 3}.get(self.name, 2**self.bits)


REAL = Format("real", 32)
BINARY = Format("binary", 1)
TERNARY = Format("ternary", 2)
MOST_BITS = 16


def fixed(bits: int) -> Format:
    """n-bit fixed point, 2 <= n <= MOST_BITS."""
    return Format("fixed", bits)


# The place of a format is its number in a packed file.
FORMATS = (REAL, BINARY, TERNARY, *map(fixed, range(2, MOST_BITS + 1)))
_BY_NAME = {str(form): form for form in FORMATS}


def format_named(text: str) -> Format:
    """Returns the format that `str` of it names.

    Raises:
      ValueError: there is none.
    """
    if not isinstance(text, str) or text not in _BY_NAME:
        raise ValueError(f"{str(text)[:40]!r} is no number format")
    return _BY_NAME[text]


def codes_of(values: np.ndarray, form: Format) -> np.ndarray:
    """Returns what is stored of integers: how far each lies above the lowest, uint32.

    The code of -1 and 1 in the binary format is 0 and 1.

    Raises:
      ValueError: a number is not of the format.
    """
    integers = form.integers
    assert integers is not None
    above = np.asarray(values, np.int64) - integers.lowest
    codes = above // 2 if form.name == "binary" else above
    if not np.array_equal(values_of(np.clip(codes, 0, form.levels - 1), form), values):
        raise ValueError(f"a number is not {form}")
    return codes.astype(np.uint32)


def values_of(codes: np.ndarray, form: Format) -> np.ndarray:
    """Returns the integers of some codes, int32; the inverse of `codes_of`.

    Raises:
      ValueError: a code stands for no number of the format.
    """
    integers = form.integers
    assert integers is not None
    if codes.size and codes.max() >= form.levels:
        raise ValueError(f"a stored number is not {form}")
    values = codes.astype(np.int32)
    return 2 * values - 1 if form.name == "binary" else values + integers.lowest


def to_bits(codes: np.ndarray, width: int) -> np.ndarray:
    """Returns the bits of some codes, lowest first, uint8 [width · number of codes]."""
    codes = codes.reshape(-1, 1).astype(np.uint32)
    return ((codes >> np.arange(width, dtype=np.uint32)) & 1).astype(np.uint8).ravel()


def from_bits(bits: np.ndarray, width: int) -> np.ndarray:
    """Returns the codes that some bits stand for, uint32; the inverse of `to_bits`."""
    weights = np.uint32(1) << np.arange(width, dtype=np.uint32)
    return bits.reshape(-1, width).astype(np.uint32) @ weights
