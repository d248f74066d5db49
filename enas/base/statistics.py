"""Says how certain an accuracy is; plain arithmetic, without TensorFlow."""

import math
import statistics
from collections.abc import Sequence


def is_part(value: object) -> bool:
    """Returns whether something that was read is a number from 0 to 1."""
    return isinstance(value, (int, float)) and 0 <= value <= 1


def standard_error(accuracy: float, images: int) -> float:
    """Returns the standard error √(p(1-p)/n) of an accuracy p on n images.

    p is kept at least one image away from 0 and 1, where the formula would say that
    nothing is uncertain.
    """
    p = min(max(accuracy, 1 / images), 1 - 1 / images)
    return math.sqrt(p * (1 - p) / images)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Returns the mean of two or more values, and its standard error."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), error
