"""What the steps of a network become in ONNX; both dialects that are exported share it.

Images are [N, C, H, W] inside, and numbers are the real ones, not the integers that
stand for them: both are exact, because an integer's unit is a power of two. Sums of
integers from 2^24 on need float64, and all else is float32.

Each node rounds as the step's definition in enas/network/steps.py does. So a batch norm
is four nodes and no BatchNormalization, which rounds otherwise. A float32 kernel
is never an input of MatMul, since onnxruntime replaces a MatMul of a dequantized kernel
by one that rounds the activations; the float64 one reads a Cast of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from enas.export.onnx_graph import AREA, INPUT, OUTPUT, Graph
from enas.network.formats import Format
from enas.network.network import Network, values_of
from enas.network.steps import (
    EXACT,
    FOLDED,
    SEPARATE,
    Activate,
    Add,
    AveragePool,
    Concatenate,
    Convolve,
    Dense,
    Depthwise,
    GlobalAverage,
    MaxPool,
    Mean,
    Norm,
    Normalize,
    Reduce,
    Step,
    Threshold,
    Value,
    float_type,
    padding,
)

CLASSES = "classes"  # the metadata with the names of the classes, as JSON


class Steps(Graph):
    """Adds the steps of a network as nodes; a dialect is a subclass."""

    def kernel(self, integers: np.ndarray, form: Format, scale: float) -> str:
        """Adds a kernel; returns the name of its real numbers.

        Args:
          integers: of any shape; real numbers if the format is REAL.
          scale: what an integer is worth.
        """
        raise NotImplementedError

    def activate(self, x: str, form: Format) -> str:
        """Adds the activation of a format."""
        raise NotImplementedError

    def model(self, network: Network) -> onnx.ModelProto:
        """Returns a network as a model."""
        values = values_of(network.steps)
        names = [self.add("Transpose", INPUT, perm=[0, 3, 1, 2])]
        for number, step in list(enumerate(network.steps))[1:]:
            self.prefix = f"{step.kind}_{number}"
            inputs = [names[i] for i in step.inputs]
            read = [values[i] for i in step.inputs]
            names.append(self.step(step, inputs, read, *network.tensors[number]))
        properties = network.about | {CLASSES: json.dumps(network.classes)}
        info, shape = helper.make_tensor_value_info, network.image.value().shape
        images = info(INPUT, TensorProto.UINT8, [self.batch, *shape])
        logits = info(OUTPUT, TensorProto.FLOAT, [self.batch, len(network.classes)])
        return self.model_of(names[-1], images, logits, properties)

    def step(
        self,
        step: Step,
        inputs: Sequence[str],
        values: Sequence[Value],
        *tensors: np.ndarray,
    ) -> str:
        """Adds the nodes of one step; returns the name of what they make.

        Args:
          inputs: the names of what it reads, images as [N, C, H, W].
          values: what these are, in the words of enas/network.
          tensors: what it stores.
        """
        return _WRITTEN[type(step)](self, step, inputs, values, *tensors)

    def places(self, x: str, value: Value, window: int, stride: int) -> list[str]:
        """Adds the image that each place of a window sees, row by row, SAME.

        Returns:
          K·K names of [N, C, H', W'].
        """
        pads = _pads(value, window, stride)
        x = self.add("Pad", x, self.sizes([0, 0, *pads[:2], 0, 0, *pads[2:]]))
        spans = [(size - 1) * stride + 1 for size in value.halved(stride)]
        return [
            self.part(x, (row, column), (row + spans[0], column + spans[1]), stride)
            for row in range(window)
            for column in range(window)
        ]

    def _normalize(self, step: Normalize, inputs, values, mean, std) -> str:
        x = self.add("Div", self.cast(inputs[0], np.float32), self.constant(255.0))
        x = self.add("Sub", x, self.by_channel(mean))
        return self.add("Div", x, self.by_channel(std))

    def _activate(self, step: Activate, inputs, values) -> str:
        return self.activate(inputs[0], step.format)

    def _convolve(self, step: Convolve, inputs, values, kernel) -> str:
        sums = step.value(*values).integers
        if float_type(sums) is np.float64 or self.keeps_order(step, values[0]):
            x = inputs[0]
            matrix = kernel.reshape(step.size**2, *kernel.shape[2:])[step.places()]
            if step.size > 1:
                places = self.places(x, values[0], step.size, 1)
                x = self.add("Concat", *(places[n] for n in step.places()), axis=1)
            matrix = matrix.reshape(-1, step.filters).T
            return self._products(step, x, values[0], matrix)
        weights = self._kernel(kernel.transpose(3, 2, 0, 1), step.format)
        pads = _pads(values[0], step.size, 1)
        return self.add("Conv", inputs[0], weights, pads=pads)

    def keeps_order(self, step: Convolve | Reduce, x: Value) -> bool:
        """Whether a convolution of real numbers must add them in the step's order.

        One ulp moves a low-bit activation to another level, but hardly matters to a
        float network, whose kernels are real.
        """
        return x.integers is None and step.format.integers is not None

    def _products(self, step, x: str, value: Value, matrix: np.ndarray) -> str:
        """Adds a 1×1 convolution, with a matrix [F, C] of integers as its kernel."""
        sums = None
        if value.integers is not None and step.format.integers is not None:
            sums = value.integers.times(step.format.integers, matrix.shape[1])
        if float_type(sums) is np.float64:
            return self._large_products(x, value, matrix, step.format)
        if self.keeps_order(step, value):
            return self.in_order(x, matrix, step.format)
        return self.add("Conv", x, self._kernel(_as_kernel(matrix), step.format))

    def in_order(self, x: str, matrix: np.ndarray, form: Format) -> str:
        """Adds a 1×1 convolution of real numbers, added channel by channel."""
        return self.add("Conv", x, self._kernel(_as_kernel(matrix), form))

    def _large_products(self, x: str, value: Value, matrix, form: Format) -> str:
        """Adds products that need float64, which Conv does not take."""
        weights = self.cast(self._kernel(matrix, form), np.float64)
        pixels = self.sizes([0, matrix.shape[1], -1])
        x = self.add("Reshape", self.cast(x, np.float64), pixels)
        sums = self.add("MatMul", weights, x)
        return self.add("Reshape", sums, self.sizes([0, 0, *value.shape[:2]]))

    def _depthwise(self, step: Depthwise, inputs, values, kernel) -> str:
        (x,), (value,) = inputs, values
        form, window, stride = step.format, step.size, step.stride
        if float_type(step.value(value).integers) is np.float64:
            weights = kernel.reshape(window**2, -1) * _unit(form)
            places = self.places(self.cast(x, np.float64), value, window, stride)
            products = [
                self.add("Mul", place, self.by_channel(factor, np.float64))
                for place, factor in zip(places, weights, strict=True)
            ]
            return self.add("Sum", *products)
        return self.add(
            "Conv",
            x,
            self._kernel(kernel.transpose(2, 0, 1)[:, None], form),
            group=value.channels,
            pads=_pads(value, window, stride),
            strides=[stride, stride],
        )

    def _reduce(self, step: Reduce, inputs, values, even, odd) -> str:
        (x,), (value,) = inputs, values
        height, width = value.shape[:2]
        if height % 2 or width % 2:
            edges = [0, 0, 0, 0, 0, 0, height % 2, width % 2]
            x = self.add("Pad", x, self.sizes(edges))
        end = [height + height % 2, width + width % 2]
        half = Value((*value.halved(2), value.channels), value.integers)
        halves = [
            self._products(step, self.part(x, [start] * 2, end, 2), half, matrix.T)
            for start, matrix in enumerate((even, odd))
        ]
        return self.add("Concat", *halves, axis=1)

    def norm(self, step: Norm, inputs, values, *tensors) -> str:
        """Adds a batch norm."""
        (x,) = inputs
        if float_type(values[0].integers) is np.float64:
            x = self.cast(x, np.float32)
        if step.roundings == FOLDED:
            factor, offset = map(self.by_channel, tensors)
            return self.add("Add", self.add("Mul", x, factor), offset)
        mean, r, scale, offset = tensors
        x = self.add("Sub", x, self.by_channel(mean))
        x = self.add("Mul", x, self.by_channel(r))
        if step.roundings == SEPARATE:
            x = self.add("Mul", x, self.by_channel(scale))
            return self.add("Add", x, self.by_channel(offset))
        x = self.cast(x, np.float64)
        x = self.add("Mul", x, self.by_channel(scale, np.float64))
        x = self.add("Add", x, self.by_channel(offset, np.float64))
        return self.cast(x, np.float32)

    def _threshold(self, step: Threshold, inputs, values, falls, cuts) -> str:
        (x,), integers = inputs, values[0].integers
        kind = float_type(integers)
        if np.any(falls > 0):
            x = self.add("Mul", x, self.by_channel(-falls, kind))
        reached = []
        for cut in cuts.T:
            one = self.by_channel(cut * 2.0**-integers.shift, kind)
            reached.append(self.cast(self.add("GreaterOrEqual", x, one), np.float32))
        levels = reached[0] if len(reached) == 1 else self.add("Sum", *reached)
        form = step.format.integers
        assert form is not None
        unit = (2.0 if step.format.name == "binary" else 1.0) * 2.0**-form.shift
        if unit != 1:
            levels = self.add("Mul", levels, self.constant(unit))
        return self.add("Add", levels, self.constant(form.lowest * 2.0**-form.shift))

    def _pool(self, step: AveragePool | MaxPool, inputs, values) -> str:
        is_mean = isinstance(step, AveragePool)
        return self.add(
            "AveragePool" if is_mean else "MaxPool",
            *inputs,
            kernel_shape=[step.size] * 2,
            strides=[step.stride] * 2,
            pads=_pads(values[0], step.size, step.stride),
            **({"count_include_pad": 0} if is_mean else {}),
        )

    def _sum(self, step: Add, inputs, values) -> str:
        return self.add("Add", *inputs)

    def _mean(self, step: Mean, inputs, values) -> str:
        return self.add("Mul", self.add("Add", *inputs), self.constant(0.5))

    def _concatenate(self, step: Concatenate, inputs, values) -> str:
        return self.add("Concat", *inputs, axis=1)

    def _average(self, step: GlobalAverage, inputs, values) -> str:
        (x,), pixels = inputs, int(np.prod(values[0].shape[:2]))
        integers = values[0].integers
        is_large = integers is not None and integers.most * pixels >= EXACT
        if is_large:
            x = self.cast(x, np.float64)
        x = self.add("ReduceSum", x, self.sizes(AREA), keepdims=0)
        if is_large:
            x = self.cast(x, np.float32)
        return self.add("Div", x, self.constant(pixels))

    def _dense(self, step: Dense, inputs, values, weights) -> str:
        sums = []
        for block in step.parts(len(weights)):
            numbers = ([block.start], [block.stop], [1])
            part = self.add("Slice", *inputs, *map(self.sizes, numbers))
            sums.append(self.add("MatMul", part, self.matrix(weights[block], step)))
        total, *others = sums
        for one in others:
            total = self.add("Add", total, one)
        return total

    def matrix(self, weights: np.ndarray, step: Dense) -> str:
        """Adds the weights of a classifier; returns the name of the real numbers."""
        return self.kernel(weights, step.format, step.unit)

    def _kernel(self, values: np.ndarray, form: Format) -> str:
        return self.kernel(values, form, _unit(form))


_WRITTEN: dict[type[Step], Callable[..., str]] = {
    Normalize: Steps._normalize,
    Activate: Steps._activate,
    Convolve: Steps._convolve,
    Depthwise: Steps._depthwise,
    Reduce: Steps._reduce,
    Norm: lambda steps, *arguments: steps.norm(*arguments),
    Threshold: Steps._threshold,
    AveragePool: Steps._pool,
    MaxPool: Steps._pool,
    Add: Steps._sum,
    Mean: Steps._mean,
    Concatenate: Steps._concatenate,
    GlobalAverage: Steps._average,
    Dense: Steps._dense,
}


def _unit(form: Format) -> float:
    return 2.0**-form.integers.shift if form.integers else 1.0


def _as_kernel(matrix: np.ndarray) -> np.ndarray:
    return matrix[:, :, None, None]


def _pads(value: Value, window: int, stride: int) -> list[int]:
    """Returns SAME padding, as ONNX wants it: top, left, bottom, right."""
    pairs = [padding(size, window, stride) for size in value.shape[:2]]
    return [before for before, _ in pairs] + [after for _, after in pairs]
