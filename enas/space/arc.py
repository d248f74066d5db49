"""The arc string: what an architecture is, and how it is read and written.

An architecture is 2·4·B integers: the normal cell and then the reduction cell, with B
blocks each. Block b (0 <= b < B) makes node b+2. It is `index_x op_x index_y op_y`: the
sum (with `child_node_mean` the mean) of operation op_x on node index_x and operation
op_y on node index_y. Nodes 0 and 1 are the outputs of the two previous layers, so an
index of block b lies in [0, b+1]. The operations are numbered as in their table, one of
`enas/space/operations.py`. A string does not tell which table it is of.

The numbers of a block are the fields of `Block`: one for each kind of choice in CHOICES
on each of the two SIDES. To let an edge choose one more thing, add its kind to CHOICES
and its two fields to `Block`. The controller then needs an embedding for it.

This module must not import TensorFlow.
"""

import math
import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

from enas.space.operations import CLASSIC, Operations


class Block(NamedTuple):
    """Node = op_x(node index_x) + op_y(node index_y), or half of that."""

    index_x: int
    op_x: int
    index_y: int
    op_y: int

    def edges(self) -> list[tuple[int, ...]]:
        """The choices of each side, (index, op) for x and then for y."""
        width = len(CHOICES)
        return [self[start : start + width] for start in range(0, len(self), width)]


SIDES = ("x", "y")
# The kinds of choice, in the order of a side, and how many options each has in a block
# with a table of operations.
CHOICES: dict[str, Callable[[int, Operations], int]] = {
    "index": lambda block, operations: readable(block),
    "op": lambda block, operations: len(operations),
}
Cell = tuple[Block, ...]


class Arc(NamedTuple):
    """A normal cell and a reduction cell with the same number of blocks."""

    normal: Cell
    reduction: Cell

    def __str__(self) -> str:
        return " ".join(str(number) for number in numbers_of(self))


NUMBERS = len(Block._fields)  # in a block
CELLS = len(Arc._fields)


def readable(block: int) -> int:
    """How many nodes a block can read: the two inputs and those of earlier blocks."""
    return block + 2


def options_of(block: int, operations: Operations = CLASSIC) -> list[int]:
    """How many options each number of a block has, in the string's order."""
    return [count(block, operations) for _ in SIDES for count in CHOICES.values()]


def words_of(text: str) -> list[str]:
    """Splits an arc string into words, without the square brackets that a log has."""
    return text.replace("[", " ").replace("]", " ").split()


def parse_arc(text: str, num_cells: int, operations: Operations = CLASSIC) -> Arc:
    """Reads an arc string.

    Args:
      text: 8·num_cells integers, separated by white space. They may include the square
        brackets that a log has.
      num_cells: B, the number of blocks in a cell.
      operations: the table that the string is of.

    Raises:
      ValueError: the text is not such an arc. The message names the first error and
        what is allowed.
    """
    words = words_of(text)
    for position, word in enumerate(words, start=1):
        if not (word.isascii() and word.isdigit() and len(word) < 10):
            raise ValueError(
                f"number {position} of the arc is {word!r}, no integer >= 0"
            )
    expected = CELLS * NUMBERS * num_cells
    if len(words) != expected:
        hint, blocks = "", len(words) / (CELLS * NUMBERS)
        if words and blocks.is_integer():
            hint = f"; so many are an arc of child_num_cells={int(blocks)}"
        raise ValueError(
            f"the arc has {len(words)} numbers; child_num_cells={num_cells} needs "
            f"{expected} ({CELLS} cells of {num_cells} blocks of {NUMBERS}){hint}"
        )
    return arc_from_numbers(words, operations)


def arc_from_numbers(numbers: Iterable, operations: Operations = CLASSIC) -> Arc:
    """Makes an arc from 8·B integers, normal cell first.

    Raises:
      ValueError: an index or an operation is out of range.
    """
    whole = [int(number) for number in numbers]
    half = len(whole) // CELLS
    return Arc(
        _cell("normal", whole[:half], 1, operations),
        _cell("reduction", whole[half:], half + 1, operations),
    )


def _cell(
    name: str, numbers: list[int], first_position: int, operations: Operations
) -> Cell:
    blocks: list[Block] = []
    for start in range(0, len(numbers), NUMBERS):
        block = Block(*numbers[start : start + NUMBERS])
        number = len(blocks)
        for offset, (field, value, options) in enumerate(
            zip(Block._fields, block, options_of(number, operations), strict=True)
        ):
            if not 0 <= value < options:
                is_op = field.startswith("op")
                table = f" with child_ops={operations.name}" if is_op else ""
                raise ValueError(
                    f"number {first_position + start + offset} of the arc, {field} of "
                    f"block {number} of the {name} cell, is {value}; "
                    f"allowed is 0 to {options - 1}{table}"
                )
        blocks.append(block)
    return tuple(blocks)


def numbers_of(arc: Arc) -> list[int]:
    """The 8·B integers of an arc, normal cell first."""
    return [number for cell in arc for block in cell for number in block]


def format_cell(numbers: Iterable) -> str:
    """Formats one cell's numbers as the log shows them: `[0 2 1 4]`."""
    return "[" + " ".join(str(int(number)) for number in numbers) + "]"


def unread_nodes(cell: Cell) -> list[int]:
    """The nodes that no block reads, ascending; inputs 0 and 1 may be among them."""
    read = {index for block in cell for index, *_ in block.edges()}
    return [node for node in range(len(cell) + 2) if node not in read]


def leanest_arc(num_cells: int, operations: Operations = CLASSIC) -> Arc:
    """Returns a string whose network is about as small as any.

    All its operations are the one with the fewest weights, and the blocks of a cell
    stand in a row, so that a cell has one node to put out.
    """
    sizes = [
        sum(math.prod(spec.shape) for spec in one.weights(2, 2)) for one in operations
    ]
    op = sizes.index(min(sizes))
    nodes = [(0, 1), *((block + 1, block + 1) for block in range(1, num_cells))]
    cell = tuple(Block(x, op, y, op) for x, y in nodes)
    return Arc(cell, cell)


def random_arc(
    num_cells: int, rng: random.Random, operations: Operations = CLASSIC
) -> Arc:
    """Draws every number of an arc uniformly from its range."""
    numbers = (
        rng.randrange(options)
        for _ in range(CELLS)
        for block in range(num_cells)
        for options in options_of(block, operations)
    )
    return arc_from_numbers(numbers, operations)
