"""Walks once over a fixed child's graph and lists what it computes as plain data.

The steps come from the ops that were built, so the list cannot differ from what was
trained. To let it pass an op of another type, add the type to `_PASSED`.

Nothing here may add an op to the graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from enas.common_ops import BN_EPSILON, FOLDED_NORM, is_within, pieces_of
from enas.export.rounding import Rounding
from enas.models import Outputs
from enas.network.formats import Format, format_named
from enas.network.network import Network, TooLarge, values_of
from enas.network.simplify import simplified
from enas.network.steps import (
    FOLDED,
    FUSED,
    ROWS,
    Activate,
    Add,
    AveragePool,
    Concatenate,
    Convolve,
    Dense,
    Depthwise,
    GlobalAverage,
    Image,
    MaxPool,
    Mean,
    Norm,
    Normalize,
    Reduce,
    Step,
)
from enas.space.schemes import ACTIVATION
from quantize.base_layers import DIAGONAL
from quantize.base_ops import POINTWISE

Tensors = tuple[Any, ...]
NO_NETWORK = (TooLarge, NotImplementedError)  # what a walk raises of a child


class Source(NamedTuple):
    """Where a network's images and classes come from.

    Attributes:
      images: the normalized images that the child reads, [N, H, W, C].
      mean, std: float32 [C], which normalize images scaled to [0, 1].
    """

    images: tf.Tensor
    mean: np.ndarray
    std: np.ndarray
    classes: Sequence[str]


class Trained(NamedTuple):
    """A network, and what only further training needs.

    Attributes:
      network: before it is simplified.
      latent: for each step, the latent kernels, or what a batch norm does not store as
        it is: its scale, which may be a factor of the stored r, and moving variance; of
        a folded one its moving mean and offset, too.
    """

    network: Network
    latent: tuple[tuple[np.ndarray, ...], ...]

    def simplified(self) -> Network:
        """Returns the network as it is stored.

        Raises:
          TooLarge: its sums need more bits than can be computed exactly.
        """
        return simplified(self.network)


def why_no_network(error: Exception) -> str:
    """Returns a line on one of NO_NETWORK: what is wrong, and what can be done."""
    if isinstance(error, NotImplementedError):
        return f"{error}; enas/export/walk.py must be taught what it is"
    return (
        f"{error}; train with fewer bits (--child_n_bits) or fewer filters "
        f"(--child_out_filters)"
    )


def network_of(
    outputs: Outputs, source: Source, about: dict[str, str] | None = None
) -> Network:
    """Returns the network of a child that was built to be evaluated, without tensors.

    It is simplified, and so says what the file of the trained network will have.

    Raises:
      TooLarge, NotImplementedError: see why_no_network.
    """
    walk = _Walk(outputs, source)
    return simplified(walk.network(about or {}, ()))


def trained_network_of(
    outputs: Outputs,
    source: Source,
    session: tf.compat.v1.Session,
    config: tf.compat.v1.ConfigProto,
    about: dict[str, str],
) -> Trained:
    """Returns the network of a child with its weights.

    Args:
      session: has the weights, or anything else with its `run`.
      config: the options of the session.

    Raises:
      TooLarge, NotImplementedError: see why_no_network.
    """
    walk = _Walk(outputs, source)
    stored = session.run([one.stored for one in walk.made])
    latent = session.run([one.latent for one in walk.made])
    tensors = tuple(
        tuple(one.finish(list(values)) if one.finish else values)
        for one, values in zip(walk.made, stored, strict=True)
    )
    network = _rounded_as_here(walk.network(about, tensors), config)
    return Trained(network, tuple(tuple(values) for values in latent))


def _rounded_as_here(network: Network, config: tf.compat.v1.ConfigProto) -> Network:
    """Returns a network that rounds as this machine's TensorFlow does.

    Args:
      network: the tensors of a batch norm are scale, offset, mean and variance.
    """
    steps, tensors = list(network.steps), list(network.tensors)
    values, here = values_of(steps), Rounding(BN_EPSILON, config)
    norms = [
        number
        for number, step in enumerate(steps)
        if isinstance(step, Norm) and step.roundings != FOLDED
    ]
    for number, (roundings, stored) in zip(
        norms, here.norms([tensors[n] for n in norms]), strict=True
    ):
        steps[number] = Norm(steps[number].inputs, roundings)
        tensors[number] = stored
    for number, step in enumerate(steps):
        if isinstance(step, Convolve) and values[number].integers is None:
            order = here.order(step, values[step.inputs[0]], *tensors[number])
            steps[number] = replace(step, order=order)
        if isinstance(step, Dense):
            blocks = here.blocks(step, *tensors[number])
            steps[number] = replace(step, blocks=blocks)
    return network._replace(steps=tuple(steps), tensors=tuple(tensors))


class _Made(NamedTuple):
    """A step that the walk has made.

    Attributes:
      stored: the graph's tensors of what it stores; finish turns their values into it.
      latent: those that only further training needs.
    """

    step: Step
    part: str
    stored: Tensors = ()
    finish: Callable[[list[np.ndarray]], Sequence[np.ndarray]] | None = None
    latent: Tensors = ()


class _Walk:
    """The walk.

    Attributes:
      made: the steps so far.
    """

    def __init__(self, outputs: Outputs, source: Source):
        self._classes = source.classes
        shape = source.images.shape.as_list()[1:]
        image = _Made(Image((), *shape), "image")
        normalize = _Made(
            Normalize((0,)), "image", (), lambda _: (source.mean, source.std)
        )
        self.made = [image, normalize]
        # The steps that make a tensor: several where it is a concatenation of them.
        self._steps: dict[str, tuple[int, ...]] = {source.images.name: (1,)}
        self._once: dict[Step, int] = {}
        # The variables, in the order of their making, by the names of their ops.
        trained = tf.compat.v1.trainable_variables()
        self._variables = {variable.op.name: variable for variable in trained}
        read = _ancestors(outputs.logits)
        for op in outputs.logits.graph.get_operations():  # in the same order
            if op.name in read:
                self._pass(op)
        self._outputs = self._steps[outputs.logits.name]

    def network(self, about: dict[str, str], tensors: Sequence[Any]) -> Network:
        steps = tuple(one.step for one in self.made)
        parts = tuple(one.part for one in self.made)
        return Network(steps, tuple(tensors), tuple(self._classes), parts, about)

    def _pass(self, op: tf.Operation) -> None:
        if is_within(op, FOLDED_NORM):
            product = op.inputs[0].op if op.type == "AddV2" else op
            if product is not op and product.type == "Mul":
                self._steps[op.outputs[0].name] = self._folded_norm(op)
            return
        known = [x.name for x in op.inputs if x.name in self._steps]
        if not known:
            return  # of a weight
        if is_within(op, ACTIVATION):
            inner = [
                name
                for name in known
                if is_within(op.graph.get_tensor_by_name(name).op, ACTIVATION)
            ]
            steps = self._steps[inner[0]] if inner else self._activated(op, known[0])
        else:
            if op.type not in _PASSED:
                raise NotImplementedError(f"the export knows no op of type {op.type}")
            steps = _PASSED[op.type](self, op)
        self._steps[op.outputs[0].name] = steps

    def _activated(self, op: tf.Operation, name: str) -> tuple[int, ...]:
        form = _format_of_activation(op)
        return tuple(self._add(Activate((x,), form), op) for x in self._steps[name])

    def _add(self, step: Step, op: tf.Operation, *rest) -> int:
        """Adds a step, unless the same one is there already; returns its number."""
        if step not in self._once or rest:
            self._once[step] = len(self.made)
            self.made.append(_Made(step, _part_of(op), *rest))
        return self._once[step]

    def _inputs(self, op: tf.Operation) -> list[tuple[int, ...]]:
        return [self._steps[x.name] for x in op.inputs if x.name in self._steps]

    def _whole(self, op: tf.Operation) -> tuple[int, ...]:
        """Returns the one step that makes the first input of an op."""
        pieces = self._inputs(op)[0]
        if len(pieces) > 1:
            pieces = (self._add(Concatenate(pieces), op),)
        return pieces

    def _kernel(self, op: tf.Operation, finish) -> tuple[Format, Tensors]:
        """Returns the format of a convolution's kernel, and the end of a _Made."""
        read = _ancestors(op.inputs[1])
        variables = [v for name, v in self._variables.items() if name in read]
        form = pieces_of(variables[0])[0].format
        shift = form.integers.shift if form.integers else 0

        def stored(values: list[np.ndarray]) -> list[np.ndarray]:
            kernels = finish(values[0] * np.float32(2**shift))
            if form.integers is None:
                return kernels
            return [kernel.astype(np.int32) for kernel in kernels]

        return form, ((op.inputs[1],), stored, tuple(variables))

    def _convolution(self, op: tf.Operation) -> tuple[int, ...]:
        x, (size, _, _, filters) = self._whole(op), op.inputs[1].shape.as_list()
        if is_within(op, DIAGONAL):
            half = filters // 2

            def halves(kernel):
                return [kernel[0, 0, :, :half], kernel[1, 1, :, half:]]

            form, rest = self._kernel(op, halves)
            return (self._add(Reduce(x, filters, form), op, *rest),)
        _check(op, strides=[1, 1, 1, 1])
        form, rest = self._kernel(op, lambda kernel: [kernel])
        return (self._add(Convolve(x, size, filters, form, ROWS), op, *rest),)

    def _pointwise(self, op: tf.Operation) -> tuple[int, ...]:
        """Passes the product of pixels and a kernel [C, F]."""
        form, rest = self._kernel(op, lambda kernel: [kernel[None, None]])
        filters = op.inputs[1].shape[1]
        step = Convolve(self._whole(op), 1, filters, form, ROWS)
        return (self._add(step, op, *rest),)

    def _depthwise(self, op: tf.Operation) -> tuple[int, ...]:
        x, size = self._whole(op), op.inputs[1].shape[0]
        stride = op.get_attr("strides")[1]
        _check(op, strides=[1, stride, stride, 1])
        form, rest = self._kernel(op, lambda kernel: [kernel[..., 0]])
        return (self._add(Depthwise(x, size, stride, form), op, *rest),)

    def _norm(self, op: tf.Operation) -> tuple[int, ...]:
        _, scale, offset, mean, variance = op.inputs
        assert op.get_attr("epsilon") == np.float32(BN_EPSILON)
        step = Norm(self._whole(op), FUSED)
        tensors = (scale, offset, mean, variance)
        return (self._add(step, op, tensors, list, (scale, variance)),)

    def _folded_norm(self, op: tf.Operation) -> tuple[int, ...]:
        """Passes the sum of an offset and a product of an image and a factor."""
        product, offset = op.inputs[0].op, op.inputs[1]
        factor = product.inputs[1]
        scale, root = factor.op.inputs
        variance = root.op.inputs[0].op.inputs[0]
        plain_offset, shift = offset.op.inputs
        latent = (scale, variance, shift.op.inputs[0], plain_offset)
        step = Norm(self._whole(product), FOLDED)
        return (self._add(step, op, (factor, offset), list, latent),)

    def _pool(self, step: Callable, op: tf.Operation) -> tuple[int, ...]:
        size, stride = op.get_attr("ksize")[1], op.get_attr("strides")[1]
        _check(op, strides=[1, stride, stride, 1], ksize=[1, size, size, 1])
        return (self._add(step(self._whole(op), size, stride), op),)

    def _sum(self, op: tf.Operation) -> tuple[int, ...]:
        pairs = zip(*self._inputs(op), strict=True)
        return tuple(self._add(Add(pair), op) for pair in pairs)

    def _half(self, op: tf.Operation) -> tuple[int, ...]:
        (sums,) = self._inputs(op)
        (factor,) = (x.op for x in op.inputs if x.name not in self._steps)
        steps = [self.made[number].step for number in sums]
        if _constant(factor) != 0.5 or not all(type(s) is Add for s in steps):
            raise NotImplementedError(f"the export knows no product like {op.name}")
        return tuple(self._add(Mean(step.inputs), op) for step in steps)

    def _tile(self, op: tf.Operation) -> tuple[int, ...]:
        *others, copies = _constant(op.inputs[1].op)
        assert others == [1] * len(others)
        return self._inputs(op)[0] * int(copies)

    def _average(self, op: tf.Operation) -> tuple[int, ...]:
        assert list(_constant(op.inputs[1].op)) == [1, 2]
        return (self._add(GlobalAverage(self._whole(op)), op),)

    def _product(self, op: tf.Operation) -> tuple[int, ...]:
        if is_within(op, POINTWISE):
            return self._pointwise(op)
        form, rest = self._kernel(op, lambda kernel: [kernel])
        step = Dense(self._whole(op), op.inputs[1].shape[1], 1, form)
        return (self._add(step, op, *rest),)

    def _concatenation(self, op: tf.Operation) -> tuple[int, ...]:
        return tuple(number for pieces in self._inputs(op) for number in pieces)

    def _first(self, op: tf.Operation) -> tuple[int, ...]:
        return self._inputs(op)[0]

    def _reshaped(self, op: tf.Operation) -> tuple[int, ...]:
        if not is_within(op, POINTWISE):
            raise NotImplementedError(f"the export knows no reshaping like {op.name}")
        return self._first(op)


