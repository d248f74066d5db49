"""A cell as the graph that is drawn: what leads into what, in which column."""

from typing import NamedTuple

from enas.space.arc import Cell, unread_nodes
from enas.space.operations import OPERATIONS

REDUCTION = "factorized reduction"


class Entry(NamedTuple):
    """What leads from a node into a block or the output.

    op: None leads in as it is, or, if strided, by a factorized reduction.
    strided: whether stride 2 halves height and width.
    """

    node: int
    op: int | None = None
    strided: bool = False

    @property
    def name(self) -> str:
        """Of the operation; empty where there is none."""
        if self.op is not None:
            return OPERATIONS[self.op].name
        return REDUCTION if self.strided else ""


class Graph(NamedTuple):
    """A cell of B blocks. Nodes 0 and 1 are its inputs, node B+2 is its output.

    entries: of each block and of the output, by node.
    column: of each node; a block stands right after the last node that it reads.
    last: of each node that is read, the last column where that is so.
    """

    entries: dict[int, list[Entry]]
    column: dict[int, int]
    last: dict[int, int]

    @property
    def output(self) -> int:
        return max(self.column)

    def lanes(self, node: int, column: int) -> range:
        """The columns between a node and a column that it is led to."""
        return range(self.column[node] + 1, column)


def cell_graph(cell: Cell, reduces: bool) -> Graph:
    """The graph of a normal or a reduction cell; of the latter, what reads nodes 0 and
    1 is strided."""
    entries: dict[int, list[Entry]] = {}
    column = {0: 0, 1: 0}
    for node, block in enumerate(cell, start=2):
        edges = block.edges()
        entries[node] = [
            Entry(index, op, reduces and index < 2) for index, op, *_ in edges
        ]
        column[node] = 1 + max(column[index] for index, *_ in edges)
    output = len(cell) + 2
    entries[output] = [
        Entry(node, None, reduces and node < 2) for node in unread_nodes(cell)
    ]
    column[output] = 1 + max(column.values())
    last: dict[int, int] = {}
    for node, led_here in entries.items():
        for entry in led_here:
            last[entry.node] = max(last.get(entry.node, 0), column[node])
    return Graph(entries, column, last)
