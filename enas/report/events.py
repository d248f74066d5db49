"""Scalars and histograms of a run, in a file that TensorBoard reads.

TensorBoard itself is not needed, neither here nor to run anything. (TensorFlow's own
FileWriter writes from another thread, where a failed write would not end the run.)
"""

import os
import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

Event = tf.compat.v1.Event
Summary = tf.compat.v1.Summary


class Events:
    """Appends to a new file of a folder.

    Args:
      folder: made if missing.
      step: the first one to come; what earlier files of the folder tell of it and of
        later ones, as of steps that an interruption lost, is not shown any more.
    """

    def __init__(self, folder: str, step: int = 0):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"events.out.tfevents.{time.time_ns()}")
        self._writer = tf.io.TFRecordWriter(path)
        self._write(Event(file_version="brain.Event:2"))
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._write(Event(step=step, session_log=start))

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve `group/name`."""
        points = [
            Summary.Value(tag=f"{group}/{name}", simple_value=float(value))
            for name, value in values.items()
        ]
        self._write(Event(step=step, summary=Summary(value=points)))

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
        value = Summary.Value(tag=tag, histo=proto)
        self._write(Event(step=step, summary=Summary(value=[value])))

    def _write(self, event) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
