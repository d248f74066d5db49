"""Writes scalars and histograms of a run to a file that TensorBoard reads.

TensorBoard itself must not be needed, neither here nor to run anything. (TensorFlow's
own FileWriter writes in another thread, where a failed write would not end the run.)
"""

import os
import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

Event = tf.compat.v1.Event
Summary = tf.compat.v1.Summary


class Events:
    """Appends events to a new file in a folder.

    Args:
      folder: the folder, which is made if it is missing.
      step: the first step to come. TensorBoard stops showing what earlier files in the
        folder say about this and later steps, which an interruption lost.
    """

    def __init__(self, folder: str, step: int = 0):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"events.out.tfevents.{time.time_ns()}")
        self._writer = tf.io.TFRecordWriter(path)
        self._write(Event(file_version="brain.Event:2"))
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._write(Event(step=step, session_log=start))

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the curve `group/name` of each value."""
        points = [
            Summary.Value(tag=f"{group}/{name}", simple_value=float(value))
            for name, value in values.items()
        ]
        self._write(Event(step=step, summary=Summary(value=points)))

    def histogram(self, tag: str, step: int, numbers, count: int) -> None:
        """Adds a histogram of how often each of 0 … count-1 occurs.

        Args:
          numbers: integers in this range, of any shape, at least one.
        """
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
