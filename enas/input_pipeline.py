"""Batches of normalized images, through `tf.data`.

Images enter the graph by feeding an iterator's initializer once, never as constants,
which would hit the 2 GB limit of a graph and land in every copy of it.

Layout: N images of a split, n of a batch, H W height and width, C channels.
"""

import numpy as np
import tensorflow as tf

from enas.batch_augment import BatchAugmentation
from enas.data_utils import Data, Split

EVAL_BATCH = 100


class InputPipeline:
    """Four streams of batches behind one pair of tensors.

    'train' and 'reward' (validation images) are shuffled anew for each pass and go on
    for ever in full batches; 'valid' and 'test' go once over their split in a fixed
    mixed order, 100 images a batch, the last part included, and start again. A session
    run reads the stream whose `feed` it is given.

    Args:
      augmentation: what happens to training images, and to no others.

    Attributes:
      images: float32 [n, H, W, C]. labels: int32 [n].
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        seed: int | None = None,
        augmentation: BatchAugmentation | None = None,
    ):
        self._data = data
        self._feeds: dict[tf.Tensor, np.ndarray] = {}
        self._handles: dict[str, str] = {}
        splits = {"train": data.train, "test": data.test}
        if data.valid is not None:
            splits["valid"] = data.valid
        self.num_examples = {name: len(split.labels) for name, split in splits.items()}
        arrays = {name: self._placeholders(split) for name, split in splits.items()}
        train = self._shuffled(arrays["train"], batch_size, seed)
        if augmentation is not None:
            seeds = tf.data.Dataset.random(seed).batch(2)
            train = tf.data.Dataset.zip(train, seeds).map(
                lambda batch, seed: (augmentation.apply(batch[0], seed), batch[1])
            )
        datasets = {"train": train}
        if "valid" in arrays:
            datasets["reward"] = self._shuffled(arrays["valid"], batch_size, seed)
            datasets["valid"] = self._once(arrays["valid"])
        datasets["test"] = self._once(arrays["test"])
        self._iterators = {
            name: tf.compat.v1.data.make_initializable_iterator(dataset.prefetch(2))
            for name, dataset in datasets.items()
        }
        self._string_handles = {
            name: iterator.string_handle() for name, iterator in self._iterators.items()
        }
        self._handle = tf.compat.v1.placeholder(tf.string, [], "stream")
        shape = [None, *data.train.images.shape[1:]]
        self.images, self.labels = tf.compat.v1.data.Iterator.from_string_handle(
            self._handle,
            (tf.float32, tf.int32),
            (tf.TensorShape(shape), tf.TensorShape([None])),
        ).get_next()

    def initialize(self, session: tf.compat.v1.Session) -> None:
        """Hands the images over to the session's iterators."""
        initializers = [it.initializer for it in self._iterators.values()]
        session.run(initializers, self._feeds)
        self._handles = session.run(self._string_handles)

    def feed(self, stream: str) -> dict:
        """The feed_dict that makes a session run read this stream."""
        return {self._handle: self._handles[stream]}

    def eval_batches(self, split: str) -> int:
        """Batches in one pass over 'valid' or 'test'."""
        return -(-self.num_examples[split] // EVAL_BATCH)

    def _placeholders(self, split: Split) -> tuple[tf.Tensor, tf.Tensor]:
        placeholders = tuple(
            tf.compat.v1.placeholder(array.dtype, array.shape) for array in split
        )
        self._feeds.update(zip(placeholders, split, strict=True))
        return placeholders

    def _shuffled(self, arrays, batch_size: int, seed: int | None) -> tf.data.Dataset:
        count = arrays[1].shape[0]
        numbers = tf.data.Dataset.range(count).shuffle(count, seed=seed).repeat()
        batches = numbers.batch(batch_size, drop_remainder=True)
        return self._images_of(batches, arrays)

    def _once(self, arrays) -> tf.data.Dataset:
        """Each image once, mixed in the same way each time.

        From folders they come class by class, but the search's batch norm, which takes
        the statistics of the batch, needs batches like those of training."""
        count = arrays[1].shape[0]
        numbers = tf.data.Dataset.range(count)
        numbers = numbers.shuffle(count, seed=1, reshuffle_each_iteration=False)
        return self._images_of(numbers.batch(EVAL_BATCH).repeat(), arrays)

    def _images_of(self, batches: tf.data.Dataset, arrays) -> tf.data.Dataset:
        """Batches of numbers to batches of normalized images and their labels."""
        mean, std = self._data.mean, self._data.std

        def read(numbers):
            images, labels = (tf.gather(array, numbers) for array in arrays)
            return (tf.cast(images, tf.float32) / 255.0 - mean) / std, labels

        return batches.map(read)
