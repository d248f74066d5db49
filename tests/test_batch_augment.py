"""What happens to training images as they are batched."""

import numpy as np
import pytest
import tensorflow as tf

from enas.data_utils import Data, Split, reader_of
from enas.images.batch_augment import BatchAugmentation
from enas.session.input_pipeline import InputPipeline

SIZE = 6
# Each pixel of each image and channel tells where it came from; none is zero.
IMAGES = 1.0 + np.arange(400 * SIZE * SIZE * 2).reshape(400, SIZE, SIZE, 2)


def augment(augmentation, images, seed=(1, 2)):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        images = tf.constant(images, tf.float32)
        return session.run(augmentation.apply(images, tf.constant(seed, tf.int64)))


def windows_of(image, padding, flip):
    """Every crop of a padded image, by its start, as augmentation may make it."""
    padded = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
    for row in range(2 * padding + 1):
        for column in range(2 * padding + 1):
            window = padded[row : row + SIZE, column : column + SIZE]
            yield (row, column, False), window
            if flip:
                yield (row, column, True), window[:, ::-1]


@pytest.mark.parametrize(("padding", "flip"), [(2, False), (1, True), (0, True)])
def test_each_image_is_a_window_of_its_own(padding, flip):
    result = augment(BatchAugmentation(padding, flip), IMAGES)
    found = []
    for image, changed in zip(IMAGES, result, strict=True):
        matches = [
            window_name
            for window_name, window in windows_of(image, padding, flip)
            if np.array_equal(window, changed)
        ]
        assert len(matches) == 1
        found += matches
    kinds = (2 * padding + 1) ** 2 * (1 + flip)
    counts = np.array([found.count(kind) for kind in set(found)])
    assert len(counts) == kinds  # every window is drawn, about as often as the others
    expected = len(IMAGES) / kinds
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("side", [1, 3, 4])
def test_cutout_sets_one_square_to_zero(side):
    result = augment(BatchAugmentation(cutout_size=side), IMAGES)
    centres = set()
    for image, changed in zip(IMAGES, result, strict=True):
        cut = changed[..., 0] == 0
        np.testing.assert_array_equal(cut, changed[..., 1] == 0)
        np.testing.assert_array_equal(changed[~cut], image[~cut])
        rows, columns = np.flatnonzero(cut.any(1)), np.flatnonzero(cut.any(0))
        assert cut.sum() == len(rows) * len(columns)
        for positions in (rows, columns):
            assert len(positions) == positions[-1] - positions[0] + 1 <= side
            at_edge = positions[0] == 0 or positions[-1] == SIZE - 1
            assert at_edge or len(positions) == side
        centres.add((rows[-1], columns[-1]))
    assert len(centres) > SIZE  # it is not always the same square


@pytest.mark.parametrize(
    ("degrees", "zoom", "shift"),
    [(30, 0, 0), (0, 0.25, 0), (0, 0, 2.5), (30, 0.25, 2.5)],
)
def test_images_are_turned_and_zoomed_around_their_middle_and_moved(
    degrees, zoom, shift
):
    rows, columns = np.mgrid[-15.0:16, -15.0:16]
    image = np.stack([rows, columns, np.ones_like(rows)], axis=-1)
    augmentation = BatchAugmentation(
        random_rotation=degrees, random_zoom=zoom, random_shift=shift
    )
    result = augment(augmentation, np.stack([image] * 400))
    np.testing.assert_array_equal(result[..., 2], 1)  # nothing black comes in
    # A pixel shows the place that it came from, a linear map of its own place, and so
    # it does where the image's edge is far away.
    own = image[10:21, 10:21].reshape(-1, 3)
    origins = result[:, 10:21, 10:21, :2].reshape(400, -1, 2)
    maps = np.stack([np.linalg.lstsq(own, origin)[0] for origin in origins])
    np.testing.assert_allclose(own @ maps, origins, atol=1e-4)
    np.testing.assert_allclose(maps[:, 0, 0], maps[:, 1, 1], atol=1e-4)
    np.testing.assert_allclose(maps[:, 0, 1], -maps[:, 1, 0], atol=1e-4)
    sizes = 1 / np.hypot(maps[:, 0, 0], maps[:, 0, 1]) - 1
    angles = np.degrees(np.arctan2(maps[:, 0, 1], maps[:, 0, 0]))
    drawn = ((angles, degrees), (sizes, zoom), (maps[:, 2], shift))
    for values, bound in drawn:
        assert np.abs(values).max() <= bound + 1e-4
        of_uniform = bound / np.sqrt(3)
        assert np.std(values) == pytest.approx(of_uniform, rel=0.15, abs=1e-4)


def test_a_seed_repeats_and_another_differs():
    everything = BatchAugmentation(2, True, 20.0, 0.2, 1.0, 3)
    first = augment(everything, IMAGES)
    np.testing.assert_array_equal(first, augment(everything, IMAGES))
    assert (first != augment(everything, IMAGES, (1, 3))).any()


def test_only_the_training_stream_is_altered_and_labels_stay():
    rng = np.random.default_rng(0)
    splits = [
        Split(
            rng.integers(1, 256, (60, 8, 8, 1)).astype(np.uint8),
            np.arange(60, dtype=np.int32) % 3,
        )
        for _ in range(3)
    ]
    for split in splits:
        split.images[:, 3:5, 3:5, 0] = 80 * split.labels[:, None, None] + 10
    mean, std = np.zeros(1, np.float32), np.ones(1, np.float32)
    data = reader_of(Data(*splits, mean, std, ("a", "b", "c")))

    def batches(seed, stream):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            pipeline = InputPipeline(data, 20, seed, BatchAugmentation(1, True))
            pipeline.initialize(session)
            outputs, feed = (pipeline.images, pipeline.labels), pipeline.feed(stream)
            runs = [session.run(outputs, feed) for _ in range(3)]
            return [np.concatenate(parts) for parts in zip(*runs, strict=True)]

    images, labels = batches(1, "train")
    # Four pixels tell the class; a shift by one leaves one of them in place at least.
    middle = np.round(images[:, 3:5, 3:5, 0] * 255)
    assert (middle == 80 * labels[:, None, None] + 10).any((1, 2)).all()
    assert (images == 0).any()  # padding
    for stream in ("valid", "test", "reward"):
        assert (batches(1, stream)[0] > 0).all()
    again, again_labels = batches(1, "train")
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, again_labels)
    assert (batches(2, "train")[0] != images).any()
