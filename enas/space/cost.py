"""What the network of a string costs: bytes and multiply-adds, without building it.

The steps are those that the walk over a fixed child's graph lists (enas/export/walk.py)
and that enas/network/simplify.py makes of them, in the same order: also the header of
the file is counted, which says how far before a step its inputs are. A layer here is
that of `FixedChild`, an operation that of `enas/common_ops.py`. tests/test_cost.py
compares the result with the file, for strings, tables and formats of all kinds.

This module must not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from enas.network.file import AROUND_HEADER, REAL_BYTES
from enas.network.formats import Format
from enas.network.header import line_of
from enas.network.steps import (
    FOLDED,
    FUSED,
    AveragePool,
    Dense,
    GlobalAverage,
    Image,
    MaxPool,
    Normalize,
    Value,
)
from enas.space.arc import Arc, unread_nodes
from enas.space.measures import (
    MEAN,
    SUM,
    Kernel,
    Measure,
    measure,
    pool,
    separable,
    with_norm,
)
from enas.space.operations import CLASSIC, Operation, Operations, Specs
from enas.space.schemes import SchemeSpec
from enas.space.step_list import Made, Pieces, Steps


class NetworkShape(NamedTuple):
    """The network that a training makes of a string, but for the string.

    Attributes:
      img_size: height = width of an image, pixels.
      classes: the names of the classes, which stand in the file.
      pool_layers: the numbers of the reduction layers.
      scheme, first_scheme: those of the network, and of its stem and layer 0.
      head_scheme: that of the classifier's weights.
      shortcut, op_shortcut, node_mean, fold_norms: as in `ChildConfig`.
    """

    img_size: int
    channels: int
    classes: tuple[str, ...]
    num_layers: int
    out_filters: int
    pool_layers: tuple[int, ...]
    scheme: SchemeSpec
    first_scheme: SchemeSpec
    operations: Operations = CLASSIC
    shortcut: bool = False
    op_shortcut: bool = False
    node_mean: bool = False
    head_scheme: SchemeSpec = SchemeSpec("float")
    fold_norms: bool = False

    @property
    def roundings(self) -> int:
        """Those of a batch norm; all that are not folded take as much room."""
        return FOLDED if self.fold_norms else FUSED


class Cost(NamedTuple):
    """What the network of a string costs.

    Attributes:
      weight_bytes: of all kernels and of the classifier, at their bits.
        Batch norms, thresholds and the header are not among them.
      file_bytes: of the packed file: weights, batch norms and thresholds, mean and
        standard deviation of the images, the header and what surrounds it.
      multiply_adds: those of one image in all convolutions and the classifier.
    """

    weight_bytes: int
    file_bytes: int
    multiply_adds: int


def about_network(arc: str, scheme: str, operations: Operations) -> dict[str, str]:
    """Returns what a network's file tells people of its training.

    The table of operations stands there unless it is the first one.

    Args:
      scheme: the value of `child_scheme`.
    """
    about = {"arc": arc, "scheme": scheme}
    return about if operations is CLASSIC else about | {"ops": operations.name}


def cost_of(arc: Arc, shape: NetworkShape) -> Cost:
    """Returns what the network of a string costs.

    A network whose sums need more bits than can be computed exactly has no file; it is
    counted as if it had one.
    """
    steps = Steps()
    _add_network(steps, arc, shape)
    about = about_network(str(arc), shape.scheme.name, shape.operations)
    total = steps.total()
    return Cost(
        -(-total.weight_bits // 8),
        AROUND_HEADER
        + len(line_of(about, shape.classes))
        + total.header
        + -(-total.bits // 8)
        + REAL_BYTES * total.reals,
        total.work,
    )


class _Layer(NamedTuple):
    """What the parts of a layer need to know.

    Attributes:
      format: that of the layer's scheme.
      filters: F of the layer.
    """

    steps: Steps
    shape: NetworkShape
    format: Format
    filters: int

    def conv_norm(
        self, x: Pieces, window: int, form: Format, added: tuple[Made, ...] = ()
    ) -> Pieces:
        """Activation, convolution (0: factorized reduction) and batch norm.

        Args:
          added: the image that is then added, of one piece; none if empty.
        """
        kernel = self._kernel(x, window, form, form)
        return self._convolved(kernel, self.steps.activated(x, form), added)

    def norm(self, x: Pieces, window: int, form: Format) -> Pieces:
        """The same without an activation."""
        kernel = self._kernel(x, window, form, None)
        return self._convolved(kernel, self.steps.whole(x), ())

    def _kernel(
        self, x: Pieces, window: int, form: Format, reads: Format | None
    ) -> Kernel:
        sizes = (x.size, x.channels, self.filters, window)
        return Kernel(reads, *sizes, form, self.shape.roundings)

    def _convolved(self, kernel: Kernel, read: Made, added: tuple[Made, ...]) -> Pieces:
        taken = with_norm(kernel, bool(added))
        ends_in_norm = None if added else kernel
        made = self.steps.add(taken, read, *added, kernel=ends_in_norm)
        size = kernel.size if kernel.window else -(-kernel.size // 2)
        return Pieces((made,), size, self.filters)

    def pool(self, kind, x: Pieces, window: int, stride: int) -> Pieces:
        """A step of that kind, AveragePool or MaxPool."""
        taken = pool(kind, window, stride)
        made = self.steps.add_once(taken, self.steps.whole(x))
        return Pieces((made,), -(-x.size // stride), x.channels)

    def combined(self, taken: Measure, x: Pieces, y: Pieces) -> Pieces:
        """Adds two images of as many pieces (SUM), or takes their mean (MEAN)."""
        once = self.steps.add_once
        made = tuple([once(taken, *ab) for ab in zip(x.pieces, y.pieces, strict=True)])
        return Pieces(made, x.size, x.channels)


class _Cell(NamedTuple):
    """A cell of a string.

    Attributes:
      blocks: the (index, op) of both sides.
      unread: the nodes that no block reads.
    """

    blocks: list[list[tuple[int, ...]]]
    unread: list[int]
    stride: int


def _cells(arc: Arc) -> tuple[_Cell, _Cell]:
    normal, reduction = (
        _Cell([block.edges() for block in cell], unread_nodes(cell), stride)
        for stride, cell in enumerate(arc, start=1)
    )
    return normal, reduction


def _add_network(steps: Steps, arc: Arc, shape: NetworkShape) -> None:
    """Adds all steps, from the image to the classifier."""
    first, form = shape.first_scheme.format, shape.scheme.format
    size, filters = shape.img_size, shape.out_filters
    normalized = _normalized(size, shape.channels)
    stem = Pieces((steps.add(normalized),), size, shape.channels)
    stem = _Layer(steps, shape, first, 3 * filters).norm(stem, 3, first)
    inputs, cells = (stem, stem), _cells(arc)
    for number in range(shape.num_layers + 2):
        reduces = number in shape.pool_layers
        filters *= 2 if reduces else 1
        layer = _Layer(steps, shape, form if number > 0 else first, filters)
        inputs = (inputs[1], _run_cell(layer, inputs, cells[reduces]))
    # Model._head takes the scheme of the layer with this number.
    head = steps.activated(inputs[1], form if shape.num_layers > 0 else first)
    sizes = inputs[1].channels, len(shape.classes)
    steps.add(_classifier(*sizes, shape.head_scheme.format), head)


@lru_cache(maxsize=256)
def _normalized(size: int, channels: int) -> Measure:
    image = Image((), size, size, channels)
    return measure([image, Normalize((0,))])


@lru_cache(maxsize=256)
def _classifier(channels: int, classes: int, form: Format) -> Measure:
    steps = [GlobalAverage((0,)), Dense((0,), classes, 1, form)]
    return measure(steps, Value((1, 1, channels)))


def _run_cell(layer: _Layer, inputs: tuple[Pieces, Pieces], cell: _Cell) -> Pieces:
    """Adds a layer, as FixedChild's _cell builds it; returns its output."""
    first, second = inputs
    form, filters = layer.format, layer.filters
    if first.size != second.size:
        first = layer.conv_norm(first, 0, form)
    elif first.channels != filters:
        first = layer.conv_norm(first, 1, form)
    if second.channels != filters:
        second = layer.conv_norm(second, 1, form)
    nodes = [first, layer.conv_norm(second, 1, form)]
    join = MEAN if layer.shape.node_mean else SUM
    for block in cell.blocks:
        x, y = [
            _operation(layer, nodes[index], op, cell.stride if index < 2 else 1)
            for index, op in block
        ]
        nodes.append(layer.combined(join, x, y))
    size = nodes[-1].size
    pieces: list[Made] = []
    for node in cell.unread:
        x = nodes[node]
        if x.size != size:
            x = layer.norm(x, 0, form)
        pieces += x.pieces
    output = Pieces(tuple(pieces), size, filters * len(cell.unread))
    return _with_shortcut(layer, output, second, cell.stride)


