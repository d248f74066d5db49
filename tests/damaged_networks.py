"""A small packed network, and damaged ones: some whose checksum is right again."""

import json
import zlib

import numpy as np

from enas.network import file
from enas.network.formats import TERNARY, Format, fixed
from enas.network.header import header_of
from enas.network.network import Network, stored_by, values_of
from enas.network.steps import (
    FUSED,
    ROWS,
    Activate,
    AveragePool,
    Concatenate,
    Convolve,
    Dense,
    Depthwise,
    GlobalAverage,
    Image,
    Mean,
    Norm,
    Normalize,
    Reduce,
    Threshold,
)

STEPS = (
    Image((), 6, 6, 1),
    Normalize((0,)),
    Convolve((1,), 3, 4, fixed(4), ROWS),
    Norm((2,), FUSED),
    Activate((3,), TERNARY),
    Depthwise((4,), 3, 1, TERNARY),
    Convolve((5,), 1, 4, TERNARY, ROWS),
    Threshold((6,), TERNARY),
    Concatenate((4, 7)),
    Reduce((8,), 4, TERNARY),
    Norm((9,), FUSED),
    AveragePool((10,), 3, 1),
    Mean((10, 11)),
    Activate((12,), TERNARY),
    GlobalAverage((13,)),
    Dense((14,), 3, 1),
)
MOST_WORK = 2**22  # numbers of the largest image that is computed
# Where the parts of a file are, as docs/packed_file.md describes it.
VERSION, SIZE, HEADER = 8, slice(12, 16), 16


def small_network(rng: np.random.Generator) -> Network:
    """A network with random tensors."""
    tensors = []
    for stored in stored_by(STEPS):
        row = []
        for tensor in stored:
            if tensor.format is None:
                values = np.sort(rng.integers(-9, 10, tensor.shape))
            elif tensor.format.integers is None:
                values = rng.uniform(0.1, 1.0, tensor.shape).astype(np.float32)
            else:
                lowest, highest, _ = tensor.format.integers
                values = rng.integers(lowest, highest + 1, tensor.shape)
                if tensor.name == "falls":
                    values = np.where(values > 0, 1, -1)
            row.append(values)
        tensors.append(tuple(row))
    return Network(STEPS, tuple(tensors), ("one", "two", "drei"), (), {"arc": "0 1"})


def sealed(content: bytes) -> bytes:
    """A file's content with its checksum made right."""
    return content[:-4] + zlib.crc32(content[:-4]).to_bytes(4, "little")


def with_header(content: bytes, header: bytes, version: int) -> bytes:
    """A file's content with another header, sealed."""
    end = HEADER + int.from_bytes(content[SIZE], "little")
    start = content[:VERSION] + version.to_bytes(4, "little")
    size = len(header).to_bytes(4, "little")
    return sealed(start + size + header + content[end:])


def json_header(network: Network) -> bytes:
    """The header of version 1, which was JSON as a whole."""
    rows: list[list] = []
    for step in network.steps:
        values = list(step.parameters().values())
        if isinstance(step, Dense):
            del values[2]  # its weights were real
        read = step.inputs[0] if len(step.inputs) == 1 else step.inputs
        texts = [str(v) if isinstance(v, Format) else v for v in values]
        rows.append([step.kind, read, *texts])
    content = {"about": network.about, "classes": network.classes, "steps": rows}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def of_version_1(network: Network) -> bytes:
    """The content of a network's file as earlier versions wrote it."""
    return with_header(file.pack(network), json_header(network), 1)


def strange(network: Network, rng: np.random.Generator) -> bytes:
    """A file whose checksum is right and whose steps or texts are not."""
    of_version = rng.choice([_strange_json, _strange_bytes])
    return of_version(network, rng)


def _strange_bytes(network: Network, rng: np.random.Generator) -> bytes:
    line, end, steps = header_of(network).partition(b"\n")
    changed = bytearray(steps)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(changed)))
        few = rng.choice([0, 1, 2, 3, 7, 127, 128, 255, int(rng.integers(256))], 3)
        taken = int(rng.integers(3))
        changed[place : place + taken] = bytes(few[: rng.integers(4)].tolist())
    return with_header(file.pack(network), line + end + bytes(changed), 2)


def _strange_json(network: Network, rng: np.random.Generator) -> bytes:
    header = json.loads(json_header(network))
    strangers = [-1, 0, 1, 2, 7, 2**16, 2**40, 10**30, 0.5, None, "ternary", [], {}]
    strangers += [True, "fixed17", "\ud800", "conv", [0], [2**70], [[0]], "9" * 5000]
    for _ in range(rng.integers(1, 4)):
        stranger = strangers[rng.integers(len(strangers))]
        steps = header["steps"]
        kind = rng.integers(6)
        if kind == 0 or not isinstance(steps, list) or not steps:
            header[str(rng.choice(list(header)))] = stranger
            break
        number = int(rng.integers(len(steps)))
        row = steps[number]
        if kind == 1:
            steps[number] = stranger
        elif kind == 2:
            steps.insert(number, steps[int(rng.integers(len(steps)))])
        elif kind == 3:
            del steps[number]
        elif isinstance(row, list) and row:
            place = int(rng.integers(len(row)))
            if kind == 4 and isinstance(row[place], int):
                stranger = int(rng.integers(1, 9))
            row[place] = stranger
    return with_header(file.pack(network), json.dumps(header).encode(), 1)


def use(content: bytes) -> None:
    """Reads a file's content, and classifies an image if the network is small.

    Raises:
      ValueError: it is damaged.
    """
    network = file.unpack(content)
    values = values_of(network.steps)
    if max(int(np.prod(value.shape)) for value in values) < MOST_WORK // 64:
        with np.errstate(all="ignore"):
            network.logits(np.zeros((1, *values[0].shape), np.uint8))
