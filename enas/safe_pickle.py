"""Reads pickles of byte arrays and plain containers without trusting them.

A pickle is a program: what it names is imported and called. Here nothing it names is
imported. The few names that a NumPy array's pickle holds are met by stand-ins, which
take the array's bytes and nothing else; any other name ends the reading.
"""

import io
import math
import pickle
from typing import Any

import numpy as np

_NDARRAY = "the type numpy.ndarray"


class HostilePickleError(ValueError):
    """The pickle asks for what no byte array or plain container needs."""


class ByteArray:
    """In place of what numpy's _reconstruct makes: an array, empty until it is filled.

    Attributes:
      values: uint8, of any shape.
    """

    def __init__(self, kind, *_):
        if kind != _NDARRAY:
            raise HostilePickleError(f"it makes an array of {kind!r}")
        self.values = np.zeros(0, np.uint8)

    def __setstate__(self, state):
        _, shape, dtype, by_columns, content = state
        if not isinstance(dtype, _DType) or len(content) != math.prod(shape):
            raise HostilePickleError("its array's bytes do not fill the array's shape")
        flat = np.frombuffer(content, np.uint8)
        self.values = flat.reshape(shape, order="F" if by_columns else "C")


class _DType:
    """In place of numpy.dtype: of bytes alone."""

    def __init__(self, name, *_):
        if name not in ("u1", b"u1"):
            raise HostilePickleError(f"its array is of {name!r}, not of bytes ('u1')")

    def __setstate__(self, state):
        """Byte order and alignment mean nothing to bytes."""


def _encode(text, encoding):
    """In place of codecs.encode, by which old protocols write bytes in Python 3."""
    if encoding != "latin1":
        raise HostilePickleError(f"it encodes text in {encoding!r}")
    return text.encode("latin1")


# Python 2 and 3, and NumPy 1 and 2, name the same things differently.
_STAND_INS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): ByteArray,
    ("numpy._core.multiarray", "_reconstruct"): ByteArray,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle._Unpickler):
    """The one that is written in Python: the C one sets memory aside for as many
    objects as a pickle claims to hold."""

    def find_class(self, module, name):
        if (module, name) not in _STAND_INS:
            raise HostilePickleError(f"it asks for {module}.{name}")
        return _STAND_INS[module, name]


def load(content: bytes) -> Any:
    """What a pickle of Python 2 or 3 holds.

    Returns:
      Numbers, strings, lists, tuples, dicts and ByteArrays. Strings of Python 2 come as
      bytes.

    Raises:
      HostilePickleError: it names anything but an array of bytes.
      ValueError: it is damaged.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except HostilePickleError:
        raise
    except Exception as error:  # damage can look like anything
        raise ValueError(f"it is damaged ({type(error).__name__})") from error
