"""The header of a packed file: all of a network but its tensors, as bytes.

A line of JSON has the class names and what people are told. The steps follow it, a few
bytes each, which docs/packed_file.md describes. Files of version 1 have another header
(enas/network/json_header.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from enas.network.formats import FORMATS, Format
from enas.network.network import MOST_STEPS, Network, values_of
from enas.network.steps import KINDS, Step

_END = b"\n"  # of the line, which has no other one
_GROUP = 7  # bits of a number in each of its bytes; the eighth says that more follow
_MORE = 2**_GROUP
_MOST_BYTES = 3  # of a number
_KINDS = tuple(KINDS.values())


def header_of(network: Network) -> bytes:
    """Returns the header of a network's file."""
    steps = [step_of(step, number) for number, step in enumerate(network.steps)]
    return line_of(network.about, network.classes) + b"".join(steps)


def line_of(about: Mapping[str, str], classes: Sequence[str]) -> bytes:
    """Returns the line with which a header begins."""
    content = {"about": about, "classes": classes}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + _END


def step_of(step: Step, number: int) -> bytes:
    """Returns what the header says of a step, which is the step of that number."""
    read = [number_of(number - i) for i in step.inputs]
    start, end = _around_inputs(step)
    return start + b"".join(read) + end


def bytes_without_inputs(step: Step) -> int:
    """Returns the bytes of a step in the header, without those that say what it reads.

    The latter are `number_bytes` of how far before it each of its inputs is.
    """
    return sum(map(len, _around_inputs(step)))


def _around_inputs(step: Step) -> tuple[bytes, bytes]:
    start = bytes([_KINDS.index(type(step))])
    if step.reads is None:
        start += number_of(len(step.inputs))
    return start, b"".join(map(_parameter_of, step.parameters().values()))


def _parameter_of(value: Any) -> bytes:
    if isinstance(value, Format):
        return bytes([FORMATS.index(value)])
    return number_of(value)


def number_of(number: int) -> bytes:
    """Returns the bytes of a number, lowest bits first."""
    content = bytearray()
    while number >= _MORE:
        content.append(number % _MORE + _MORE)
        number >>= _GROUP
    return bytes([*content, number])


@lru_cache(maxsize=4096)
def number_bytes(number: int) -> int:
    """Returns how many bytes a number has."""
    return max(1, -(-number.bit_length() // _GROUP))


def network_of(header: bytes) -> Network:
    """Returns the network of a header, without its tensors.

    Raises:
      ValueError: it is damaged.
    """
    line, end, rest = header.partition(_END)
    if not end:
        raise ValueError("its header has no line of names")
    names = names_of(line)
    steps = _Bytes(rest).steps()
    return checked(steps, names.get("about"), names.get("classes"))


def names_of(text: bytes) -> dict[str, Any]:
    """Returns the dict that a text in JSON holds.

    Raises:
      ValueError: it is damaged.
    """
    try:
        content = json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError("its header names nothing")
    return content


def checked(steps: Sequence[Step], about: Any, classes: Any) -> Network:
    """Returns the network of a header's parts.

    Raises:
      ValueError: they are not of the right kinds, or do not fit together.
    """
    if not isinstance(about, dict) or not isinstance(classes, list):
        raise ValueError("its header names no classes")
    if not all(isinstance(text, str) for text in (*classes, *about.values())):
        raise ValueError("a name in its header is no text")
    network = Network(tuple(steps), (), tuple(classes), (), about)
    (logits,) = values_of(network.steps)[-1].shape
    if logits != len(classes):
        raise ValueError(f"it has {len(classes)} classes and {logits} logits")
    return network


class _Bytes:
    """Reads the steps of a header, from its first byte to its last."""

    def __init__(self, content: bytes):
        self._content, self._place = content, 0

    def steps(self) -> list[Step]:
        """Returns all steps.

        Raises:
          ValueError: they are damaged.
        """
        steps: list[Step] = []
        while self._place < len(self._content):
            if len(steps) == MOST_STEPS:
                raise ValueError(f"it has more than {MOST_STEPS} steps")
            steps.append(self._step(len(steps)))
        return steps

    def _step(self, number: int) -> Step:
        kind = self._choice(_KINDS, "step")
        count = self._number() if kind.reads is None else kind.reads
        if count > number:
            raise ValueError(f"step {number} reads {count} steps")
        inputs = tuple(number - self._number() for _ in range(count))
        fields = dataclasses.fields(kind)[1:]
        return kind(inputs, *[self._parameter(field.name) for field in fields])

    def _parameter(self, name: str) -> int | Format:
        return self._choice(FORMATS, "format") if name == "format" else self._number()

    def _choice(self, choices: Sequence[Any], what: str) -> Any:
        code = self._byte()
        if code >= len(choices):
            raise ValueError(f"its header has a {what} {code}, which there is not")
        return choices[code]

    def _number(self) -> int:
        number = 0
        for place in range(_MOST_BYTES):
            byte = self._byte()
            number += byte % _MORE << _GROUP * place
            if byte < _MORE:
                if place and not byte:
                    break
                return number
        raise ValueError("a number in its header is too long")

    def _byte(self) -> int:
        if self._place == len(self._content):
            raise ValueError("its header ends within a step")
        self._place += 1
        return self._content[self._place - 1]
