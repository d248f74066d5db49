"""Tells what each layer of a child has: weights, bits, multiply-adds and storage.

All of this is read from the graph that was built, so it is exact. Nothing here may add
an op.
"""

import math
from collections import Counter
from typing import NamedTuple

import tensorflow as tf

from enas.base.text_table import text_table
from enas.common_ops import is_within, pieces_of
from enas.models import Model, Outputs
from enas.network.file import file_bytes, overhead_bytes, part_bytes, weight_bytes
from enas.network.network import Network
from enas.report.multiply_adds import is_pointwise, multiply_adds
from enas.space.operations import KERNELS
from enas.space.schemes import ACTIVATION

FLOAT_BITS = 32
STEM = "stem_conv"  # a scope
AUX_HEAD = "aux head, in training"
# Calls whose body depends on the sampled string.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
# The kinds of numbers that a convolution reads.
ACTIVATIONS, SUMS, REAL = "act", "sums", "real"
_NARROW = (0, 1, 2, 3, 7, 8)  # columns of a table for a narrow terminal
NOTE = (
    "act, sums, real: how many convolutions read activations (as many bits as a "
    "weight),\nsums of a depthwise convolution, or other numbers (images, pools, batch "
    "norms)"
)


class Part(NamedTuple):
    """One layer, the stem or a head.

    Attributes:
      shape: the shape of its output for one image.
      weights: how many trainable numbers it has.
      bits: the bits of a weight in its kernels, and of an activation; ascending, if
        operations bring several.
      reads: how many convolutions read ACTIVATIONS, SUMS or REAL numbers. In a search
        child's layer, only the convolutions that every string has are counted.
      multiply_adds: those of one image, forward. None in a search child's layer, where
        they depend on the sampled string.
      packed_bytes: what a stored network needs, with kernels at their bits.
      float_bytes: what it needs with everything as float32.
    """

    name: str
    shape: tuple[int, ...]
    weights: int
    bits: tuple[int, ...]
    reads: dict[str, int]
    multiply_adds: int | None
    packed_bytes: int
    float_bytes: int


def parts_of(
    model: Model, outputs: Outputs, network: Network | None = None
) -> list[Part]:
    """Returns the parts of a child that was built for training, stem to classifier.

    The aux head, which only training uses, comes last.

    Args:
      network: the child's network, whose file is measured; None if it has none. Then
        a batch norm counts with four real numbers for each channel.
    """
    config, ops = model.config, _ops_by_scope(outputs)
    packed = part_bytes(network) if network else {}
    classes: tuple[int, ...] = (config.num_classes,)
    stem: tuple[int, ...] = (config.img_size, config.img_size, 3 * config.out_filters)
    rows: list[tuple[str, str, tuple[int, ...]]] = [(STEM, "stem", stem)]
    for layer, size, channels in outputs.layers:
        kind = "reduction" if layer in config.pool_layers else "normal"
        name = f"layer {layer}, {kind}"
        rows.append((f"layer_{layer}", name, (size, size, channels)))
    rows.append(("head", "classifier", classes))
    if model.aux_layer is not None:
        rows.append(("aux_head", AUX_HEAD, classes))
    if network:  # the numbers that normalize the images stand with the stem
        packed[STEM] += packed.pop("image")
    parts = [_part(model, *row, ops.get(row[0], [])) for row in rows]
    return [
        part._replace(packed_bytes=packed.get(row[0], part.packed_bytes))
        for part, row in zip(parts, rows, strict=True)
    ]


def _ops_by_scope(outputs: Outputs) -> dict[str, list[tf.Operation]]:
    """Returns a child's ops, by the scope below the child's own."""
    ops: dict[str, list[tf.Operation]] = {}
    for op in tf.compat.v1.get_default_graph().get_operations():
        outer, _, rest = op.name.partition("/")
        if outer == outputs.scope:
            ops.setdefault(rest.partition("/")[0], []).append(op)
    return ops


