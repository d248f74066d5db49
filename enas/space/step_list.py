"""The steps of a network as a list to be counted, not to be computed.

As in a network's file, a step has a number and reads others by theirs; a batch norm may
become a threshold (enas/network/simplify.py), and activations follow what they read.
What a step takes comes from its own class (enas/space/measures.py).

This module must not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from enas.network.formats import Format
from enas.network.header import number_bytes
from enas.space.measures import (
    Kernel,
    Measure,
    activation,
    concatenation,
    with_threshold,
)


class Made:
    """What a run of steps makes.

    Attributes:
      inputs: what its steps read of others: first what its first step reads, then what
        its last one does.
      kernel: its convolution, if a batch norm ends it that may become a threshold.
      readers: how many steps read it.
      activated: what activations make of it, by their format; None if none reads it.
      number: that of its last step.
    """

    __slots__ = ("activated", "inputs", "kernel", "measure", "number", "readers")

    def __init__(
        self, measure: Measure, inputs: Sequence[Made], kernel: Kernel | None = None
    ):
        self.measure, self.inputs, self.kernel = measure, inputs, kernel
        self.readers, self.number = 0, -1
        self.activated: dict[Format, Made] | None = None
        for x in inputs:
            x.readers += 1

    def activate(self, form: Format) -> Made:
        """Returns what an activation makes of it, whose number follows its own."""
        if self.activated is None:
            self.activated = {}
        made = self.activated.get(form)
        if made is None:
            made = self.activated[form] = Made(activation(form), ())
            self.readers += 1
        return made


class Pieces(NamedTuple):
    """An image [S, S, C] as the walk sees it: a concatenation of pieces."""

    pieces: tuple[Made, ...]
    size: int
    channels: int


class Steps:
    """The steps of a network, in the order in which they are made.

    A step without weights is made once for the same inputs.
    """

    def __init__(self) -> None:
        self._made: list[Made] = []
        self._once: dict[tuple, Made] = {}

    def add(self, taken: Measure, *inputs: Made, kernel: Kernel | None = None) -> Made:
        """Adds a run of steps; see Made."""
        made = Made(taken, inputs, kernel)
        self._made.append(made)
        return made

    def add_once(self, taken: Measure, *inputs: Made) -> Made:
        """Adds a step without weights.

        Args:
          taken: the same object for the same step, and another for another one.
        """
        key = (id(taken), *inputs)
        made = self._once.get(key)
        if made is None:
            made = self._once[key] = self.add(taken, *inputs)
        return made

    def whole(self, x: Pieces) -> Made:
        """Returns what makes an image, which is concatenated where it has pieces."""
        if len(x.pieces) == 1:
            return x.pieces[0]
        return self.add_once(concatenation(len(x.pieces)), *x.pieces)

    def activated(self, x: Pieces, form: Format) -> Made:
        """Activates each piece of an image; returns what makes the image of these."""
        if len(x.pieces) == 1:
            return x.pieces[0].activate(form)
        pieces = [made.activate(form) for made in x.pieces]
        return self.add_once(concatenation(len(pieces)), *pieces)

    def total(self) -> Measure:
        """Numbers the steps, and returns what all of them take.

        A batch norm that only one activation reads becomes a threshold where that takes
        less room.
        """
        steps = header = bits = reals = weight_bits = work = 0
        for made in self._made:
            taken, after, is_threshold = made.measure, made.activated, False
            if after and made.kernel and made.readers == 1:
                (form,) = after
                threshold = with_threshold(made.kernel, form)
                if threshold:
                    taken, is_threshold = threshold, True
            count, own_header, own_bits, own_reals, own_weight_bits, own_work = taken
            last, reader = steps + count - 1, steps
            for x in made.inputs:
                header += number_bytes(reader - x.number)
                reader = last
            header += own_header + count - 1  # the others read the step before them
            bits += own_bits
            reals += own_reals
            weight_bits += own_weight_bits
            work += own_work
            steps, made.number = last + 1, last
            if not after:
                continue
            for activated in after.values():
                if is_threshold:
                    activated.number = last
                else:
                    header += activated.measure.header + number_bytes(steps - last)
                    activated.number, steps = steps, steps + 1
        return Measure(steps, header, bits, reals, weight_bits, work)
