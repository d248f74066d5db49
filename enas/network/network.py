"""A network: its steps, in the order in which they are computed, and their tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from enas.network.steps import Image, Step, Stored, Value

MOST_STEPS = 100_000
MOST_NUMBERS = 2**24  # of a tensor, or of an image between two steps
EXACT_SUMS = 2**53  # sums of integers are computed exactly below
MOST_PARAMETER = 2**16


class TooLarge(ValueError):
    """A network is larger than any that can be stored and computed here."""


class Network(NamedTuple):
    """A trained network.

    Attributes:
      steps: the first is the image; each reads earlier ones; the last makes the logits.
      tensors: what each step stores, integers as int32 and real numbers as float32.
        They are empty where only the shape of the network is known.
      classes: the names of the classes, one for each logit.
      parts: for each step, the part of the network it belongs to: 'stem_conv',
        'layer_0' … or 'head'; empty if it is not known.
      about: further facts for people, such as the arc string.
    """

    steps: tuple[Step, ...]
    tensors: tuple[tuple[np.ndarray, ...], ...]
    classes: tuple[str, ...]
    parts: tuple[str, ...] = ()
    about: dict[str, str] = {}  # noqa: RUF012

    @property
    def image(self) -> Image:
        first = self.steps[0]
        assert isinstance(first, Image)
        return first

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Computes the logits: uint8 [N, H, W, C] to float32 [N, classes]."""
        return self.outputs(images)[-1]

    def outputs(self, images: np.ndarray, kept: Sequence[int] = ()) -> list:
        """Computes all steps on uint8 images [N, H, W, C].

        Returns:
          The output of each step among `kept`, and then of the last one; each is
          forgotten as soon as no later step reads it, unless it is kept.
        """
        values, last = values_of(self.steps), last_readers(self.steps)
        made: dict[int, Any] = {0: images}
        for number, step in enumerate(self.steps[1:], start=1):
            inputs = [made[i] for i in step.inputs]
            read = [values[i] for i in step.inputs]
            made[number] = step.run(inputs, read, *self.tensors[number])
            for i in set(step.inputs):
                if last[i] == number and i not in kept:
                    del made[i]
        return [made[number] for number in (*kept, len(self.steps) - 1)]


def values_of(steps: Sequence[Step]) -> list[Value]:
    """Returns what each step makes.

    Raises:
      ValueError: steps do not fit together; TooLarge, if they are too large.
    """
    if not 1 < len(steps) <= MOST_STEPS or not isinstance(steps[0], Image):
        raise ValueError("the first of a network's steps must be its image")
    values: list[Value] = []
    for number, step in enumerate(steps):
        if not all(0 <= i < number for i in step.inputs):
            raise ValueError(f"step {number} reads a step that is not before it")
        if number and isinstance(step, Image):
            raise ValueError("a network has two images")
        for name, value in step.parameters().items():
            if isinstance(value, int) and not 0 < value <= MOST_PARAMETER:
                raise ValueError(f"{name} of step {number} is {str(value)[:20]}")
        try:
            value = step.value(*[values[i] for i in step.inputs])
        except TypeError:
            raise ValueError(f"step {number} has {len(step.inputs)} inputs") from None
        if math.prod(value.shape) > MOST_NUMBERS:
            raise TooLarge(f"step {number} makes too large an image")
        if "size" in step.parameters():
            *area, channels = values[step.inputs[0]].shape
            padded = [side + step.parameters()["size"] for side in area]
            if math.prod(padded) * channels > MOST_NUMBERS:
                raise ValueError(f"the window of step {number} is too large")
        if value.integers and value.integers.most >= EXACT_SUMS:
            raise TooLarge(f"the sums of step {number} need more than 53 bits")
        values.append(value)
    if len(values[-1].shape) != 1:
        raise ValueError("the last step makes no logits")
    return values


def stored_by(steps: Sequence[Step]) -> list[tuple[Stored, ...]]:
    """Returns what each step stores.

    Raises:
      ValueError: see values_of; or a tensor is larger than any here.
    """
    values = values_of(steps)
    found = [step.stores(*[values[i] for i in step.inputs]) for step in steps]
    for number, tensors in enumerate(found):
        if any(math.prod(tensor.shape) > MOST_NUMBERS for tensor in tensors):
            raise TooLarge(f"step {number} stores too large a tensor")
    return found


def readers_of(steps: Sequence[Step]) -> list[list[int]]:
    """Returns the steps that read each step, ascending."""
    readers: list[list[int]] = [[] for _ in steps]
    for number, step in enumerate(steps):
        for i in step.inputs:
            readers[i].append(number)
    return readers


def last_readers(steps: Sequence[Step]) -> list[int]:
    """Returns the last step that reads each; its own number where there is none."""
    return [(readers or [n])[-1] for n, readers in enumerate(readers_of(steps))]
