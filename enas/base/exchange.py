"""Exchanges the gradients of workers.

A bank has more rows than a string reads. Few workers send each other the rows that they
read, and each adds them up. Many workers add up whole banks, as all else, in a ring:
what each of them receives then no longer grows with their number.

Layout: M = workers, B = banks, P = numbers in a row of a bank, T = rows of all banks,
N = rows of all banks that a worker read, u = rows of a bank that any worker read.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from enas.base.workers import Workers, flattened, split

SCOPE = "exchange"  # of the ops that this adds to a graph
# Of what a worker's rows need at most, so much is sent in each step, and the rest if
# any worker needs it. Few strings have the largest operation everywhere: of 4,000
# uniform ones of full size, 1 in 100 needs more.
SHARE = 0.625
ALIGNED = 16  # so many numbers are 64 bytes; a slice that begins at these is no copy


class Exchange:
    """What workers exchange in a step.

    Args:
      workers: several ones.
      most: how many numbers the rows that a worker reads have at most, of all banks
        together.
      numbers: float32 tensors of known shapes, at least one, which are added up along
        with the gradients.

    Attributes:
      totals: the sums of `numbers` over all workers, once there are gradients.
    """

    def __init__(self, workers: Workers, most: int, numbers: Sequence[tf.Tensor]):
        self._workers, self._most, self._numbers = workers, most, list(numbers)
        self.totals: list[tf.Tensor] = []

    def sums(self, gradients: list, variables: Sequence[tf.Variable]) -> list:
        """Returns the sum over all workers of each variable's gradient.

        A bank's gradient has the rows that any worker read, each once, in order. Those
        that a worker did not read count as 0 of its.

        Args:
          gradients: a tensor or IndexedSlices with distinct rows for each variable.
        """
        dense, sparse, banks = [], [], []
        for gradient, variable in zip(gradients, variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                sparse.append(gradient)
                banks.append(variable)
            else:
                dense.append(gradient)
        with tf.name_scope(SCOPE):
            if sends_rows(self._workers.count, self._most, banks):
                sums, of_rows = self._with_rows(dense, sparse, banks)
            else:
                sums, of_rows = self._with_whole_banks(dense, sparse, banks)
        self.totals = sums[len(dense) :]
        of_banks = [
            tf.IndexedSlices(values, rows, one.dense_shape)
            for (rows, values), one in zip(of_rows, sparse, strict=True)
        ]
        found, found_rows = iter(sums), iter(of_banks)
        return [
            next(found_rows if isinstance(one, tf.IndexedSlices) else found)
            for one in gradients
        ]

    def _with_rows(
        self, dense: list, sparse: list, banks: Sequence[tf.Variable]
    ) -> tuple[list, list]:
        """Sends the rows that were read; returns the sums of all else, and of them."""
        workers, table = self._workers, _Table(banks, self._most)
        others = dense + self._numbers
        rows, rest = table.packed(sparse)

        def rests() -> list[tf.Tensor]:
            unused = tf.zeros([table.rest - tf.size(rest)])
            return self._gathered([rest, unused], table.rest)

        if workers.count == 2:
            # Each receives as much in a ring as by gathering, so one op is enough.
            size = sum(one.shape.num_elements() for one in others)
            padding = tf.zeros([_aligned(size) - size])
            size = _aligned(size)
            parts = [*flattened([*others, padding]), *rows]
            received = self._gathered(parts, size + table.size)
            flat = tf.add_n([one[:size] for one in received])
            *sums, _ = split(flat, [*others, padding])
            return sums, table.added([one[size:] for one in received], rests)
        sums = workers.totals(others)
        return sums, table.added(self._gathered(rows, table.size), rests)

    def _gathered(self, parts: Sequence[tf.Tensor], size: int) -> list[tf.Tensor]:
        """Returns what each worker sends, which are parts of one tensor [size]."""
        sent = tf.concat(parts, 0)
        sent.set_shape([size])
        return tf.unstack(self._workers.gather(sent))

    def _with_whole_banks(
        self, dense: list, sparse: list, banks: Sequence[tf.Variable]
    ) -> tuple[list, list]:
        """Adds up whole banks, and who read each row; returns as `_with_rows` does."""
        wholes, readers = [], []
        for gradient, bank in zip(sparse, banks, strict=True):
            rows = tf.cast(gradient.indices, tf.int32)[:, tf.newaxis]
            wholes.append(tf.scatter_nd(rows, gradient.values, bank.shape))
            ones = tf.ones(tf.shape(rows)[:1])
            readers.append(tf.scatter_nd(rows, ones, bank.shape[:1]))
        count = len(banks)
        sums = self._workers.totals(wholes + readers + dense + self._numbers)
        read = [tf.where(one > 0)[:, 0] for one in sums[count : 2 * count]]
        of_rows = [
            _Rows(rows, tf.gather(whole, rows))
            for rows, whole in zip(read, sums[:count], strict=True)
        ]
        return sums[2 * count :], of_rows


def sends_rows(count: int, most: int, banks: Sequence[tf.Variable]) -> bool:
    """Returns whether workers receive less if rows are sent, and not whole banks.

    Args:
      count: how many workers there are.
      most: as in `Exchange`.
    """
    whole = sum(bank.shape.num_elements() for bank in banks)
    # (M - 1) times the rows; or twice (M - 1) / M of the banks, in a ring.
    return bool(banks) and most * count < 2 * whole


def _aligned(number: int) -> int:
    """Returns the next multiple of ALIGNED."""
    return number + -number % ALIGNED


class _Rows(NamedTuple):
    """The rows of a bank that any worker read.

    Attributes:
      rows: which ones, int64 [u], ascending.
      values: their numbers, [u, P].
    """

    rows: tf.Tensor
    values: tf.Tensor


class _Read(NamedTuple):
    """The rows of all banks that a worker read.

    Attributes:
      counts: how many of each bank, int32 [B].
      rows: which ones, int32 [N].
      values: the numbers in those of each bank, [rows, P] each.
    """

    counts: tf.Tensor
    rows: tf.Tensor
    values: list[tf.Tensor]


class _Table:
    """Banks, one below the other, so that each of their rows has a number.

    An op takes some microseconds however little it does, so what can be done for all
    banks at once is.

    Args:
      most: as in `Exchange`.

    Attributes:
      size: how many numbers a worker sends, a multiple of ALIGNED.
      rest: how many more, if that has not enough space for any one's rows.
    """

    def __init__(self, banks: Sequence[tf.Variable], most: int):
        heights, widths = zip(*[bank.shape.as_list() for bank in banks], strict=True)
        self._height, self._widths = sum(heights), np.array(widths, np.int32)
        self._first = np.cumsum((0, *heights[:-1]), dtype=np.int32)  # row of each bank
        self._bank_of = np.repeat(np.arange(len(banks), dtype=np.int32), heights)
        self._space = _aligned(math.ceil(SHARE * most))
        self.rest = max(0, most - self._space)
        self.size = _aligned(self._space + len(banks) + self._height)

    def packed(
        self, gradients: Sequence[tf.IndexedSlices]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns the parts of what a worker sends, and the rest.

        The parts are the numbers of its rows, how many rows there are of each bank [B],
        and which ones. Zeros follow the first and the last, up to the size that is
        known.
        """
        rows = [tf.cast(one.indices, tf.int32) for one in gradients]
        counts = tf.stack([tf.size(one) for one in rows])
        rows = tf.concat([a + b for a, b in zip(rows, self._first, strict=True)], 0)
        values = tf.concat(flattened([one.values for one in gradients]), 0)
        sent, rest = values[: self._space], values[self._space :]
        no_rows = self.size - self._space - len(self._widths) - tf.size(rows)
        parts = [
            sent,
            tf.zeros([self._space - tf.size(sent)]),
            tf.cast(counts, tf.float32),
            tf.cast(rows, tf.float32),
            tf.zeros([no_rows]),
        ]
        return parts, rest

    def _unpacked(
        self, sent: Sequence[tf.Tensor], rests: Callable[[], list[tf.Tensor]]
    ) -> list[_Read]:
        """Undoes `packed`, for what each worker sent."""
        number = len(self._widths)
        facts = [tf.cast(one[self._space :], tf.int32) for one in sent]
        counts = [one[:number] for one in facts]
        sizes = [one * self._widths for one in counts]
        values = [one[: self._space] for one in sent]
        if self.rest:

            def with_rests() -> list[tf.Tensor]:
                return [tf.concat(one, 0) for one in zip(values, rests(), strict=True)]

            longest = tf.reduce_max(tf.reduce_sum(tf.stack(sizes), 1))
            values = tf.cond(longest > self._space, with_rests, lambda: values)
        return [
            _Read(own, fact[number:][: tf.reduce_sum(own)], self._split(one, size))
            for own, fact, one, size in zip(counts, facts, values, sizes, strict=True)
        ]

    def _split(self, values: tf.Tensor, sizes: tf.Tensor) -> list[tf.Tensor]:
        """Returns the rows of each bank [rows, P], which has so many of the numbers."""
        unused = tf.size(values) - tf.reduce_sum(sizes)
        sizes = tf.concat([sizes, [unused]], 0)
        *parts, _ = tf.split(values, sizes, num=len(self._widths) + 1)
        pairs = zip(parts, self._widths, strict=True)
        return [tf.reshape(part, [-1, width]) for part, width in pairs]

    def added(
        self, sent: Sequence[tf.Tensor], rests: Callable[[], list[tf.Tensor]]
    ) -> list[_Rows]:
        """Adds up the rows of each bank, the chief's first, so that all get one sum.

        Args:
          sent: what each worker sent.
          rests: builds what gets the rest from each of them.
        """
        number, unpacked = len(self._widths), self._unpacked(sent, rests)
        found = tf.concat([one.rows for one in unpacked], 0)[:, tf.newaxis]
        ones = tf.ones(tf.shape(found)[:1])
        read = tf.scatter_nd(found, ones, [self._height]) > 0
        is_read = tf.cast(read, tf.int32)
        # The place of a row among those of its bank that were read.
        counts = tf.math.unsorted_segment_sum(is_read, self._bank_of, number)
        first = tf.gather(tf.cumsum(counts, exclusive=True), self._bank_of)
        places = tf.cumsum(is_read, exclusive=True) - first
        shapes = tf.unstack(tf.stack([counts, self._widths], 1))
        placed = []
        for of_banks, rows, values in unpacked:
            own = tf.split(tf.gather(places, rows)[:, tf.newaxis], of_banks, num=number)
            placed.append(list(map(tf.scatter_nd, own, values, shapes)))
        sums = [tf.add_n(one) for one in zip(*placed, strict=True)]
        rows = tf.where(read)[:, 0]
        rows -= tf.gather(self._first[self._bank_of].astype(np.int64), rows)
        of_banks = tf.split(rows, counts, num=number)
        return [_Rows(*one) for one in zip(of_banks, sums, strict=True)]
