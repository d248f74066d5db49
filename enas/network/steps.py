"""The steps of a network: the table of everything that a network can compute.

A step reads the outputs of earlier steps and a few stored tensors. Its class says what
its output is, what it stores, and, in NumPy, what it computes: that defines what a
network means, and every other runtime is compared with it. To add a step, write its
class, and what each export format makes of it.

Numbers are real (float32) or integers that stand for them (`Integers`). In NumPy both
are float arrays: float32 where all integers are below 2^24 and so exact, else float64.
Sums of products of real numbers are added in the order that a step's docstring gives.
Each sum is rounded to float32 and the products are not, as with fused multiply-adds:
sum = float32(float64(x) · float64(w) + float64(sum)).

Layout: N = batch, H and W = height and width, C = channels, F = filters, K = size of a
window. Images are [N, H, W, C]. SAME padding is TensorFlow's.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from enas.network.formats import BINARY, REAL, Format, Integers

EXACT = 2**24  # integers below are exact in float32
ROWS, COLUMNS = 1, 2  # orders of the places of a window
SEPARATE, FUSED, FOLDED = 4, 3, 2  # how often a batch norm rounds


class Value(NamedTuple):
    """What a step makes of one image.

    Attributes:
      shape: [H, W, C], or [C] behind the global average.
      integers: the integers that stand for its numbers; None if they are real.
    """

    shape: tuple[int, ...]
    integers: Integers | None = None

    @property
    def channels(self) -> int:
        return self.shape[-1]

    def halved(self, stride: int) -> tuple[int, ...]:
        """Height and width after a window with SAME padding has moved by a stride."""
        return tuple(-(-size // stride) for size in self.shape[:-1])


class Stored(NamedTuple):
    """A tensor that a step stores.

    Attributes:
      format: that of its numbers; None for integers of `width` bits in two's
        complement.
    """

    name: str
    shape: tuple[int, ...]
    format: Format | None
    width: int

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def bits(self) -> int:
        return self.numbers * self.width


def stored(name: str, shape: tuple[int, ...], form: Format = REAL) -> Stored:
    return Stored(name, shape, form, form.bits)


@dataclass(frozen=True)
class Step:
    """One step. Its fields after `inputs` are its parameters: integers or a Format.

    Attributes:
      reads: how many steps it reads; None for any number.
      inputs: the numbers of these steps.
    """

    kind: ClassVar[str]
    reads: ClassVar[int | None] = 1
    inputs: tuple[int, ...]

    def value(self, *inputs: Value) -> Value:
        """Returns what it makes of its inputs.

        Raises:
          ValueError: they do not fit, or are not as many as they should be.
        """
        raise NotImplementedError

    def stores(self, *inputs: Value) -> tuple[Stored, ...]:
        """Returns the tensors that it stores, in the file's order."""
        del inputs
        return ()

    def run(self, inputs: list[np.ndarray], values: list[Value], *tensors) -> Any:
        """Computes it.

        Args:
          inputs: an array [N, *shape] for each of `values`.
          tensors: those that it stores; integers stand for themselves.
        """
        raise NotImplementedError

    def parameters(self) -> dict[str, Any]:
        """Returns its fields after `inputs`."""
        fields = dataclasses.fields(self)[1:]
        return {field.name: getattr(self, field.name) for field in fields}


def _need(fits: bool, what: str) -> None:
    if not fits:
        raise ValueError(what)


def _image_of(value: Value) -> tuple[int, ...]:
    _need(len(value.shape) == 3, "a step reads an image where there is none")
    return value.shape


def float_type(integers: Integers | None) -> type:
    return np.float64 if integers and integers.most >= EXACT else np.float32


def padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding before and after an axis."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def windows_of(x: np.ndarray, window: int, stride: int, fill: float = 0.0):
    """Yields the image that each place of a window sees, row by row: [N, H', W', C]."""
    (top, bottom), (left, right) = (
        padding(size, window, stride) for size in x.shape[1:3]
    )
    padded = np.pad(
        x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill
    )
    height, width = (-(-size // stride) for size in x.shape[1:3])
    for row in range(window):
        for column in range(window):
            yield padded[
                :,
                row : row + (height - 1) * stride + 1 : stride,
                column : column + (width - 1) * stride + 1 : stride,
            ]


def _products(x: np.ndarray, matrix: np.ndarray, exact: bool, sums: np.ndarray) -> None:
    """Adds x [..., C] times matrix [C, F] to sums [..., F], in the channels' order."""
    if exact:
        sums += x @ matrix
        return
    for channel, weights in enumerate(matrix):
        sums[...] = x[..., channel, None] * weights.astype(np.float64) + sums


@dataclass(frozen=True)
class Image(Step):
    """The image, uint8 [H, W, C]: always the first step."""

    kind = "image"
    reads = 0
    height: int
    width: int
    channels: int

    def value(self):
        return Value((self.height, self.width, self.channels), Integers(0, 255, 0))


@dataclass(frozen=True)
class Normalize(Step):
    """(x / 255 - mean) / std of each channel, in float32."""

    kind = "normalize"

    def value(self, x):
        _image_of(x)
        return Value(x.shape)

    def stores(self, x):
        return stored("mean", (x.channels,)), stored("std", (x.channels,))

    def run(self, inputs, values, mean, std):
        x = inputs[0].astype(np.float32) / np.float32(255.0)
        return (x - mean) / std


@dataclass(frozen=True)
class Activate(Step):
    """The activation of a format.

    - binary: 1 where x > 0, else -1.
    - ternary: clip(ceil(x - 1/2), -1, 1), where x - 1/2 is rounded to float32.
    - fixed: clip(round(x · m), -m, m - 1), with ties to even; it stands for 1/m of it.
    - real: max(x, 0).
    """

    kind = "act"
    format: Format

    def value(self, x):
        _need(x.integers is None, "an activation reads integers")
        return Value(x.shape, self.format.integers)

    def run(self, inputs, values):
        (x,) = inputs
        if self.format.name == "binary":
            return np.where(x > 0, np.float32(1), np.float32(-1))
        if self.format.name == "ternary":
            return np.clip(np.ceil(x - np.float32(0.5)), -1, 1)
        integers = self.format.integers
        if integers is None:
            return np.maximum(x, 0)
        m = np.float32(2**integers.shift)
        return np.clip(np.rint(x * m), integers.lowest, integers.highest)


def _sums(x: Value, form: Format, terms: int) -> Integers | None:
    if x.integers is None or form.integers is None:
        return None
    return x.integers.times(form.integers, terms)


@dataclass(frozen=True)
class Convolve(Step):
    """K×K convolution with stride 1 and SAME padding: [H, W, C] to [H, W, F].

    Real sums are added over the window, row by row if the order is ROWS and column by
    column if it is COLUMNS, and at each place channel by channel. Places outside of the
    image add zero.
    """

    kind = "conv"
    size: int
    filters: int
    format: Format
    order: int

    def value(self, x):
        _need(self.order in (ROWS, COLUMNS), "a convolution has an odd order")
        *area, channels = _image_of(x)
        sums = _sums(x, self.format, self.size**2 * channels)
        return Value((*area, self.filters), sums)

    def stores(self, x):
        shape = (self.size, self.size, x.channels, self.filters)
        return (stored("kernel", shape, self.format),)

    def run(self, inputs, values, kernel):
        integers = self.value(*values).integers
        x, kind = inputs[0], float_type(integers)
        kernel = np.asarray(kernel, kind).reshape(-1, *kernel.shape[2:])
        kernel *= _unit(values[0], integers, self.format)
        sums = np.zeros((*x.shape[:3], self.filters), kind)
        places = list(zip(windows_of(x, self.size, 1), kernel, strict=True))
        for number in self.places():
            place, matrix = places[number]
            _products(
                place.astype(kind, copy=False), matrix, integers is not None, sums
            )
        return sums

    def places(self) -> list[int]:
        """Returns the places of the window, numbered by rows, in the order of sums."""
        numbers = np.arange(self.size**2).reshape(self.size, self.size)
        return list((numbers if self.order == ROWS else numbers.T).ravel())


def _unit(x: Value, sums: Integers | None, form: Format) -> float:
    """What a kernel's integers are worth: 1 if sums stay integers."""
    if sums is None and form.integers is not None:
        return 2.0**-form.integers.shift
    return 1.0


@dataclass(frozen=True)
class Depthwise(Step):
    """K×K convolution of each channel by itself, SAME: [H, W, C] to [H', W', C].

    Real sums are added row by row of the window.
    """

    kind = "depthwise"
    size: int
    stride: int
    format: Format

    def value(self, x):
        *_, channels = _image_of(x)
        sums = _sums(x, self.format, self.size**2)
        return Value((*x.halved(self.stride), channels), sums)

    def stores(self, x):
        return (stored("kernel", (self.size, self.size, x.channels), self.format),)

    def run(self, inputs, values, kernel):
        integers = self.value(*values).integers
        kind = float_type(integers)
        kernel = np.asarray(kernel, kind).reshape(-1, kernel.shape[-1])
        kernel *= _unit(values[0], integers, self.format)
        places = windows_of(inputs[0], self.size, self.stride)
        sums: Any = kind(0)
        for place, weights in zip(places, kernel, strict=True):
            if integers is None:
                weights = weights.astype(np.float64)
            sums = (place * weights + sums).astype(kind)
        return sums


@dataclass(frozen=True)
class Reduce(Step):
    """Factorized reduction: [H, W, C] to [H/2, W/2, F], rounded up.

    The first F/2 filters read the pixels 0, 2, 4 … in both directions, the other ones
    the pixels 1, 3, 5 …, and zero beyond the edge of an odd size. Real sums are added
    channel by channel.
    """

    kind = "reduce"
    filters: int
    format: Format

    def value(self, x):
        *_, channels = _image_of(x)
        _need(self.filters % 2 == 0, "a reduction has an odd number of filters")
        sums = _sums(x, self.format, channels)
        return Value((*x.halved(2), self.filters), sums)

    def stores(self, x):
        shape = (x.channels, self.filters // 2)
        return (
            stored("kernel_even", shape, self.format),
            stored("kernel_odd", shape, self.format),
        )

    def run(self, inputs, values, even, odd):
        integers = self.value(*values).integers
        x, kind = inputs[0], float_type(integers)
        rows, columns = x.shape[1] % 2, x.shape[2] % 2
        padded = np.pad(x, ((0, 0), (0, rows), (0, columns), (0, 0)))
        halves = []
        for start, kernel in ((0, even), (1, odd)):
            matrix = np.asarray(kernel, kind) * _unit(values[0], integers, self.format)
            pixels = padded[:, start::2, start::2].astype(kind)
            sums = np.zeros((*pixels.shape[:3], matrix.shape[1]), kind)
            _products(pixels, matrix.astype(kind), integers is not None, sums)
            halves.append(sums)
        return np.concatenate(halves, axis=-1)


NORM = ("mean", "r", "scale", "offset")
FOLDED_NORM = ("factor", "offset")


@dataclass(frozen=True)
class Norm(Step):
    """Batch norm: ((x - mean) · r) · scale + offset, or x · factor + offset (FOLDED).

    The latter is rounded to float32 after each operation, and so is the former with
    SEPARATE. With FUSED it is rounded after all but the last product, which is then
    exact in float64, as is not quite the sum before it is rounded. TensorFlow does the
    one or the other, and makes r of the variance in more than one way, so r is stored
    (enas/export/rounding.py).
    """

    kind = "norm"
    roundings: int

    def value(self, x):
        known = (SEPARATE, FUSED, FOLDED)
        _need(self.roundings in known, "a batch norm rounds oddly")
        return Value(_image_of(x))

    def stores(self, x):
        names = FOLDED_NORM if self.roundings == FOLDED else NORM
        return tuple(stored(name, (x.channels,)) for name in names)

    def run(self, inputs, values, *tensors):
        return normalized(real(inputs[0], values[0]), self.roundings, *tensors)


def real(x: np.ndarray, value: Value) -> np.ndarray:
    """Returns the numbers that integers stand for, float32."""
    shift = value.integers.shift if value.integers else 0
    return (x * 2.0**-shift).astype(np.float32) if shift else x.astype(np.float32)


def normalized(x: np.ndarray, roundings: int, *tensors: np.ndarray) -> np.ndarray:
    """Batch norm as Norm defines it; all are float32, x is [..., C], the others [C]."""
    if roundings == FOLDED:
        factor, offset = tensors
        return x * factor + offset
    mean, r, scale, offset = tensors
    x = (x - mean) * r
    if roundings == SEPARATE:
        return x * scale + offset
    return (x.astype(np.float64) * scale + offset).astype(np.float32)


@dataclass(frozen=True)
class Threshold(Step):
    """Batch norm and activation of integers, as comparisons.

    A channel's output is the lowest level of the format, or the one that is as many
    levels higher as x reaches cuts (x >= cut). If the channel falls, -x is compared
    instead of x.
    """

    kind = "threshold"
    format: Format

    def value(self, x):
        _image_of(x)
        _need(x.integers is not None, "a threshold reads real numbers")
        _need(self.format.integers is not None, "a threshold makes real numbers")
        return Value(x.shape, self.format.integers)

    def stores(self, x):
        shape = (x.channels, self.format.levels - 1)
        return (
            stored("falls", (x.channels,), BINARY),  # 1 if it falls, else -1
            Stored("cuts", shape, None, cut_bits(x.integers)),
        )

    def run(self, inputs, values, falls, cuts):
        x = inputs[0] * -falls.astype(inputs[0].dtype)
        reached = sum((x >= cut).astype(np.float32) for cut in cuts.T)
        if self.format.name == "binary":
            return 2 * reached - 1
        return reached + np.float32(self.format.integers.lowest)


def cut_bits(integers: Integers) -> int:
    """The bits of a cut: it lies from -most, always reached, to most + 1, never."""
    return (integers.most + 1).bit_length() + 1


@dataclass(frozen=True)
class AveragePool(Step):
    """Mean of the K×K pixels of a window that lie within the image, SAME.

    The pixels are added row by row, and the sum is divided by their number.
    """

    kind = "average_pool"
    size: int
    stride: int

    def value(self, x):
        *_, channels = _image_of(x)
        _need(x.integers is None, "an average pool reads integers")
        return Value((*x.halved(self.stride), channels))

    def run(self, inputs, values):
        (x,) = inputs
        sums: Any = np.float32(0)
        for place in windows_of(x, self.size, self.stride):
            sums = sums + place
        inside = np.ones((1, *x.shape[1:3], 1), np.float32)
        return sums / sum(windows_of(inside, self.size, self.stride))


@dataclass(frozen=True)
class MaxPool(Step):
    """Largest of the K×K pixels of a window that lie within the image, SAME."""

    kind = "max_pool"
    size: int
    stride: int

    def value(self, x):
        *_, channels = _image_of(x)
        _need(x.integers is None, "a max pool reads integers")
        return Value((*x.halved(self.stride), channels))

    def run(self, inputs, values):
        largest: Any = np.float32(-np.inf)
        for place in windows_of(inputs[0], self.size, self.stride, -np.inf):
            largest = np.maximum(largest, place)
        return largest


@dataclass(frozen=True)
class Add(Step):
    """x + y, in float32."""

    kind = "add"
    reads = 2

    def value(self, x, y):
        _need(x == y and x.integers is None, "numbers that are added do not fit")
        return x

    def run(self, inputs, values):
        return inputs[0] + inputs[1]


@dataclass(frozen=True)
class Mean(Add):
    """0.5 · (x + y), in float32."""

    kind = "mean"

    def run(self, inputs, values):
        return np.float32(0.5) * (inputs[0] + inputs[1])


@dataclass(frozen=True)
class Concatenate(Step):
    """The channels of its inputs one after another."""

    kind = "concat"
    reads = None

    def value(self, *inputs):
        _need(bool(inputs), "a concatenation reads nothing")
        (*area, _), integers = _image_of(inputs[0]), inputs[0].integers
        for x in inputs:
            fits = [*x.shape[:-1]] == area and x.integers == integers
            _need(fits, "images that are concatenated do not fit")
        return Value((*area, sum(x.channels for x in inputs)), integers)

    def run(self, inputs, values):
        return np.concatenate(inputs, axis=-1)


@dataclass(frozen=True)
class GlobalAverage(Step):
    """Mean over all pixels: [H, W, C] to [C].

    Integers are added exactly. The sum is scaled to what it stands for and divided by
    H · W in float32. Real numbers are added row by row.
    """

    kind = "global_average"

    def value(self, x):
        return Value(_image_of(x)[2:])

    def run(self, inputs, values):
        (x,) = inputs
        pixels = x.reshape(len(x), -1, x.shape[-1])
        if values[0].integers is None:
            sums = np.zeros((len(x), x.shape[-1]), np.float32)
            for number in range(pixels.shape[1]):
                sums += pixels[:, number]
        else:
            sums = real(pixels.astype(np.float64).sum(axis=1), values[0])
        return sums / np.float32(pixels.shape[1])


@dataclass(frozen=True)
class Dense(Step):
    """x times the real numbers that a matrix stands for: [C] to [units].

    Products are added channel by channel within each of some blocks of channels, and
    then the sums of the blocks are added.
    """

    kind = "dense"
    units: int
    blocks: int
    format: Format = REAL

    def value(self, x):
        _need(len(x.shape) == 1, "a dense layer reads an image")
        return Value((self.units,))

    def stores(self, x):
        return (stored("weights", (x.channels, self.units), self.format),)

    def run(self, inputs, values, weights):
        (x,), weights = inputs, self.real_weights(weights)
        total = np.zeros((len(x), self.units), np.float32)
        for block in self.parts(len(weights)):
            sums = np.zeros_like(total)
            _products(x[:, block], weights[block], False, sums)
            total += sums
        return total

    @property
    def unit(self) -> float:
        """What the integer 1 stands for among its weights."""
        return 2.0**-self.format.integers.shift if self.format.integers else 1.0

    def real_weights(self, weights: np.ndarray) -> np.ndarray:
        """Returns the numbers that stored weights stand for, float32."""
        return np.float32(self.unit) * weights.astype(np.float32)

    def parts(self, channels: int) -> list[slice]:
        """Returns the blocks: of equal size, in whole eights, but for the last one."""
        size = -(-channels // self.blocks // 8) * 8
        return [slice(n, min(n + size, channels)) for n in range(0, channels, size)]


# The steps that store weights: kernels, and those of the classifier.
WITH_KERNELS = (Convolve, Depthwise, Reduce, Dense)
# The place of a kind is its number in a packed file, so add new ones at the end.
KINDS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        Image,
        Normalize,
        Activate,
        Convolve,
        Depthwise,
        Reduce,
        Norm,
        Threshold,
        AveragePool,
        MaxPool,
        Add,
        Mean,
        Concatenate,
        GlobalAverage,
        Dense,
    )
}
