"""Makes batches of normalized images, through `tf.data`.

Images, their mean and deviation enter the graph by feeding an iterator's initializer,
so a graph can be built while images are still being read. They must never be constants,
which would hit the graph's 2 GB limit and be in every copy of the graph.

Layout: N = images in a split, n = images in a batch, H and W = height and width, C =
channels.
"""

import secrets

import numpy as np
import tensorflow as tf

from enas.data_utils import DataReader
from enas.images.batch_augment import BatchAugmentation

EVAL_BATCH = 100
# For each stream: the split that it reads, and whether it is shuffled and never ends.
STREAMS = {
    "train": ("train", True),
    "reward": ("valid", True),
    "shown": ("valid", True),
    "valid": ("valid", False),
    "test": ("test", False),
}


class InputPipeline:
    """Five streams of batches behind one pair of tensors.

    'train' reads training images; 'reward' and 'shown' read validation images. These
    three are shuffled anew for each pass, and never end; all their batches are full.
    'valid' and 'test' go over their split in a fixed mixed order, in nearly equal
    batches of at most EVAL_BATCH images, and then start again. A session run reads the
    stream whose `feed` it is given.

    Each batch is a function of the seed, the stream and the batch's number, so that a
    run that was interrupted can `seek` its place. Where workers share a run, each reads
    every so-many-th batch of the streams that they share, which are all but 'shown'.

    Args:
      data: reads the images; nothing waits for them before `initialize`.
      seed: at least 0 and below 2^32; None for a different one each time.
      augmentation: the changes to training images, and to no others.
      reward_repeats: how many times in a row each batch of 'reward' comes.
      stride: from one batch that this worker reads to the next: how many workers there
        are.

    Attributes:
      images: float32 [n, H, W, C].
      labels: int32 [n].
      num_examples: how many images each split has, by its name.
      classes: the names of the classes.
    """

    def __init__(
        self,
        data: DataReader,
        batch_size: int,
        seed: int | None = None,
        augmentation: BatchAugmentation | None = None,
        reward_repeats: int = 1,
        stride: int = 1,
    ):
        self._data = data
        self._batch_size = batch_size
        self._seed = secrets.randbits(32) if seed is None else seed
        self._augmentation = augmentation
        self._reward_repeats = reward_repeats
        self._strides = dict.fromkeys(STREAMS, stride) | {"shown": 1}
        self._feeds: dict[str, dict[tf.Tensor, np.ndarray]] = {}  # by split
        self._handles: dict[str, str] = {}
        self._next: dict[str, int] = {}  # the number of each stream's next batch
        self.num_examples = data.sizes
        self.classes = data.classes
        self._arrays = {
            split: _placeholders(count, data.shape)
            for split, count in data.sizes.items()
        }
        channels = data.shape[2:]
        self._statistics = tuple(
            tf.compat.v1.placeholder(tf.float32, channels, name)
            for name in ("mean", "std")
        )
        self._start = tf.compat.v1.placeholder_with_default(
            tf.constant(0, tf.int64), [], "start"
        )
        self._iterators = {
            stream: tf.compat.v1.data.make_initializable_iterator(
                self._batches(stream, self._arrays[split], shuffled)
                .prefetch(2)
                .with_options(_no_autotuning())
            )
            for stream, (split, shuffled) in STREAMS.items()
            if split in self._arrays
        }
        self._string_handles = {
            name: iterator.string_handle() for name, iterator in self._iterators.items()
        }
        self._handle = tf.compat.v1.placeholder(tf.string, [], "stream")
        shape = [None, *data.shape]
        self.images, self.labels = tf.compat.v1.data.Iterator.from_string_handle(
            self._handle,
            (tf.float32, tf.int32),
            (tf.TensorShape(shape), tf.TensorShape([None])),
        ).get_next()

    def initialize(self, session: tf.compat.v1.Session) -> None:
        """Feeds the images to the session's iterators.

        Raises:
          InputError: they do not fit into memory, or one cannot be read.
        """
        data = self._data()
        statistics = dict(zip(self._statistics, (data.mean, data.std), strict=True))
        for name, placeholders in self._arrays.items():
            split = dict(zip(placeholders, getattr(data, name), strict=True))
            self._feeds[name] = split | statistics
        for stream in self._iterators:
            self._read_from(session, stream, 0)
        self._handles = session.run(self._string_handles)

    def seek(self, session: tf.compat.v1.Session, stream: str, number: int) -> None:
        """Moves a stream, so that the next session run to read it reads batch `number`.

        The stream restarts unless it is there already, as it is once the batch before
        was sought and read. For 'valid' and 'test' the number counts on from pass to
        pass.
        """
        split, goes_on = STREAMS[stream]
        following = number + self._strides[stream]
        if not goes_on:
            batches = self.eval_batches(split)
            number, following = number % batches, following % batches
        if self._next[stream] != number:
            self._read_from(session, stream, number)
        self._next[stream] = following

    def _read_from(self, session: tf.compat.v1.Session, stream: str, number: int):
        split, _ = STREAMS[stream]
        feeds = self._feeds[split] | {self._start: number}
        session.run(self._iterators[stream].initializer, feeds)
        self._next[stream] = number

    def feed(self, stream: str) -> dict:
        """Returns the feed_dict that makes a session run read this stream."""
        return {self._handle: self._handles[stream]}

    def eval_batches(self, split: str) -> int:
        """Returns how many batches one pass over 'valid' or 'test' has."""
        return num_eval_batches(self.num_examples[split])

    def smallest_batch(self) -> int:
        """Returns how many images the smallest batch of any stream has."""
        evaluated = [
            self.num_examples[split] // self.eval_batches(split)
            for split in ("valid", "test")
            if split in self.num_examples
        ]
        return min(self._batch_size, *evaluated)

    def _batches(self, stream: str, arrays, shuffled: bool) -> tf.data.Dataset:
        """Makes a stream's batches, from the one numbered `_start` on."""
        stride = self._strides[stream]
        count = arrays[1].shape[0]
        # Streams do not share their random numbers.
        seed = self._seed * len(STREAMS) + stream_number(stream)
        repeats = self._reward_repeats if stream == "reward" else 1
        if shuffled:
            positions = self._shuffled(count, seed, repeats)
            if stride > 1:
                positions = positions.shard(stride, 0)
        else:
            positions = self._once(count, stride)
        batches = positions.map(lambda numbers: self._images_of(numbers, arrays))
        if stream == "train" and self._augmentation is not None:
            numbered = tf.data.Dataset.zip(
                tf.data.Dataset.counter(self._start, stride), batches
            )
            batches = numbered.map(
                lambda number, batch: (
                    self._augmentation.apply(batch[0], _seed_pair(seed, number)),
                    batch[1],
                )
            )
        return batches

    def _shuffled(self, count: int, seed: int, repeats: int) -> tf.data.Dataset:
        """Makes the positions of the images in full batches, int64 [n].

        It passes over all images again and again, each time in another order. Each
        batch is repeated `repeats` times in a row.
        """
        drawn = self._start // repeats * self._batch_size
        passes = tf.data.Dataset.counter(drawn // count)
        positions = passes.flat_map(
            lambda number: tf.data.Dataset.from_tensor_slices(
                _permutation(count, _seed_pair(seed, number))
            )
        )
        rest = positions.skip(drawn % count)
        batches = rest.batch(self._batch_size, drop_remainder=True)
        in_a_row = batches.flat_map(
            lambda batch: tf.data.Dataset.from_tensors(batch).repeat(repeats)
        )
        return in_a_row.skip(self._start % repeats)

    def _once(self, count: int, stride: int) -> tf.data.Dataset:
        """Makes the positions of the images in batches, int64 [n].

        It passes over all images again and again, each time in the same mixed order.
        The search's batch norm uses the statistics of the batch, so it needs batches
        like those of training. They must be mixed, since folders give images class by
        class. None may be much smaller than the others, as the rest of a split would
        be.
        """
        positions = _permutation(count, [0, 0])
        batches = num_eval_batches(count)

        def batch(number):
            place = number % batches
            start, end = place * count // batches, (place + 1) * count // batches
            return positions[start:end]

        return tf.data.Dataset.counter(self._start, stride).map(batch)

    def _images_of(self, positions: tf.Tensor, arrays) -> tuple:
        """Returns the normalized images at some positions, and their labels."""
        images, labels = (tf.gather(array, positions) for array in arrays)
        images = tf.cast(images, tf.float32) / 255.0
        mean, std = self._statistics
        return (images - mean) / std, labels


def _placeholders(count: int, shape: tuple[int, ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes what takes some images and their labels."""
    return (
        tf.compat.v1.placeholder(tf.uint8, (count, *shape)),
        tf.compat.v1.placeholder(tf.int32, (count,)),
    )


def _no_autotuning() -> tf.data.Options:
    """Returns options of a dataset that is not tuned while it is read.

    Nothing in it could be tuned, and closing the session would wait for the thread that
    does so, which sleeps for up to a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def num_eval_batches(count: int) -> int:
    """Returns in how many batches a split of `count` images is evaluated."""
    return -(-count // EVAL_BATCH)


def stream_number(stream: str) -> int:
    """Returns the number of a stream, from 0."""
    return list(STREAMS).index(stream)


def _permutation(count: int, seed) -> tf.Tensor:
    numbers = tf.range(count, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(numbers, seed)


def _seed_pair(seed: int, number: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.constant(seed, tf.int64), number])
