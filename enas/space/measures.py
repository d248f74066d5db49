"""What a run of steps of a network takes: bytes of the packed file, and work.

Nothing here knows how a network is made of such runs; `enas/space/cost.py` does. This
module must not import TensorFlow.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from enas.network.file import is_real
from enas.network.formats import Format
from enas.network.header import bytes_without_inputs
from enas.network.simplify import pays
from enas.network.steps import (
    ROWS,
    WITH_KERNELS,
    Activate,
    Add,
    AveragePool,
    Concatenate,
    Convolve,
    Depthwise,
    MaxPool,
    Mean,
    Norm,
    Reduce,
    Step,
    Threshold,
    Value,
)


class Measure(NamedTuple):
    """What steps take that follow each other, each reading the one before it.

    Attributes:
      steps: how many they are.
      header: their bytes in the file's header, without those that say what they read.
      bits: of the low-bit tensors that they store, and reals, of the real ones, the
        numbers.
      weight_bits: of their kernels alone, low-bit or real.
      work: the multiply-adds of one image.
    """

    steps: int
    header: int
    bits: int
    reals: int
    weight_bits: int
    work: int

    def then(self, other: Measure) -> Measure:
        """Returns what a run takes that another one follows."""
        return Measure(*map(operator.add, self, other))


def measure(steps: Sequence[Step], *inputs: Value) -> Measure:
    """Measures a run of steps.

    Args:
      inputs: what the first one reads.
    """
    header = bits = reals = weight_bits = work = 0
    for step in steps:
        output, stored = step.value(*inputs), step.stores(*inputs)
        header += bytes_without_inputs(step)
        low = sum(tensor.bits for tensor in stored if not is_real(tensor))
        numbers = sum(tensor.numbers for tensor in stored if is_real(tensor))
        bits, reals = bits + low, reals + numbers
        if isinstance(step, WITH_KERNELS):
            weight_bits += sum(tensor.bits for tensor in stored)
            pixels = math.prod(output.shape[:-1])
            work += pixels * sum(tensor.numbers for tensor in stored)
        inputs = (output,)
    return Measure(len(steps), header, bits, reals, weight_bits, work)


def _image(size: int, channels: int, read: Format | None) -> Value:
    """An image of S×S pixels that an activation of a format made, or a real one."""
    return Value((size, size, channels), read.integers if read else None)


class Kernel(NamedTuple):
    """A convolution or factorized reduction, which a batch norm follows.

    Attributes:
      reads: the format of the activation that it reads; None if it reads real numbers.
      size: height = width of its input, pixels.
      window: K of a K×K kernel; 0 is a factorized reduction.
      roundings: those of the batch norm.
    """

    reads: Format | None
    size: int
    channels: int
    filters: int
    window: int
    format: Format
    roundings: int

    def step(self) -> Step:
        if self.window:
            return Convolve((0,), self.window, self.filters, self.format, ROWS)
        return Reduce((0,), self.filters, self.format)

    def input(self) -> Value:
        return _image(self.size, self.channels, self.reads)


@lru_cache(maxsize=4096)
def with_norm(kernel: Kernel, adds: bool = False) -> Measure:
    """Measures a convolution and its batch norm.

    Args:
      adds: whether another image is then added.
    """
    taken = measure([kernel.step(), Norm((0,), kernel.roundings)], kernel.input())
    return taken.then(SUM) if adds else taken


@lru_cache(maxsize=4096)
def with_threshold(kernel: Kernel, form: Format) -> Measure | None:
    """Measures a convolution and the threshold in the place of its batch norm.

    Args:
      form: that of the one activation that reads the batch norm.

    Returns:
      None if the batch norm stays a batch norm.
    """
    step, x = kernel.step(), kernel.input()
    if not pays(step.value(x), form, kernel.roundings):
        return None
    return measure([step, Threshold((0,), form)], x)


@lru_cache(maxsize=4096)
def separable(
    size: int,
    filters: int,
    window: int,
    stride: int,
    form: Format,
    adds: bool,
    roundings: int,
) -> Measure:
    """Measures two separable convolutions with their batch norms.

    The activation before the first is not counted, since other steps may read it.

    Args:
      size: height = width of the input, pixels.
      window: K of the K×K kernels.
      form: the format of weights and activations.
      adds: whether another image is added at the end.
      roundings: those of the batch norms.
    """
    x = _image(size, filters, form)
    steps: list[Step] = []
    for strides in (stride, 1):
        steps.append(Depthwise((0,), window, strides, form))
        steps.append(Convolve((0,), 1, filters, form, ROWS))
        steps += [Norm((0,), roundings), Activate((0,), form)]
    sums = steps[1].value(steps[0].value(x))
    if pays(sums, form, roundings):
        steps[2:4] = [Threshold((0,), form)]
    taken = measure(steps[:-1], x)
    return taken.then(SUM) if adds else taken


def without_weights(step: Step) -> Measure:
    """Measures a step that stores nothing, so that it takes the same for any image."""
    return measure([step], *[Value((1, 1, 1))] * len(step.inputs))


SUM, MEAN = without_weights(Add((0, 0))), without_weights(Mean((0, 0)))


@lru_cache(maxsize=256)
def activation(form: Format) -> Measure:
    return without_weights(Activate((0,), form))


@lru_cache(maxsize=256)
def concatenation(pieces: int) -> Measure:
    return without_weights(Concatenate((0,) * pieces))


@lru_cache(maxsize=256)
def pool(kind: type[AveragePool | MaxPool], window: int, stride: int) -> Measure:
    return without_weights(kind((0,), window, stride))
