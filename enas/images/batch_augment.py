"""Changes training images at random as they are batched, inside `tf.data`.

The copies that augment.py makes are altered once. These changes are drawn anew each
time that an image is used.

Layout: n = images in a batch, H and W = height and width, C = channels.
"""

import math
from typing import NamedTuple

import tensorflow as tf


class BatchAugmentation(NamedTuple):
    """The random changes to a batch of training images.

    Attributes:
      crop_padding: how many pixels of zeros are added on each side before a window of
        the image's own size is cropped out at random.
      random_flip: whether an image is mirrored left to right with probability one half.
      random_rotation: the largest rotation either way, in degrees.
      random_zoom: the largest enlargement or reduction, as a fraction.
      random_shift: the largest shift along each side, in pixels. Where an image was
        turned, shrunk or moved away, its nearest pixel fills the place.
      cutout_size: the side, in pixels, of the square around a random pixel that CutOut
        sets to zero as far as it lies within the image (1708.04552); 0 for none.
    """

    crop_padding: int = 0
    random_flip: bool = False
    random_rotation: float = 0.0
    random_zoom: float = 0.0
    random_shift: float = 0.0
    cutout_size: int = 0

    def apply(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changes each image independently of the others.

        Args:
          images: float32 [n, H, W, C], normalized, so that zero is the mean colour.
          seed: int64 [2]; the same seed draws the same changes.

        Returns:
          float32 [n, H, W, C].
        """
        seeds = tf.unstack(tf.random.split(seed, 9))
        count, height, width, _ = tf.unstack(tf.shape(images))
        if self.random_rotation or self.random_zoom or self.random_shift:
            images = tf.raw_ops.ImageProjectiveTransformV3(
                images=images,
                transforms=self._moves(count, height, width, *seeds[5:]),
                output_shape=[height, width],
                fill_value=0.0,
                interpolation="BILINEAR",
                fill_mode="NEAREST",
            )
        if self.crop_padding or self.random_flip:
            rows = self._window(count, height, seeds[0])
            columns = self._window(count, width, seeds[1])
            if self.random_flip:
                flipped = tf.cast(_integers(count, 2, seeds[2])[:, None], tf.bool)
                columns = tf.where(flipped, tf.reverse(columns, [1]), columns)
            around = [self.crop_padding, self.crop_padding]
            images = tf.pad(images, [[0, 0], around, around, [0, 0]])
            images = tf.gather(images, rows, axis=1, batch_dims=1)
            images = tf.gather(images, columns, axis=2, batch_dims=1)
        if self.cutout_size:
            rows = self._cut(count, height, seeds[3])[:, :, None, None]
            columns = self._cut(count, width, seeds[4])[:, None, :, None]
            images = tf.where(rows & columns, 0.0, images)
        return images

    def _moves(self, count, height, width, *seeds) -> tf.Tensor:
        """Draws projections from pixels of changed images to those of the originals.

        Returns:
          float32 [n, 8], as ImageProjectiveTransformV3 takes them.
        """
        bounds = [math.radians(self.random_rotation), self.random_zoom]
        bounds += [self.random_shift] * 2
        angle, zoom, right, down = (
            tf.random.stateless_uniform([count], seed, -bound, bound)
            for seed, bound in zip(seeds, bounds, strict=True)
        )
        cos, sin = tf.cos(angle) / (1 + zoom), tf.sin(angle) / (1 + zoom)
        x, y = (tf.cast(size - 1, tf.float32) / 2 for size in (width, height))
        from_x, from_y = x + right, y + down
        zero = tf.zeros_like(angle)
        return tf.stack(
            [
                *(cos, -sin, from_x - cos * x + sin * y),
                *(sin, cos, from_y - sin * x - cos * y),
                *(zero, zero),
            ],
            axis=1,
        )

    def _window(self, count, size, seed) -> tf.Tensor:
        """Draws the positions of a window in the padded images: int32 [n, size]."""
        start = _integers(count, 2 * self.crop_padding + 1, seed)
        return start[:, None] + tf.range(size)

    def _cut(self, count, size, seed) -> tf.Tensor:
        """Draws which positions are cut out: bool [n, size]."""
        start = _integers(count, size, seed) - self.cutout_size // 2
        beyond = tf.range(size) - start[:, None]
        return (beyond >= 0) & (beyond < self.cutout_size)


def _integers(count, bound, seed) -> tf.Tensor:
    """Draws uniform integers in [0, bound): int32 [n]."""
    return tf.random.stateless_uniform([count], seed, 0, bound, tf.int32)