def _part(
    model: Model,
    scope: str,
    name: str,
    shape: tuple,
    ops: list[tf.Operation],
) -> Part:
    """Makes one part."""
    prefix, bits = f"{model.scope}/{scope}/", set()
    weights, others, packed_bits = 0, 0, 0
    for variable in model.variables():
        if not variable.name.startswith(prefix):
            continue
        numbers = math.prod(variable.shape.as_list())
        weights += numbers
        pieces = pieces_of(variable)
        rows = numbers // sum(piece.size for piece in pieces)
        for piece in pieces:
            packed_bits += rows * piece.size * piece.format.bits
            if piece.kind in KERNELS:
                bits.add(piece.format.bits)
            if piece.kind == "scale":  # it comes with a moving mean and variance
                others += 2 * rows * piece.size
    if scope == STEM:  # mean and standard deviation of the images
        others += 2 * model.config.channels
    return Part(
        name,
        shape,
        weights,
        tuple(sorted(bits)) or (FLOAT_BITS,),
        dict(Counter(_read_by(op) for op in ops if _is_convolution(op))),
        _multiply_adds(ops),
        math.ceil((packed_bits + others * FLOAT_BITS) / 8),
        (weights + others) * FLOAT_BITS // 8,
    )


def _is_convolution(op: tf.Operation) -> bool:
    return op.type in _CONVOLUTIONS or is_pointwise(op)


def _read_by(convolution: tf.Operation) -> str:
    """Returns the kind of numbers that a convolution slides over."""
    source = convolution.inputs[0].op
    # A custom gradient puts an identity after what it computes, and a 1×1 convolution
    # reads the pixels of an image as a matrix.
    while source.type in ("Identity", "IdentityN", "Reshape") and not is_within(
        source, ACTIVATION
    ):
        source = source.inputs[0].op
    if is_within(source, ACTIVATION):
        return ACTIVATIONS
    return SUMS if source.type == "DepthwiseConv2dNative" else REAL


def _multiply_adds(ops: list[tf.Operation]) -> int | None:
    if any(op.type in _CALLS for op in ops):
        return None
    dense = sum(
        math.prod(op.inputs[1].shape)
        for op in ops
        if op.type == "MatMul" and not is_pointwise(op)
    )
    return multiply_adds(ops) + dense


def table(
    parts: list[Part], network: Network | None = None, columns: int | None = None
) -> str:
    """Makes a table: a row for each part, then totals, which leave out the aux head.

    Args:
      network: as in parts_of. The total is then the size of its file, with the header.
      columns: letters that a line may have; None for any number. Where they do not do,
        the table lacks what convolutions read and the sizes of float32.
    """
    reads = (ACTIVATIONS, SUMS, REAL)
    rows: list[tuple[str, ...]]
    rows = [("", "output", "weights", "bits", *reads, "mult-adds", "packed", "float32")]
    rows += [_row(part) for part in parts]
    counted = [part for part in parts if part.name != AUX_HEAD]
    rows.append(
        (
            "total without aux head",
            "",
            f"{sum(part.weights for part in counted):,}",
            "",
            *(str(sum(part.reads.get(kind, 0) for part in counted)) for kind in reads),
            _work([part.multiply_adds for part in counted]),
            _size(
                file_bytes(network)
                if network
                else sum(part.packed_bytes for part in counted)
            ),
            _size(sum(part.float_bytes for part in counted)),
        )
    )
    notes = [NOTE]
    if network:
        weights, header = weight_bytes(network), overhead_bytes(network)
        notes.append(
            f"packed: the size of the exported file; {_size(weights)} are weights, "
            f"{_size(header)} the header"
        )
    lines = text_table(rows, left=[0])
    if columns is not None and max(map(len, lines.splitlines())) > columns:
        lines = text_table([[row[n] for n in _NARROW] for row in rows], left=[0])
        notes[0] = "what convolutions read and float32 sizes are in the run's summary"
    return "\n".join([lines, *notes])


def _row(part: Part) -> tuple[str, ...]:
    return (
        part.name,
        "×".join(map(str, part.shape)),
        f"{part.weights:,}",
        ",".join(map(str, part.bits)),
        *(str(part.reads.get(kind, "")) for kind in (ACTIVATIONS, SUMS, REAL)),
        _work([part.multiply_adds]),
        _size(part.packed_bytes),
        _size(part.float_bytes),
    )


def _work(multiply_adds: list[int | None]) -> str:
    known = [number for number in multiply_adds if number is not None]
    return "per string" if len(known) < len(multiply_adds) else f"{sum(known):,}"


def _size(count: int) -> str:
    return f"{count / 1000:,.1f} kB"
