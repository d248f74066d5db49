"""The packed file of a network, `network.lbn`: written whole, read with suspicion.

docs/packed_file.md describes the format. Reading runs no code and makes no room before
it has checked how much the file has.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from enas.base.errors import InputError
from enas.base.files import open_regular, write_bytes
from enas.network.formats import (
    Format,
    codes_of,
    format_named,
    from_bits,
    to_bits,
    values_of,
)
from enas.network.network import Network, stored_by
from enas.network.network import values_of as values_of_steps
from enas.network.steps import KINDS, Step, Stored

MAGIC = b"\x89LBN\r\n\x1a\n"
VERSION = 1
FILE = "network.lbn"
MOST_BYTES = 2**26
MOST_HEADER = 2**24
_START = struct.Struct("<8sII")  # magic, version, bytes of the header
_CHECKSUM = struct.Struct("<I")
AROUND_HEADER = _START.size + _CHECKSUM.size  # bytes
REAL_BYTES = 4


def header_of(network: Network) -> bytes:
    """Returns the header: everything but the tensors, as JSON."""
    content = {
        "about": network.about,
        "classes": network.classes,
        "steps": [row_of(step) for step in network.steps],
    }
    return json_bytes(content)


def json_bytes(content: Any) -> bytes:
    """Returns a header, or a part of one, as it stands in the file."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def row_of(step: Step) -> list:
    """Returns what the header says of a step."""
    values = step.parameters().values()
    parameters = [str(v) if isinstance(v, Format) else v for v in values]
    single = len(step.inputs) == 1
    return [step.kind, step.inputs[0] if single else step.inputs, *parameters]


def tensor_bits(stored: Sequence[Stored]) -> int:
    """Returns the bits that some tensors take in a file."""
    return sum(tensor.bits for tensor in stored)


def file_bytes(network: Network) -> int:
    """Returns how large the file of a network is; its tensors need not be known.

    ⌈bits of all low-bit tensors / 8⌉, 4 bytes for each real number, and the header
    with what surrounds it.
    """
    stored = [tensor for tensors in stored_by(network.steps) for tensor in tensors]
    packed = tensor_bits([tensor for tensor in stored if not is_real(tensor)])
    reals = sum(tensor.numbers for tensor in stored if is_real(tensor))
    return overhead_bytes(network) + -(-packed // 8) + REAL_BYTES * reals


def overhead_bytes(network: Network) -> int:
    """Returns the bytes of the header and of what surrounds it."""
    return AROUND_HEADER + len(header_of(network))


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
    header = header_of(network)
    bits, reals = [np.empty(0, np.uint8)], []
    for stored, tensors in zip(stored_by(network.steps), network.tensors, strict=True):
        for tensor, values in zip(stored, tensors, strict=True):
            if is_real(tensor):
                reals.append(np.asarray(values, "<f4").tobytes())
            else:
                bits.append(to_bits(_codes(values, tensor), tensor.width))
    low = np.packbits(np.concatenate(bits), bitorder="little")
    content = _START.pack(MAGIC, VERSION, len(header)) + header
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
    if version != VERSION:
        raise ValueError(f"its version is {version}; this program reads {VERSION}")
    end = len(content) - _CHECKSUM.size
    if _CHECKSUM.unpack_from(content, end)[0] != zlib.crc32(content[:end]):
        raise ValueError("its checksum is wrong; it was damaged or cut off")
    if size > min(MOST_HEADER, end - _START.size):
        raise ValueError("its header is longer than the file")
    network = _network_of(content[_START.size : _START.size + size])
    stored = stored_by(network.steps)
    if file_bytes(network) - overhead_bytes(network) != end - _START.size - size:
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


def _network_of(header: bytes) -> Network:
    """Returns the network of a header, without its tensors."""
    try:
        content = json.loads(header.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is damaged: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("steps"), list):
        raise ValueError("its header lists no steps")
    steps = tuple(_step_of(row) for row in content["steps"])
    classes, about = content.get("classes"), content.get("about")
    if not isinstance(about, dict) or not isinstance(classes, list):
        raise ValueError("its header names no classes")
    if not all(isinstance(text, str) for text in (*classes, *about.values())):
        raise ValueError("a name in its header is no text")
    network = Network(steps, (), tuple(classes), (), about)
    (logits,) = values_of_steps(steps)[-1].shape
    if logits != len(classes):
        raise ValueError(f"it has {len(classes)} classes and {logits} logits")
    return network


def _step_of(row: Any) -> Step:
    if not isinstance(row, list) or len(row) < 2 or row[0] not in list(KINDS):
        raise ValueError(f"{str(row)[:40]!r} is no step")
    name, inputs, *parameters = row
    inputs = [inputs] if type(inputs) is int else inputs
    if not isinstance(inputs, list) or not all(type(i) is int for i in inputs):
        raise ValueError(f"the inputs of {str(row)[:40]!r} are no numbers of steps")
    values = [_parameter(value) for value in parameters]
    try:
        step = KINDS[name](tuple(inputs), *values)
    except TypeError:
        raise ValueError(
            f"{str(row)[:40]!r} has not the parameters of a {name}"
        ) from None
    for field, value in step.parameters().items():
        if isinstance(value, Format) is not (field == "format"):
            raise ValueError(f"{field} of {str(row)[:40]!r} is of the wrong kind")
    return step


def _parameter(value: Any) -> Any:
    if type(value) is int:
        return value
    return format_named(value)
