"""Scalars and histograms of a run, in the files that TensorBoard reads.

TensorBoard itself is not needed, neither here nor to run anything.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

Summary = tf.compat.v1.Summary


class Events:
    """Writes into a folder; does nothing where there is none.

    Args:
      folder: of the event files, made if missing.
    """

    def __init__(self, folder: str | None):
        self._writer = tf.compat.v1.summary.FileWriter(folder) if folder else None

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve `group/name`."""
        self._add(
            [
                Summary.Value(tag=f"{group}/{name}", simple_value=float(value))
                for name, value in values.items()
            ],
            step,
        )

    def histogram(self, tag: str, step: int, numbers, count: int) -> None:
        """How often each of 0 … count-1 occurs among numbers (any shape, not empty)."""
        numbers = np.asarray(numbers).ravel()
        proto = tf.compat.v1.HistogramProto(
            min=numbers.min(),
            max=numbers.max(),
            num=numbers.size,
            sum=numbers.sum(),
            sum_squares=np.square(numbers).sum(),
            bucket_limit=np.arange(count) + 0.5,
            bucket=np.bincount(numbers, minlength=count),
        )
        self._add([Summary.Value(tag=tag, histo=proto)], step)

    def _add(self, values: list, step: int) -> None:
        if self._writer is not None:
            self._writer.add_summary(Summary(value=values), step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
