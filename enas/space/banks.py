"""Which banks a search child's layer has, and what a row of each holds.

An edge of a cell has a row of its own for each node that it may read. An operation with
weights has a bank, in which the row of an edge holds its tensors side by side.
A family of operations, which differ only in the scheme that they bring, shares its
latent kernels: these stand in a bank that all of them read, each at its own width. A
second bank holds the batch norms, in rows of its own for each operation.

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
      copies: 1 if all operations read the same row; else there is a row for each, and
        those of an operation stand together.
    """

    name: str
    ops: tuple[int, ...]
    specs: Specs
    copies: int = 1

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return sum(math.prod(spec.shape) for spec in self.specs)


def bank_plans(
    operations: Operations, filters: int, start: float = 1.0
) -> list[BankPlan]:
    """Returns the banks of a layer with F filters.

    Args:
      start: initial scale of each operation's last batch norm.
    """
    plans: list[BankPlan] = []
    for family in operations.families():
        first, specs = family[0], operations[family[0]].weights(filters, 1, start)
        if len(family) > 1:
            kernels = tuple(spec for spec in specs if spec.is_kernel)
            norms = tuple(spec for spec in specs if not spec.is_kernel)
            plans.append(BankPlan(f"kernels_{first}", family, kernels))
            plans.append(BankPlan(f"norms_{first}", family, norms, len(family)))
        elif specs:
            plans.append(BankPlan(f"op_{first}", family, specs))
    return plans


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
