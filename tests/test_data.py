"""Reading images, augmenting them, and the batches that reach the graph."""

import zipfile

import cv2
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import dataset_options_pb2

from enas.base.errors import InputError
from enas.data_utils import (
    Data,
    FolderReader,
    Source,
    Split,
    image_statistics,
    open_sources,
    reader_of,
)
from enas.images.augment import augmented, with_augmented_copies
from enas.images.batch_augment import BatchAugmentation
from enas.images.image_files import decode
from enas.session.input_pipeline import STREAMS, InputPipeline

MNIST = "data/mnist"


def picture(value: int, size: int = 8, colour: bool = False) -> bytes:
    shape = (size, size, 3) if colour else (size, size)
    return cv2.imencode(".png", np.full(shape, value, np.uint8))[1].tobytes()


@pytest.fixture
def folder(tmp_path):
    """Classes a, b and c of 4, 3 and 1 images, valued 10·class + number."""
    for label, (name, count) in enumerate({"b": 3, "a": 4, "c": 1}.items()):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(count):
            path = tmp_path / "set" / name / f"{number}.png"
            path.write_bytes(picture(10 * label + number))
    (tmp_path / "set" / "readme.txt").write_text("not an image")
    return tmp_path / "set"


def zipped(folder, prefix=""):
    path = folder.parent / "set2.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + str(file.relative_to(folder)))
    return path


def test_classes_are_sorted_by_name(folder):
    split = Source(str(folder), "flag").read(8, 1)
    assert Source(str(folder), "flag").classes == ("a", "b", "c")
    assert split.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
    assert split.images[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 0, 1, 2, 20]
    assert split.images.dtype == np.uint8 and split.labels.dtype == np.int32


@pytest.mark.parametrize("prefix", ["", "train/", "my/images/"])
def test_a_zip_reads_like_its_folder(folder, prefix):
    path = zipped(folder, prefix)
    expected = Source(str(folder), "flag").read(8, 1)
    for name in (str(path), str(path).removesuffix(".zip")):
        source = Source(name, "flag")
        assert source.classes == ("a", "b", "c")
        for actual, wanted in zip(source.read(8, 1), expected, strict=True):
            np.testing.assert_array_equal(actual, wanted)


def test_what_else_a_zip_holds_is_passed_over(folder):
    path = zipped(folder, "my/")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("__MACOSX/my/a/._0.png", "my/a/._0.png", "my/a/.thumbs/0.png"):
            archive.writestr(name, b"no image")
        archive.writestr("my/a/deeper/0.png", picture(99))
        archive.writestr("my/", b"")
    source = Source(str(path), "flag")
    assert {n: len(files) for n, files in source.files.items()} == {
        "a": 4,
        "b": 3,
        "c": 1,
    }


def test_limit_takes_evenly_from_the_classes(folder):
    source = Source(str(folder), "flag")
    for limit, counts in ((3, [1, 1, 1]), (5, [2, 2, 1]), (7, [3, 3, 1])):
        assert np.bincount(source.read(8, 1, limit).labels).tolist() == counts
    assert len(source.read(8, 1, 100).labels) == 8


def test_colour_and_size(tmp_path):
    content = cv2.imencode(".bmp", np.full((4, 6, 3), (10, 20, 30), np.uint8))[1]
    assert decode(content.tobytes(), 8, 3)[0, 0].tolist() == [30, 20, 10]
    assert decode(content.tobytes(), 2, 1).shape == (2, 2, 1)
    assert decode(picture(77), 4, 3)[0, 0].tolist() == [77, 77, 77]


def test_mnist_zips_hold_what_they_should():
    paths = [f"{MNIST}/{name}" for name in ("train", "valid", "test")]
    sources = open_sources(*paths)
    counts = [sum(map(len, source.files.values())) for source in sources]
    assert counts == [55000, 5000, 10000]
    assert sources[0].classes == tuple("0123456789")
    # The first training images are the digits 5 0 4 1, as in the original file.
    for number, label in enumerate("5041"):
        assert f"{label}/{number:05d}.png" in sources[0].files[label]


def test_an_unreadable_image_is_named(folder):
    (folder / "b" / "1.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(InputError, match=r"flag: cannot read image .*b.1\.png"):
        Source(str(folder), "flag").read(8, 1)
    with pytest.raises(InputError, match=r"b/1\.png in .*set2\.zip"):
        Source(str(zipped(folder)), "flag").read(8, 1)
    damaged = zlib_damaged(folder)
    with pytest.raises(InputError, match=r"flag: cannot read image b/0\.png"):
        Source(str(damaged), "flag").read(8, 1)
    (folder / "b" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match="cannot read"):
        Source(str(folder), "flag").read(8, 1)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"flag: neither a folder .*none nor a file"):
        Source(str(tmp_path / "none"), "flag")
    (folder / "d").mkdir()
    with pytest.raises(InputError, match=r"class folder d in .* holds no image"):
        Source(str(folder), "flag")
    with pytest.raises(InputError, match=r"class folder d in .* holds no image"):
        Source(str(zipped(folder)), "flag")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no class folders"):
        Source(str(tmp_path / "empty"), "flag")
    (tmp_path / "no.zip").write_bytes(b"PK no zip")
    with pytest.raises(InputError, match=r"no\.zip is no zip file"):
        Source(str(tmp_path / "no.zip"), "flag")


