"""Builds the graph of an ONNX file: its nodes and its constants, each stored once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx import helper, numpy_helper

PRODUCER = "enas.export"
INPUT, OUTPUT = "images", "logits"
AREA = [2, 3]  # the axes of height and width


class Graph:
    """The nodes and constants that were added so far.

    Attributes:
      opset: the version of the standard operators.
      domains: the sets of operators beside the standard ones.
      batch: the length of the first axis, a number or a name.
      prefix: what the names of the next nodes begin with.
    """

    opset: ClassVar[int]
    domains: ClassVar[tuple[str, ...]] = ()
    batch: ClassVar[int | str]

    def __init__(self) -> None:
        self.prefix = INPUT
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._constants: dict[tuple, str] = {}

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        name = f"{self.prefix}.{op}_{len(self._nodes)}"
        node = helper.make_node(op, list(inputs), [name], name, **attributes)
        self._nodes.append(node)
        return name

    def constant(self, values: Any, kind: Any = np.float32) -> str:
        """Returns the name of a constant array; equal ones are stored once."""
        array = np.asarray(values, kind)
        key = (array.dtype, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = name
            self._tensors[name] = numpy_helper.from_array(array, name)
        return self._constants[key]

    def sizes(self, numbers: Sequence[int]) -> str:
        """Returns the name of a constant with whole numbers, such as a shape."""
        return self.constant(numbers, np.int64)

    def by_channel(self, values: np.ndarray, kind: Any = np.float32) -> str:
        """Returns the name of a constant [C], laid along the channels of an image."""
        return self.constant(np.reshape(values, (-1, 1, 1)), kind)

    def cast(self, x: str, kind: Any) -> str:
        """Adds a conversion to another type of numbers."""
        return self.add("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def part(
        self, x: str, start: Sequence[int], end: Sequence[int], stride: int = 1
    ) -> str:
        """Adds a slice of height and width."""
        numbers = [start, end, AREA, [stride, stride]]
        return self.add("Slice", x, *map(self.sizes, numbers))

    def channels(self, x: str, start: int, end: int) -> str:
        """Adds a slice of the channels."""
        return self.add("Slice", x, *map(self.sizes, ([start], [end], [1])))

    def model_of(
        self,
        last: str,
        read: onnx.ValueInfoProto,
        made: onnx.ValueInfoProto,
        properties: dict[str, str],
    ) -> onnx.ModelProto:
        """Returns the model of what was added; nothing of it is checked.

        Args:
          last: the output of the node that makes the result.
          read: name, type and shape of what the model reads.
          made: those of the result.
          properties: facts for people.
        """
        renamed = helper.make_node("Identity", [last], [made.name], made.name)
        graph = helper.make_graph(
            [*self._nodes, renamed],
            "network",
            [read],
            [made],
            list(self._tensors.values()),
        )
        versions = [helper.make_opsetid("", self.opset)]
        versions += [helper.make_opsetid(domain, 1) for domain in self.domains]
        model = helper.make_model(
            graph,
            producer_name=PRODUCER,
            opset_imports=versions,
            ir_version=helper.find_min_ir_version_for(versions, True),
        )
        helper.set_model_props(model, properties)
        return model