# What an op outside of activations becomes.
_PASSED: dict[str, Callable[[_Walk, tf.Operation], tuple[int, ...]]] = {
    "AddV2": _Walk._sum,
    "AvgPool": lambda walk, op: walk._pool(AveragePool, op),
    "ConcatV2": _Walk._concatenation,
    "Conv2D": _Walk._convolution,
    "DepthwiseConv2dNative": _Walk._depthwise,
    "FusedBatchNormV3": _Walk._norm,
    "Identity": _Walk._first,
    "IdentityN": _Walk._first,
    "MatMul": _Walk._product,
    "MaxPool": lambda walk, op: walk._pool(MaxPool, op),
    "Mean": _Walk._average,
    "Mul": _Walk._half,
    "Reshape": _Walk._reshaped,
    "Tile": _Walk._tile,
}


def _ancestors(tensor: tf.Tensor) -> dict[str, tf.Operation]:
    """Returns the ops that a tensor depends on, by their names."""
    found: dict[str, tf.Operation] = {}
    waiting = [tensor.op]
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found[op.name] = op
            waiting += [x.op for x in op.inputs]
    return found


def _part_of(op: tf.Operation) -> str:
    """Returns the part of the child that an op belongs to, by its name scope."""
    return op.name.split("/")[1]


def _format_of_activation(op: tf.Operation) -> Format:
    match = re.search(rf"(?:^|/){ACTIVATION}(?:_\d+)?/([^/_]+)", op.name)
    assert match, op.name
    return format_named(match[1])


def _constant(op: tf.Operation) -> Any:
    return tf.make_ndarray(op.get_attr("value"))


def _check(op: tf.Operation, **attributes: Any) -> None:
    """Checks that an op is what a step computes."""
    attributes = {"padding": b"SAME", "data_format": b"NHWC"} | attributes
    for name, value in attributes.items():
        if op.get_attr(name) != value:
            raise NotImplementedError(f"{op.name} has {name}={op.get_attr(name)}")
