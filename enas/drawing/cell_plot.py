"""Draws an arc's two cells as layered graphs that read from left to right.

The inputs, nodes 0 and 1, are in the first column. A block is in the column after the
last node that it reads, with its two operations before the "+" that makes its node. The
nodes that no block reads lead to the output in the last column. If a node is read
further on, its line crosses the columns between in a lane of its own, so that no line
runs through a box. A line has the colour of the node that it leaves, and a box has that
of its operation.
"""

from itertools import chain
from typing import Any

from enas.drawing.cell_graph import REDUCTION, Entry, Graph, cell_graph
from enas.drawing.layering import place
from enas.drawing.picture import (
    NOTE_SIZE,
    Box,
    Edge,
    Picture,
    curve,
    label,
    stack,
    text_width,
)
from enas.space.arc import Arc, Cell, format_cell
from enas.space.operations import CLASSIC, Operations

INPUTS = ("layer before last", "last layer")
STRIDED = "stride 2"
OPERATION_COLOURS = (
    "#cfe2f7",
    "#f9d3bd",
    "#d2edcf",
    "#faecae",
    "#e6e6e6",
    "#e3d3f4",
    "#c8eeed",
    "#f7cede",
    "#dcd3c4",
    "#dfe8a6",
)
NODE_COLOURS = (
    "#37474f",
    "#a0522d",
    "#1b7a4b",
    "#7b2d91",
    "#c0263a",
    "#1464ad",
    "#8d7400",
    "#c41c80",
    "#00838f",
)
SIZE = 9.0  # type size, points
TITLE_SIZE = 12.0
# Inches
PLAIN, NOTED = 0.27, 0.4  # height of a box with one line and with two
BETWEEN = 0.09  # between the boxes of a block
PLUS, CIRCLE = 0.19, 0.28  # sizes of a "+" and of a node's circle
JOIN = 0.2  # from a block's operations to its "+"; half of it on to its circle
PADDING = 0.16  # around a box's text, both sides together
LANE = 0.06  # height of a lane
CHANNEL = 0.4  # the least distance between columns
STEEP = 0.15  # added to it for each inch that the steepest line climbs
CELL_GAP = 0.35  # between the two cells

Vertex = tuple[int, int]  # a node and a column: its own, or one that it passes
Middles = dict[Vertex, float]  # y of the middle of each vertex
Spans = list[tuple[float, float]]  # left and right of each column


def cells_picture(arc: Arc, operations: Operations = CLASSIC) -> Picture:
    """Draws the normal cell and, below it, the reduction cell.

    Args:
      operations: the table that the string is of.
    """
    return stack(
        [
            cell_picture("Normal cell", arc.normal, False, operations),
            cell_picture("Reduction cell", arc.reduction, True, operations),
        ],
        CELL_GAP,
    )


def operation_colour(op: int | None) -> str:
    """Returns the colour of an operation; a table may have more of them than colours.

    Args:
      op: None for a factorized reduction.
    """
    return "white" if op is None else OPERATION_COLOURS[op % len(OPERATION_COLOURS)]


def node_colour(node: int) -> str:
    return NODE_COLOURS[node % len(NODE_COLOURS)]


def cell_picture(
    title: str, cell: Cell, reduces: bool, operations: Operations = CLASSIC
) -> Picture:
    """Draws one cell below its title and its numbers.

    Args:
      reduces: whether operations on nodes 0 and 1 have stride 2; their boxes say so.
      operations: the table that the cell is of.
    """
    graph, width = cell_graph(cell, reduces, operations), _operation_width(operations)
    name = label(0.0, 0.0, title, TITLE_SIZE, bold=True)
    numbers = label(0.0, name.bottom, format_cell(chain.from_iterable(cell)), SIZE)
    middles = _middles(graph, numbers.bottom + 0.1)
    spans = _spans(graph, middles, width)
    boxes, edges = [name, numbers], []
    for node in graph.column:
        unit_boxes, unit_edges = _unit(graph, node, spans, middles, width)
        boxes += unit_boxes
        edges += unit_edges
    height = max(*(box.bottom for box in boxes), *middles.values())
    return Picture(max(box.right for box in boxes), height, boxes, edges)


def _middles(graph: Graph, top: float) -> Middles:
    columns: list[list[Vertex]] = [[] for _ in range(max(graph.column.values()) + 1)]
    heights: dict[Vertex, float] = {}
    links: list[tuple[Vertex, Vertex]] = []
    for node, column in graph.column.items():
        columns[column].append((node, column))
        heights[node, column] = _height(graph, node)
        for entry in graph.entries.get(node, ()):
            links.append(((entry.node, column - 1), (node, column)))
        for passed in graph.lanes(node, graph.last.get(node, column)):
            columns[passed].append((node, passed))
            heights[node, passed] = LANE
            links.append(((node, passed - 1), (node, passed)))
    middles = place(columns, heights, links)
    if middles[0, 0] > middles[1, 0]:
        # The mirrored graph is as good, and puts node 0 above node 1 in both cells.
        bottom = max(y + heights[key] / 2 for key, y in middles.items())
        middles = {key: bottom - y for key, y in middles.items()}
    return {key: top + y for key, y in middles.items()}


def _entry_heights(entries: list[Entry]) -> list[float]:
    return [NOTED if e.strided else PLAIN if e.name else LANE for e in entries]


