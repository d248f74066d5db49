"""The arc string: what an architecture is, read and written without TensorFlow.

An architecture is 2·4·B integers, the normal cell and then the reduction cell, B blocks
each. Block b (0 <= b < B) makes node b+2 and is `index_x op_x index_y op_y`: the sum of
operation op_x on node index_x and operation op_y on node index_y. Nodes 0 and 1 are the
outputs of the two previous layers, so an index of block b lies in [0, b+1]. The
operations are numbered as in `enas/operations.py`.
"""

import random
from collections.abc import Iterable
from typing import NamedTuple

from enas.operations import OPERATIONS


class Block(NamedTuple):
    """Node = op_x(node index_x) + op_y(node index_y)."""

    index_x: int
    op_x: int
    index_y: int
    op_y: int


Cell = tuple[Block, ...]


class Arc(NamedTuple):
    """A normal and a reduction cell of equally many blocks."""

    normal: Cell
    reduction: Cell

    def __str__(self) -> str:
        return " ".join(str(number) for number in numbers_of(self))


def words_of(text: str) -> list[str]:
    """The words of an arc string, without the square brackets of a log's lines."""
    return text.replace("[", " ").replace("]", " ").split()


def parse_arc(text: str, num_cells: int) -> Arc:
    """Reads an arc string.

    Args:
      text: 8·num_cells integers between white space; the square brackets of a log's
        lines may stand among them.
      num_cells: B, blocks a cell.

    Raises:
      ValueError: naming the first thing that is wrong and what was allowed.
    """
    words = words_of(text)
    for position, word in enumerate(words, start=1):
        if not (word.isascii() and word.isdigit() and len(word) < 10):
            raise ValueError(
                f"number {position} of the arc is {word!r}, no integer >= 0"
            )
    expected = 8 * num_cells
    if len(words) != expected:
        hint = ""
        if words and len(words) % 8 == 0:
            hint = f"; so many are an arc of child_num_cells={len(words) // 8}"
        raise ValueError(
            f"the arc has {len(words)} numbers; child_num_cells={num_cells} needs "
            f"{expected} (2 cells of {num_cells} blocks of 4){hint}"
        )
    return arc_from_numbers([int(word) for word in words])


def arc_from_numbers(numbers: Iterable[int]) -> Arc:
    """The arc of 8·B integers, normal cell first.

    Raises:
      ValueError: an index or an operation is out of range.
    """
    numbers = [int(number) for number in numbers]
    half = len(numbers) // 2
    return Arc(
        _cell("normal", numbers[:half], 1), _cell("reduction", numbers[half:], half + 1)
    )


def _cell(name: str, numbers: list[int], first_position: int) -> Cell:
    blocks = []
    for start in range(0, len(numbers), 4):
        block = Block(*numbers[start : start + 4])
        number = len(blocks)
        limits = (number + 1, len(OPERATIONS) - 1) * 2
        for offset, (field, value, limit) in enumerate(
            zip(Block._fields, block, limits, strict=True)
        ):
            if not 0 <= value <= limit:
                raise ValueError(
                    f"number {first_position + start + offset} of the arc, {field} of "
                    f"block {number} of the {name} cell, is {value}; "
                    f"allowed is 0 to {limit}"
                )
        blocks.append(block)
    return tuple(blocks)


def numbers_of(arc: Arc) -> list[int]:
    """The 8·B integers of an arc, normal cell first."""
    return [number for cell in arc for block in cell for number in block]


def format_cell(numbers: Iterable[int]) -> str:
    """One cell's numbers as a line of the log shows them: `[0 2 1 4]`."""
    return "[" + " ".join(str(int(number)) for number in numbers) + "]"


def unread_nodes(cell: Cell) -> list[int]:
    """The nodes, inputs 0 and 1 included, that no block reads, ascending."""
    read = {index for block in cell for index in (block.index_x, block.index_y)}
    return [node for node in range(len(cell) + 2) if node not in read]


def random_arc(num_cells: int, rng: random.Random) -> Arc:
    """An arc whose every number is drawn uniformly from its range."""
    return arc_from_numbers(
        rng.randrange(limit)
        for _ in Arc._fields
        for block in range(num_cells)
        for limit in (block + 2, len(OPERATIONS)) * 2
    )
