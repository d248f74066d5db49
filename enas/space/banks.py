"""Which banks a search child's layer has, and what a row of each holds.

An edge of a cell has a row of its own for each node that it may read. An operation with
weights has a bank, in which the row of an edge holds its tensors side by side.
Operations that differ only in the scheme that they bring can share their latent
kernels: these then stand in a bank that all of them read, each at its own width, and
every operation keeps a bank of its batch norms.

This module must not import TensorFlow.
"""

import math
from typing import NamedTuple

from enas.space.arc import SIDES, readable
from enas.space.operations import Operations, Specs


class BankPlan(NamedTuple):
    """A bank.

    Attributes:
      name: that of its variable.
      ops: the numbers of the operations that read it.
      specs: the tensors in a row.
    """

    name: str
    ops: tuple[int, ...]
    specs: Specs

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return sum(math.prod(spec.shape) for spec in self.specs)


def bank_plans(
    operations: Operations, filters: int, start: float = 1.0, share: bool = False
) -> list[BankPlan]:
    """Returns the banks of a layer with F filters.

    Args:
      start: initial scale of each operation's last batch norm.
      share: whether operations that differ only in their scheme share their kernels.
    """
    own: list[BankPlan] = []
    sharing: dict[tuple[str, Specs], list[int]] = {}
    for number, operation in enumerate(operations):
        specs = operation.weights(filters, 1, start)
        if share and operation.own:
            kernels = tuple(spec for spec in specs if spec.is_kernel)
            sharing.setdefault((operation.builder, kernels), []).append(number)
            specs = tuple(spec for spec in specs if not spec.is_kernel)
        if specs:
            own.append(BankPlan(f"op_{number}", (number,), specs))
    shared = [
        BankPlan(f"kernels_{numbers[0]}", tuple(numbers), kernels)
        for (_, kernels), numbers in sharing.items()
    ]
    return shared + own


def most_read(plans: list[BankPlan], num_cells: int) -> int:
    """Returns how many numbers the rows have at most that a cell reads of its banks."""
    of_op: dict[int, int] = {}
    for plan in plans:
        for op in plan.ops:
            of_op[op] = of_op.get(op, 0) + plan.width
    return len(SIDES) * num_cells * max(of_op.values(), default=0)


def bank_rows(num_cells: int) -> int:
    """The number of rows in a bank: one for each edge and node that it may read."""
    return sum(len(SIDES) * readable(block) for block in range(num_cells))


def row_offsets(num_cells: int) -> list[int]:
    """For each edge, the bank row that it uses if it reads node 0.

    Block b has b+2 rows for x, then b+2 rows for y.
    """
    nodes = [readable(block) for block in range(num_cells) for _ in SIDES]
    return [sum(nodes[:edge]) for edge in range(len(nodes))]
