"""Draws the whole network of an arc: the layers of the fixed child, with shapes.

The picture reads downwards. A layer reads the one before it, which a straight line
shows, and the one before that, which a line around it shows. H×W×C are the height,
width and channels of an output.
"""

from itertools import pairwise
from typing import NamedTuple

from enas.drawing.picture import (
    INK,
    NOTE_SIZE,
    Box,
    Edge,
    Picture,
    curve,
    label,
    text_width,
)
from enas.space.arc import Arc, unread_nodes

SIZE = 9.0  # type size, points
FILLS = {
    "image": "white",
    "layer": "#cfe2f7",
    "reduction": "#f9d3bd",
    "head": "#e6e6e6",
    "aux": "#faecae",
}
# Inches
PADDING = 0.24  # around a box's text, both sides together
HEIGHT = 0.4  # height of a box
GAP = 0.25  # between two boxes
SKIP = 0.45  # how far a line around a layer stands out
APART = 0.08  # between lines that meet the same side of a box
ASIDE = 0.75  # from the layers to the aux head
EVEN, ODD = "#37474f", "#a0522d"  # colours of the lines from even and odd layers

Row = tuple[str, str, str]  # of a box: its text, second line, and key of FILLS
AUX_ROWS: list[Row] = [
    ("aux head", "in training only", "aux"),
    ("average pool 5×5", "stride 3, then to 2×2", "aux"),
    ("conv 1×1", "128 filters", "aux"),
    ("conv over the whole area", "768 filters", "aux"),
    ("global average pool", "768", "aux"),
    ("classifier", "dense to the classes", "aux"),
]


class Layer(NamedTuple):
    """A layer of the fixed child and its output.

    Attributes:
      size: height = width, pixels.
      filters: F of the layer.
      channels: F times the number of unread nodes.
    """

    number: int
    reduces: bool
    size: int
    filters: int
    channels: int


class Network(NamedTuple):
    """The network to draw.

    Attributes:
      img_size: height = width of the images, pixels.
      channel: channels of the images.
      filters: filters of the first layer.
      aux_layer: the layer whose output the aux head reads, or None.
    """

    img_size: int
    channel: int
    filters: int
    layers: list[Layer]
    aux_layer: int | None


def layers_of(
    arc: Arc, num_layers: int, pool_layers: tuple[int, ...], img_size: int, filters: int
) -> list[Layer]:
    """Returns the num_layers + 2 layers of the fixed child.

    Args:
      pool_layers: the numbers of the reduction layers.
      img_size: height = width of the images, pixels.
      filters: filters of the first layer; each reduction doubles them.
    """
    layers, size = [], img_size
    for number in range(num_layers + 2):
        reduces = number in pool_layers
        if reduces:
            size, filters = -(-size // 2), 2 * filters
        cell = arc.reduction if reduces else arc.normal
        channels = filters * len(unread_nodes(cell))
        layers.append(Layer(number, reduces, size, filters, channels))
    return layers


def network_picture(network: Network) -> Picture:
    """Draws the network, with the title above it and the aux head beside it."""
    title = label(0.0, 0.0, "Network", 12.0, bold=True)
    boxes = _column(_rows(network), SKIP, title.bottom + 0.1)
    layers = dict(enumerate(boxes[1:-2], start=-1))
    edges = _chain(boxes[:2]) + _chain(boxes[-3:])
    edges += _layer_edges(layers, network.aux_layer)
    right = boxes[0].right + SKIP
    if network.aux_layer is not None:
        read = layers[network.aux_layer]
        aux = _column(AUX_ROWS, boxes[0].right + ASIDE, read.top)
        across = curve((read.right, read.middle), (aux[0].left, read.middle))
        edges += [Edge(across, dashed=True), *_chain(aux)]
        boxes += aux
        right = aux[0].right
    bottom = max(box.bottom for box in boxes)
    return Picture(right, bottom, [title, *boxes], edges)


def _rows(network: Network) -> list[Row]:
    """Returns the rows of the image, the stem, the layers and the head."""
    size = network.img_size
    rows = [
        ("image", _shape(size, network.channel), "image"),
        ("stem: conv 3×3", _shape(size, 3 * network.filters), "head"),
    ]
    for layer in network.layers:
        kind = "reduction" if layer.reduces else "normal"
        nodes = layer.channels // layer.filters
        made = f"{nodes} unread node{'s' * (nodes > 1)} × {layer.filters} filters"
        note = f"{_shape(layer.size, layer.channels)}   ({made})"
        fill = "reduction" if layer.reduces else "layer"
        rows.append((f"layer {layer.number}: {kind} cell", note, fill))
    channels = network.layers[-1].channels
    return [
        *rows,
        ("global average pool", f"{channels}", "head"),
        ("classifier", "dense to the classes", "head"),
    ]


def _shape(size: int, channels: int) -> str:
    return f"{size}×{size}×{channels}"


def _width(rows: list[Row]) -> float:
    widths = [
        max(text_width(text, SIZE, bold=True), text_width(note, SIZE * NOTE_SIZE))
        for text, note, _ in rows
    ]
    return max(widths) + PADDING


def _column(rows: list[Row], left: float, top: float) -> list[Box]:
    """Makes boxes of the same width, one below the other."""
    width = _width(rows)
    return [
        Box(
            *(left, top + number * (HEIGHT + GAP), width, HEIGHT, text, note),
            fill=FILLS[kind],
            bold=True,
        )
        for number, (text, note, kind) in enumerate(rows)
    ]


def _chain(boxes: list[Box]) -> list[Edge]:
    return [_down(a, b) for a, b in pairwise(boxes)]


def _down(upper: Box, lower: Box, aside: float = 0.0, colour: str = INK) -> Edge:
    x, top, bottom = upper.centre + aside, upper.bottom, lower.top
    third = (bottom - top) / 3
    points = ((x, top), (x, top + third), (x, bottom - third), (x, bottom))
    return Edge(points, colour)


def _layer_edges(layers: dict[int, Box], aux_layer: int | None) -> list[Edge]:
    """Draws what each layer reads; -1 is the stem, which layer 0 reads twice."""
    edges = [_down(layers[-1], layers[0], side * APART, ODD) for side in (-1, 1)]
    for number in range(1, len(layers) - 1):
        even = number % 2 == 0
        edges.append(
            _down(layers[number - 1], layers[number], colour=ODD if even else EVEN)
        )
        # Lines from and to the aux head's layer are on its side, as is every other one.
        to_right = (number - (aux_layer or 0)) % 2 == 0
        colour = EVEN if even else ODD
        edges.append(_around(layers[number - 2], layers[number], to_right, colour))
    return edges


def _around(upper: Box, lower: Box, to_right: bool, colour: str) -> Edge:
    """Draws a line from one side of a box to the same side of another."""
    x = upper.right if to_right else upper.left
    out = x + SKIP * (4 / 3 if to_right else -4 / 3)  # a curve goes 3/4 of the way
    y0, y1 = upper.middle + APART, lower.middle - APART
    return Edge(((x, y0), (out, y0), (out, y1), (x, y1)), colour)
