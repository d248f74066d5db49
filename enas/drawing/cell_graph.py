"""Turns a cell into the graph to draw: what leads into what, and in which column."""

from typing import NamedTuple

from enas.space.arc import Cell, unread_nodes
from enas.space.operations import CLASSIC, Operations

REDUCTION = "factorized reduction"


class Entry(NamedTuple):
    """A link from a node into a block or the output.

    Attributes:
      op: the operation of the link. With None the node leads in as it is or, if
        strided, by a factorized reduction.
      strided: whether stride 2 halves height and width.
      name: that of the operation; empty if there is none.
    """

    node: int
    op: int | None = None
    strided: bool = False
    name: str = ""


class Graph(NamedTuple):
    """A cell of B blocks. Nodes 0 and 1 are its inputs, node B+2 is its output.

    Attributes:
      entries: the links into each block and into the output, by node.
      column: the column of each node; a block is right after the last node it reads.
      last: for each node that is read, the last column that reads it.
    """

    entries: dict[int, list[Entry]]
    column: dict[int, int]
    last: dict[int, int]

    @property
    def output(self) -> int:
        return max(self.column)

    def lanes(self, node: int, column: int) -> range:
        """Returns the columns between a node and a column that it leads to."""
        return range(self.column[node] + 1, column)


def cell_graph(cell: Cell, reduces: bool, operations: Operations = CLASSIC) -> Graph:
    """Makes the graph of a cell.

    Args:
      reduces: whether it is a reduction cell, where links from nodes 0 and 1 are
        strided.
      operations: the table that the cell is of.
    """
    entries: dict[int, list[Entry]] = {}
    column = {0: 0, 1: 0}
    for node, block in enumerate(cell, start=2):
        edges = block.edges()
        entries[node] = [
            Entry(index, op, reduces and index < 2, operations[op].name)
            for index, op, *_ in edges
        ]
        column[node] = 1 + max(column[index] for index, *_ in edges)
    output = len(cell) + 2
    for node in unread_nodes(cell):
        strided = reduces and node < 2
        name = REDUCTION if strided else ""
        entries.setdefault(output, []).append(Entry(node, None, strided, name))
    column[output] = 1 + max(column.values())
    last: dict[int, int] = {}
    for node, led_here in entries.items():
        for entry in led_here:
            last[entry.node] = max(last.get(entry.node, 0), column[node])
    return Graph(entries, column, last)
