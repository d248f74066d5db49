"""The budget of a search: what the network of a string may cost.

This module must not import TensorFlow.
"""

import random
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from enas.base.errors import UsageError
from enas.flags.network_shape import network_shape
from enas.flags.table import KB, Settings
from enas.report.train_command import training_of
from enas.space.arc import Arc, leanest_arc, random_arc
from enas.space.cost import Cost, NetworkShape, cost_of

DRAWN = 200  # uniform strings of which a search is told how many fit
TIGHT = 0.6  # if fewer of them fit, the budget is tight (docs/budget.md)


class Budget(NamedTuple):
    """What the network of a string may cost; without bounds, every string fits.

    Attributes:
      shape: that of the network that a training makes of a string.
      file_bytes: the most bytes of its packed file; 0 for no bound.
      multiply_adds: the most multiply-adds of an image; 0 for no bound.
    """

    shape: NetworkShape
    file_bytes: float = 0.0
    multiply_adds: int = 0

    def is_bounded(self) -> bool:
        return bool(self.file_bytes or self.multiply_adds)

    def cost(self, arc: Arc) -> Cost:
        return cost_of(arc, self.shape)

    def over(self, cost: Cost) -> float:
        """Returns by how much a cost exceeds the bounds, as a part of each, summed.

        It is 0 for what fits, and 1 for what takes twice the bytes that it may.
        """
        pairs = (
            (cost.file_bytes, self.file_bytes),
            (cost.multiply_adds, self.multiply_adds),
        )
        return sum(max(0.0, taken / most - 1.0) for taken, most in pairs if most)

    def fits(self, cost: Cost) -> bool:
        return not self.over(cost)

    def words(self) -> str:
        """Returns the bounds, to follow 'the budget of'."""
        bounds = []
        if self.file_bytes:
            bounds.append(f"{self.file_bytes / KB:g} kB")
        if self.multiply_adds:
            bounds.append(f"{self.multiply_adds:,} multiply-adds")
        return " and ".join(bounds)


def costs_of(settings: Settings, channels: int, classes: Sequence[str]) -> Budget:
    """Returns what tells the cost of a search's strings, within its budget if any.

    The network is the one that the train script makes of a string, by the command that
    the search prints: with its own numbers of layers and filters.

    Args:
      settings: those of the search.
      channels: of the images.
      classes: the names of the classes.
    """
    flags = {name: str(value) for name, value in settings.flags().items()}
    trained = training_of(settings.child_num_cells, flags).settings()
    shape = network_shape(trained, channels, classes)
    return Budget(shape, settings.budget_kb * KB, settings.budget_mult_adds)


def budget_of(
    settings: Settings, channels: int, classes: Sequence[str]
) -> Budget | None:
    """Returns the budget of a search; None if it has none. See `costs_of`."""
    return costs_of(settings, channels, classes) if settings.has_budget else None


def told(settings: Settings, budget: Budget) -> str:
    """Returns a sentence on how many uniform strings fit a budget.

    Raises:
      UsageError: no string fits.
    """
    cells, operations = settings.child_num_cells, settings.operations
    rng = random.Random(settings.seed)
    drawn = [budget.cost(random_arc(cells, rng, operations)) for _ in range(DRAWN)]
    lean = budget.cost(leanest_arc(cells, operations))
    leanest = min([lean, *drawn], key=budget.over)
    shape = budget.shape
    network = (
        f"child_num_layers={shape.num_layers} and child_out_filters={shape.out_filters}"
    )
    if not budget.fits(leanest):
        raise UsageError(
            f"no string fits the budget of {budget.words()}: with {network} the "
            f"leanest takes {_words(leanest)}; raise the budget, or lower "
            f"budget_out_filters or child_num_layers"
        )
    share = sum(map(budget.fits, drawn)) / DRAWN
    middle = Cost(*(round(median(values)) for values in zip(*drawn, strict=True)))
    text = (
        f"{share:.0%} of uniform strings fit the budget of {budget.words()} with "
        f"{network}; a middling one takes {_words(middle)}"
    )
    if share < TIGHT and settings.controller_op_tanh_reduce > 1:
        text += (
            "; that is tight: --controller_tanh_constant=2.5 "
            "--controller_op_tanh_reduce=1 lets the controller avoid operations for "
            "good (docs/budget.md)"
        )
    return text


def _words(cost: Cost) -> str:
    return f"{cost.file_bytes / KB:.1f} kB and {cost.multiply_adds:,} multiply-adds"
