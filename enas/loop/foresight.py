"""Estimates the memory that a run needs, from its flags alone.

TensorFlow is not imported here, so that a run that cannot fit is refused at once.
"""

import math

from enas.base import memory
from enas.flags.table import Settings
from enas.space.arc import Arc, Cell
from enas.space.banks import bank_plans, bank_rows
from enas.space.layer_plan import parse_pool_layers
from enas.space.operations import Operations, Specs

NUMBER = 4  # bytes of a float32
COPIES = 3  # of each weight: itself, and two numbers of the optimizer or the gradient


def check_memory(settings: Settings) -> None:
    """Checks that a training step would fit into the memory that is free.

    Raises:
      InputError: it would not.
    """
    memory.check(
        least_memory(settings),
        "training steps",
        f"lower batch_size ({settings.batch_size}), child_out_filters "
        f"({settings.child_out_filters}), child_num_layers "
        f"({settings.child_num_layers}) or child_num_cells "
        f"({settings.child_num_cells})",
    )


def least_memory(settings: Settings) -> int:
    """Returns the least memory that a training step needs, in bytes.

    It holds the weights of the operations, two more numbers for each of them, and what
    is kept of each image for the gradient. All of these are low estimates.
    """
    arc = None
    if "fixed_arc" in settings.names:
        arc = settings.parse_arc(settings.fixed_arc)
    pools = parse_pool_layers(settings.child_pool_layers, settings.child_num_layers)
    size, filters = settings.img_size, settings.child_out_filters
    images = 4 * 3 * filters * size**2  # of the stem
    weights = 3 * filters
    for layer in range(settings.child_num_layers + 2):
        if layer in pools:
            size, filters = size // 2, 2 * filters
        kept = _kept_images(settings, arc, layer in pools)
        images += (3 + kept) * size**2 * filters
        weights += _weights(settings, arc, layer in pools, filters)
    return NUMBER * (settings.batch_size * images + COPIES * weights)


def _kept_images(settings: Settings, arc: Arc | None, reduces: bool) -> int:
    """How many [H, W, F] tensors a layer's blocks keep for each image's gradient.

    A fixed child keeps five of the eight that each separable convolution computes, and
    two of the three of a plain one. For a search it is two thirds of what was measured
    for commonly sampled strings, and with plain convolutions fewer.
    """
    if arc is None:
        most = max(_kept_by(op.weights(2, 1)) for op in settings.operations)
        return 6 * settings.child_num_cells * most // 5
    return sum(map(_kept_by, _specs(settings.operations, _cell(arc, reduces), 2)))


def _kept_by(specs: Specs) -> int:
    """How many [H, W, F] tensors an operation with these weights keeps."""
    kernels = sum(spec.is_kernel for spec in specs)
    return {0: 0, 1: 2}.get(kernels, 5)


def _weights(settings: Settings, arc: Arc | None, reduces: bool, filters: int) -> int:
    """Numbers in the weights of a layer's operations."""
    operations = settings.operations
    if arc is not None:
        return sum(map(_count, _specs(operations, _cell(arc, reduces), filters)))
    rows = bank_rows(settings.child_num_cells)
    plans = bank_plans(operations, filters)
    return rows * sum(plan.copies * plan.width for plan in plans)


def _cell(arc: Arc, reduces: bool) -> Cell:
    return arc.reduction if reduces else arc.normal


def _specs(operations: Operations, cell: Cell, filters: int) -> list[Specs]:
    """What each edge of a cell needs."""
    edges = (edge for block in cell for edge in block.edges())
    return [operations[op].weights(filters, 1) for _, op, *_ in edges]


def _count(specs: Specs) -> int:
    return sum(math.prod(spec.shape) for spec in specs)