def test_splits_of_different_classes_are_refused(folder, tmp_path):
    (tmp_path / "other" / "a").mkdir(parents=True)
    (tmp_path / "other" / "a" / "0.png").write_bytes(picture(0))
    with pytest.raises(InputError, match=r"val_data_dir: .*differ in the classes b, c"):
        open_sources(str(folder), str(tmp_path / "other"), str(folder))


def test_statistics_are_those_of_the_training_set(folder):
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3)).astype(np.uint8)
    images[..., 2] = 7
    mean, std = image_statistics(images)
    scaled = images / 255.0
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std[:2], scaled.std((0, 1, 2))[:2], rtol=1e-5)
    assert std[2] == 1.0
    data = FolderReader(open_sources(*[str(folder)] * 3), 8, 1, eval_limit=3)()
    mean, _ = image_statistics(data.train.images)
    assert data.mean == mean and len(data.valid.labels) == 3


def test_augmented_copies_follow_their_labels_and_their_seed():
    rng = np.random.default_rng(0)
    images = np.zeros((9, 16, 16, 1), np.uint8)
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2], np.int32)
    images[np.arange(9), 6:10, 6:10, 0] = 60 * labels[:, None, None] + 100
    copies, copied_labels = with_augmented_copies(images, labels, 4, seed=3)
    assert copies.shape == (36, 16, 16, 1) and copies.dtype == np.uint8
    np.testing.assert_array_equal(copies[:9], images)
    brightest = copies.reshape(36, -1).max(axis=1).astype(int)
    for label in range(3):
        expected = 60 * label + 100
        # Contrast ± 20 %, brightness ± 30, noise: on average the classes tell apart.
        assert abs(np.median(brightest[copied_labels == label]) - expected) < 30
    again, _ = with_augmented_copies(images, labels, 4, seed=3)
    other, _ = with_augmented_copies(images, labels, 4, seed=4)
    np.testing.assert_array_equal(copies, again)
    assert (copies != other).any()
    changed = [(augmented(images[0], rng) != images[0]).any() for _ in range(200)]
    assert 0.85 < np.mean(changed) < 1.0  # 1 - (1/2)^4 for a gray image


def zlib_damaged(folder):
    """A compressed zip of one readable header and a damaged body for each image."""
    path = folder.parent / "damaged.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/0.png", bytes(5000))
    content = bytearray(path.read_bytes())
    start = content.index(b"b/0.png") + len("b/0.png")
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    return path


@pytest.fixture
def data():
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, (count, 4, 4, 1)).astype(np.uint8)
        images[:, 0, 0, 0] = np.arange(count)
        return Split(images, np.arange(count, dtype=np.int32) % 3)

    mean, std = np.array([0.5], np.float32), np.array([0.25], np.float32)
    splits = split(10), split(205), split(120)
    return reader_of(Data(*splits, mean, std, ("a", "b", "c")))


def test_streams(data, graph, session):
    pipeline = InputPipeline(data, batch_size=4, seed=1)
    pipeline.initialize(session)

    def batch(stream):
        images, labels = session.run(
            [pipeline.images, pipeline.labels], pipeline.feed(stream)
        )
        return np.round((images[:, 0, 0, 0] * 0.25 + 0.5) * 255).astype(int), labels

    for split, sizes in (("valid", [68, 68, 69]), ("test", [60, 60])):
        assert pipeline.eval_batches(split) == len(sizes)
        orders = []
        for _ in range(2):
            numbers = [batch(split)[0] for _ in sizes]
            assert [len(part) for part in numbers] == sizes
            orders.append(np.concatenate(numbers).tolist())
        assert sorted(orders[0]) == list(range(sum(sizes)))
        assert orders[0] == orders[1] != sorted(orders[0])
    passes = [batch("train") for _ in range(5)]
    numbers = np.concatenate([part for part, _ in passes])
    assert all(len(part) == 4 for part, _ in passes)
    assert sorted(numbers) == sorted([*range(10), *range(10)])
    assert sorted(numbers[:10]) == list(range(10)) and list(numbers[:10]) != sorted(
        numbers[:10]
    )
    for part, labels in passes:
        np.testing.assert_array_equal(part % 3, labels)
    assert len(batch("reward")[0]) == 4


