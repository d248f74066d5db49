"""The packed file of a network, `network.lbn`: written whole, read with suspicion.

docs/packed_file.md describes the format. Reading runs no code and makes no room before
it has checked how much the file has.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from enas.base.errors import InputError
from enas.base.files import open_regular, write_bytes
from enas.network import header, json_header
from enas.network.formats import codes_of, from_bits, to_bits, values_of
from enas.network.header import header_of
from enas.network.network import Network, stored_by
from enas.network.steps import WITH_KERNELS, Stored

MAGIC = b"\x89LBN\r\n\x1a\n"
VERSION = 2  # of the files that are written
FILE = "network.lbn"
MOST_BYTES = 2**26
MOST_HEADER = 2**24
_START = struct.Struct("<8sII")  # magic, version, bytes of the header
_CHECKSUM = struct.Struct("<I")
AROUND_HEADER = _START.size + _CHECKSUM.size  # bytes
REAL_BYTES = 4
# For each version that is read, what returns the network of a header.
_READ = {1: json_header.network_of, VERSION: header.network_of}


def tensor_bits(stored: Sequence[Stored]) -> int:
    """Returns the bits that some tensors take in a file."""
    return sum(tensor.bits for tensor in stored)


def file_bytes(network: Network) -> int:
    """Returns how large the file of a network is; its tensors need not be known.

    ⌈bits of all low-bit tensors / 8⌉, 4 bytes for each real number, and the header
    with what surrounds it.
    """
    return overhead_bytes(network) + _tensor_bytes(stored_by(network.steps))


def _tensor_bytes(stored: Sequence[Sequence[Stored]]) -> int:
    tensors = [tensor for row in stored for tensor in row]
    packed = tensor_bits([tensor for tensor in tensors if not is_real(tensor)])
    reals = sum(tensor.numbers for tensor in tensors if is_real(tensor))
    return -(-packed // 8) + REAL_BYTES * reals


def overhead_bytes(network: Network) -> int:
    """Returns the bytes of the header and of what surrounds it."""
    return AROUND_HEADER + len(header_of(network))


def weight_bytes(network: Network) -> int:
    """Returns the bytes of all kernels and of the classifier's weights.

    Batch norms, thresholds and the header are not among them, as where the sizes of
    networks for microcontrollers are given.
    """
    of_steps = zip(network.steps, stored_by(network.steps), strict=True)
    weights = [stored for step, stored in of_steps if isinstance(step, WITH_KERNELS)]
    bits = sum(map(tensor_bits, weights))
    return -(-bits // 8)


def part_bytes(network: Network) -> dict[str, int]:
    """Returns the bytes of the tensors of each part; parts share no byte."""
    parts: dict[str, int] = {}
    for part, stored in zip(network.parts, stored_by(network.steps), strict=True):
        parts[part] = parts.get(part, 0) + tensor_bits(stored)
    return {part: -(-bits // 8) for part, bits in parts.items()}


def is_real(tensor: Stored) -> bool:
    """Whether a tensor's numbers stand among the file's real ones."""
    return tensor.format is not None and tensor.format.integers is None


def pack(network: Network) -> bytes:
    """Returns the content of a network's file."""
    head = header_of(network)
    bits, reals = [np.empty(0, np.uint8)], []
    for stored, tensors in zip(stored_by(network.steps), network.tensors, strict=True):
        for tensor, values in zip(stored, tensors, strict=True):
            if is_real(tensor):
                reals.append(np.asarray(values, "<f4").tobytes())
            else:
                bits.append(to_bits(_codes(values, tensor), tensor.width))
    low = np.packbits(np.concatenate(bits), bitorder="little")
    content = _START.pack(MAGIC, VERSION, len(head)) + head
    content += low.tobytes() + b"".join(reals)
    return content + _CHECKSUM.pack(zlib.crc32(content))


def _codes(values: np.ndarray, tensor: Stored) -> np.ndarray:
    if tensor.format is not None:
        return codes_of(values, tensor.format)
    return (np.asarray(values, np.int64) & (2**tensor.width - 1)).astype(np.uint64)


def _values(codes: np.ndarray, tensor: Stored) -> np.ndarray:
    if tensor.format is not None:
        return values_of(codes, tensor.format)
    sign = np.int64(1) << (tensor.width - 1)
    values = codes.astype(np.int64)
    return (values ^ sign) - sign


def write(path: str, network: Network) -> int:
    """Writes the file of a network, as a whole; returns its bytes.

    Raises:
      InputError: it cannot be written.
    """
    content = pack(network)
    write_bytes(path, content)
    return len(content)


def read(path: str) -> Network:
    """Reads the file of a network.

    Raises:
      InputError: it cannot be read, or is damaged or of another kind.
    """
    try:
        with open_regular(path, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        return unpack(content)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is no network that can be read: {error}") from None


def unpack(content: bytes) -> Network:
    """Returns the network that a file's content holds.

    Raises:
      ValueError: it is damaged or of another kind.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    if len(content) < _START.size + _CHECKSUM.size or not content.startswith(MAGIC):
        raise ValueError("it does not begin as one")
    _, version, size = _START.unpack_from(content)
    if version not in _READ:
        known = " and ".join(map(str, _READ))
        raise ValueError(f"its version is {version}; this program reads {known}")
    end = len(content) - _CHECKSUM.size
    if _CHECKSUM.unpack_from(content, end)[0] != zlib.crc32(content[:end]):
        raise ValueError("its checksum is wrong; it was damaged or cut off")
    if size > min(MOST_HEADER, end - _START.size):
        raise ValueError("its header is longer than the file")
    network = _READ[version](content[_START.size : _START.size + size])
    stored = stored_by(network.steps)
    if _tensor_bytes(stored) != end - _START.size - size:
        raise ValueError("it has not as many bytes as its header says")
    return network._replace(tensors=_tensors(content[_START.size + size : end], stored))


def _tensors(content: bytes, stored: list[tuple[Stored, ...]]) -> tuple:
    low = tensor_bits([t for tensors in stored for t in tensors if not is_real(t)])
    first_real = -(-low // 8)
    packed = np.frombuffer(content, np.uint8, first_real)
    bits = np.unpackbits(packed, count=low, bitorder="little")
    position, real = 0, first_real
    found = []
    for tensors in stored:
        row = []
        for tensor in tensors:
            if is_real(tensor):
                values = np.frombuffer(content, "<f4", tensor.numbers, real)
                if not np.isfinite(values).all():
                    raise ValueError(f"a number of {tensor.name} is not finite")
                real += REAL_BYTES * tensor.numbers
            else:
                end = position + tensor.bits
                codes = from_bits(bits[position:end], tensor.width)
                values, position = _values(codes, tensor), end
            row.append(values.reshape(tensor.shape))
        found.append(tuple(row))
    return tuple(found)