def _height(graph: Graph, node: int) -> float:
    heights = _entry_heights(graph.entries.get(node, []))
    margin = BETWEEN if node == graph.output else -BETWEEN / 2
    return max(NOTED, sum(heights) + BETWEEN * len(heights) + 2 * margin)


def _spans(graph: Graph, middles: Middles, width: float) -> Spans:
    """Places inputs, blocks and output; between them, steep lines need more room.

    Args:
      width: that of an operation's box.
    """
    inputs = max(text_width(text, SIZE * NOTE_SIZE) for text in INPUTS) + PADDING
    block = width + 1.5 * JOIN + PLUS + CIRCLE
    output = _output_width(graph)
    if any(entry.name for entry in graph.entries[graph.output]):
        output += width + CHANNEL
    spans = [(0.0, inputs)]
    for column in range(1, graph.column[graph.output] + 1):
        climbs = [
            abs(middles[entry.node, column - 1] - middles[node, column])
            for node, entries in graph.entries.items()
            for entry in entries
            if graph.column[node] == column
        ]
        left = spans[-1][1] + CHANNEL + STEEP * max(climbs)
        is_output = column == graph.column[graph.output]
        spans.append((left, left + (output if is_output else block)))
    return spans


def _operation_width(operations: Operations) -> float:
    names = [operation.name for operation in operations] + [REDUCTION]
    return max(text_width(name, SIZE) for name in names) + PADDING


def _output_text(graph: Graph) -> tuple[str, str]:
    nodes = [str(entry.node) for entry in graph.entries[graph.output]]
    note = (
        f"concat of nodes {', '.join(nodes)}" if len(nodes) > 1 else f"node {nodes[0]}"
    )
    return "output", note


def _output_width(graph: Graph) -> float:
    text, note = _output_text(graph)
    widths = text_width(text, SIZE, bold=True), text_width(note, SIZE * NOTE_SIZE)
    return max(widths) + PADDING


def _node_boxes(
    graph: Graph, node: int, span: tuple[float, float], middle: float
) -> list[Box]:
    """Makes the box of a node; a block's "+" comes before it in the list."""
    left, right = span
    height = _height(graph, node)
    top = middle - height / 2
    colour = node_colour(node)
    colours: dict[str, Any] = {"fill": colour, "frame": colour, "ink": "white"}
    if node in (0, 1):
        text = f"node {node}", INPUTS[node]
        return [Box(left, top, right - left, height, *text, bold=True, **colours)]
    if node == graph.output:
        left = right - _output_width(graph)
        text = _output_text(graph)
        return [Box(left, top, right - left, height, *text, "#fafafa", bold=True)]
    left = right - CIRCLE
    number = Box(left, middle - CIRCLE / 2, CIRCLE, CIRCLE, str(node), **colours)
    left -= JOIN / 2 + PLUS
    plus = Box(left, middle - PLUS / 2, PLUS, PLUS, "+", fill="white", circle=True)
    return [plus, number._replace(circle=True, bold=True)]


def _unit(
    graph: Graph, node: int, spans: Spans, middles: Middles, width: float
) -> tuple[list[Box], list[Edge]]:
    """Makes the boxes of a node and of what leads into it, and the lines between.

    Args:
      width: that of an operation's box.
    """
    column = graph.column[node]
    middle, left = middles[node, column], spans[column][0]
    boxes = _node_boxes(graph, node, spans[column], middle)
    first, *rest = boxes
    edges = []
    for number in rest:
        across = curve((first.right, middle), (number.left, middle))
        edges.append(Edge(across, arrow=False, group=node))
    # Put the entry whose line comes from above on top.
    entries = sorted(
        graph.entries.get(node, ()), key=lambda entry: middles[entry.node, column - 1]
    )
    heights = _entry_heights(entries)
    boxed = any(entry.name for entry in entries)
    top = middle - (sum(heights) + BETWEEN * (len(heights) - 1)) / 2
    for entry, height in zip(entries, heights, strict=True):
        port = (left, top + height / 2)
        end = (first.left, port[1] if node == graph.output else middle)
        path = _path(graph, entry.node, column, spans, middles)
        line = Edge((), node_colour(entry.node), group=entry.node)
        if entry.name:
            box = _operation_box(entry, left, top, width, height)
            boxes.append(box)
            edges.append(line._replace(points=curve(*path, port)))
            join = curve((box.right, port[1]), end)
            edges.append(Edge(join, arrow=node == graph.output, group=node))
        else:
            path += [port, end] if boxed else [end]  # past the others' boxes
            edges.append(line._replace(points=curve(*path)))
        top += height + BETWEEN
    return boxes, edges


def _operation_box(
    entry: Entry, left: float, top: float, width: float, height: float
) -> Box:
    note = STRIDED if entry.strided else ""
    fill = operation_colour(entry.op)
    return Box(left, top, width, height, entry.name, note, fill)


def _path(
    graph: Graph, node: int, column: int, spans: Spans, middles: Middles
) -> list[tuple[float, float]]:
    """Returns the path from a node, along its lanes, to the column before `column`."""
    start = graph.column[node]
    path = [(spans[start][1], middles[node, start])]
    for passed in graph.lanes(node, column):
        path += [(x, middles[node, passed]) for x in spans[passed]]
    return path
