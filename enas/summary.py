"""What a child is made of, layer by layer: weights, bits, multiply-adds and storage.

All of it is read from the graph that was built, so that it is exact. Nothing here adds
an op.
"""

import math
from collections import defaultdict
from typing import NamedTuple

import tensorflow as tf

from enas.common_ops import pieces_of
from enas.models import Model
from enas.multiply_adds import multiply_adds
from enas.text_table import text_table

FLOAT_BITS = 32
AUX_HEAD = "aux head, in training"
# Calls whose body depends on the sampled string.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class Part(NamedTuple):
    """One layer, the stem or a head.

    shape: of its output for one image. weights: trainable numbers. weight_bits: of its
    kernels. activation_bits: of what its activations make; a search's factorized
    reductions, its output convolutions where nodes share a kernel (which read a sum),
    and the aux head's first convolution read other numbers too.
    multiply_adds: of one image forward; None in a search child's layer, where they
    depend on the sampled string. packed_bytes: kernels at their bits, and all else,
    which is what batch norm and the classifier need, as float32. float_bytes:
    everything as float32.
    """

    name: str
    shape: tuple[int, ...]
    weights: int
    weight_bits: int
    activation_bits: int
    multiply_adds: int | None
    packed_bytes: int
    float_bytes: int


def parts_of(model: Model) -> list[Part]:
    """Every part of a built child from its stem to its classifier; the aux head, which
    only training uses, is last."""
    config, ops = model.config, _ops_by_scope(model)
    classes = (config.num_classes,)
    stem = (config.img_size, config.img_size, 3 * config.out_filters)
    rows = [("stem_conv", "stem", stem, -1)]
    for layer, size, channels in model.layer_shapes:
        kind = "reduction" if layer in config.pool_layers else "normal"
        name = f"layer {layer}, {kind}"
        rows.append((f"layer_{layer}", name, (size, size, channels), layer))
    rows.append(("head", "classifier", classes, None))
    if model.aux_layer is not None:
        rows.append(("aux_head", AUX_HEAD, classes, model.aux_layer))
    return [_part(model, *row, ops[row[0]]) for row in rows]


def _ops_by_scope(model: Model) -> dict[str, list[tf.Operation]]:
    """The ops of a child's first build, by the scope below the child's own."""
    ops = defaultdict(list)
    for op in tf.compat.v1.get_default_graph().get_operations():
        outer, _, rest = op.name.partition("/")
        if outer == model.scope:
            ops[rest.partition("/")[0]].append(op)
    return ops


def _part(
    model: Model,
    scope: str,
    name: str,
    shape: tuple,
    layer: int | None,
    ops: list[tf.Operation],
) -> Part:
    """layer: whose scheme it is of; -1 for the stem, None for real numbers."""
    prefix = f"{model.scope}/{scope}/"
    bits = FLOAT_BITS if layer is None else model.scheme_of(layer).bits
    weights, packed_bits = 0, 0
    for variable in model.variables():
        if variable.name.startswith(prefix):
            numbers = math.prod(variable.shape.as_list())
            weights += numbers
            pieces = pieces_of(variable)
            rows = numbers // sum(piece.size for piece in pieces)
            for piece in pieces:
                latent = math.isfinite(piece.bound)
                packed_bits += rows * piece.size * (bits if latent else FLOAT_BITS)
    return Part(
        name,
        shape,
        weights,
        bits,
        FLOAT_BITS if layer == -1 else bits,  # the stem reads the image
        _multiply_adds(ops),
        math.ceil(packed_bits / 8),
        weights * FLOAT_BITS // 8,
    )


def _multiply_adds(ops: list[tf.Operation]) -> int | None:
    if any(op.type in _CALLS for op in ops):
        return None
    dense = sum(math.prod(op.inputs[1].shape) for op in ops if op.type == "MatMul")
    return multiply_adds(ops) + dense


def table(parts: list[Part]) -> str:
    """A row a part, totals last; the aux head is not counted in them."""
    rows = [("", "output", "weights", "bits w/a", "mult-adds", "packed", "float32")]
    rows += [_row(part) for part in parts]
    counted = [part for part in parts if part.name != AUX_HEAD]
    work = [part.multiply_adds for part in counted]
    total = (
        "",
        f"{sum(part.weights for part in counted):,}",
        "",
        "per string" if None in work else f"{sum(work):,}",
        _size(sum(part.packed_bytes for part in counted)),
        _size(sum(part.float_bytes for part in counted)),
    )
    rows.append(("total without aux head", *total))
    return text_table(rows, left=[0])


def _row(part: Part) -> tuple[str, ...]:
    return (
        part.name,
        "×".join(map(str, part.shape)),
        f"{part.weights:,}",
        f"{part.weight_bits}/{part.activation_bits}",
        "per string" if part.multiply_adds is None else f"{part.multiply_adds:,}",
        _size(part.packed_bytes),
        _size(part.float_bytes),
    )


def _size(count: int) -> str:
    return f"{count / 1000:,.1f} kB"