def _with_shortcut(layer: _Layer, output: Pieces, x: Pieces, stride: int) -> Pieces:
    if not layer.shape.shortcut:
        return output
    if stride > 1:
        x = layer.pool(MaxPool, x, stride, stride)
    tiled = x._replace(pieces=x.pieces * (output.channels // layer.filters))
    return layer.combined(SUM, output, tiled)


def _operation(layer: _Layer, x: Pieces, op: int, stride: int) -> Pieces:
    operation = layer.shape.operations.entries[op]
    form = _own_format(operation.own) if operation.own else layer.format
    return _OPERATIONS[operation.builder](layer, operation, x, form, stride)


_own_format = lru_cache(maxsize=256)(lambda own: own.format)


@lru_cache(maxsize=256)
def _window(weights: Callable[..., Specs]) -> int:
    """Returns K of the K×K kernels of an operation with these weights."""
    return weights(2, 1)[0].shape[0]


def _separable(
    layer: _Layer, operation: Operation, x: Pieces, form: Format, stride: int
) -> Pieces:
    added = x.pieces if layer.shape.op_shortcut and stride == 1 else ()
    taken = separable(
        *(x.size, layer.filters, _window(operation.weights), stride, form, bool(added)),
        layer.shape.roundings,
    )
    made = layer.steps.add(taken, layer.steps.activated(x, form), *added)
    return Pieces((made,), -(-x.size // stride), layer.filters)


def _conv(
    layer: _Layer, operation: Operation, x: Pieces, form: Format, stride: int
) -> Pieces:
    read = layer.pool(AveragePool, x, stride, stride) if stride > 1 else x
    added = x.pieces if layer.shape.op_shortcut and stride == 1 else ()
    return layer.conv_norm(read, _window(operation.weights), form, added)


def _identity(
    layer: _Layer, operation: Operation, x: Pieces, form: Format, stride: int
) -> Pieces:
    return x if stride == 1 else layer.norm(x, 0, form)


# For each builder of enas/common_ops.py, the function that adds its steps.
_OPERATIONS: dict[str, Callable[..., Pieces]] = {
    "separable_conv": _separable,
    "conv": _conv,
    "average_pool": lambda layer, operation, x, form, stride: layer.pool(
        AveragePool, x, 3, stride
    ),
    "max_pool": lambda layer, operation, x, form, stride: layer.pool(
        MaxPool, x, 3, stride
    ),
    "identity": _identity,
}
