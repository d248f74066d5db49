"""Writes a low-bit network in the QONNX dialect, which FINN and hls4ml read.

Every kernel and activation goes through a node that says its format, Quant or
BipolarQuant. The network is not simplified, because these tools make thresholds of
their own. docs/export.md says what the file promises.
"""

from __future__ import annotations

import os

import numpy as np
import onnx
from onnx import shape_inference

from enas.base.files import write_bytes
from enas.export.onnx_steps import Steps
from enas.export.walk import Trained
from enas.network.formats import Format
from enas.network.network import Network
from enas.network.steps import Convolve, Reduce, Value

FILE = "network.qonnx.onnx"
DOMAIN = "qonnx.custom_op.general"


def write(folder: str, trained: Trained) -> list[str]:
    """Writes the file; returns a sentence on it.

    Args:
      folder: exists.

    Raises:
      InputError: it cannot be written.
    """
    content = Quantized().model(trained.network).SerializeToString()
    write_bytes(os.path.join(folder, FILE), content)
    opset = Quantized.opset
    return [f"{FILE}: for FINN and hls4ml, opset {opset}, {len(content):,} bytes"]


class Quantized(Steps):
    """The steps in the QONNX dialect, for one image at a time."""

    opset = 19  # onnxruntime adds the pixels of older average pools column by column
    domains = (DOMAIN,)
    batch = 1  # these tools want all shapes to be known

    def kernel(self, integers: np.ndarray, form: Format, scale: float) -> str:
        if form.integers is None:  # a classifier's
            return self.constant(integers)
        return self._quantized(self.constant(integers * scale), form, "ROUND")

    def activate(self, x: str, form: Format) -> str:
        if form.name == "binary":  # BipolarQuant makes 1 of zero, our format -1
            return self.add("Neg", self._quantized(self.add("Neg", x), form, ""))
        if form.name == "ternary":
            x = self.add("Sub", x, self.constant(0.5))
            return self._quantized(x, form, "CEIL")
        return self._quantized(x, form, "ROUND")  # ties to even

    def keeps_order(self, step: Convolve | Reduce, x: Value) -> bool:
        """Never: these tools want plain convolutions."""
        return False

    def model(self, network: Network) -> onnx.ModelProto:
        """Returns a network as a model that names every shape."""
        model = super().model(network)
        plain = onnx.ModelProto()
        plain.CopyFrom(model)
        for node in plain.graph.node:
            if node.domain == DOMAIN:  # shape inference knows no such node
                node.CopyFrom(
                    onnx.helper.make_node("Identity", node.input[:1], node.output)
                )
        inferred = shape_inference.infer_shapes(plain, strict_mode=True)
        model.graph.value_info.extend(inferred.graph.value_info)
        return model

    def _quantized(self, x: str, form: Format, rounding: str) -> str:
        assert form.integers is not None
        scale = self.constant(2.0**-form.integers.shift)
        if form.name == "binary":
            return self.add("BipolarQuant", x, scale, domain=DOMAIN)
        return self.add(
            "Quant",
            x,
            scale,
            self.constant(0.0),
            self.constant(form.bits),
            domain=DOMAIN,
            signed=1,
            narrow=int(form.name == "ternary"),
            rounding_mode=rounding,
        )
