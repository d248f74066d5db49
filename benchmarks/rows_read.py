"""Tells how large the gradients of the rows are that a string reads, in child steps.

    enas_env/bin/python -m benchmarks.rows_read [FLAG]

Workers that share a search send each other these rows (enas/base/exchange.py): a part
of their largest size in each step, and the rest if any worker needs it. This counts
how many uniform strings need it. FLAG is a flag of search_arc_mnist.py. The rows of an
output convolution that strings do not share (child_share_output_kernel=False) are not
counted.
"""

import sys

import numpy as np

from enas.base.exchange import SHARE
from enas.flags.parse import parse
from enas.flags.table import Settings
from enas.report.ranking import uniform_arcs
from enas.space.arc import Arc, Cell
from enas.space.banks import BankPlan, bank_plans, most_read
from enas.space.layer_plan import parse_pool_layers
from search_arc_mnist import CONSTANTS

STRINGS = 4000
WORKERS = (2, 8, 15)
BYTES = 4  # of a number


def read_by(cell: Cell, plans: list[BankPlan]) -> int:
    """Returns how many numbers the rows have that a cell reads of a layer's banks."""
    ops = [op for block in cell for _, op in block.edges()]
    return sum(plan.width * ops.count(op) for plan in plans for op in plan.ops)


def sizes(settings: Settings, arcs: list[Arc]) -> tuple[np.ndarray, int]:
    """Returns how many numbers the rows of each string have, and how many at most."""
    layers, filters = settings.child_num_layers, settings.child_out_filters
    pools = parse_pool_layers(settings.child_pool_layers, layers)
    counts, most = np.zeros(len(arcs)), 0
    for layer in range(layers + 2):
        filters *= 2 if layer in pools else 1
        plans = bank_plans(settings.operations, filters)
        most += most_read(plans, settings.child_num_cells)
        counts += [read_by(arc[layer in pools], plans) for arc in arcs]
    return counts, most


def main() -> None:
    settings = parse(["rows_read", "--seed=1", *sys.argv[1:]], CONSTANTS)
    counts, most = sizes(settings, uniform_arcs(settings, STRINGS))
    needs = np.mean(counts > SHARE * most)
    print(f"the rows of a string are at most {most * BYTES / 1e6:.1f} MB")
    print(f"{STRINGS} uniform strings need {np.mean(counts) / most:.2f} of that")
    print(f"more than {SHARE} of it: {needs:.3f} of the strings")
    for count in WORKERS:
        steps = 1.0 - (1.0 - needs) ** count
        print(f"  and {steps:.3f} of the steps of {count} workers")


if __name__ == "__main__":
    main()
