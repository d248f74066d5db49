"""Exchanges the gradients of workers.

A bank has more rows than a string reads. Few workers send each other the rows that they
read, and each adds them up. Many workers add up whole banks, as all else, in a ring:
what each of them receives then no longer grows with their number.

Layout: M = workers, R = rows of a bank, P = numbers in a row, n = rows that a worker
read, u = rows that any worker read.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import tensorflow as tf

from enas.base.workers import Workers

SCOPE = "exchange"  # of the ops that this adds to a graph


class _Bank(NamedTuple):
    """A bank and this worker's gradient of it, whose rows are distinct."""

    gradient: tf.IndexedSlices
    variable: tf.Variable

    def read(self) -> tf.Tensor:
        """Returns which rows were read, float32 [R], 1 or 0."""
        rows = self.gradient.indices[:, tf.newaxis]
        ones = tf.ones(tf.shape(rows)[:1])
        return tf.scatter_nd(rows, ones, self._shape()[:1])

    def whole(self) -> tf.Tensor:
        """Returns the gradient of all rows, [R, P]."""
        rows = self.gradient.indices[:, tf.newaxis]
        return tf.scatter_nd(rows, self.gradient.values, self._shape())

    def rows(self) -> tf.Tensor:
        """Returns the gradient of the rows that were read [n, P], in their order."""
        return tf.gather(self.gradient.values, tf.argsort(self.gradient.indices))

    def _shape(self) -> tf.Tensor:
        return tf.constant(self.variable.shape.as_list(), self.gradient.indices.dtype)


class _Sum(NamedTuple):
    """The sum over all workers of a bank's gradient.

    Attributes:
      rows: int64 [u], ascending.
      values: [u, P].
    """

    rows: tf.Tensor
    values: tf.Tensor


def mean_gradients(
    workers: Workers, gradients: list, variables: Sequence[tf.Variable], most: int
) -> list:
    """Returns the mean over all workers of each variable's gradient.

    A bank's gradient has the rows that any worker read, each once, in order. Those that
    a worker did not read count as 0 of its.

    Args:
      gradients: a tensor or IndexedSlices with distinct rows for each variable.
      most: how many numbers the rows that a worker reads have at most, of all banks
        together.
    """
    if not workers.several:
        return gradients
    with tf.name_scope(SCOPE):
        return _mean_gradients(workers, gradients, variables, most)


def _mean_gradients(
    workers: Workers, gradients: list, variables: Sequence[tf.Variable], most: int
) -> list:
    pairs = zip(gradients, variables, strict=True)
    banks = [_Bank(*pair) for pair in pairs if isinstance(pair[0], tf.IndexedSlices)]
    sent = [one for one in gradients if not isinstance(one, tf.IndexedSlices)]
    if sends_rows(workers.count, most, [bank.variable for bank in banks]):
        sums, of_banks = _sums(workers, sent), _sums_of_rows(workers, banks, most)
    else:
        sent += [part for bank in banks for part in (bank.whole(), bank.read())]
        sums = _sums(workers, sent)
        parts = iter(sums[len(gradients) - len(banks) :])
        of_banks = [_picked(*pair) for pair in zip(parts, parts, strict=True)]
    totals, bank_totals, means = iter(sums), iter(of_banks), []
    for gradient in gradients:
        if isinstance(gradient, tf.IndexedSlices):
            rows, values = next(bank_totals)
            mean = values / workers.count
            means.append(tf.IndexedSlices(mean, rows, gradient.dense_shape))
        else:
            means.append(next(totals) / workers.count)
    return means


def sends_rows(count: int, most: int, banks: Sequence[tf.Variable]) -> bool:
    """Returns whether workers receive less if rows are sent, and not whole banks.

    Args:
      count: how many workers there are.
      most: as in `mean_gradients`.
    """
    whole = sum(bank.shape.num_elements() for bank in banks)
    # (M - 1) times the rows; or twice (M - 1) / M of the banks, in a ring.
    return bool(banks) and most * count < 2 * whole


def _sums(workers: Workers, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the sums over all workers, which are exchanged as one tensor."""
    if not parts:
        return []
    flat = workers.total(tf.concat([tf.reshape(part, [-1]) for part in parts], 0))
    sizes = [part.shape.num_elements() for part in parts]
    return [
        tf.reshape(total, part.shape)
        for total, part in zip(tf.split(flat, sizes), parts, strict=True)
    ]


def _picked(total: tf.Tensor, readers: tf.Tensor) -> _Sum:
    """Returns the rows of a sum [R, P] that have readers [R]."""
    rows = tf.where(readers > 0)[:, 0]
    return _Sum(rows, tf.gather(total, rows))


def _sums_of_rows(workers: Workers, banks: Sequence[_Bank], most: int) -> list[_Sum]:
    """Gathers the rows that workers read, and adds them up, the chief's first.

    Each worker sends which rows of each bank it read, and then these rows.
    """
    parts = [bank.read() for bank in banks]
    parts += [tf.reshape(bank.rows(), [-1]) for bank in banks]
    sent = tf.concat(parts, 0)
    length = sum(bank.variable.shape[0] for bank in banks) + most
    sent = tf.pad(sent, [[0, length - tf.size(sent)]])
    sent.set_shape([length])
    received = [_unpacked(part, banks) for part in tf.unstack(workers.gather(sent))]
    return [_added(of_bank) for of_bank in zip(*received, strict=True)]


def _unpacked(
    part: tf.Tensor, banks: Sequence[_Bank]
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns which rows of each bank a worker read [R], and their gradient [n, P]."""
    sizes = [bank.variable.shape[0] for bank in banks]
    reads, begin, found = tf.split(part[: sum(sizes)], sizes), sum(sizes), []
    for bank, read in zip(banks, reads, strict=True):
        count, width = tf.cast(tf.reduce_sum(read), tf.int32), bank.variable.shape[1]
        values = tf.slice(part, [begin], [count * width])
        found.append((read, tf.reshape(values, [count, width])))
        begin += count * width
    return found


def _added(found: Sequence[tuple[tf.Tensor, tf.Tensor]]) -> _Sum:
    """Adds up what each worker has of a bank: which rows it read, and their gradient.

    All workers add in the same order, so that they come to the same bits.
    """
    rows = tf.where(tf.add_n([read for read, _ in found]) > 0)[:, 0]
    return _Sum(rows, reduce(tf.add, [_of_rows(rows, *one) for one in found]))


def _of_rows(rows: tf.Tensor, read: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns a worker's gradient of some rows [u, P]; 0 in those it did not read."""
    places = tf.cast(tf.cumsum(read, exclusive=True), tf.int32)
    places = tf.where(read > 0, places, tf.shape(values)[0])  # else that of the zeros
    return tf.gather(tf.pad(values, [[0, 1], [0, 0]]), tf.gather(places, rows))