def test_a_sought_batch_is_the_one_that_was_read_in_turn(data):
    def read(starts):
        augmentation = BatchAugmentation(crop_padding=1)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            pipeline = InputPipeline(data, 4, seed=5, augmentation=augmentation)
            pipeline.initialize(session)
            batches = {}
            for stream, count in (("train", 8), ("reward", 60), ("valid", 6)):
                for number in range(starts[stream], count):
                    pipeline.seek(session, stream, number)
                    feed = pipeline.feed(stream)
                    batches[stream, number] = session.run(pipeline.images, feed)
            return batches

    in_turn = read({"train": 0, "reward": 0, "valid": 0})
    sought = read({"train": 6, "reward": 55, "valid": 2})
    assert len(sought) == 2 + 5 + 4
    for key, images in sought.items():
        np.testing.assert_array_equal(images, in_turn[key])
    assert not np.array_equal(in_turn["reward", 0], in_turn["reward", 1])


def test_a_batch_of_rewards_comes_so_many_times_in_a_row(data):
    def read(repeats, start):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            pipeline = InputPipeline(data, 4, seed=5, reward_repeats=repeats)
            pipeline.initialize(session)
            images = []
            for number in range(start, 24):
                pipeline.seek(session, "reward", number)
                images.append(session.run(pipeline.images, pipeline.feed("reward")))
            return np.stack(images)

    once, thrice = read(1, 0)[:8], read(3, 0)
    np.testing.assert_array_equal(thrice, np.repeat(once, 3, axis=0))
    for start in (7, 9, 23):
        np.testing.assert_array_equal(read(3, start), thrice[start:])


def test_workers_read_the_batches_of_one_that_is_alone(data):
    """Each reads every third, and starts its streams anew only where it must."""
    sizes = {"train": 9, "reward": 18, "valid": 6, "shown": 3}

    def read(index, stride):
        augmentation = BatchAugmentation(crop_padding=1)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            pipeline = InputPipeline(data, 4, 5, augmentation, 2, stride)
            pipeline.initialize(session)
            batches = {}
            for stream, count in sizes.items():
                every = 1 if stream == "shown" else stride
                for number in range(index, count, every):
                    pipeline.seek(session, stream, number)
                    feed = pipeline.feed(stream)
                    batches[stream, number] = session.run(pipeline.images, feed)
            return batches

    alone, shared = read(0, 1), {}
    for index in range(3):
        shared |= read(index, 3)
    assert shared.keys() == alone.keys()
    for key, images in shared.items():
        np.testing.assert_array_equal(images, alone[key])


def test_evaluation_batches_hold_every_class(graph, session):
    """A folder's images come class by class; a batch of one class would mislead batch
    norm that takes the statistics of the batch."""
    images = np.zeros((1000, 4, 4, 1), np.uint8)
    split = Split(images, np.repeat(np.arange(10, dtype=np.int32), 100))
    half = np.full(1, 0.5, np.float32)
    data = Data(split, split, split, half, half, tuple("0123456789"))
    pipeline = InputPipeline(reader_of(data), batch_size=4)
    pipeline.initialize(session)
    for stream in ("valid", "test"):
        for _ in range(pipeline.eval_batches(stream)):
            labels = session.run(pipeline.labels, pipeline.feed(stream))
            assert np.bincount(labels, minlength=10).min() >= 1


def test_images_are_not_constants_of_the_graph(data, graph):
    InputPipeline(data, batch_size=4)
    assert graph.as_graph_def().ByteSize() < data().valid.images.nbytes * 20
    big = max(
        (node for node in graph.as_graph_def().node if node.op == "Const"),
        key=lambda node: node.ByteSize(),
    )
    assert big.ByteSize() < 1000


def test_seeds(data):
    def first_batches(seed):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            pipeline = InputPipeline(data, batch_size=4, seed=seed)
            pipeline.initialize(session)
            feed = pipeline.feed("train")
            return [session.run(pipeline.labels, feed).tolist() for _ in range(5)]

    assert first_batches(1) == first_batches(1)
    assert first_batches(1) != first_batches(2)


def test_no_stream_is_tuned():
    """The end of a session would wait for the thread that tunes one."""
    split = Split(np.zeros((4, 1, 1, 1), np.uint8), np.zeros(4, np.int32))
    half = np.full(1, 0.5, np.float32)
    with tf.Graph().as_default() as graph:
        InputPipeline(reader_of(Data(split, split, split, half, half, ("a",))), 2)
    options = [op for op in graph.get_operations() if op.type == "OptionsDataset"]
    assert len(options) == len(STREAMS)
    for op in options:
        kept = dataset_options_pb2.Options.FromString(op.get_attr("serialized_options"))
        assert not kept.autotune_options.enabled
        assert kept.autotune_options.HasField("enabled")
