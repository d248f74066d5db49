"""Writes a network as standard ONNX, for onnxruntime and others.

Kernels are stored with a few bits a number. docs/export.md says what the file promises.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from enas.base.files import write_bytes
from enas.export.onnx_steps import Steps
from enas.export.walk import Trained
from enas.network.formats import Format
from enas.network.steps import Dense

FILE = "network.onnx"
_TYPES = (
    TensorProto.INT2,
    TensorProto.INT4,
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.INT32,
)
# onnxruntime's Conv adds as many products one after another, with fused multiply-adds.
# It sums more of them in blocks, and then adds the blocks.
_IN_ORDER = 128


def write(folder: str, trained: Trained) -> list[str]:
    """Writes the file; returns a sentence on it.

    Args:
      folder: exists.

    Raises:
      InputError: it cannot be written.
    """
    content = Standard().model(trained.simplified()).SerializeToString()
    write_bytes(os.path.join(folder, FILE), content)
    opset = Standard.opset
    return [
        f"{FILE}: for onnxruntime and others, opset {opset}, {len(content):,} bytes"
    ]


class Standard(Steps):
    """The steps in standard ONNX."""

    opset = 25  # the first in which 2-bit kernels can be dequantized
    batch = "N"

    def kernel(self, integers: np.ndarray, form: Format, scale: float) -> str:
        if form.integers is None:
            return self.constant(integers)
        stored = self.constant(integers, narrowest_type(integers))
        return self.add("DequantizeLinear", stored, self.constant(scale))

    def matrix(self, weights: np.ndarray, step: Dense) -> str:
        if step.format.integers is None:
            return self.constant(weights)
        # No DequantizeLinear, since onnxruntime would round what it is multiplied with.
        stored = self.constant(weights, narrowest_type(weights))
        return self.add("Mul", self.cast(stored, np.float32), self.constant(step.unit))

    def activate(self, x: str, form: Format) -> str:
        integers = form.integers
        if integers is None:
            return self.add("Relu", x)
        if form.name == "binary":
            one, other = self.constant(1.0), self.constant(-1.0)
            return self.add(
                "Where", self.add("Greater", x, self.constant(0.0)), one, other
            )
        if form.name == "ternary":
            x = self.add("Ceil", self.add("Sub", x, self.constant(0.5)))
        else:
            x = self.add("Mul", x, self.constant(2.0**integers.shift))
            x = self.add("Round", x)
        bounds = map(self.constant, (integers.lowest, integers.highest))
        x = self.add("Clip", x, *bounds)
        if integers.shift:
            x = self.add("Mul", x, self.constant(2.0**-integers.shift))
        return x

    def in_order(self, x: str, matrix: np.ndarray, form: Format) -> str:
        """Adds a 1×1 convolution that adds real products channel by channel.

        A long sum goes through several Conv. Each of them but the first reads the sums
        so far as if they were channels.
        """
        filters, channels = matrix.shape
        if channels <= _IN_ORDER:
            return super().in_order(x, matrix, form)
        half = _IN_ORDER // 2  # sums so far, and further channels, of one Conv
        parts = []
        for rows in np.split(matrix, range(half, filters, half)):
            first = self.channels(x, 0, _IN_ORDER)
            sums = super().in_order(first, rows[:, :_IN_ORDER], form)
            for start in range(_IN_ORDER, channels, half):
                more = self.channels(x, start, start + half)
                read = self.add("Concat", sums, more, axis=1)
                carried = np.hstack(
                    [_one(form, len(rows)), rows[:, start : start + half]]
                )
                sums = super().in_order(read, carried, form)
            parts.append(sums)
        return self.add("Concat", *parts, axis=1)


def _one(form: Format, rows: int) -> np.ndarray:
    """Returns the integers of a matrix that leaves numbers as they are."""
    assert form.integers is not None
    return np.eye(rows, dtype=np.int32) * 2**form.integers.shift


def narrowest_type(integers: np.ndarray) -> Any:
    """Returns the narrowest NumPy type that holds some integers, of 2 bits or more.

    Those of 2 and 4 bits are of ml_dtypes, which onnx packs when it writes them.

    Raises:
      ValueError: an integer needs more than 32 bits.
    """
    for kind in _TYPES:
        bits = int(TensorProto.DataType.Name(kind).removeprefix("INT"))
        if -(2 ** (bits - 1)) <= integers.min() and integers.max() < 2 ** (bits - 1):
            return helper.tensor_dtype_to_np_dtype(kind)
    raise ValueError("an integer needs more than 32 bits")
