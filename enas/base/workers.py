"""What the workers of a run tell each other.

Between session runs they meet, and each gives some numbers that all get. Within a
session run, tensors are added up over all workers. Both are collective ops of
TensorFlow's distributed runtime: each of the workers must get to them, in the same
order, and waits there for the others. A worker that is alone has the same methods,
which then do nothing, and add no op to a graph.

Layout: M = workers.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from enas.base.cluster import VARIABLE, Cluster
from enas.base.errors import InputError
from enas.base.peers import Peers, lost
from enas.base.program import note

# Seconds that a worker waits for the others. They may be reading their images, or
# writing a checkpoint. It bounds a session's runs, and not each collective op, since an
# op with a timeout keeps a thread until that is over, and a step has many ops.
WAIT = 600.0
# Seconds that a worker may take to end, and what others meet that wait for it.
END = 10.0
_OF_ANOTHER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)
# Bytes in a piece of a message. With pieces of 4 kB, the default, an exchange of 3 MB
# takes a fifth longer; the memory of much larger ones is given back each time.
_PIECE = 1 << 16
_GROUP = 1  # the key of the only group, that of all workers
_LEADER = "/job:worker/replica:0/task:0"


class Workers:
    """All workers of a run, as one of them sees them.

    Args:
      cluster: who they are.

    Attributes:
      config: the options of a session of several workers; None before they `join`.
    """

    def __init__(self, cluster: Cluster = Cluster()):  # noqa: B008
        self.cluster = cluster
        self.count, self.index = cluster.count, cluster.index
        self.several, self.is_chief = cluster.several, cluster.is_chief
        self.config: tf.compat.v1.ConfigProto | None = None
        self._keys = 0  # of collective ops, all workers make the same ones
        self._server: tf.distribute.Server | None = None
        self._peers: Peers | None = None
        self._hall: _Hall | None = None

    def join(
        self, config: tf.compat.v1.ConfigProto, at_loss: Callable[[], None]
    ) -> None:
        """Opens this worker to the others, and waits until all of them are there.

        Args:
          config: the options of a session.
          at_loss: is called before the process ends because another worker is lost.

        Raises:
          InputError: its address cannot be used, or a worker does not come.
        """
        cluster = self.cluster
        config.experimental.collective_group_leader = _LEADER
        config.operation_timeout_in_ms = int(1000 * WAIT)
        config.experimental.recv_buf_max_chunk = _PIECE
        config.device_filters.append(f"/job:worker/task:{self.index}")
        self.config = config
        try:
            self._server = tf.distribute.Server(
                tf.train.ClusterSpec({"worker": list(cluster.hosts)}),
                job_name="worker",
                task_index=self.index,
                protocol="grpc",
                config=config,
            )
        except tf.errors.OpError:
            raise InputError(
                f"{cluster.name(self.index)} cannot listen at its port; another "
                f"program may have it: give TF_CONFIG a free one, for all workers"
            ) from None
        self._peers = Peers(cluster, at_loss)
        self._hall = _Hall(self)
        note(
            f"{cluster.name(self.index)} of {self.count} waits for the others, at most "
            f"{WAIT / 60:.0f} minutes"
        )
        if late := self._peers.wait(WAIT):
            names = " and ".join(cluster.name(number) for number in late)
            raise InputError(
                f"{names} did not come within {WAIT / 60:.0f} minutes; start all "
                f"workers again, with the same {VARIABLE} but for the index"
            )
        self.meet(0)
        note(f"all {self.count} workers are there; worker 0 writes the log")

    def leave(self) -> None:
        """Waits for all, and then lets each end."""
        if self.several:
            self.meet(0)
            self.close()

    def close(self) -> None:
        """Ends this worker's part; the others are lost to it from now on, and it to
        them. It does no harm to call this twice."""
        if self._peers is not None:
            self._peers.close()

    @property
    def target(self) -> str:
        """What a session of this worker connects to."""
        return "" if self._server is None else self._server.target

    def own(self, number: int) -> int:
        """Returns which one is this worker's, of M things that all do at once.

        Args:
          number: how many times M things were done before.
        """
        return number * self.count + self.index

    def owns(self, number: int) -> bool:
        """Returns whether a thing is this worker's, where each does every M-th."""
        return number % self.count == self.index

    def next_is_due(self, number: int, every: int) -> bool:
        """Returns whether `number`, or one of the M-1 after it, is a multiple."""
        return -number % every < self.count

    # Between session runs.

    def meet(self, *numbers: int) -> np.ndarray:
        """Gives numbers to all workers; returns those of each, int64 [M, n]."""
        table = np.zeros((self.count, len(numbers)), np.int64)
        table[self.index] = numbers
        if self._hall is not None:
            table = self._hall.sum(table.ravel()).reshape(table.shape)
        return table

    def sum(self, number: int) -> int:
        """Returns the sum of each worker's number."""
        return int(self.meet(number).sum())

    def of_chief(self, text: str) -> str:
        """Returns the chief's text; all others' are dropped."""
        if self._hall is None:
            return text
        code = text.encode()
        size = int(self.meet(len(code))[0, 0])
        if not size:
            return ""
        space = 8 * -(-size // 8)
        code = code.ljust(space, b"\0") if self.is_chief else bytes(space)
        numbers = np.frombuffer(code, np.int64)
        return self._hall.sum(numbers).tobytes()[:size].decode()

    def compare(self, facts: Mapping[str, str]) -> None:
        """Checks that all workers have the chief's facts.

        Raises:
          InputError: one has not. On this worker, the message says which.
        """
        expected = json.loads(self.of_chief(json.dumps(dict(facts))))
        names = sorted({*facts, *expected})
        differing = [n for n in names if facts.get(n) != expected.get(n)]
        others = np.flatnonzero(self.meet(len(differing))[:, 0]).tolist()
        if differing:
            words = [
                f"{n} ({facts.get(n)}; the chief has {expected.get(n)})"
                for n in differing
            ]
            raise InputError(
                f"{self.cluster.name(self.index)} and the chief, "
                f"{self.cluster.name(0)}, differ in {', '.join(words)}"
            )
        if others:
            names = [self.cluster.name(number) for number in others]
            raise InputError(
                f"{' and '.join(names)} and the chief differ in flags, versions or "
                f"images, and end; they say in which"
            )

    def explained(self, error: tf.errors.OpError) -> InputError | None:
        """Says which worker an error of a session run comes from, if it does."""
        if self._peers is None:
            return None
        seconds = END if isinstance(error, _OF_ANOTHER) else 0.0
        if missing := self._peers.missing_soon(seconds):
            return InputError(lost(self.cluster, missing))
        if isinstance(error, tf.errors.DeadlineExceededError):
            return InputError(
                f"another worker has not answered for {WAIT / 60:.0f} minutes; end all "
                f"of them, and start them again"
            )
        return None

    # In a graph.

    def total(self, x: tf.Tensor) -> tf.Tensor:
        """Adds up a tensor of this worker and those of the others; all get the sum.

        Args:
          x: of a known shape; it receives no gradient.
        """
        if not self.several:
            return x
        total = self._collective(
            tf.raw_ops.CollectiveReduceV2,
            tf.reshape(x, [-1]),
            merge_op="Add",
            final_op="Id",
        )
        return tf.reshape(total, x.shape)

    def totals(self, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Adds up each of some tensors over all workers, with a single op for all."""
        if not (self.several and parts):
            return list(parts)
        return split(self.total(tf.concat(flattened(parts), 0)), parts)

    def gather(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the tensors [n] of all workers, [M, n], the chief's first.

        Args:
          x: of a known shape; it receives no gradient.
        """
        if not self.several:
            return x[tf.newaxis]
        found = self._collective(tf.raw_ops.CollectiveGatherV2, x)
        return tf.reshape(found, [self.count, *x.shape])

    def _collective(self, op: Callable, x: tf.Tensor, **options: str) -> tf.Tensor:
        """Adds an op that all workers run together, on a tensor [n] of each."""
        self._keys += 1
        with tf.device(f"/job:worker/task:{self.index}/device:CPU:0"):
            return op(
                input=x,
                group_size=self.count,
                group_key=_GROUP,
                instance_key=self._keys,
                ordering_token=[],
                **options,
            )

    def chiefs_values(self, variables: Sequence[tf.Variable]) -> tf.Operation:
        """Returns the op that gives each variable the value that the chief has."""
        if not self.several:
            return tf.no_op()
        # Bits are added, not numbers, so that none changes.
        bits = [tf.bitcast(tf.convert_to_tensor(v), tf.int32) for v in variables]
        if not self.is_chief:
            bits = [tf.zeros_like(one) for one in bits]
        values = [
            tf.bitcast(one, variable.dtype)
            for one, variable in zip(self.totals(bits), variables, strict=True)
        ]
        assigned = zip(variables, values, strict=True)
        return tf.group(*[a.assign(b, read_value=False) for a, b in assigned])


def flattened(parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns tensors of any shape as [n] each."""
    return [one if one.shape.rank == 1 else tf.reshape(one, [-1]) for one in parts]


def split(flat: tf.Tensor, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the numbers of [n] in the shapes of some tensors, one after another."""
    sizes = [part.shape.num_elements() for part in parts]
    pairs = zip(tf.split(flat, sizes), parts, strict=True)
    return [
        numbers if part.shape.rank == 1 else tf.reshape(numbers, part.shape)
        for numbers, part in pairs
    ]


class _Hall:
    """Where workers meet: a session of its own, whose graph adds up numbers."""

    def __init__(self, workers: Workers):
        self._workers = workers
        self._graph = tf.Graph()
        self._ops: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}  # by size
        self._session = tf.compat.v1.Session(
            workers.target, self._graph, workers.config
        )

    def sum(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the sum over all workers of int64 [n].

        Raises:
          InputError: a worker is lost.
        """
        size = len(numbers)
        if size not in self._ops:
            with self._graph.as_default():
                given = tf.compat.v1.placeholder(tf.int64, [size])
                self._ops[size] = (given, self._workers.total(given))
        given, total = self._ops[size]
        try:
            return self._session.run(total, {given: numbers})
        except tf.errors.OpError as error:
            if lost_one := self._workers.explained(error):
                raise lost_one from error
            raise


ALONE = Workers()
